//! Which releases of claude-mem there are: in the cache, on npm, as tags of the project or of a clone.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use semver::Version;
use serde_json::Value;

use super::adapter::Adapter;
use super::cache::Cache;
use super::install::CLAUDE_MEM_REPOSITORY;

/// The package.
const CLAUDE_MEM: &str = "claude-mem";
/// How long the project's server may take to list its tags. Whoever has no network waits for this long.
const TAGS_WITHIN: Duration = Duration::from_secs(10);

/// Where releases are looked for, beside the cache.
#[derive(Debug, Clone, Copy)]
pub enum Beyond<'a> {
    /// Nowhere.
    Nothing,
    /// What npm has, and the tags of the project.
    Published,
    /// The tags of this clone.
    Clone(&'a Path),
}

/// What is known of the releases of claude-mem.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Those that have an adapter, oldest first.
    pub adapted: Vec<Version>,
    /// Those that have none, and those before a release proper, oldest first.
    pub others: Vec<Version>,
    /// Whether tags were listed. Every release has one, on npm or not: without them some may be missing here.
    pub tags: bool,
    /// Why places could not be asked, in words.
    pub unasked: Vec<String>,
}

/// The releases in the cache and beyond. Of what is published only what can be reached counts; the rest says why not.
///
/// # Errors
///
/// In words, why the tags of the clone could not be listed.
pub fn releases(cache: &Cache, beyond: Beyond<'_>) -> Result<Known, String> {
    let mut versions = cache.versions(CLAUDE_MEM);
    let mut known = Known::default();
    match beyond {
        Beyond::Nothing => {}
        Beyond::Published => {
            match output("npm", &["view", CLAUDE_MEM, "versions", "--json"]) {
                Ok(told) => versions.extend(listed(&told)),
                Err(why) => known.unasked.push(why),
            }
            match tags_of_project() {
                Ok(told) => {
                    known.tags = true;
                    versions.extend(told);
                }
                Err(why) => known
                    .unasked
                    .push(format!("tags could not be listed: {why}")),
            }
        }
        Beyond::Clone(folder) => {
            let folder = folder.to_string_lossy();
            versions.extend(tags(&output("git", &["-C", &folder, "tag", "--list"])?));
            known.tags = true;
        }
    }
    versions.sort();
    versions.dedup();
    (known.adapted, known.others) = versions.into_iter().partition(|version| {
        version.pre.is_empty() && Adapter::for_package(CLAUDE_MEM, version).is_some()
    });
    Ok(known)
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .map_err(|cause| format!("cannot start {program}: {cause}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it said nothing");
        Err(format!("{program} {}: {said}", arguments.join(" ")))
    }
}

/// The versions among the tags of the project, as its server lists them.
fn tags_of_project() -> Result<Vec<Version>, String> {
    let failed = |cause: io::Error| format!("cannot run git: {cause}");
    // What it says of an error goes to a file, so that one pipe alone has to be read.
    let mut errors = tempfile::tempfile().map_err(failed)?;
    let child = Command::new("git")
        .args(["ls-remote", "--tags", "--refs", CLAUDE_MEM_REPOSITORY])
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors.try_clone().map_err(failed)?)
        // git leaves the network to helpers of its own: they are ended with it.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let text = within(TAGS_WITHIN, child, &mut errors)?;
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("refs/tags/"))
        .map(|(_, name)| name)
        .collect();
    Ok(tags(&names.join("\n")))
}

/// What a child that leads a process group of its own writes to its stdout. One that takes longer is killed, and its group.
fn within(limit: Duration, mut child: Child, errors: &mut File) -> Result<String, String> {
    let (tell, told) = mpsc::channel();
    if let Some(mut stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = String::new();
            // Nobody listens any more once the time is over.
            let _ = tell.send(stdout.read_to_string(&mut text).map(|_| text));
        });
    }
    let read = told.recv_timeout(limit);
    if read.is_err()
        && let Ok(group) = i32::try_from(child.id())
    {
        // It was not waited for yet, so that its number, and its group's, is still its own.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let status = child.wait().map_err(|cause| cause.to_string())?;
    match read {
        Ok(Ok(text)) if status.success() => Ok(text),
        Ok(Err(cause)) => Err(cause.to_string()),
        Ok(Ok(_)) => {
            let mut said = String::new();
            let read = errors
                .rewind()
                .and_then(|()| errors.read_to_string(&mut said));
            let line = read.ok().and_then(|_| said.lines().next());
            Err(line.unwrap_or("git said nothing").to_owned())
        }
        Err(_) => Err(format!("no answer within {} s", limit.as_secs_f64())),
    }
}

/// The versions in a list of JSON.
fn listed(json: &str) -> Vec<Version> {
    match serde_json::from_str(json) {
        Ok(Value::Array(versions)) => versions
            .iter()
            .filter_map(|version| version.as_str()?.parse().ok())
            .collect(),
        // Of a package with one version, npm gives it alone.
        Ok(Value::String(version)) => version.parse().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The versions among the names of tags.
fn tags(names: &str) -> Vec<Version> {
    let names = names.lines();
    names
        .filter_map(|name| name.strip_prefix('v')?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_everything_else() {
        assert_eq!(
            tags("v9.0.1\nnightly\nv10.0\nv10.0.0-beta\n"),
            ["9.0.1".parse().unwrap(), "10.0.0-beta".parse().unwrap()]
        );
        assert_eq!(listed("[\"1.0.0\", 3, \"x\"]"), [Version::new(1, 0, 0)]);
        assert_eq!(listed("\"1.0.0\""), [Version::new(1, 0, 0)]);
        assert!(listed("no JSON").is_empty());
    }

    #[test]
    fn a_folder_that_is_no_clone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        assert_eq!(releases(&cache, Beyond::Nothing), Ok(Known::default()));
        let told = releases(&cache, Beyond::Clone(&folder.path().join("nowhere")));
        assert!(told.unwrap_err().starts_with("git -C "));
    }

    fn shell(script: &str, stdin: Stdio) -> (Child, File) {
        let errors = tempfile::tempfile().unwrap();
        let child = Command::new("sh")
            .args(["-c", script])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        (child, errors)
    }

    #[test]
    fn who_does_not_answer_in_time_is_ended_with_all_its_helpers() {
        let (mut alive, held) = io::pipe().unwrap();
        // Both sleepers hold the pipe, under a number that the shell does not take from those in the background.
        let (child, mut errors) = shell("exec 3<&0; sleep 600 & sleep 600", held.into());
        let told = within(Duration::from_millis(100), child, &mut errors);
        assert_eq!(told, Err("no answer within 0.1 s".to_owned()));
        // Ends when the last one of them has.
        assert_eq!(alive.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn what_is_told_in_time_counts_and_an_error_says_its_first_line() {
        let (child, mut errors) = shell("echo told", Stdio::null());
        let told = within(Duration::from_secs(60), child, &mut errors);
        assert_eq!(told.as_deref(), Ok("told\n"));
        let (child, mut errors) = shell("echo no host >&2; echo more >&2; exit 128", Stdio::null());
        let told = within(Duration::from_secs(60), child, &mut errors);
        assert_eq!(told, Err("no host".to_owned()));
    }
}
