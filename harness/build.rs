//! Makes the scenario files of the gym and the built-in adapters part of the program: every file of a folder, so that a new file needs
//! no second mention.

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
        for file in toml_files(&folder)? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let _ = writeln!(code, "    ({name:?}, include_str!({file:?})),");
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("gym.rs"), code)?;
    fs::write(
        out.join("built_in_adapters.rs"),
        adapters(&package.join("src/worker/adapters"))?,
    )
}

/// The list of the built-in adapters, 9 before 10.
fn adapters(folder: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = toml_files(folder)?;
    files.sort_by_key(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let parts = name.split(['-', '.']);
        parts
            .map(|part| (part.parse::<u32>().unwrap_or(0), part.to_owned()))
            .collect::<Vec<_>>()
    });
    let mut list = "[\n".to_owned();
    for path in &files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let _ = writeln!(list, "    ({name:?}, include_str!({path:?})),");
    }
    list.push(']');
    Ok(list)
}

/// The files of a folder, in order; what lies in folders below it belongs to another constant.
fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
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
