//! Errors of an adapter that only a start shows, with the place in its file where they come from.

use super::check::place;
use super::error::WorkerError;
use super::spec::ResolvedWorker;
use super::template::Unset;
use crate::strict_toml::Source;

/// An error that comes from this text of the adapter. One that is built in has no file that a user could look into.
pub fn pointed(worker: &ResolvedWorker, text: &str, error: WorkerError) -> WorkerError {
    let (Some(file), WorkerError::Outside { .. } | WorkerError::Unset { .. }) =
        (&worker.adapter_file, &error)
    else {
        return error;
    };
    let source = Source {
        file: &file.name,
        text: &file.text,
    };
    let remedy = match &error {
        WorkerError::Outside { .. } => "begin the path with {home}, {data}, {tmp} or {cwd}",
        _ => "only what the adapter's [needs] names has a value, and {package} only for a package",
    };
    source
        .error(
            place(&source, text),
            error.to_string(),
            Some(remedy.to_owned()),
        )
        .into()
}

/// The error of a placeholder without a value.
pub fn unset_at(worker: &ResolvedWorker, Unset(placeholder): Unset) -> WorkerError {
    let text = format!("{{{placeholder}}}");
    pointed(worker, &text, WorkerError::Unset { placeholder })
}
