//! What a worker gets to see: its environment, its files, its command line.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::adapter::{Settings, TimeScaling};
use super::error::WorkerError;
use super::faulty::{pointed, unset_at};
use super::folder::files;
use super::hosts;
use super::place::Place;
use super::scaled;
use super::spec::ResolvedWorker;
use super::template::{Template, Variables};

/// What is passed on from the user's environment to every worker: language and time zone, and who the user is.
const PASSED: [&str; 7] = [
    "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "SHELL",
];

/// Everything about a start that the adapter decides, with its placeholders filled.
#[derive(Debug)]
pub struct Prepared {
    pub program: String,
    pub arguments: Vec<String>,
    pub cwd: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
}

/// Fills the adapter's templates, and writes the files that it names.
pub fn prepare(worker: &ResolvedWorker, place: &Place, port: u16) -> Result<Prepared, WorkerError> {
    worker.check_time_scale(place.time_scale)?;
    let variables = variables(worker, place, port);
    let unset = |unset| unset_at(worker, unset);
    let fill = |template: &Template| template.render(&variables).map_err(unset);
    let write_inside = |path: &Template, text: &str| {
        let root = place.folder.root();
        let filled = PathBuf::from(fill(path)?);
        write_inside(root, &filled, text).map_err(|error| pointed(worker, path.source(), error))
    };
    let start = &worker.adapter.start;

    let mut command = Vec::new();
    for argument in &start.command {
        if argument.only_slot() == Some("flags") {
            command.extend(worker.flags.iter().cloned());
        } else {
            command.push(fill(argument)?);
        }
    }
    let program = command.remove(0);
    for file in &start.files {
        let text = match (&file.json, &file.text) {
            (Some(json), _) => format!("{:#}\n", json.render(&variables).map_err(unset)?),
            (None, Some(text)) => fill(text)?,
            (None, None) => String::new(),
        };
        write_inside(&file.path, &text)?;
    }
    let mut settings = start
        .settings
        .iter()
        .flat_map(|settings| &settings.values)
        .map(|(name, template)| Ok((name.clone(), fill(template)?)))
        .collect::<Result<BTreeMap<_, _>, WorkerError>>()?;
    if start.settings.is_some() {
        settings.extend(worker.settings.clone());
    }
    if let Some(host) = &worker.adapter.needs.host {
        let text = hosts::text(host).ok_or_else(|| WorkerError::Missing {
            what: format!("the host program `{host}`"),
            remedy: format!("there are {}", hosts::names()),
        })?;
        let root = place.folder.root();
        self::write_inside(root, &root.join(host), text)?;
    }
    if let Some(Settings { file, .. }) = &start.settings {
        write_inside(file, &format!("{:#}\n", serde_json::json!(settings)))?;
    }
    let cwd = PathBuf::from(fill(&start.cwd)?);
    let mut environment = base_environment(worker, place);
    environment.extend(
        settings
            .into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    for (name, template) in &start.env {
        let value = match worker.settings.get(name) {
            Some(value) => value.clone(),
            None => fill(template)?,
        };
        environment.push((name.into(), value.into()));
    }
    if worker.adapter.time_scale == Some(TimeScaling::Preloaded) && place.time_scale != 1.0 {
        environment.extend(preload(worker, place)?);
    }
    environment.extend(
        place
            .environment
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    Ok(Prepared {
        program,
        arguments: command,
        cwd,
        environment,
    })
}

fn variables(worker: &ResolvedWorker, place: &Place, port: u16) -> Variables {
    let folder = &place.folder;
    let mut variables = folder.variables();
    // Paths that are no UTF-8 could not stand in a settings file either.
    let mut set =
        |name: &str, path: PathBuf| variables.set(name, path.to_string_lossy().into_owned());
    set("claude", folder.claude());
    set("cache", worker.cache.clone());
    if let Some(host) = &worker.adapter.needs.host {
        set("host", folder.root().join(host));
    }
    for (name, path) in [
        ("package", &worker.package),
        ("adapter", &worker.adapter_folder),
        ("runtime", &worker.runtime),
        ("program", &worker.program),
    ] {
        if let Some(path) = path {
            set(name, path.clone());
        }
    }
    variables.set("port", port.to_string());
    variables.set("time_scale", place.time_scale.to_string());
    variables
}

fn base_environment(worker: &ResolvedWorker, place: &Place) -> Vec<(OsString, OsString)> {
    let folder = &place.folder;
    let home = folder.home();
    // The fake claude comes first, so that a worker that looks for one on PATH finds no other; the runtime is found by its name too.
    let mut path = vec![folder.bin()];
    path.extend(
        worker
            .runtime
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_owned),
    );
    path.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let path = env::join_paths(&path).unwrap_or_else(|_| folder.bin().into_os_string());

    let mut environment: Vec<(OsString, OsString)> = vec![
        ("HOME".into(), home.clone().into()),
        ("TMPDIR".into(), folder.tmp().into()),
        ("XDG_CONFIG_HOME".into(), home.join(".config").into()),
        ("XDG_CACHE_HOME".into(), home.join(".cache").into()),
        ("XDG_DATA_HOME".into(), home.join(".local/share").into()),
        ("XDG_STATE_HOME".into(), home.join(".local/state").into()),
        ("XDG_RUNTIME_DIR".into(), folder.tmp().into()),
        ("PATH".into(), path),
    ];
    let passed = PASSED
        .into_iter()
        .chain(worker.adapter.start.pass.iter().map(String::as_str));
    environment.extend(passed.filter_map(|name| Some((name.into(), env::var_os(name)?))));
    environment
}

/// The variable by which a runtime is told to preload a script, and how it is told.
pub fn preload_variable(runtime: &str) -> Option<(&'static str, &'static str)> {
    match runtime {
        "bun" => Some(("BUN_OPTIONS", "--preload=")),
        "node" => Some(("NODE_OPTIONS", "--require=")),
        _ => None,
    }
}

/// Writes the script that divides timers, and says how the runtime comes to load it.
fn preload(
    worker: &ResolvedWorker,
    place: &Place,
) -> Result<Vec<(OsString, OsString)>, WorkerError> {
    let (script, proofs) = scaled::put_script(place.folder.root())?;
    let runtime = worker
        .adapter
        .needs
        .runtime
        .as_deref()
        .and_then(preload_variable);
    let (variable, option) = runtime.ok_or_else(|| WorkerError::NotScalable {
        worker: worker.name.clone(),
    })?;
    Ok(vec![
        (
            variable.into(),
            format!("{option}{}", script.display()).into(),
        ),
        (
            "LEAK_HARNESS_TIME_SCALE".into(),
            place.time_scale.to_string().into(),
        ),
        ("LEAK_HARNESS_TIME_SCALE_PROOF".into(), proofs.into()),
    ])
}

/// Writes a file that lies in the folder of the run, whatever the adapter says.
fn write_inside(root: &Path, path: &Path, text: &str) -> Result<(), WorkerError> {
    if !path.starts_with(root) || path.components().any(|part| part == Component::ParentDir) {
        return Err(WorkerError::Outside {
            path: path.to_owned(),
        });
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|cause| files("make the folder", parent, cause))?;
    }
    fs::write(path, text).map_err(|cause| files("write", path, cause))
}
