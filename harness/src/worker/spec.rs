//! Which worker is meant: from the text that a user writes to everything that its start needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fake_claude::quantity::Span;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::adapter::{Adapter, Moment, TimeScaling};
use super::cache::Cache;
use super::error::WorkerError;
use super::folder::files;
use super::programs;
use crate::scenario::{End, Load, WorkerSettings};

/// The package whose releases are named by version.
const CLAUDE_MEM: &str = "claude-mem";
/// The keys that a model can be given after its name.
const MODEL_KEYS: [&str; 12] = [
    "cleanup",
    "query_end",
    "shutdown",
    "stdio",
    "reaper_interval",
    "reaper_age",
    "idle_limit",
    "kill_after",
    "restart_delay",
    "drain_limit",
    "slots",
    "quirks",
];

/// An Agent SDK that can be named as a worker.
pub(super) struct Sdk {
    /// The built-in adapter, which is also the name.
    pub(super) adapter: &'static str,
    /// As what it is installed.
    pub(super) package: &'static str,
    /// What its host can do at a session's end.
    ends: &'static [&'static str],
    /// A version, for errors.
    example: &'static str,
}

/// The Agent SDKs.
pub(super) const SDKS: [Sdk; 2] = [
    Sdk {
        adapter: "sdk-ts",
        package: "claude-agent-sdk",
        ends: &["complete", "break", "break-in-turn", "abort", "exit"],
        example: "0.3.330",
    },
    Sdk {
        adapter: "sdk-py",
        package: "claude-agent-sdk-py",
        ends: &[
            "complete",
            "break",
            "break-in-turn",
            "aclose",
            "aclose-in-turn",
            "abort",
            "exit",
        ],
        example: "0.2.187",
    },
];

impl Sdk {
    /// Understands `VERSION` or `VERSION:end=KIND`; else what is wrong and what would be right.
    fn parse(&self, rest: &str) -> Result<WorkerSpec, (String, String)> {
        let (version, setting) = match rest.split_once(':') {
            Some((version, setting)) => (version, Some(setting)),
            None => (rest, None),
        };
        let version = version.trim_start_matches('v').parse().map_err(|error| {
            (
                format!("`{version}` is no version ({error})"),
                format!("write all of it, such as {}@{}", self.adapter, self.example),
            )
        })?;
        let end = setting
            .map(|setting| {
                let end = setting.strip_prefix("end=").unwrap_or_default();
                let known = self.ends.contains(&end);
                known.then(|| end.to_owned()).ok_or_else(|| {
                    (
                        format!("`{setting}` is no end that its host knows"),
                        format!("known: end={}", self.ends.join(", end=")),
                    )
                })
            })
            .transpose()?;
        Ok(WorkerSpec::Sdk {
            adapter: self.adapter,
            version,
            end,
        })
    }
}

/// The text that names a worker, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerSpec {
    /// `model`, or `model:cleanup=tracked+close,query_end=closes-stdin`: the built-in one, with settings laid over the scenario's.
    Model(Vec<(String, String)>),
    /// `claude-mem@13.25.3`: a release from the cache.
    Release(Version),
    /// `claude-mem:DIR`: a checkout, or an unpacked package.
    Folder(PathBuf),
    /// `sdk-ts@0.3.330` or `sdk-py@0.2.187`, with `:end=break` behind it if sessions are to end otherwise than by completing: an Agent
    /// SDK from the cache in a host program of this project.
    Sdk {
        /// The built-in adapter.
        adapter: &'static str,
        /// The version of the SDK.
        version: Version,
        /// What the host does at a session's end, where it is named.
        end: Option<String>,
    },
    /// `FILE.toml`: whatever an adapter file describes.
    Adapter(PathBuf),
}

impl WorkerSpec {
    /// Understands the text that names a worker. Nothing is looked at yet.
    ///
    /// # Errors
    ///
    /// It names none; the message says what would.
    pub fn parse(spec: &str) -> Result<Self, WorkerError> {
        let wrong = |problem: String, remedy: &str| WorkerError::Spec {
            spec: spec.to_owned(),
            problem,
            remedy: remedy.to_owned(),
        };
        if spec == "model" {
            return Ok(Self::Model(Vec::new()));
        }
        if let Some(settings) = spec.strip_prefix("model:") {
            let settings = settings
                .split(',')
                .map(|pair| {
                    let (key, value) = pair.split_once('=').ok_or_else(|| {
                        wrong(
                            format!("`{pair}` has no value"),
                            "write it as model:KEY=VALUE,KEY=VALUE",
                        )
                    })?;
                    Ok((key.to_owned(), value.to_owned()))
                })
                .collect::<Result<Vec<_>, WorkerError>>()?;
            let mut tried = WorkerSettings::default();
            for (key, value) in &settings {
                set(&mut tried, key, value).map_err(|problem| {
                    wrong(
                        problem,
                        "a model's settings are those of [worker] in a scenario",
                    )
                })?;
            }
            return Ok(Self::Model(settings));
        }
        if let Some(version) = spec.strip_prefix("claude-mem@") {
            return version
                .trim_start_matches('v')
                .parse()
                .map(Self::Release)
                .map_err(|error| {
                    wrong(
                        format!("`{version}` is no version ({error})"),
                        "write all of it, such as claude-mem@13.25.3",
                    )
                });
        }
        if let Some(folder) = spec.strip_prefix("claude-mem:") {
            return if folder.is_empty() {
                Err(wrong(
                    "there is no folder".to_owned(),
                    "write it as claude-mem:DIR",
                ))
            } else {
                Ok(Self::Folder(folder.into()))
            };
        }
        for sdk in &SDKS {
            if let Some(rest) = spec
                .strip_prefix(sdk.adapter)
                .and_then(|rest| rest.strip_prefix('@'))
            {
                return sdk
                    .parse(rest)
                    .map_err(|(problem, remedy)| wrong(problem, &remedy));
            }
        }
        if spec.ends_with(".toml") {
            return Ok(Self::Adapter(spec.into()));
        }
        Err(wrong(
            "it is none of the known forms".to_owned(),
            "use model, model:cleanup=…, claude-mem@VERSION, claude-mem:DIR, sdk-ts@VERSION, sdk-py@VERSION, or an adapter's FILE.toml",
        ))
    }

    /// The same as a scenario's file names it: a relative adapter file lies in the folder of the scenario.
    pub fn beside(self, scenario: &Path) -> Self {
        match (self, scenario.parent()) {
            (Self::Adapter(path), Some(folder)) => Self::Adapter(folder.join(path)),
            (spec, _) => spec,
        }
    }

    /// Lays the settings that stand in the text over those of the scenario.
    pub fn apply(&self, settings: &mut WorkerSettings) {
        if let Self::Model(pairs) = self {
            for (key, value) in pairs {
                // They were tried when the text was read.
                let _ = set(settings, key, value);
            }
        }
    }

    /// Finds everything that the start of this worker needs. `settings` are the scenario's, those of the text laid over them.
    ///
    /// # Errors
    ///
    /// Something is missing or wrong; the message says what to do.
    pub fn resolve(
        &self,
        settings: &WorkerSettings,
        cache: &Cache,
    ) -> Result<ResolvedWorker, WorkerError> {
        self.find(settings, cache)?
            .with_settings(&settings.settings)
    }

    /// As [`WorkerSpec::resolve`], without the settings that a scenario gives to a worker that is not the model.
    fn find(
        &self,
        settings: &WorkerSettings,
        cache: &Cache,
    ) -> Result<ResolvedWorker, WorkerError> {
        match self {
            Self::Model(_) => {
                let adapter = Adapter::built_in("model").expect("the model is built in");
                let mut worker = ResolvedWorker::new(adapter, cache)?;
                worker.version = Some(env!("CARGO_PKG_VERSION").to_owned());
                worker.cleanup = Some(cleanup(settings));
                worker.flags = model_flags(settings);
                Ok(worker)
            }
            Self::Release(version) => {
                // First: what has no adapter is of no use in the cache either.
                adapter_for(version)?;
                let package =
                    cache
                        .package(CLAUDE_MEM, version)
                        .ok_or_else(|| WorkerError::Missing {
                            what: format!("claude-mem {version}"),
                            remedy: format!(
                                "install it with `leak-harness install claude-mem@{version}`"
                            ),
                        })?;
                claude_mem(version, package, cache)
            }
            Self::Folder(folder) => {
                let package = package_of(folder)?;
                claude_mem(&version_of(&package)?, package, cache)
            }
            Self::Sdk {
                adapter,
                version,
                end,
            } => sdk(adapter, version, end.as_deref(), cache),
            Self::Adapter(path) => {
                let text = fs::read_to_string(path).map_err(|cause| files("read", path, cause))?;
                let file = path.display().to_string();
                let adapter = Adapter::parse(&file, &text)?;
                let folder = path.parent().unwrap_or(Path::new(""));
                let folder = if folder.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    folder
                };
                let mut worker = ResolvedWorker::new(adapter, cache)?;
                worker.adapter_folder = Some(absolute(folder)?);
                worker.adapter_file = Some(AdapterFile { name: file, text });
                Ok(worker)
            }
        }
    }
}

/// A worker with everything that its start needs, ready to be handed to another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResolvedWorker {
    /// Its adapter, in one piece.
    pub adapter: Adapter,
    /// Its name, as reports show it: `model`, `claude-mem`, or the adapter's.
    pub name: String,
    /// Its version: what its package says, never what the running worker says.
    pub version: Option<String>,
    /// The model's cleanup policies, joined with `+`; none for every other worker.
    pub cleanup: Option<String>,
    /// The folder of its package.
    pub package: Option<PathBuf>,
    /// The folder of its adapter file, where it is not built in.
    pub adapter_folder: Option<PathBuf>,
    /// Its adapter file, where it is not built in: errors point into it.
    pub adapter_file: Option<AdapterFile>,
    /// The program that runs it.
    pub runtime: Option<PathBuf>,
    /// The program of this project that is the worker itself.
    pub program: Option<PathBuf>,
    /// The cache folder.
    pub cache: PathBuf,
    /// The model's settings as flags.
    pub flags: Vec<String>,
    /// What the scenario lays over the adapter's settings.
    pub settings: BTreeMap<String, String>,
}

/// An adapter file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterFile {
    /// Its name, as the user gave it.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl ResolvedWorker {
    fn new(adapter: Adapter, cache: &Cache) -> Result<Self, WorkerError> {
        let needs = &adapter.needs;
        let runtime = needs
            .runtime
            .as_ref()
            .map(|name| {
                cache.runtime(name, &needs.runtime_versions).ok_or_else(|| {
                    let versions = &needs.runtime_versions;
                    let remedy = match name.as_str() {
                        "python3" | "node" => "install it, and put it on PATH".to_owned(),
                        "bun" => {
                            "install it with `leak-harness install bun@1.3.5`, or put it on PATH"
                                .to_owned()
                        }
                        _ => "put it on PATH".to_owned(),
                    };
                    WorkerError::Missing {
                        what: format!("the runtime `{name}` ({versions})"),
                        remedy,
                    }
                })
            })
            .transpose()?;
        let runtime = runtime.map(programs::behind_shim);
        let program = needs.program.as_deref().map(programs::find).transpose()?;
        Ok(Self {
            name: adapter
                .package
                .clone()
                .unwrap_or_else(|| adapter.name.clone()),
            version: None,
            cleanup: None,
            package: None,
            adapter_folder: None,
            adapter_file: None,
            runtime,
            program,
            cache: cache.root().to_owned(),
            flags: Vec::new(),
            settings: BTreeMap::new(),
            adapter,
        })
    }

    /// Checks that this worker can be driven with a load.
    ///
    /// # Errors
    ///
    /// It knows no such end, or no such request.
    pub fn check_load(&self, load: &Load) -> Result<(), WorkerError> {
        let adapter = &self.adapter;
        // Of an adapter of one's own the file is named, and what it would have to say.
        let lacks = |key: &'static str, what: String, remedy: String, table: &str| {
            let remedy = match &self.adapter_file {
                Some(file) => format!("{remedy}, or give [[{table}]] in {}", file.name),
                None => remedy,
            };
            WorkerError::Lacks {
                worker: self.name.clone(),
                key,
                what,
                remedy,
            }
        };
        if !adapter.has_end(load.end) {
            let known: Vec<_> = [End::Complete, End::Abandon, End::Abort, End::Disconnect]
                .into_iter()
                .filter(|end| adapter.has_end(*end))
                .map(|end| format!("\"{end}\""))
                .collect();
            let because = match &adapter.ends.because {
                Some(because) => format!(": {because}"),
                None => String::new(),
            };
            return Err(lacks(
                "end",
                format!(
                    "no way to end a session with `end = \"{}\"`{because}",
                    load.end
                ),
                format!("it knows {}", known.join(", ")),
                &format!("ends.{}", load.end),
            ));
        }
        for (wanted, moment, key, none, table) in [
            (
                load.observations > 0,
                Moment::Observation,
                "observations",
                "0",
                "observation",
            ),
            (load.summary, Moment::Summary, "summary", "false", "summary"),
        ] {
            if wanted && adapter.moment(moment).is_empty() {
                return Err(lacks(
                    key,
                    format!("no requests for what `{key}` asks for"),
                    format!("use `{key} = {none}`"),
                    table,
                ));
            }
        }
        Ok(())
    }

    /// Checks that the worker's own timers can be divided by this factor.
    ///
    /// # Errors
    ///
    /// They cannot, and the factor is not 1.
    pub fn check_time_scale(&self, factor: f64) -> Result<(), WorkerError> {
        let preloads = || {
            let runtime = self.adapter.needs.runtime.as_deref();
            runtime.is_some_and(|name| super::environment::preload_variable(name).is_some())
        };
        let scalable = match self.adapter.time_scale {
            Some(TimeScaling::Told) => true,
            Some(TimeScaling::Preloaded) => preloads(),
            None => false,
        };
        if scalable || factor == 1.0 {
            Ok(())
        } else {
            Err(WorkerError::NotScalable {
                worker: self.name.clone(),
            })
        }
    }
}

/// An Agent SDK of the cache in its host.
fn sdk(
    name: &str,
    version: &Version,
    end: Option<&str>,
    cache: &Cache,
) -> Result<ResolvedWorker, WorkerError> {
    let adapter = Adapter::built_in(name).expect("the hosts of the SDKs are built in");
    let package = SDKS
        .iter()
        .find(|sdk| sdk.adapter == name)
        .map(|sdk| sdk.package)
        .unwrap_or_default();
    let file = adapter.needs.file.clone().unwrap_or_default();
    let folder = cache
        .sdk(package, version)
        .filter(|folder| folder.join(&file).is_file())
        .ok_or_else(|| WorkerError::Missing {
            what: format!("the Agent SDK {package} {version}"),
            remedy: format!("install it with `leak-harness install {package}@{version}`"),
        })?;
    let mut worker = ResolvedWorker::new(adapter, cache)?;
    worker.package = Some(absolute(&folder)?);
    worker.version = Some(version.to_string());
    if let Some(end) = end {
        worker.name = format!("{name}:end={end}");
        worker.flags = vec!["--end".to_owned(), end.to_owned()];
    }
    Ok(worker)
}

/// The adapter of a release of claude-mem.
fn adapter_for(version: &Version) -> Result<Adapter, WorkerError> {
    Adapter::for_package(CLAUDE_MEM, version).ok_or_else(|| {
        let known: Vec<_> = Adapter::built_in_names()
            .filter_map(Adapter::built_in)
            .filter(|adapter| adapter.package.as_deref() == Some(CLAUDE_MEM))
            .map(|adapter| adapter.versions.to_string())
            .collect();
        WorkerError::Missing {
            what: format!("an adapter for claude-mem {version}"),
            remedy: format!(
                "known versions: {}; for others write an adapter file",
                known.join("; ")
            ),
        }
    })
}

fn claude_mem(
    version: &Version,
    package: PathBuf,
    cache: &Cache,
) -> Result<ResolvedWorker, WorkerError> {
    let adapter = adapter_for(version)?;
    let mut worker = ResolvedWorker::new(adapter, cache)?;
    let package = absolute(&package)?;
    if let Some(file) = &worker.adapter.needs.file
        && !package.join(file).is_file()
    {
        return Err(WorkerError::Missing {
            what: package.join(file).display().to_string(),
            remedy: "a checkout must be built first; a release can be had with `leak-harness install claude-mem@VERSION`".to_owned(),
        });
    }
    for (module, wanted) in &worker.adapter.needs.modules {
        let there = package
            .ancestors()
            .any(|folder| folder.join("node_modules").join(module).is_dir());
        if !there {
            return Err(WorkerError::Missing {
                what: format!("the package `{module}` for {}", package.display()),
                remedy: format!("run `npm install {module}@{wanted}` in that folder"),
            });
        }
    }
    worker.version = Some(version.to_string());
    worker.package = Some(package);
    Ok(worker)
}

/// The folder that holds `plugin/`: the folder itself, or the one above when it is `plugin/`.
fn package_of(folder: &Path) -> Result<PathBuf, WorkerError> {
    let folder = absolute(folder)?;
    if folder.join("plugin").is_dir() {
        return Ok(folder);
    }
    match folder.parent() {
        Some(parent) if folder.file_name().is_some_and(|name| name == "plugin") => {
            Ok(parent.to_owned())
        }
        _ => Err(WorkerError::Missing {
            what: format!("the folder plugin/ of {}", folder.display()),
            remedy: "name a checkout of claude-mem or an unpacked package".to_owned(),
        }),
    }
}

/// The version that a package says it is.
fn version_of(package: &Path) -> Result<Version, WorkerError> {
    let told = ["plugin/.claude-plugin/plugin.json", "package.json"]
        .into_iter()
        .find_map(|file| {
            let text = fs::read_to_string(package.join(file)).ok()?;
            let facts: Value = serde_json::from_str(&text).ok()?;
            facts.get("version")?.as_str()?.parse().ok()
        });
    told.ok_or_else(|| WorkerError::Missing {
        what: format!("the version of {}", package.display()),
        remedy: "its plugin/.claude-plugin/plugin.json or package.json should say it".to_owned(),
    })
}

fn absolute(path: &Path) -> Result<PathBuf, WorkerError> {
    path.canonicalize()
        .map_err(|cause| files("find", path, cause))
}

/// Sets one of the model's settings from text.
fn set(settings: &mut WorkerSettings, key: &str, value: &str) -> Result<(), String> {
    fn read<T: FromStr<Err: ToString>>(value: &str) -> Result<T, String> {
        value.parse().map_err(|error: T::Err| error.to_string())
    }
    let span = || read::<Span>(value);
    match key {
        "cleanup" => settings.cleanup = value.split('+').map(read).collect::<Result<_, _>>()?,
        "query_end" => settings.query_end = read(value)?,
        "shutdown" => settings.shutdown = read(value)?,
        "stdio" => settings.stdio = read(value)?,
        "reaper_interval" => settings.reaper_interval = span()?,
        "reaper_age" => settings.reaper_age = span()?,
        "idle_limit" => settings.idle_limit = span()?,
        "kill_after" => settings.kill_after = span()?,
        "restart_delay" => settings.restart_delay = span()?,
        "drain_limit" => settings.drain_limit = span()?,
        "slots" => settings.slots = Some(read(value)?),
        "quirks" => settings.quirks = value.split('+').map(read).collect::<Result<_, _>>()?,
        _ => {
            return Err(format!(
                "the model has no setting `{}`, only {}",
                key.escape_debug(),
                MODEL_KEYS.join(", ")
            ));
        }
    }
    Ok(())
}

fn cleanup(settings: &WorkerSettings) -> String {
    let names: Vec<_> = settings
        .cleanup
        .iter()
        .map(|cleanup| cleanup.name())
        .collect();
    names.join("+")
}

/// The model's settings as the flags of `model-worker`.
fn model_flags(settings: &WorkerSettings) -> Vec<String> {
    [
        ("--cleanup", cleanup(settings).replace('+', ",")),
        ("--query-end", settings.query_end.to_string()),
        ("--shutdown", settings.shutdown.to_string()),
        ("--stdio", settings.stdio.to_string()),
        ("--reaper-interval", settings.reaper_interval.to_string()),
        ("--reaper-age", settings.reaper_age.to_string()),
        ("--idle-limit", settings.idle_limit.to_string()),
        ("--kill-after", settings.kill_after.to_string()),
        ("--restart-delay", settings.restart_delay.to_string()),
        ("--drain-limit", settings.drain_limit.to_string()),
        (
            "--slots",
            settings
                .slots
                .map(|slots| slots.to_string())
                .unwrap_or_default(),
        ),
        (
            "--quirks",
            settings
                .quirks
                .iter()
                .map(|quirk| quirk.name())
                .collect::<Vec<_>>()
                .join(","),
        ),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .flat_map(|(flag, value)| [flag.to_owned(), value])
    .collect()
}
