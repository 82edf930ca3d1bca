//! Installing real workers, runtimes and Agent SDKs into the cache.
//!
//! The user's own `npm` and `pip` fetch them, so the user's registry, proxy and certificates hold. Releases of claude-mem that were never
//! published come from their tag by `git`, that of the project's repository or of a clone that the user names. Everything is fetched into
//! a temporary folder beside its place and renamed at the end: what is in its place is whole.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use semver::Version;
use serde_json::Value;

use super::adapter::Adapter;
use super::cache::Cache;
pub use super::install_error::InstallError;
use super::programs::find_in_path;

/// Where the tags of claude-mem are.
const CLAUDE_MEM_REPOSITORY: &str = "https://github.com/thedotmack/claude-mem.git";
/// The package of the Agent SDK.
const AGENT_SDK: &str = "@anthropic-ai/claude-agent-sdk";
/// The package of the Agent SDK for Python, and its name here: the one for node has the same.
const AGENT_SDK_PYTHON: [&str; 2] = ["claude-agent-sdk", "claude-agent-sdk-py"];
/// The peers of claude-mem are what the full product needs, and working them out takes npm minutes.
const NO_PEERS: [&str; 2] = ["--legacy-peer-deps", "--omit=peer"];
/// A compiled program of some releases, tens of megabytes for one system, which the worker does not need; some clones lack it.
const COMPILED: &str = ":(exclude)plugin/scripts/claude-mem";
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
    /// The Agent SDK for Python.
    AgentSdkPython(Version),
}

impl Installable {
    /// Understands `claude-mem@VERSION`, `bun@VERSION`, `claude-agent-sdk@VERSION` and `claude-agent-sdk-py@VERSION`.
    ///
    /// # Errors
    ///
    /// It is something else, or the version is not whole.
    pub fn parse(text: &str) -> Result<Self, InstallError> {
        let unknown = |problem: String| InstallError::Unknown {
            text: text.to_owned(),
            problem,
        };
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
            "claude-agent-sdk-py" => Ok(Self::AgentSdkPython(version)),
            _ => Err(unknown(format!("`{name}` is unknown"))),
        }
    }

    const fn version(&self) -> &Version {
        match self {
            Self::ClaudeMem(version)
            | Self::Bun(version)
            | Self::AgentSdk(version)
            | Self::AgentSdkPython(version) => version,
        }
    }

    /// Its place in the cache.
    fn folder(&self, cache: &Cache) -> PathBuf {
        match self {
            Self::ClaudeMem(version) => cache.folder("claude-mem", version),
            Self::Bun(version) => cache.folder("bun", version),
            Self::AgentSdk(version) => cache.folder("sdks", version),
            Self::AgentSdkPython(version) => cache.folder("sdks/python", version),
        }
    }
}

impl fmt::Display for Installable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::ClaudeMem(_) => "claude-mem",
            Self::Bun(_) => "bun",
            Self::AgentSdk(_) => "claude-agent-sdk",
            Self::AgentSdkPython(_) => AGENT_SDK_PYTHON[1],
        };
        write!(f, "{name}@{}", self.version())
    }
}

/// Installs something into the cache and gives its folder. What is there already is left as it is. With `source`, the folder of a
/// clone, releases of claude-mem are taken from its tags.
///
/// # Errors
///
/// It could not be fetched; the message says what to do.
pub fn install(what: &str, cache: &Cache, source: Option<&Path>) -> Result<PathBuf, InstallError> {
    let path = env::var_os("PATH").unwrap_or_default();
    Installer {
        cache,
        path,
        source,
    }
    .install(&Installable::parse(what)?)
}

/// What the cache holds, as [`install`] takes it.
pub fn installed(cache: &Cache) -> Vec<String> {
    ["claude-mem", "bun"]
        .into_iter()
        .flat_map(|name| {
            cache
                .versions(name)
                .into_iter()
                .map(move |version| format!("{name}@{version}"))
        })
        .chain(
            cache
                .versions("sdks")
                .into_iter()
                .map(|version| format!("claude-agent-sdk@{version}")),
        )
        .chain(
            cache
                .versions("sdks/python")
                .into_iter()
                .map(|version| format!("{}@{version}", AGENT_SDK_PYTHON[1])),
        )
        .collect()
}

struct Installer<'a> {
    cache: &'a Cache,
    /// Where programs are looked for.
    path: OsString,
    /// A clone of claude-mem whose tags are taken.
    source: Option<&'a Path>,
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
        fs::create_dir(&filled).map_err(|cause| InstallError::Files {
            path: filled.clone(),
            cause,
        })?;
        match wanted {
            Installable::ClaudeMem(version) => {
                // What the worker asks for when it starts; most releases say so only in a file that npm does not read.
                let modules = modules(version);
                if let Some(source) = self.source {
                    self.tag_of_clone(wanted, source, &filled)?;
                    self.modules(wanted, &modules, into, &filled)?;
                } else {
                    let mut packages = vec![format!("claude-mem@{version}")];
                    packages.extend(modules.iter().cloned());
                    match self.npm(wanted, "claude-mem", &packages, &NO_PEERS, &filled) {
                        Err(InstallError::NoVersion { near, .. }) => {
                            self.tag(wanted, near, &filled)?;
                            self.modules(wanted, &modules, into, &filled)?;
                        }
                        other => other?,
                    }
                }
                let npm = filled.join("node_modules").join("claude-mem");
                let package = if npm.is_dir() { npm } else { filled.clone() };
                whole(wanted, &package.join("plugin/scripts/worker-service.cjs"))?;
            }
            Installable::Bun(version) => {
                let package = bun_package()?;
                self.npm(
                    wanted,
                    &package,
                    &[format!("{package}@{version}")],
                    &[],
                    &filled,
                )?;
                let program = filled
                    .join("node_modules")
                    .join(&package)
                    .join("bin")
                    .join("bun");
                whole(wanted, &program)?;
                let alone = into.join("alone");
                fs::create_dir(&alone)
                    .and_then(|()| fs::rename(&program, alone.join("bun")))
                    .map_err(|cause| InstallError::Files {
                        path: alone.clone(),
                        cause,
                    })?;
                return Ok(alone);
            }
            Installable::AgentSdk(version) => {
                self.npm(
                    wanted,
                    AGENT_SDK,
                    &[format!("{AGENT_SDK}@{version}")],
                    &[],
                    &filled,
                )?;
                whole(
                    wanted,
                    &filled
                        .join("node_modules")
                        .join(AGENT_SDK)
                        .join("package.json"),
                )?;
            }
            Installable::AgentSdkPython(version) => {
                self.pip(wanted, version, &filled)?;
                whole(wanted, &filled.join("claude_agent_sdk/__init__.py"))?;
            }
        }
        Ok(filled)
    }

    /// Lets npm install packages into a folder, without running anything of theirs.
    fn npm(
        &self,
        wanted: &Installable,
        package: &str,
        packages: &[String],
        more: &[&str],
        into: &Path,
    ) -> Result<(), InstallError> {
        let mut arguments = vec![
            "install",
            "--ignore-scripts",
            "--omit=optional",
            "--no-audit",
            "--no-fund",
            "--no-save",
        ];
        arguments.extend(more);
        arguments.extend(packages.iter().map(String::as_str));
        // Without one of its own npm would look for a package.json in the folders above.
        let manifest = into.join("package.json");
        fs::write(&manifest, "{\"private\":true}\n").map_err(|cause| InstallError::Files {
            path: manifest,
            cause,
        })?;
        let output = self.run("npm", &arguments, into)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if ["ETARGET", "E404", "No matching version"]
            .iter()
            .any(|code| said.contains(code))
        {
            let near = self.versions_near(wanted.version(), package, into);
            return Err(InstallError::NoVersion {
                wanted: wanted.clone(),
                near,
                tried: None,
            });
        }
        Err(failed("npm", &said))
    }

    /// Lets pip install the Agent SDK for Python into a folder, with what it needs: for the python3 of PATH, which is to run it.
    fn pip(
        &self,
        wanted: &Installable,
        version: &Version,
        into: &Path,
    ) -> Result<(), InstallError> {
        let (package, target) = (
            format!("{}=={version}", AGENT_SDK_PYTHON[0]),
            into.to_string_lossy(),
        );
        let arguments = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            // Nothing of a package is run to build it.
            "--only-binary=:all:",
            "--target",
            &target,
            &package,
        ];
        let output = self.run("python3", &arguments, into)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("No module named pip") {
            return Err(InstallError::Failed {
                program: "pip",
                said: "python3 has no pip; install it, such as by `python3 -m ensurepip`"
                    .to_owned(),
            });
        }
        if said.contains("No matching distribution") {
            // The error of pip lists what there is.
            let known = said
                .split_once("from versions: ")
                .and_then(|(_, rest)| rest.split_once(')'))
                .map_or("", |(list, _)| list);
            let versions = known.split(", ").filter_map(|version| version.parse().ok());
            return Err(InstallError::NoVersion {
                wanted: wanted.clone(),
                near: near(version, versions),
                tried: None,
            });
        }
        Err(failed("pip", &said))
    }

    /// The published versions near one; none where npm does not tell.
    fn versions_near(&self, wanted: &Version, package: &str, cwd: &Path) -> Vec<Version> {
        let told = self.run("npm", &["view", package, "versions", "--json"], cwd);
        let list: Value = told
            .ok()
            .and_then(|output| serde_json::from_slice(&output.stdout).ok())
            .unwrap_or_default();
        let versions = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|version| version.as_str()?.parse().ok());
        near(wanted, versions)
    }

    /// Lets npm install what a release that came from a tag needs to start, into a `node_modules` beside its `plugin/`.
    fn modules(
        &self,
        wanted: &Installable,
        modules: &[String],
        beside: &Path,
        into: &Path,
    ) -> Result<(), InstallError> {
        if modules.is_empty() {
            return Ok(());
        }
        // In a folder of its own: the release's package.json names far more than its worker needs.
        let alone = beside.join("modules");
        let files = |cause| InstallError::Files {
            path: alone.clone(),
            cause,
        };
        fs::create_dir(&alone).map_err(files)?;
        self.npm(wanted, "claude-mem", modules, &NO_PEERS, &alone)?;
        fs::rename(alone.join("node_modules"), into.join("node_modules")).map_err(files)
    }

    /// Takes the tag of a release out of a local clone, which is only read.
    fn tag_of_clone(
        &self,
        wanted: &Installable,
        source: &Path,
        into: &Path,
    ) -> Result<(), InstallError> {
        let refused = |problem: String, near: Vec<Version>| InstallError::Source {
            wanted: wanted.clone(),
            source: source.to_owned(),
            problem,
            near,
        };
        let clone = source
            .canonicalize()
            .map_err(|cause| refused(cause.to_string(), Vec::new()))?;
        let tag = format!("v{}", wanted.version());
        let (clone, work_tree) = (clone.to_string_lossy(), into.to_string_lossy());
        let listed = self.run("git", &["-C", &clone, "tag", "--list"], into)?;
        if !listed.status.success() {
            let said = String::from_utf8_lossy(&listed.stderr);
            return Err(refused(brief(&said), Vec::new()));
        }
        let tags = String::from_utf8_lossy(&listed.stdout);
        if !tags.lines().any(|line| line == tag) {
            let versions = tags
                .lines()
                .filter_map(|line| line.strip_prefix('v')?.parse().ok());
            return Err(refused(
                format!("it has no tag {tag}"),
                near(wanted.version(), versions),
            ));
        }
        // An index of its own, and no hooks: nothing of the clone is written or run.
        let tree = format!("refs/tags/{tag}");
        let arguments = [
            "-C",
            &clone,
            "-c",
            "core.hooksPath=/dev/null",
            "--work-tree",
            &work_tree,
            "checkout",
            "--quiet",
            &tree,
            "--",
            "plugin",
            "package.json",
            COMPILED,
        ];
        let index = into.with_extension("index");
        let output = self.run_with("git", &arguments, into, &[("GIT_INDEX_FILE", &index)])?;
        if output.status.success() {
            Ok(())
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(refused(brief(&said), Vec::new()))
        }
    }

    /// Fetches the tag of a release that was never published.
    fn tag(
        &self,
        wanted: &Installable,
        near: Vec<Version>,
        into: &Path,
    ) -> Result<(), InstallError> {
        let files = |cause| InstallError::Files {
            path: into.to_owned(),
            cause,
        };
        fs::remove_dir_all(into)
            .and_then(|()| fs::create_dir(into))
            .map_err(files)?;
        let tag = format!("v{}", wanted.version());
        let arguments = [
            "clone",
            "--quiet",
            "--depth",
            "1",
            "--branch",
            &tag,
            CLAUDE_MEM_REPOSITORY,
            ".",
        ];
        let tried = match self.run("git", &arguments, into) {
            Ok(output) if output.status.success() => {
                return fs::remove_dir_all(into.join(".git")).map_err(files);
            }
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                if said.contains("not found in upstream") {
                    "it is neither published nor a tag".to_owned()
                } else {
                    not_fetched(&brief(&said))
                }
            }
            Err(error) => not_fetched(&error.to_string()),
        };
        Err(InstallError::NoVersion {
            wanted: wanted.clone(),
            near,
            tried: Some(tried),
        })
    }

    fn run(
        &self,
        name: &'static str,
        arguments: &[&str],
        cwd: &Path,
    ) -> Result<Output, InstallError> {
        self.run_with(name, arguments, cwd, &[])
    }

    fn run_with(
        &self,
        name: &'static str,
        arguments: &[&str],
        cwd: &Path,
        environment: &[(&str, &Path)],
    ) -> Result<Output, InstallError> {
        let program = find_in_path(name, &self.path).ok_or(InstallError::NoProgram(name))?;
        Command::new(program)
            .args(arguments)
            .current_dir(cwd)
            .env("PATH", &self.path)
            // A question for a password would wait for ever.
            .env("GIT_TERMINAL_PROMPT", "0")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .map_err(|cause| InstallError::Program { name, cause })
    }
}

/// The packages that a release needs to start, as npm takes them.
fn modules(version: &Version) -> Vec<String> {
    Adapter::for_package("claude-mem", version)
        .into_iter()
        .flat_map(|adapter| adapter.needs.modules)
        .map(|(module, wanted)| format!("{module}@{wanted}"))
        .collect()
}

/// The released versions near one.
fn near(wanted: &Version, versions: impl Iterator<Item = Version>) -> Vec<Version> {
    let mut versions: Vec<_> = versions.filter(|version| version.pre.is_empty()).collect();
    versions.sort();
    let at = versions.partition_point(|version| version < wanted);
    let first = at
        .saturating_sub(NEAR / 2 + 1)
        .min(versions.len().saturating_sub(NEAR));
    versions.into_iter().skip(first).take(NEAR).collect()
}

fn whole(wanted: &Installable, file: &Path) -> Result<(), InstallError> {
    if file.is_file() {
        return Ok(());
    }
    let missing = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Err(InstallError::Incomplete {
        wanted: wanted.clone(),
        missing,
    })
}

/// Why a release that is only a tag could not be had, and what is left to do.
fn not_fetched(why: &str) -> String {
    format!(
        "it is not published, and its tag cannot be fetched: {why}; with a checkout of the tag use the worker claude-mem:DIR"
    )
}

/// The first lines of what a program said, in one.
fn brief(said: &str) -> String {
    let lines: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("A complete log of this run"))
        .take(SAID_LINES)
        .collect();
    lines.join(" / ")
}

/// What the failure of a program that fetches means.
fn failed(program: &'static str, said: &str) -> InstallError {
    const NETWORK: [&str; 8] = [
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "ETIMEDOUT",
        "ENETUNREACH",
        "ERR_SOCKET_TIMEOUT",
        "Failed to establish a new connection",
    ];
    let text = brief(said);
    if NETWORK.iter().any(|code| said.contains(code)) {
        InstallError::NoNetwork {
            program,
            said: text,
        }
    } else {
        InstallError::Failed {
            program,
            said: text,
        }
    }
}

/// The npm package that holds bun for this machine.
fn bun_package() -> Result<String, InstallError> {
    let os = match env::consts::OS {
        "macos" => "darwin",
        "linux" => "linux",
        other => {
            return Err(InstallError::Platform {
                machine: other.to_owned(),
            });
        }
    };
    bun_package_for(os, env::consts::ARCH, runs_on_musl(), has_avx2())
}

fn bun_package_for(
    os: &str,
    processor: &str,
    musl: bool,
    avx2: bool,
) -> Result<String, InstallError> {
    let (arch, baseline) = match processor {
        "x86_64" => ("x64", !avx2),
        "aarch64" => ("aarch64", false),
        other => {
            return Err(InstallError::Platform {
                machine: format!("{os} on {other}"),
            });
        }
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
    loader("/lib", "ld-musl-")
        && !["/lib", "/lib64"]
            .into_iter()
            .any(|folder| loader(folder, "ld-linux"))
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
mod tests;
