//! Whether a runtime really goes faster: the script that divides its timers tries each way of waiting against the runtime's own clock,
//! and leaves a file that says what came of it. A worker whose file is missing or says something else is not measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::error::WorkerError;
use super::folder::files;

/// The script.
const SCRIPT: &str = include_str!("time_scale.cjs");
/// How long the file may take after the worker is ready: trying takes a tenth of a second, on a busy machine seconds.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The time between two looks for the file.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Writes the script into the folder of a run, and makes the folder of the files; gives both.
///
/// # Errors
///
/// One of them cannot be made.
pub fn put_script(root: &Path) -> Result<(PathBuf, PathBuf), WorkerError> {
    let (script, proofs) = (root.join("time_scale.cjs"), proofs(root));
    fs::write(&script, SCRIPT).map_err(|cause| files("write", &script, cause))?;
    fs::create_dir_all(&proofs).map_err(|cause| files("make the folder", &proofs, cause))?;
    Ok((script, proofs))
}

/// Waits for the file of a process, and takes it away: a pid may come again.
///
/// # Errors
///
/// There is none, or it does not say that this factor is in force.
pub async fn proven(
    root: &Path,
    pid: u32,
    factor: f64,
    patience: Duration,
) -> Result<(), WorkerError> {
    let file = proofs(root).join(pid.to_string());
    let wrong = |why: String| WorkerError::WouldNotScale { factor, why };
    let looking = async {
        loop {
            // It is written at once, and ends with a line break.
            if let Ok(word) = fs::read_to_string(&file)
                && word.ends_with('\n')
            {
                return word;
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    let word = timeout(patience, looking).await.map_err(|_| {
        wrong("its runtime did not load the script that divides its timers".to_owned())
    })?;
    fs::remove_file(&file).map_err(|cause| files("remove", &file, cause))?;
    let word = word.trim();
    if word == format!("scaled by {factor}") {
        Ok(())
    } else {
        Err(wrong(format!("the script says `{}`", word.escape_debug())))
    }
}

fn proofs(root: &Path) -> PathBuf {
    root.join("time_scale")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::worker::programs::find_on_path;

    fn outcome(root: &Path, pid: u32, factor: f64) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime
            .block_on(proven(root, pid, factor, Duration::from_millis(50)))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_word_for_this_factor_and_this_process_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (script, proofs) = put_script(folder.path()).unwrap();
        assert!(script.is_file());
        fs::write(proofs.join("7"), "scaled by 30\n").unwrap();
        assert_eq!(outcome(folder.path(), 7, 30.0), Ok(()));
        // Once it was read it is gone, as the process may be.
        let error = outcome(folder.path(), 7, 30.0).unwrap_err();
        assert!(
            error
                .starts_with("the worker would not scale its time by 30: its runtime did not load"),
            "{error}"
        );
        fs::write(proofs.join("8"), "not scaled: setTimeout\n").unwrap();
        let error = outcome(folder.path(), 8, 30.0).unwrap_err();
        assert!(
            error.contains("the script says `not scaled: setTimeout`; run it in real time"),
            "{error}"
        );
        fs::write(proofs.join("9"), "scaled by 60\n").unwrap();
        assert!(outcome(folder.path(), 9, 30.0).is_err());
    }

    #[test]
    fn a_runtime_that_loads_the_script_leaves_its_word() {
        // Where there is neither, the runs of real workers cannot be made either.
        for (name, variable, option) in [
            ("node", "NODE_OPTIONS", "--require="),
            ("bun", "BUN_OPTIONS", "--preload="),
        ] {
            let Some(program) = find_on_path(name) else {
                continue;
            };
            let folder = tempfile::tempdir().unwrap();
            let (script, proofs) = put_script(folder.path()).unwrap();
            // A minute of its own, and ages that it reads from `ps` as its own too.
            let waits = r#"
                const began = Date.now();
                setTimeout(() => {
                    const { execSync } = require("node:child_process");
                    const age = execSync("printf '  7 1 3.0 02:00 claude\\n' # ps -eo pid,ppid,%cpu,etime,comm", { encoding: "utf8" });
                    console.log(process.pid, Math.round((Date.now() - began) / 10000), age.trim().split(/\s+/).join(" "));
                }, 60000);
            "#;
            let output = Command::new(program)
                .args(["-e", waits])
                .env(variable, format!("{option}{}", script.display()))
                .env("LEAK_HARNESS_TIME_SCALE", "60")
                .env("LEAK_HARNESS_TIME_SCALE_PROOF", &proofs)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let (pid, rest) = said.trim().split_once(' ').unwrap_or_default();
            let tens: u32 = rest
                .split(' ')
                .next()
                .unwrap_or_default()
                .parse()
                .unwrap_or_default();
            assert!((6..=60).contains(&tens), "{name}: {said}");
            assert!(rest.ends_with("7 1 0.1 02:00:00 claude"), "{name}: {said}");
            assert_eq!(
                outcome(folder.path(), pid.parse().unwrap(), 60.0),
                Ok(()),
                "{name}"
            );
        }
    }
}
