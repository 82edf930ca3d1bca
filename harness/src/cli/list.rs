//! `list`: the scenarios of a folder, and the workers in the cache.

use std::fs;
use std::path::{Path, PathBuf};

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::cache;
use crate::report::escape::plain;
use crate::scenario::Scenario;
use crate::worker::{Adapter, installed};

/// Every scenario file below a folder, in order.
pub fn scenario_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|cause| Failure::file(&folder, &cause))? {
            let path = entry
                .map_err(|cause| Failure::file(&folder, &cause))?
                .path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "toml")
                // An adapter may lie beside the scenarios that use it.
                && !fs::read_to_string(&path).is_ok_and(|text| Adapter::is_written_in(&text))
            {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Lists the scenarios of a folder and the workers in the cache.
pub fn list(folder: &Path) -> Result<ExitCode, Failure> {
    let mut text = String::new();
    for file in scenario_files(folder)? {
        let content = fs::read_to_string(&file).map_err(|cause| Failure::file(&file, &cause))?;
        // Neither the name nor the words of a file of somebody else's may control a terminal.
        let name = plain(&file.to_string_lossy());
        let scenario = Scenario::parse(&name, &content)?;
        text += &format!("{name}\n    {}\n", plain(&scenario.description));
    }
    for package in installed(&cache()?) {
        text += &format!("{package}\n    in the cache{}\n", usual_end(&package));
    }
    output::result(&text)
}

/// How the client of a real worker ends its sessions, in words; nothing for what is no worker.
fn usual_end(package: &str) -> String {
    let adapter = package
        .split_once('@')
        .and_then(|(name, version)| Adapter::for_package(name, &version.parse().ok()?));
    adapter.map_or_else(String::new, |adapter| {
        format!("; its hooks end a session by `{}`", adapter.usual_end())
    })
}
