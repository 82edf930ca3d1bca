//! Who the daemon is, read once: its command, its file, the package that it belongs to; and who is to be hidden in all that is shown.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use super::mask::People;
use super::report::Package;
use crate::platform;

/// How far above its program a package is looked for.
const FOLDERS_UP: usize = 4;
/// The files that name a package and its version.
const PACKAGE_FILES: [&str; 2] = [".claude-plugin/plugin.json", "package.json"];
/// A larger file is none of these.
const LARGEST: u64 = 1 << 20;

/// A package and the file that names it, as read.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) file: PathBuf,
}

impl Found {
    /// As it is shown.
    pub(super) fn shown(&self, show: impl Fn(&str) -> String) -> Package {
        Package {
            name: show(&self.name),
            version: show(&self.version),
            file: show(&self.file.to_string_lossy()),
        }
    }
}

/// The packages that a program belongs to, the nearest first: of the script that it runs, else of its file. Some packages lie within
/// each other and name different versions, so all are told.
pub(super) fn packages(pid: u32, arguments: &[String], executable: Option<&Path>) -> Vec<Found> {
    let folder = platform::working_folder(pid);
    let script = arguments.iter().skip(1).find_map(|argument| {
        let path = match &folder {
            Some(folder) => folder.join(argument),
            None => PathBuf::from(argument),
        };
        (!argument.starts_with('-') && path.is_absolute() && path.is_file()).then_some(path)
    });
    let Some(program) = script.or_else(|| executable.map(Path::to_owned)) else {
        return Vec::new();
    };
    let mut found: Vec<Found> = Vec::new();
    for folder in program.ancestors().skip(1).take(FOLDERS_UP) {
        for name in PACKAGE_FILES {
            if let Some(package) = read_package(&folder.join(name)) {
                let is_known = found.iter().any(|known| {
                    (&known.name, &known.version) == (&package.name, &package.version)
                });
                if !is_known {
                    found.push(package);
                }
            }
        }
    }
    found
}

fn read_package(path: &Path) -> Option<Found> {
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(LARGEST)
        .read_to_string(&mut text)
        .ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    let field = |name: &str| json.get(name)?.as_str().map(str::to_owned);
    Some(Found {
        name: field("name")?,
        version: field("version")?,
        file: path.to_owned(),
    })
}

/// The home folders of the user who asks and of the daemon's.
pub(super) fn homes(uid: u32, environment: &[String]) -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> = variable(environment, &["HOME"])
        .into_iter()
        .map(PathBuf::from)
        .collect();
    homes.extend(env::var_os("HOME").map(PathBuf::from));
    homes.extend(
        User::from_uid(Uid::from_raw(uid))
            .ok()
            .flatten()
            .map(|user| user.dir),
    );
    homes
}

/// Who is to be hidden.
pub(super) fn people(uid: u32, environment: &[String], homes: &[PathBuf]) -> People {
    const NAMES: [&str; 3] = ["USER", "LOGNAME", "SUDO_USER"];
    let mut users = variable(environment, &NAMES);
    users.extend(NAMES.into_iter().filter_map(|name| env::var(name).ok()));
    users.extend(
        User::from_uid(Uid::from_raw(uid))
            .ok()
            .flatten()
            .map(|user| user.name),
    );
    People::new(
        homes.iter().map(|home| home.to_string_lossy().into_owned()),
        users,
    )
}

/// The values that an environment has for these names.
fn variable(environment: &[String], names: &[&str]) -> Vec<String> {
    environment
        .iter()
        .filter_map(|entry| entry.split_once('='))
        .filter(|(name, _)| names.contains(name))
        .map(|(_, value)| value.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_packages_around_a_script_name_their_versions() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("a/scripts/worker.cjs");
        fs::create_dir_all(script.parent().unwrap()).unwrap();
        fs::write(&script, "").unwrap();
        let find = || {
            let script = script.to_string_lossy().into_owned();
            let arguments = ["bun".to_owned(), "--x".to_owned(), script];
            packages(std::process::id(), &arguments, None)
                .into_iter()
                .map(|found| format!("{} {}", found.name, found.version))
                .collect::<Vec<_>>()
        };
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert!(find().is_empty());
        write("package.json", r#"{"name":"outer","version":"1.0.0"}"#);
        assert_eq!(find(), ["outer 1.0.0"]);
        // A file without a version names nothing.
        write("a/package.json", r#"{"type":"module"}"#);
        assert_eq!(find(), ["outer 1.0.0"]);
        write("a/package.json", r#"{"name":"inner","version":"8.5.10"}"#);
        let plugin = r#"{"name":"plugin","version":"9.0.0"}"#;
        write("a/.claude-plugin/plugin.json", plugin);
        write(".claude-plugin/plugin.json", plugin);
        assert_eq!(find(), ["plugin 9.0.0", "inner 8.5.10", "outer 1.0.0"]);
    }
}
