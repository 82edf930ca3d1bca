//! Where a worker came from, in words that another machine understands: for the manifest of a run, and so for reports.

use std::collections::BTreeMap;
use std::path::Path;

use semver::Version;

use super::adapter::StopSignal;
use super::cache::version_of;
use super::spec::{ResolvedWorker, SDKS, WorkerSpec};

impl ResolvedWorker {
    /// The program that runs it, with its version, such as `bun 1.3.5`; none where there is none, or where it does not tell.
    pub fn runtime(&self) -> Option<String> {
        let program = self.runtime.as_ref()?;
        let name = program.file_name()?.to_str()?;
        // In the cache the folder is named after the version, so that nobody has to be asked.
        let folder = program.parent()?.file_name()?.to_str()?;
        let version = folder.parse::<Version>().ok();
        let version = version.or_else(|| version_of(program))?;
        Some(format!("{name} {version}"))
    }

    /// Its settings as the adapter writes them, placeholders unfilled, and those of the scenario over them.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let settings = self.adapter.start.settings.iter();
        settings
            .flat_map(|settings| &settings.values)
            .map(|(name, value)| (name.clone(), value.source().to_owned()))
            .chain(self.settings.clone())
            .collect()
    }

    /// What asks it to stop, in a word or two.
    pub fn stop(&self) -> String {
        let stop = &self.adapter.stop;
        let signal = stop.signal.map(|signal| match signal {
            StopSignal::Sigterm => "SIGTERM",
            StopSignal::Sigint => "SIGINT",
        });
        let request = stop.request.as_ref().map(|_| "a request");
        let stdin = stop.closes_stdin.then_some("the end of its stdin");
        let all: Vec<&str> = [signal, request, stdin].into_iter().flatten().collect();
        all.join(" and ")
    }
}

impl WorkerSpec {
    /// What `leak-harness install` is told to have this worker, itself last; nothing for one that is built in, and for an adapter file, of
    /// which nobody knows where its worker came from. For one in a folder it is the release that its package says it is.
    pub fn to_install(&self, worker: &ResolvedWorker) -> Vec<String> {
        match self {
            Self::Release(_) | Self::Folder(_) => {
                let runtime = worker.runtime().map(|runtime| runtime.replace(' ', "@"));
                let tagged = !is_published(worker);
                let source = tagged.then(|| "--source CLONE".to_owned());
                let version = worker.version.iter();
                let release = version.map(|version| format!("{}@{version}", worker.name));
                runtime.into_iter().chain(source).chain(release).collect()
            }
            Self::Sdk {
                adapter, version, ..
            } => SDKS
                .iter()
                .filter(|sdk| sdk.adapter == *adapter)
                .map(|sdk| format!("{}@{version}", sdk.package))
                .collect(),
            Self::Model(_) | Self::Adapter(_) => Vec::new(),
        }
    }
}

/// Whether a package was fetched from npm, which puts it into a folder of this name. One without came from a tag: that of a clone, or of
/// the project's repository.
fn is_published(worker: &ResolvedWorker) -> bool {
    let folder = worker.package.as_deref().and_then(Path::parent);
    folder
        .and_then(Path::file_name)
        .is_some_and(|name| name == "node_modules")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::cache::Cache;
    use super::*;
    use crate::scenario::WorkerSettings;

    fn file(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{\"version\": \"13.25.3\"}").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_release_names_itself_its_runtime_and_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder
            .path()
            .join("claude-mem/13.25.3/node_modules/claude-mem");
        file(&package.join("plugin/scripts/worker-service.cjs"));
        file(&package.join("package.json"));
        file(
            &folder
                .path()
                .join("claude-mem/13.25.3/node_modules/zod/package.json"),
        );
        file(&folder.path().join("bun/1.3.5/bun"));
        let spec = WorkerSpec::parse("claude-mem@13.25.3").unwrap();
        let worker = spec
            .resolve(&WorkerSettings::default(), &Cache::at(folder.path()))
            .unwrap();
        assert_eq!(worker.runtime().as_deref(), Some("bun 1.3.5"));
        assert_eq!(
            spec.to_install(&worker),
            ["bun@1.3.5", "claude-mem@13.25.3"]
        );
        let settings = worker.settings();
        assert_eq!(settings["CLAUDE_MEM_MAX_CONCURRENT_AGENTS"], "10");
        assert_eq!(settings["CLAUDE_CODE_PATH"], "{claude}");
    }

    #[test]
    fn what_came_from_a_tag_is_installed_from_a_clone() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("claude-mem/9.0.0");
        file(&package.join("plugin/scripts/worker-service.cjs"));
        fs::write(package.join("package.json"), "{\"version\": \"9.0.0\"}").unwrap();
        file(&folder.path().join("bun/1.3.5/bun"));
        for spec in [
            "claude-mem@9.0.0".to_owned(),
            format!("claude-mem:{}", package.display()),
        ] {
            let spec = WorkerSpec::parse(&spec).unwrap();
            let cache = Cache::at(folder.path());
            let worker = spec.resolve(&WorkerSettings::default(), &cache).unwrap();
            assert_eq!(
                spec.to_install(&worker),
                ["bun@1.3.5", "--source CLONE", "claude-mem@9.0.0"]
            );
        }
    }

    #[test]
    fn what_is_built_in_needs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let spec = WorkerSpec::parse("model").unwrap();
        let worker = spec
            .resolve(&WorkerSettings::default(), &Cache::at(folder.path()))
            .unwrap();
        assert_eq!(worker.runtime(), None);
        assert!(spec.to_install(&worker).is_empty());
    }
}
