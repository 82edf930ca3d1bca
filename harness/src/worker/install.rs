//! Installing real workers, runtimes and Agent SDKs into the cache.
//!
//! The user's own `npm` fetches them, so the user's registry, proxy and certificates hold. Releases of claude-mem that were never
//! published come from their tag by `git`. Everything is fetched into a temporary folder beside its place and renamed at the end: what
//! is in its place is whole.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use semver::Version;
use serde_json::Value;

use super::cache::Cache;
use super::programs::find_in_path;

/// Where the tags of claude-mem are.
const CLAUDE_MEM_REPOSITORY: &str = "https://github.com/thedotmack/claude-mem.git";
/// The package of the Agent SDK.
const AGENT_SDK: &str = "@anthropic-ai/claude-agent-sdk";
/// How many versions near a missing one an error names.
const NEAR: usize = 5;
/// Lines of a program's output that an error shows.
const SAID_LINES: usize = 8;

/// Something that can be installed, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installable {
    /// A release of claude-mem.
    ClaudeMem(Version),
    /// The bun runtime.
    Bun(Version),
    /// The Agent SDK for node.
    AgentSdk(Version),
}

impl Installable {
    /// Understands `claude-mem@VERSION`, `bun@VERSION` and `claude-agent-sdk@VERSION`.
    ///
    /// # Errors
    ///
    /// It is something else, or the version is not whole.
    pub fn parse(text: &str) -> Result<Self, InstallError> {
        let unknown = |problem: String| InstallError::Unknown { text: text.to_owned(), problem };
        let (name, version) = text
            .rsplit_once('@')
            .ok_or_else(|| unknown("it has no version".to_owned()))?;
        let version = version
            .trim_start_matches('v')
            .parse()
            .map_err(|error| unknown(format!("`{version}` is no whole version ({error})")))?;
        match name {
            "claude-mem" => Ok(Self::ClaudeMem(version)),
            "bun" => Ok(Self::Bun(version)),
            "claude-agent-sdk" | AGENT_SDK => Ok(Self::AgentSdk(version)),
            _ => Err(unknown(format!("`{name}` is unknown"))),
        }
    }

    const fn version(&self) -> &Version {
        match self {
            Self::ClaudeMem(version) | Self::Bun(version) | Self::AgentSdk(version) => version,
        }
    }

    /// Its place in the cache.
    fn folder(&self, cache: &Cache) -> PathBuf {
        match self {
            Self::ClaudeMem(version) => cache.folder("claude-mem", version),
            Self::Bun(version) => cache.folder("bun", version),
            Self::AgentSdk(version) => cache.folder("sdks", version),
        }
    }
}

impl fmt::Display for Installable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::ClaudeMem(_) => "claude-mem",
            Self::Bun(_) => "bun",
            Self::AgentSdk(_) => "claude-agent-sdk",
        };
        write!(f, "{name}@{}", self.version())
    }
}

/// Why something was not installed.
#[derive(Debug)]
pub enum InstallError {
    /// The text names nothing that can be installed.
    Unknown {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A program that fetches is not on PATH.
    NoProgram(&'static str),
    /// A program could not be started.
    Program {
        /// Which.
        name: &'static str,
        /// Why.
        cause: io::Error,
    },
    /// There is no such version.
    NoVersion {
        /// What was wanted.
        wanted: Installable,
        /// Versions near it that there are, oldest first.
        near: Vec<Version>,
        /// What else was tried.
        tried: Option<String>,
    },
    /// Nothing could be reached.
    NoNetwork {
        /// Which program tried.
        name: &'static str,
        /// What it said.
        said: String,
    },
    /// A program failed for another reason.
    Failed {
        /// Which.
        name: &'static str,
        /// What it said.
        said: String,
    },
    /// What was fetched is not what was expected.
    Incomplete {
        /// What was wanted.
        wanted: Installable,
        /// What is missing in it.
        missing: String,
    },
    /// There is no such build for this machine.
    Platform {
        /// The operating system and the processor.
        machine: String,
    },
    /// The cache cannot be written.
    Files {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { text, problem } => write!(
                f,
                "`{}` cannot be installed: {problem}; use claude-mem@VERSION, bun@VERSION or claude-agent-sdk@VERSION",
                text.escape_debug()
            ),
            Self::NoProgram(name) => write!(f, "the program `{name}` is not on PATH; install {}", from_where(name)),
            Self::Program { name, cause } => write!(f, "cannot run `{name}`: {cause}"),
            Self::NoVersion { wanted, near, tried } => {
                write!(f, "there is no {wanted}")?;
                if let Some(tried) = tried {
                    write!(f, " ({tried})")?;
                }
                if near.is_empty() {
                    return Ok(());
                }
                let near: Vec<_> = near.iter().map(Version::to_string).collect();
                write!(f, "; near it are {}", near.join(", "))
            }
            Self::NoNetwork { name, said } => write!(
                f,
                "`{name}` reaches nothing: {said}; check the network, and the registry and proxy that `npm config list` shows"
            ),
            Self::Failed { name, said } => write!(f, "`{name}` failed: {said}"),
            Self::Incomplete { wanted, missing } => write!(f, "{wanted} was fetched, but {missing} is missing in it"),
            Self::Platform { machine } => write!(f, "there is no build of bun for {machine}; put one on PATH"),
            Self::Files { path, cause } => write!(f, "cannot write the cache at {}: {cause}; LEAK_HARNESS_CACHE names another folder", path.display()),
        }
    }
}

impl std::error::Error for InstallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Program { cause, .. } | Self::Files { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

fn from_where(name: &str) -> &'static str {
    match name {
        "npm" => "Node.js, which brings it along",
        _ => "it",
    }
}

/// Installs something into the cache and gives its folder. What is there already is left as it is.
///
/// # Errors
///
/// It could not be fetched; the message says what to do.
pub fn install(what: &str, cache: &Cache) -> Result<PathBuf, InstallError> {
    let path = env::var_os("PATH").unwrap_or_default();
    Installer { cache, path }.install(&Installable::parse(what)?)
}

/// What the cache holds, as [`install`] takes it.
pub fn installed(cache: &Cache) -> Vec<String> {
    ["claude-mem", "bun"]
        .into_iter()
        .flat_map(|name| cache.versions(name).into_iter().map(move |version| format!("{name}@{version}")))
        .chain(cache.versions("sdks").into_iter().map(|version| format!("claude-agent-sdk@{version}")))
        .collect()
}

struct Installer<'a> {
    cache: &'a Cache,
    /// Where programs are looked for.
    path: OsString,
}

impl Installer<'_> {
    fn install(&self, wanted: &Installable) -> Result<PathBuf, InstallError> {
        let place = wanted.folder(self.cache);
        if place.is_dir() {
            return Ok(place);
        }
        let beside = place.parent().unwrap_or(self.cache.root());
        let files = |path: &Path| {
            let path = path.to_owned();
            move |cause| InstallError::Files { path, cause }
        };
        fs::create_dir_all(beside).map_err(files(beside))?;
        // Begins with a full stop, so that it is never taken for a version.
        let temporary = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(beside)
            .map_err(files(beside))?;
        let filled = self.fetch(wanted, temporary.path())?;
        match fs::rename(&filled, &place) {
            // Somebody else was faster; theirs is as good.
            Err(_) if place.is_dir() => Ok(place),
            Err(cause) => Err(InstallError::Files { path: place, cause }),
            Ok(()) => Ok(place),
        }
    }

    /// Fetches into a folder, and gives the folder below it that is to become the place.
    fn fetch(&self, wanted: &Installable, into: &Path) -> Result<PathBuf, InstallError> {
        let filled = into.join("filled");
        fs::create_dir(&filled).map_err(|cause| InstallError::Files { path: filled.clone(), cause })?;
        match wanted {
            Installable::ClaudeMem(version) => {
                // zod is what the worker asks for when it starts; most releases say so only in a file that npm does not read. Its
                // peers are what the full product needs, and working them out takes npm minutes.
                let packages = [format!("claude-mem@{version}"), "zod@4".to_owned()];
                match self.npm(wanted, "claude-mem", &packages, &["--legacy-peer-deps", "--omit=peer"], &filled) {
                    Err(InstallError::NoVersion { near, .. }) => self.tag(wanted, near, &filled)?,
                    other => other?,
                }
                let npm = filled.join("node_modules").join("claude-mem");
                let package = if npm.is_dir() { npm } else { filled.clone() };
                whole(wanted, &package.join("plugin/scripts/worker-service.cjs"))?;
            }
            Installable::Bun(version) => {
                let package = bun_package()?;
                self.npm(wanted, &package, &[format!("{package}@{version}")], &[], &filled)?;
                let program = filled.join("node_modules").join(&package).join("bin").join("bun");
                whole(wanted, &program)?;
                let alone = into.join("alone");
                fs::create_dir(&alone)
                    .and_then(|()| fs::rename(&program, alone.join("bun")))
                    .map_err(|cause| InstallError::Files { path: alone.clone(), cause })?;
                return Ok(alone);
            }
            Installable::AgentSdk(version) => {
                self.npm(wanted, AGENT_SDK, &[format!("{AGENT_SDK}@{version}")], &[], &filled)?;
                whole(wanted, &filled.join("node_modules").join(AGENT_SDK).join("package.json"))?;
            }
        }
        Ok(filled)
    }

    /// Lets npm install packages into a folder, without running anything of theirs.
    fn npm(&self, wanted: &Installable, package: &str, packages: &[String], more: &[&str], into: &Path) -> Result<(), InstallError> {
        let mut arguments = vec!["install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--no-save"];
        arguments.extend(more);
        arguments.extend(packages.iter().map(String::as_str));
        // Without one of its own npm would look for a package.json in the folders above.
        let manifest = into.join("package.json");
        fs::write(&manifest, "{\"private\":true}\n").map_err(|cause| InstallError::Files { path: manifest, cause })?;
        let output = self.run("npm", &arguments, into)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if ["ETARGET", "E404", "No matching version"].iter().any(|code| said.contains(code)) {
            let near = self.versions_near(wanted.version(), package, into);
            return Err(InstallError::NoVersion { wanted: wanted.clone(), near, tried: None });
        }
        Err(failed("npm", &said))
    }

    /// The published versions near one; none where npm does not tell.
    fn versions_near(&self, wanted: &Version, package: &str, cwd: &Path) -> Vec<Version> {
        let told = self.run("npm", &["view", package, "versions", "--json"], cwd);
        let list: Value = told
            .ok()
            .and_then(|output| serde_json::from_slice(&output.stdout).ok())
            .unwrap_or_default();
        let mut versions: Vec<Version> = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|version| version.as_str()?.parse().ok())
            .filter(|version: &Version| version.pre.is_empty())
            .collect();
        versions.sort();
        let at = versions.partition_point(|version| version < wanted);
        let first = at.saturating_sub(NEAR / 2 + 1).min(versions.len().saturating_sub(NEAR));
        versions.into_iter().skip(first).take(NEAR).collect()
    }

    /// Fetches the tag of a release that was never published.
    fn tag(&self, wanted: &Installable, near: Vec<Version>, into: &Path) -> Result<(), InstallError> {
        let files = |cause| InstallError::Files { path: into.to_owned(), cause };
        fs::remove_dir_all(into).and_then(|()| fs::create_dir(into)).map_err(files)?;
        let tag = format!("v{}", wanted.version());
        let arguments = ["clone", "--quiet", "--depth", "1", "--branch", &tag, CLAUDE_MEM_REPOSITORY, "."];
        let output = match self.run("git", &arguments, into) {
            Ok(output) => output,
            Err(error) => {
                let tried = format!("it is not published, and its tag cannot be fetched: {error}");
                return Err(InstallError::NoVersion { wanted: wanted.clone(), near, tried: Some(tried) });
            }
        };
        if output.status.success() {
            return fs::remove_dir_all(into.join(".git")).map_err(files);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("not found in upstream") {
            let tried = "it is neither published nor a tag".to_owned();
            return Err(InstallError::NoVersion { wanted: wanted.clone(), near, tried: Some(tried) });
        }
        Err(failed("git", &said))
    }

    fn run(&self, name: &'static str, arguments: &[&str], cwd: &Path) -> Result<Output, InstallError> {
        let program = find_in_path(name, &self.path).ok_or(InstallError::NoProgram(name))?;
        Command::new(program)
            .args(arguments)
            .current_dir(cwd)
            .env("PATH", &self.path)
            // A question for a password would wait for ever.
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .output()
            .map_err(|cause| InstallError::Program { name, cause })
    }
}

fn whole(wanted: &Installable, file: &Path) -> Result<(), InstallError> {
    if file.is_file() {
        return Ok(());
    }
    let missing = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(InstallError::Incomplete { wanted: wanted.clone(), missing })
}

/// What a program's failure means.
fn failed(name: &'static str, said: &str) -> InstallError {
    const NETWORK: [&str; 9] = [
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "ETIMEDOUT",
        "ENETUNREACH",
        "ERR_SOCKET_TIMEOUT",
        "Could not resolve host",
        "unable to access",
    ];
    let lines: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("A complete log of this run"))
        .collect();
    let text = lines[..lines.len().min(SAID_LINES)].join(" / ");
    if NETWORK.iter().any(|code| said.contains(code)) {
        InstallError::NoNetwork { name, said: text }
    } else {
        InstallError::Failed { name, said: text }
    }
}

/// The npm package that holds bun for this machine.
fn bun_package() -> Result<String, InstallError> {
    let os = match env::consts::OS {
        "macos" => "darwin",
        "linux" => "linux",
        other => return Err(InstallError::Platform { machine: other.to_owned() }),
    };
    bun_package_for(os, env::consts::ARCH, runs_on_musl(), has_avx2())
}

fn bun_package_for(os: &str, processor: &str, musl: bool, avx2: bool) -> Result<String, InstallError> {
    let (arch, baseline) = match processor {
        "x86_64" => ("x64", !avx2),
        "aarch64" => ("aarch64", false),
        other => return Err(InstallError::Platform { machine: format!("{os} on {other}") }),
    };
    let musl = if os == "linux" && musl { "-musl" } else { "" };
    let baseline = if baseline { "-baseline" } else { "" };
    Ok(format!("@oven/bun-{os}-{arch}{musl}{baseline}"))
}

/// Whether programs of this machine are linked against musl: its loader is there, and that of glibc is not.
fn runs_on_musl() -> bool {
    let loader = |folder: &str, name: &str| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with(name))
    };
    loader("/lib", "ld-musl-") && !["/lib", "/lib64"].into_iter().any(|folder| loader(folder, "ld-linux"))
}

/// Whether the processor has the instructions that the usual build for x86-64 needs.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::is_x86_feature_detected!("avx2")
}

/// Other processors have one build only.
#[cfg(not(target_arch = "x86_64"))]
const fn has_avx2() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with programs that are shell scripts, and a cache.
    struct Setup {
        folder: tempfile::TempDir,
    }

    impl Setup {
        fn new(programs: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, script) in programs {
                let path = folder.path().join(name);
                fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self { folder }
        }

        fn cache(&self) -> Cache {
            Cache::at(self.folder.path().join("cache"))
        }

        fn install(&self, what: &str) -> Result<PathBuf, InstallError> {
            let path = self.folder.path().as_os_str().to_owned();
            Installer { cache: &self.cache(), path }.install(&Installable::parse(what)?)
        }

        fn error(&self, what: &str) -> String {
            let error = self.install(what).unwrap_err().to_string();
            error.replace(&self.folder.path().display().to_string(), "[folder]")
        }

        /// What lies in the cache after a failure: nothing that could be taken for a version.
        fn leftovers(&self) -> Vec<String> {
            installed(&self.cache())
        }
    }

    const PUBLISHED: &str = "mkdir -p node_modules/claude-mem/plugin/scripts && touch node_modules/claude-mem/plugin/scripts/worker-service.cjs";
    const NOT_PUBLISHED: &str = r#"case "$1" in
view) echo '["10.6.3","11.0.0","13.4.0","13.4.1","13.15.3","13.25.3","14.0.0-rc.1"]' ;;
*) echo "npm error code ETARGET" >&2; echo "npm error notarget No matching version found" >&2; exit 1 ;;
esac"#;

    #[test]
    fn what_was_fetched_whole_is_in_its_place_and_not_fetched_again() {
        let setup = Setup::new(&[("npm", PUBLISHED)]);
        let place = setup.install("claude-mem@13.25.3").unwrap();
        assert!(setup.cache().package("claude-mem", &Version::new(13, 25, 3)).is_some());
        assert_eq!(installed(&setup.cache()), ["claude-mem@13.25.3"]);
        fs::remove_file(setup.folder.path().join("npm")).unwrap();
        assert_eq!(setup.install("claude-mem@13.25.3").unwrap(), place);
    }

    #[test]
    fn a_runtime_is_kept_as_one_program() {
        let package = bun_package().unwrap();
        let script = format!("mkdir -p node_modules/{package}/bin && touch node_modules/{package}/bin/bun && chmod +x node_modules/{package}/bin/bun");
        let setup = Setup::new(&[("npm", &script)]);
        let place = setup.install("bun@1.3.5").unwrap();
        assert_eq!(setup.cache().runtime("bun", &">=1.0.0".parse().unwrap()), Some(place.join("bun")));
    }

    #[test]
    fn a_release_that_is_only_a_tag_comes_from_its_tag() {
        let git = "mkdir -p .git plugin/scripts && touch plugin/scripts/worker-service.cjs";
        let setup = Setup::new(&[("npm", NOT_PUBLISHED), ("git", git)]);
        let place = setup.install("claude-mem@9.0.0").unwrap();
        assert_eq!(setup.cache().package("claude-mem", &Version::new(9, 0, 0)), Some(place.clone()));
        assert!(!place.join(".git").exists());
    }

    #[test]
    fn errors_say_what_to_do() {
        let check = |programs: &[(&str, &str)], what: &str| {
            let setup = Setup::new(programs);
            let error = setup.error(what);
            assert!(setup.leftovers().is_empty(), "{what}");
            error
        };
        let no_tag = "echo 'fatal: Remote branch v9.9.9 not found in upstream origin' >&2; exit 128";
        let no_network = "echo 'npm error code ENOTFOUND' >&2; echo 'npm error syscall getaddrinfo' >&2; exit 1";
        let odd = "echo 'npm error code EACCES' >&2; exit 1";
        insta::assert_snapshot!([
            check(&[], "claude-mem@13.25.3"),
            check(&[("npm", NOT_PUBLISHED)], "claude-mem@13.5.0"),
            check(&[("npm", NOT_PUBLISHED), ("git", no_tag)], "claude-mem@9.9.9"),
            check(&[("npm", no_network)], "bun@1.3.5"),
            check(&[("npm", odd)], "bun@1.3.5"),
            check(&[("npm", "true")], "claude-agent-sdk@0.1.76"),
            check(&[], "claude-mem"),
            check(&[], "claude-mem@13"),
            check(&[], "left-pad@1.0.0"),
        ]
        .join("\n"));
    }

    #[test]
    fn a_runtime_is_chosen_for_the_machine() {
        let package = |os, processor, musl, avx2| bun_package_for(os, processor, musl, avx2).unwrap();
        assert_eq!(package("linux", "x86_64", false, true), "@oven/bun-linux-x64");
        assert_eq!(package("linux", "x86_64", true, false), "@oven/bun-linux-x64-musl-baseline");
        assert_eq!(package("linux", "aarch64", true, true), "@oven/bun-linux-aarch64-musl");
        assert_eq!(package("darwin", "aarch64", false, true), "@oven/bun-darwin-aarch64");
        assert!(bun_package_for("linux", "riscv64", false, true).is_err());
    }

    /// Fetches for real; asked for by `LEAK_HARNESS_NETWORK=1`.
    #[test]
    #[ignore = "needs the network: LEAK_HARNESS_NETWORK=1 cargo test -- --ignored"]
    fn real_packages_can_be_installed() {
        if env::var_os("LEAK_HARNESS_NETWORK").is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        for what in ["claude-mem@13.25.3", "bun@1.3.5"] {
            install(what, &cache).unwrap_or_else(|error| panic!("{error}"));
        }
        assert!(cache.package("claude-mem", &Version::new(13, 25, 3)).unwrap().join("../zod").is_dir());
        assert!(cache.runtime("bun", &"=1.3.5".parse().unwrap()).unwrap().starts_with(folder.path()));
    }
}
