//! Makes the scenario files of the gym part of the program: every file of a folder, so that a new file needs no second mention.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The constants, each with the folder whose files it holds.
const FOLDERS: [(&str, &str, &str); 3] = [
    ("DEFECTS", "gym", "The planted defects: name and text."),
    (
        "CONTROLS",
        "gym/controls",
        "The clean controls: name and text.",
    ),
    (
        "SOUND",
        "gym/sound",
        "The clean loads of mixed size: name and text.",
    ),
];

fn main() -> io::Result<()> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let scenarios = package.with_file_name("scenarios");
    let mut code = String::new();
    for (constant, folder, meaning) in FOLDERS {
        let folder = scenarios.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let _ = writeln!(
            code,
            "/// {meaning}\npub(super) const {constant}: &[(&str, &str)] = &["
        );
        for file in scenario_files(&folder)? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let _ = writeln!(code, "    ({name:?}, include_str!({file:?})),");
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("gym.rs"), code)
}

/// The scenario files of a folder, in order; what lies in folders below it belongs to another constant.
fn scenario_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder)
        .map_err(|cause| io::Error::new(cause.kind(), format!("{}: {cause}", folder.display())))?;
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
