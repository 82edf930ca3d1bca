//! Which releases of claude-mem there are: in the cache, on npm, or as tags of a clone.

use std::path::Path;
use std::process::Command;

use semver::Version;
use serde_json::Value;

use super::adapter::Adapter;
use super::cache::Cache;

/// The package.
const CLAUDE_MEM: &str = "claude-mem";

/// Where releases are looked for, beside the cache.
#[derive(Debug, Clone, Copy)]
pub enum Beyond<'a> {
    /// Nowhere.
    Nothing,
    /// What npm has.
    Npm,
    /// The tags of this clone.
    Clone(&'a Path),
}

/// The releases that have an adapter, oldest first, from the cache and from beyond.
///
/// # Errors
///
/// In words, why those beyond the cache could not be listed.
pub fn releases(cache: &Cache, beyond: Beyond<'_>) -> Result<Vec<Version>, String> {
    let mut versions = cache.versions(CLAUDE_MEM);
    match beyond {
        Beyond::Nothing => {}
        Beyond::Npm => {
            let told = output("npm", &["view", CLAUDE_MEM, "versions", "--json"])?;
            versions.extend(listed(&told));
        }
        Beyond::Clone(folder) => {
            let folder = folder.to_string_lossy();
            versions.extend(tags(&output("git", &["-C", &folder, "tag", "--list"])?));
        }
    }
    versions.retain(|version| {
        version.pre.is_empty() && Adapter::for_package(CLAUDE_MEM, version).is_some()
    });
    versions.sort();
    versions.dedup();
    Ok(versions)
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .map_err(|cause| format!("cannot start {program}: {cause}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it said nothing");
        Err(format!("{program} {}: {said}", arguments.join(" ")))
    }
}

/// The versions in a list of JSON.
fn listed(json: &str) -> Vec<Version> {
    match serde_json::from_str(json) {
        Ok(Value::Array(versions)) => versions
            .iter()
            .filter_map(|version| version.as_str()?.parse().ok())
            .collect(),
        // Of a package with one version, npm gives it alone.
        Ok(Value::String(version)) => version.parse().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The versions among the names of tags.
fn tags(names: &str) -> Vec<Version> {
    let names = names.lines();
    names
        .filter_map(|name| name.strip_prefix('v')?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_everything_else() {
        assert_eq!(
            tags("v9.0.1\nnightly\nv10.0\nv10.0.0-beta\n"),
            ["9.0.1".parse().unwrap(), "10.0.0-beta".parse().unwrap()]
        );
        assert_eq!(listed("[\"1.0.0\", 3, \"x\"]"), [Version::new(1, 0, 0)]);
        assert_eq!(listed("\"1.0.0\""), [Version::new(1, 0, 0)]);
        assert!(listed("no JSON").is_empty());
    }

    #[test]
    fn a_folder_that_is_no_clone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        assert_eq!(releases(&cache, Beyond::Nothing), Ok(Vec::new()));
        let told = releases(&cache, Beyond::Clone(&folder.path().join("nowhere")));
        assert!(told.unwrap_err().starts_with("git -C "));
    }
}
