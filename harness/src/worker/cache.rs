//! The cache: installed workers, runtimes and SDKs, each version in a folder of its own.
//!
//! ```text
//! <cache>/claude-mem/13.25.3/node_modules/claude-mem   an npm package, with what it needs
//! <cache>/claude-mem/9.0.0/                            a release that is only a tag
//! <cache>/bun/1.3.5/bun                                a runtime
//! <cache>/sdks/0.1.76/node_modules/@anthropic-ai/…     an Agent SDK for node
//! <cache>/sdks/python/0.2.187/claude_agent_sdk/        an Agent SDK for Python, with what it needs
//! ```

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use semver::Version;

use super::adapter::Versions;
use super::programs::{find_on_path, is_executable};

/// Names the cache folder.
const CACHE_VARIABLE: &str = "LEAK_HARNESS_CACHE";
/// Names the folder of Agent SDKs, where it is not in the cache.
const SDKS_VARIABLE: &str = "LEAK_HARNESS_SDKS";

/// The cache folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// A cache in this folder.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The user's cache: `$LEAK_HARNESS_CACHE`, else `$XDG_CACHE_HOME/leak-harness`, else `~/.cache/leak-harness`. None when even
    /// HOME is unset.
    pub fn of_user() -> Option<Self> {
        let set = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        set(CACHE_VARIABLE)
            .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("leak-harness")))
            .or_else(|| set("HOME").map(|home| home.join(".cache").join("leak-harness")))
            .map(Self::at)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a version of something lies, installed or not.
    pub fn folder(&self, name: &str, version: &Version) -> PathBuf {
        self.root.join(name).join(version.to_string())
    }

    /// The folder of an installed package, `plugin/` in it, if it is installed.
    pub fn package(&self, name: &str, version: &Version) -> Option<PathBuf> {
        let folder = self.folder(name, version);
        let published = folder.join("node_modules").join(name);
        [published, folder]
            .into_iter()
            .find(|folder| folder.join("plugin").is_dir())
    }

    /// The Agent SDKs: `$LEAK_HARNESS_SDKS`, else a folder of the cache. Each version is a folder in it.
    pub fn sdks(&self) -> PathBuf {
        env::var_os(SDKS_VARIABLE)
            .filter(|value| !value.is_empty())
            .map_or_else(|| self.root.join("sdks"), PathBuf::from)
    }

    /// The folder of an installed Agent SDK, `package` as `install` takes it: in the folder that the user names for them, else in the
    /// cache.
    pub fn sdk(&self, package: &str, version: &Version) -> Option<PathBuf> {
        let below = |folder: PathBuf| match package {
            "claude-agent-sdk-py" => folder.join("python").join(version.to_string()),
            _ => folder.join(version.to_string()),
        };
        [self.sdks(), self.root.join("sdks")]
            .into_iter()
            .map(below)
            .find(|folder| folder.is_dir())
    }

    /// The versions of something that are installed, oldest first.
    pub fn versions(&self, name: &str) -> Vec<Version> {
        let mut versions: Vec<Version> = self
            .root
            .join(name)
            .read_dir()
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        versions.sort();
        versions
    }

    /// A runtime: the newest cached version that will do, else what is on PATH if it will do.
    pub fn runtime(&self, name: &str, wanted: &Versions) -> Option<PathBuf> {
        let cached = self
            .versions(name)
            .into_iter()
            .rev()
            .filter(|version| wanted.hold(version))
            .map(|version| self.folder(name, &version).join(name))
            .find(|program| is_executable(program));
        cached.or_else(|| {
            let program = find_on_path(name)?;
            let fits = *wanted == Versions::default()
                || version_of(&program).is_some_and(|version| wanted.hold(&version));
            fits.then_some(program)
        })
    }
}

/// What a program answers to `--version`: the first word of it that is a version, a leading `v` left out.
pub(super) fn version_of(program: &Path) -> Option<Version> {
    let output = Command::new(program).arg("--version").output().ok()?;
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .find_map(|word| word.trim_start_matches('v').parse().ok())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_newest_cached_runtime_that_will_do_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        for version in ["1.2.0", "1.10.1", "2.0.0"] {
            program(&folder.path().join("bun").join(version).join("bun"));
        }
        // Left over from an installation that was cut off.
        fs::create_dir(folder.path().join("bun/.partial")).unwrap();
        let wanted = ">=1.0.0, <2.0.0".parse().unwrap();
        assert_eq!(
            cache.runtime("bun", &wanted),
            Some(folder.path().join("bun/1.10.1/bun"))
        );
        assert_eq!(cache.runtime("no-such-runtime", &wanted), None);
    }

    #[test]
    fn packages_are_found_as_published_and_as_tagged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let (published, tagged, absent) = (
            Version::new(13, 25, 3),
            Version::new(9, 0, 0),
            Version::new(9, 0, 1),
        );
        let npm = folder
            .path()
            .join("claude-mem/13.25.3/node_modules/claude-mem");
        fs::create_dir_all(npm.join("plugin")).unwrap();
        fs::create_dir_all(folder.path().join("claude-mem/9.0.0/plugin")).unwrap();
        assert_eq!(cache.package("claude-mem", &published), Some(npm));
        assert_eq!(
            cache.package("claude-mem", &tagged),
            Some(folder.path().join("claude-mem/9.0.0"))
        );
        assert_eq!(cache.package("claude-mem", &absent), None);
        assert_eq!(cache.versions("claude-mem"), [tagged, published]);
    }
}
