//! `install`: real workers, runtimes and SDKs, from npm or from a local clone into the cache.

use super::args::InstallArguments;
use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::cache;
use crate::worker;

/// Installs what was asked for, one after the other.
pub fn install_all(arguments: &InstallArguments, quiet: bool) -> Result<ExitCode, Failure> {
    let cache = cache()?;
    for package in &arguments.packages {
        if !quiet {
            output::note(format_args!("installing {package} ..."));
        }
        let place = worker::install(package, &cache, arguments.source.as_deref())
            .map_err(Failure::usage)?;
        if !quiet {
            output::note(format_args!("{package} is in {}", place.display()));
        }
    }
    Ok(ExitCode::Expected)
}
