//! What the arguments mean: files read, the worker resolved, folders chosen. Once this is done, nothing can fail for a reason that
//! the user could have been told before the run.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::{IsolationChoice, RunOptions};
use super::failure::Failure;
use crate::clock;
use crate::isolation::Wanted;
use crate::platform;
use crate::recording::{Manifest, format};
use crate::report::Report;
use crate::report::escape::plain;
use crate::run::{Baseline, Order, PlaceWanted};
use crate::scenario::{Scenario, WorkerSettings};
use crate::worker::{Cache, ResolvedWorker, WorkerSpec, find_program};

/// One run as it is meant.
#[derive(Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// What the inner process is asked; its temporary folder is made when the run starts.
    pub order: Order,
    /// The place of the run.
    pub place: PlaceWanted,
    /// Whether the temporary folder stays.
    pub keep: bool,
    /// What the baseline knows.
    pub known: Baseline,
}

/// A scenario's text with its name.
#[derive(Debug, Clone)]
pub struct ScenarioText {
    /// The file's name, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl ScenarioText {
    /// Reads a scenario file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|cause| Failure::file(path, &cause))?;
        Ok(Self {
            file: plain(&path.to_string_lossy()),
            text,
        })
    }
}

impl Plan {
    /// Plans a run of a scenario. `out` is the folder of its results; `again` the command that runs it once more.
    pub fn new(
        text: &ScenarioText,
        options: &RunOptions,
        out: PathBuf,
        again: String,
    ) -> Result<Self, Failure> {
        let mut all_changes = Vec::new();
        all_changes.extend(options.seed.map(|seed| format!("seed={seed}")));
        all_changes.extend(
            options
                .time_scale
                .map(|factor| format!("run.time_scale={factor:?}")),
        );
        all_changes.extend(
            options
                .timeout
                .map(|timeout| format!("run.timeout=\"{timeout}\"")),
        );
        all_changes.extend(options.set.iter().cloned());
        let (mut scenario, effective) = Scenario::parse_with(&text.file, &text.text, &all_changes)?;
        let named = options.worker.as_ref().unwrap_or(&scenario.worker.worker);
        let mut spec = WorkerSpec::parse(named).map_err(Failure::usage)?;
        if options.worker.is_none() {
            spec = spec.beside(Path::new(&text.file));
        }
        spec.apply(&mut scenario.worker);
        let cache = cache()?;
        let worker = spec
            .resolve(&scenario.worker, &cache)
            .map_err(Failure::usage)?;
        worker
            .check_time_scale(scenario.run.time_scale)
            .map_err(Failure::usage)?;
        worker
            .check_load(&scenario.load)
            .map_err(|error| Failure::usage(format_args!("{}: {error}", text.file)))?;
        let fake_claude = find_program("fake-claude").map_err(Failure::usage)?;
        let manifest = Manifest {
            major: format::MAJOR,
            minor: format::MINOR,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            scenario_file: text.file.clone(),
            seed: scenario.seed,
            worker: worker.name.clone(),
            worker_version: worker.version.clone().unwrap_or_default(),
            cleanup: worker.cleanup.iter().cloned().collect(),
            runtime: worker.runtime(),
            install: spec.to_install(&worker),
            settings: worker.settings(),
            stop: Some(worker.stop()),
            started: clock::wall_time().to_string(),
            kernel: platform::portable::system_name(),
            cores: std::thread::available_parallelism()
                .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
            again,
        };
        let order = Order {
            scenario_file: text.file.clone(),
            scenario: effective,
            worker,
            manifest,
            out,
            folder: PathBuf::new(),
            cookie: String::new(),
            fake_claude,
            soak: None,
        };
        let place = PlaceWanted {
            wanted: if options.isolation == IsolationChoice::Fallback {
                Wanted::Fallback
            } else {
                Wanted::Best
            },
            or_nothing: options.isolation == IsolationChoice::Namespaces,
        };
        let known = options
            .baseline
            .as_deref()
            .map(baseline)
            .transpose()?
            .unwrap_or_default();
        Ok(Self {
            scenario,
            order,
            place,
            keep: options.keep,
            known,
        })
    }
}

/// The worker that a specification names, with the settings of an empty scenario.
pub fn resolve(spec: &str) -> Result<ResolvedWorker, Failure> {
    let spec = WorkerSpec::parse(spec).map_err(Failure::usage)?;
    spec.resolve(&WorkerSettings::default(), &cache()?)
        .map_err(Failure::usage)
}

/// The cache of the user.
pub fn cache() -> Result<Cache, Failure> {
    Cache::of_user().ok_or_else(|| {
        Failure::usage("no folder for the cache: set LEAK_HARNESS_CACHE, XDG_CACHE_HOME or HOME")
    })
}

/// What a report found and measured, which `--baseline` takes as known. `path` is the report, or the folder that holds it.
pub fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let file = if path.is_dir() {
        path.join("report.json")
    } else {
        path.to_owned()
    };
    let text = fs::read_to_string(&file).map_err(|cause| Failure::file(&file, &cause))?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|cause| Failure::usage(format_args!("{}: no report: {cause}", file.display())))?;
    Ok(Baseline::of(report))
}

/// The folder of a run's results where none was named: `reports/<date>-<scenario>`, numbered when it exists.
pub fn default_out(name: &str) -> PathBuf {
    let date = clock::wall_time().strftime("%Y-%m-%d").to_string();
    let first = Path::new("reports").join(format!("{date}-{name}"));
    std::iter::once(first.clone())
        .chain((2..).map(|number| PathBuf::from(format!("{}-{number}", first.display()))))
        .find(|path| !path.exists())
        .unwrap_or(first)
}
