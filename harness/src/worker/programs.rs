//! Where the programs of this project are found.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names a folder with the programs of this project, for those who keep them elsewhere.
const FOLDER_VARIABLE: &str = "LEAK_HARNESS_BIN";

/// A program of this project that is nowhere to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramMissing {
    name: String,
    searched: Vec<PathBuf>,
}

impl fmt::Display for ProgramMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let searched: Vec<_> = self
            .searched
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        write!(
            f,
            "the program `{}` is missing: build it with `cargo build --release`, or name its folder in {FOLDER_VARIABLE} \
             (looked in {} and PATH)",
            self.name,
            searched.join(", ")
        )
    }
}

impl std::error::Error for ProgramMissing {}

/// Finds a program of this project: beside the running program, in the parent folder of a test binary, in the folder that
/// `LEAK_HARNESS_BIN` names, and on PATH, in this order.
///
/// # Errors
///
/// The program is in none of them; the message names the command that builds it.
pub fn find(name: &str) -> Result<PathBuf, ProgramMissing> {
    let mut folders = Vec::new();
    if let Ok(own) = env::current_exe()
        && let Some(beside) = own.parent()
    {
        folders.push(beside.to_owned());
        // Test binaries and examples lie one folder below the programs.
        if beside.ends_with("deps") || beside.ends_with("examples") {
            folders.extend(beside.parent().map(Path::to_owned));
        }
    }
    folders.extend(env::var_os(FOLDER_VARIABLE).map(PathBuf::from));
    let searched = folders.clone();
    find_in(name, folders.into_iter())
        .or_else(|| find_on_path(name))
        .ok_or_else(|| ProgramMissing {
            name: name.to_owned(),
            searched,
        })
}

/// The interpreter itself where a version manager has put a script of the same name before it on PATH: such a script looks for its
/// settings below HOME, and a worker's HOME is another one.
pub(super) fn behind_shim(program: PathBuf) -> PathBuf {
    if program.file_name() != Some(OsStr::new("python3")) {
        return program;
    }
    let told = Command::new(&program)
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|text| PathBuf::from(text.trim()));
    told.filter(|told| is_executable(told)).unwrap_or(program)
}

/// Finds a program that is not ours on PATH.
pub(super) fn find_on_path(name: &str) -> Option<PathBuf> {
    find_in_path(name, &env::var_os("PATH")?)
}

/// Finds a program in the folders of a search path.
pub(super) fn find_in_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    find_in(name, env::split_paths(path))
}

fn find_in(name: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders
        .map(|folder| folder.join(name))
        .find(|path| is_executable(path))
}

/// Whether a path is a file that may be executed.
pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_the_command_that_builds_it() {
        let error = find("no-such-program-of-ours").unwrap_err().to_string();
        assert!(error.starts_with("the program `no-such-program-of-ours` is missing: build it with `cargo build --release`"), "{error}");
        assert!(error.contains("LEAK_HARNESS_BIN"), "{error}");
    }

    #[test]
    fn a_folder_or_a_plain_file_is_no_program() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plain"), "").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        for name in ["plain", "folder", "absent"] {
            assert_eq!(
                find_in(name, [folder.path().to_owned()].into_iter()),
                None,
                "{name}"
            );
        }
    }
}
