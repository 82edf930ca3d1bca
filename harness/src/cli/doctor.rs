//! `doctor`: what this machine allows, and what a run here can and cannot show.

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output;
use super::plan::cache;
use crate::isolation;
use crate::platform;
use crate::units;
use crate::witness;
use crate::worker::find_program;

/// Looks at the machine and says what it found. A machine that allows less than everything is no error.
pub fn doctor() -> Result<ExitCode, Failure> {
    let mut text = String::new();
    let mut line = |ok: bool, what: &str, why: &str| {
        let mark = if ok { "yes" } else { "no " };
        let reason = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        text += &format!("{mark}  {what}{reason}\n");
    };
    let mut namespaces = true;
    for probe in isolation::probe() {
        namespaces &= probe.why_not.is_none();
        line(
            probe.why_not.is_none(),
            probe.name,
            probe.why_not.as_deref().unwrap_or_default(),
        );
    }
    for program in ["fake-claude", "model-worker"] {
        match find_program(program) {
            Ok(path) => line(true, program, &path.display().to_string()),
            Err(error) => line(false, program, &error.to_string()),
        }
    }
    let cache = cache()?;
    for package in ["claude-mem", "bun"] {
        let versions: Vec<_> = cache
            .versions(package)
            .iter()
            .map(ToString::to_string)
            .collect();
        let missing =
            format!("none in the cache; `leak-harness install {package}@VERSION` fetches one");
        line(
            !versions.is_empty(),
            package,
            &if versions.is_empty() {
                missing
            } else {
                versions.join(", ")
            },
        );
    }
    let files = witness::allowed_files();
    let processes = files.saturating_sub(witness::required_files(0))
        / (witness::required_files(1) - witness::required_files(0));
    line(
        true,
        "open files",
        &format!("{files} allowed, enough for about {processes} live processes"),
    );
    let memory = platform::memory_bytes();
    line(memory > 0, "memory", &units::bytes(memory));
    text += if namespaces {
        "\nRuns have namespaces of their own: leftovers get parent 1 as on a real machine, ports never clash, nothing gets out.\n"
    } else {
        "\nRuns use the fallback where a namespace is refused. It cannot show a worker's own sweep for orphans of parent 1, and workers\n\
         that kill by command line are refused in it.\n"
    };
    output::result(&text)
}
