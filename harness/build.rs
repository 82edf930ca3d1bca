//! Makes every file of `src/worker/adapters/` a built-in adapter, so that a new generation of a worker needs a new file and no code.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let root = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let folder = Path::new(&root).join("src/worker/adapters");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    // One order on every machine, 9 before 10.
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
        let file = path.to_string_lossy();
        let _ = writeln!(list, "    ({name:?}, include_str!({file:?})),");
    }
    list.push(']');
    fs::write(Path::new(&out).join("built_in_adapters.rs"), list)
}
