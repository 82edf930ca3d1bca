//! Makes files part of the program: the scenarios of the gym and the built-in adapters, every file of a folder, so that a new file needs
//! no second mention; and the script that draws the charts of HTML reports.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use cargo_metadata::{Metadata, MetadataCommand};

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
        for file in files(&folder, "toml")? {
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
    )?;
    chart_library(&package, &out)
}

/// Copies Apache ECharts out of the source of the crate that brings it, and tells its version.
fn chart_library(package: &Path, out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let folder = chart_crate(package)?.join("src/asset");
    let script = files(&folder, "js")?.into_iter().find_map(|path| {
        let name = path.file_name()?.to_str()?;
        let version = name.strip_prefix("echarts-")?.strip_suffix(".min.js")?;
        Some((version.to_owned(), path))
    });
    let Some((version, path)) = script else {
        return Err(io::Error::other(format!(
            "{}: no file echarts-VERSION.min.js; this release of the crate `charming` keeps it elsewhere: look for it there and name the \
             place in build.rs",
            folder.display()
        )));
    };
    let text = fs::read_to_string(&path)
        .map_err(|cause| io::Error::new(cause.kind(), format!("{}: {cause}", path.display())))?;
    // Inside of a page, these end a script or begin a comment in it, wherever they stand.
    for never in ["</script", "<script", "<!--"] {
        if text.to_ascii_lowercase().contains(never) {
            return Err(io::Error::other(format!(
                "{}: holds `{never}`, which cannot stand inside of a page's script; it has to be written otherwise first",
                path.display()
            )));
        }
    }
    println!("cargo::rustc-env=ECHARTS_VERSION={version}");
    fs::write(out.join("echarts.js"), text)
}

/// The folder of the source of `charming`.
fn chart_crate(package: &Path) -> io::Result<PathBuf> {
    let target = env::var("TARGET").unwrap_or_default();
    let ask = |network: &[&str]| -> cargo_metadata::Result<Metadata> {
        // Cargo gives its own place in CARGO, where the command looks. Packages of other systems are not needed and may be absent.
        let mut options = vec!["--filter-platform".to_owned(), target.clone()];
        options.extend(network.iter().map(|option| (*option).to_owned()));
        MetadataCommand::new()
            .manifest_path(package.join("Cargo.toml"))
            .other_options(options)
            .exec()
    };
    // All that is built is on this machine already; what only tests need may not be, and cargo asks for that too.
    let metadata = ask(&["--offline"]).or_else(|_| ask(&[])).map_err(|cause| {
        io::Error::other(format!(
            "where the crate `charming` lies cannot be found out: {cause}; `cargo fetch` once, with a network, and build again"
        ))
    })?;
    let found = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "charming")
        .and_then(|package| package.manifest_path.parent());
    found.map(|path| path.as_std_path().to_owned()).ok_or_else(|| {
        io::Error::other("the crate `charming` is not among the dependencies; it belongs into harness/Cargo.toml")
    })
}

/// The list of the built-in adapters, 9 before 10.
fn adapters(folder: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = files(folder, "toml")?;
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

/// The files of a folder with this ending, in order; what lies in folders below it belongs to another constant.
fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder)
        .map_err(|cause| io::Error::new(cause.kind(), format!("{}: {cause}", folder.display())))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
