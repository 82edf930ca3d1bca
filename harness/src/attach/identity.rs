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
const PACKAGE_FILES: [&str; 2] = ["package.json", ".claude-plugin/plugin.json"];
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

/// The package that a program belongs to: of the script that it runs, else of its file.
pub(super) fn package(pid: u32, arguments: &[String], executable: Option<&Path>) -> Option<Found> {
    let folder = platform::working_folder(pid);
    let script = arguments.iter().skip(1).find_map(|argument| {
        let path = match &folder {
            Some(folder) => folder.join(argument),
            None => PathBuf::from(argument),
        };
        (!argument.starts_with('-') && path.is_absolute() && path.is_file()).then_some(path)
    });
    let program = script.or_else(|| executable.map(Path::to_owned))?;
    program
        .ancestors()
        .skip(1)
        .take(FOLDERS_UP)
        .flat_map(|folder| PACKAGE_FILES.map(|name| folder.join(name)))
        .find_map(|file| read_package(&file))
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
    fn the_nearest_package_names_the_version() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("a/scripts/worker.cjs");
        fs::create_dir_all(script.parent().unwrap()).unwrap();
        fs::write(&script, "").unwrap();
        let find = || {
            let script = script.to_string_lossy().into_owned();
            let arguments = ["bun".to_owned(), "--x".to_owned(), script];
            package(std::process::id(), &arguments, None).map(|found| (found.name, found.version))
        };
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(find(), None);
        write("package.json", r#"{"name":"outer","version":"1.0.0"}"#);
        assert_eq!(find(), Some(("outer".to_owned(), "1.0.0".to_owned())));
        write("a/package.json", r#"{"type":"module"}"#);
        assert_eq!(
            find().unwrap().0,
            "outer",
            "a file without a version names nothing"
        );
        write("a/package.json", r#"{"name":"inner","version":"9.0.0"}"#);
        assert_eq!(find(), Some(("inner".to_owned(), "9.0.0".to_owned())));
    }
}
