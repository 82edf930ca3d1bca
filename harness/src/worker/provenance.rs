//! Where a worker came from, in words that another machine understands: for the manifest of a run, and so for reports.

use std::collections::BTreeMap;

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

    /// Its settings as the adapter writes them, placeholders unfilled.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let settings = self.adapter.start.settings.iter();
        settings
            .flat_map(|settings| &settings.values)
            .map(|(name, value)| (name.clone(), value.source().to_owned()))
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
    /// What `leak-harness install` fetches to have this worker, itself last; nothing for one that is built in, and for one in a folder or
    /// an adapter file, of which nobody knows where it came from.
    pub fn to_install(&self, worker: &ResolvedWorker) -> Vec<String> {
        match self {
            Self::Release(version) => worker
                .runtime()
                .map(|runtime| runtime.replace(' ', "@"))
                .into_iter()
                .chain([format!("claude-mem@{version}")])
                .collect(),
            Self::Sdk {
                adapter, version, ..
            } => SDKS
                .iter()
                .filter(|sdk| sdk.adapter == *adapter)
                .map(|sdk| format!("{}@{version}", sdk.package))
                .collect(),
            Self::Model(_) | Self::Folder(_) | Self::Adapter(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

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
