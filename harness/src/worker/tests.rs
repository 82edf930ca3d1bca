//! Adapters and the texts that name workers: what is understood, and how errors read.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fake_claude::control::Role;
use fake_claude::quantity::Span;
use semver::Version;
use serde_json::json;

use super::adapter::Moment;
use super::environment;
use super::template::Variables;
use super::{Adapter, Cache, Place, ResolvedWorker, RunFolder, WorkerSpec};
use crate::model::policy::{Cleanup, QueryEnd};
use crate::scenario::{End, Load, WorkerSettings};

const SMALL: &str = include_str!("../../tests/data/adapters/small.toml");

/// Every wrong adapter: a small right one with one thing changed.
#[test]
fn errors_of_adapters_point_and_help() {
    let changes = [
        ("kind = \"http\"", "knd = \"http\""),
        ("kind = \"http\"", "kind = \"htp\""),
        ("port = 4711", "port = 40000"),
        ("port = 4711", "port = \"4711\""),
        ("name = \"small\"", "name = \"a b\""),
        ("name = \"small\"", "name = \"small\"\nversions = \"9.x.y\""),
        (
            "name = \"small\"",
            "name = \"small\"\ndialect = \"claude-mem-8\"",
        ),
        (
            "command = [\"{runtime}\", \"--port\", \"{port}\"]",
            "command = [\"{runtme}\"]",
        ),
        (
            "command = [\"{runtime}\", \"--port\", \"{port}\"]",
            "command = [\"{runtime\"]",
        ),
        (
            "command = [\"{runtime}\", \"--port\", \"{port}\"]",
            "command = []",
        ),
        ("path = \"/observe\"", "path = \"observe\""),
        ("id = \"{session}\"", "id = \"{sesion}\""),
        (
            "capture = { key = \"/key\" }",
            "capture = { key = \"key\" }",
        ),
        ("work = true", "work = false"),
        ("timeout = \"10s\"", "timeout = \"10\""),
        ("timeout = \"10s\"", ""),
        ("signal = \"SIGTERM\"", ""),
        ("signal = \"SIGTERM\"", "signal = \"SIGKILL\""),
        ("method = \"POST\"", "method = \"PATCH\""),
        ("[ready]", "[[start.files]]\npath = \"{home}/a\"\n\n[ready]"),
        (
            "[ready]",
            "[ends.disconnect]\nduring = \"summary\"\nafter = \"half-body\"\n\n[ready]",
        ),
    ];
    let mut text = String::new();
    for (from, to) in changes {
        assert!(SMALL.contains(from), "{from}");
        let error = Adapter::parse("small.toml", &SMALL.replacen(from, to, 1)).expect_err(to);
        let _ = writeln!(text, "{error}\n");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_built_in_adapter_is_right_and_survives_being_handed_over() {
    for name in Adapter::built_in_names() {
        let adapter = Adapter::built_in(name).unwrap();
        assert_eq!(adapter.name, name);
        let text = adapter.to_toml();
        assert_eq!(
            Adapter::parse(name, &text)
                .unwrap_or_else(|error| panic!("{error}"))
                .to_toml(),
            text
        );
        let handed: Adapter =
            serde_json::from_str(&serde_json::to_string(&adapter).unwrap()).unwrap();
        assert_eq!(
            Adapter {
                dialect: None,
                ..adapter
            },
            handed
        );
    }
}

#[test]
fn a_dialect_brings_the_requests_along_and_nothing_else() {
    let (model, claude_mem) = (
        Adapter::built_in("model").unwrap(),
        Adapter::built_in("claude-mem-9").unwrap(),
    );
    assert_eq!(
        (&model.prompt, &model.ends, &model.stored),
        (&claude_mem.prompt, &claude_mem.ends, &claude_mem.stored)
    );
    assert_eq!(
        (model.package.clone(), model.needs.runtime.clone()),
        (None, None)
    );
    let newer = Adapter::built_in("claude-mem-13.25").unwrap();
    assert_eq!(newer.stored, claude_mem.stored);
    assert!(newer.kept.is_empty() && newer.prompt.len() == 1);
    assert!(model.has_end(End::Abort) && !newer.has_end(End::Abort) && newer.has_end(End::Abandon));
}

#[test]
fn releases_find_their_adapter_by_version() {
    let name = |version: &str| {
        Adapter::for_package("claude-mem", &version.parse().unwrap()).map(|adapter| adapter.name)
    };
    assert_eq!(name("8.5.10").as_deref(), Some("claude-mem-9"));
    assert_eq!(name("9.0.17").as_deref(), Some("claude-mem-9"));
    assert_eq!(name("9.1.0"), None);
    assert_eq!(name("13.25.3").as_deref(), Some("claude-mem-13.25"));
    assert!(Adapter::for_package("other", &Version::new(9, 0, 0)).is_none());
}

#[test]
fn roles_come_from_the_command_line() {
    let adapter = Adapter::built_in("claude-mem-13.25").unwrap();
    assert_eq!(
        adapter.role_of("/usr/bin/bun /x/plugin/scripts/mcp-server.cjs"),
        Some(Role::Helper)
    );
    assert_eq!(
        adapter.role_of("/run/bin/claude --permission-mode dontAsk --version"),
        Some(Role::Probe)
    );
    assert_eq!(
        adapter.role_of("git rev-parse --show-toplevel"),
        Some(Role::Helper)
    );
    assert_eq!(
        adapter.role_of("/run/bin/claude --output-format stream-json"),
        None
    );
}

#[test]
fn a_request_is_filled_as_the_hook_would() {
    let adapter = Adapter::built_in("claude-mem-9").unwrap();
    let mut variables = Variables::default();
    for (name, value) in [
        ("session", "a/b\"c"),
        ("marker", "lhm-ab-1-o1z"),
        ("cwd", "/tmp/x"),
    ] {
        variables.set(name, value);
    }
    let observation = &adapter.moment(Moment::Observation)[0];
    assert_eq!(
        observation
            .body
            .as_ref()
            .unwrap()
            .render(&variables)
            .unwrap(),
        json!({
            "contentSessionId": "a/b\"c",
            "tool_name": "Bash",
            "tool_input": { "command": "echo lhm-ab-1-o1z" },
            "tool_response": { "stdout": "done", "stderr": "" },
            "cwd": "/tmp/x"
        })
    );
}

#[test]
fn the_text_that_names_a_worker_is_understood() {
    let parse = |text: &str| WorkerSpec::parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        parse("claude-mem@13.25.3"),
        WorkerSpec::Release(Version::new(13, 25, 3))
    );
    assert_eq!(
        parse("claude-mem@v9.0.0"),
        WorkerSpec::Release(Version::new(9, 0, 0))
    );
    assert_eq!(
        parse("claude-mem:../checkout"),
        WorkerSpec::Folder("../checkout".into())
    );
    assert_eq!(
        parse("my/worker.toml"),
        WorkerSpec::Adapter("my/worker.toml".into())
    );
    let mut settings = WorkerSettings::default();
    parse("model:cleanup=tracked+close,query_end=closes-stdin,kill_after=2s").apply(&mut settings);
    assert_eq!(settings.cleanup, [Cleanup::Tracked, Cleanup::Close]);
    assert_eq!(
        (settings.query_end, settings.kill_after),
        (QueryEnd::ClosesStdin, Span::from_secs(2))
    );
}

#[test]
fn workers_that_cannot_be_had_say_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("cache"));
    let made = |files: &[(&str, &str)]| -> PathBuf {
        let place = tempfile::tempdir_in(folder.path()).unwrap().keep();
        for (name, text) in files {
            let path = place.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        place
    };
    let empty = made(&[]);
    let nameless = made(&[("plugin/x", "")]);
    let unbuilt = made(&[("plugin/x", ""), ("package.json", r#"{"version":"9.0.0"}"#)]);
    let unknown = made(&[
        ("plugin/x", ""),
        ("package.json", r#"{"version":"11.0.1"}"#),
    ]);
    // A runtime, so that the folder is looked at.
    let bun = folder.path().join("cache/bun/1.3.5/bun");
    fs::create_dir_all(bun.parent().unwrap()).unwrap();
    fs::write(&bun, "").unwrap();
    fs::set_permissions(&bun, fs::Permissions::from_mode(0o755)).unwrap();

    let in_folder = |path: &Path| format!("claude-mem:{}", path.display());
    let specs = [
        "modl".to_owned(),
        "model:cleanup".to_owned(),
        "model:cleanup=traced".to_owned(),
        "model:clean=none".to_owned(),
        "model:kill_after=5".to_owned(),
        "claude-mem@13".to_owned(),
        "claude-mem@13.25.3".to_owned(),
        "claude-mem:".to_owned(),
        in_folder(&empty),
        in_folder(&folder.path().join("absent")),
        in_folder(&nameless),
        in_folder(&unbuilt),
        in_folder(&unknown),
        folder.path().join("absent.toml").display().to_string(),
    ];
    let mut text = String::new();
    for spec in &specs {
        let error = WorkerSpec::parse(spec)
            .and_then(|spec| spec.resolve(&WorkerSettings::default(), &cache))
            .expect_err(spec)
            .to_string();
        let mut error = error;
        for (path, name) in [
            (&empty, "[empty]"),
            (&nameless, "[nameless]"),
            (&unbuilt, "[unbuilt]"),
            (&unknown, "[unknown]"),
        ] {
            for path in [path.clone(), path.canonicalize().unwrap()] {
                error = error.replace(&path.display().to_string(), name);
            }
        }
        let _ = writeln!(
            text,
            "{}\n",
            error.replace(&folder.path().display().to_string(), "[folder]")
        );
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_worker_is_asked_only_for_what_it_knows() {
    let worker = unpacked("claude-mem-13.25", "sh");
    let check = |load: &str| {
        worker
            .check_load(&toml::from_str::<Load>(load).unwrap())
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        check("sessions = 1\nobservations = 1\nsummary = true\nend = \"complete\""),
        Ok(())
    );
    assert_eq!(
        check("sessions = 1\nend = \"abort\""),
        Err("claude-mem has no way to end a session with `end = \"abort\"`; it knows \"complete\", \"abandon\", \"disconnect\"".to_owned())
    );
    assert!(worker.check_time_scale(1.0).is_ok() && worker.check_time_scale(60.0).is_ok());
    let small = ResolvedWorker {
        adapter: Adapter::parse("small.toml", SMALL).unwrap(),
        ..worker
    };
    let error = small.check_time_scale(60.0).unwrap_err().to_string();
    assert!(
        error.starts_with("the timers of claude-mem cannot be divided; leave out `time_scale`"),
        "{error}"
    );
    let error = small
        .check_load(&toml::from_str("sessions = 1\nsummary = true\nend = \"abandon\"").unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "claude-mem has no requests for what `summary` asks for; use `summary = false`"
    );
}

/// A worker of a built-in adapter, put together by hand.
fn unpacked(adapter: &str, runtime: &str) -> ResolvedWorker {
    ResolvedWorker {
        adapter: Adapter::built_in(adapter).unwrap(),
        name: "claude-mem".to_owned(),
        version: None,
        cleanup: None,
        package: Some("/package".into()),
        adapter_folder: None,
        runtime: Some(Path::new("/runtimes").join(runtime)),
        program: Some("/bin/model-worker".into()),
        cache: "/cache".into(),
        flags: vec!["--cleanup".to_owned(), "none".to_owned()],
    }
}

fn place(root: &Path) -> Place {
    let program = root.join("program");
    fs::write(&program, "").unwrap();
    let folder = RunFolder::prepare(&root.join("run"), &program, Path::new("/control")).unwrap();
    Place {
        folder,
        own_network: true,
        time_scale: 60.0,
        environment: vec![("COOKIE".to_owned(), "x".to_owned())],
    }
}

#[test]
fn what_a_worker_gets_to_see_is_made_in_the_folder_of_the_run() {
    let temp = tempfile::tempdir().unwrap();
    let place = place(temp.path());
    let prepared = environment::prepare(&unpacked("claude-mem-9", "bun"), &place, 31_777).unwrap();
    assert_eq!(prepared.program, "/runtimes/bun");
    assert_eq!(
        prepared.arguments,
        ["/package/plugin/scripts/worker-service.cjs", "--daemon"]
    );
    assert_eq!(prepared.cwd, Path::new("/package/plugin"));
    let variable = |name: &str| {
        let found = prepared.environment.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| {
            value
                .to_string_lossy()
                .replace(&temp.path().display().to_string(), "[temp]")
        })
    };
    assert_eq!(variable("HOME").unwrap(), "[temp]/run/home");
    assert!(
        variable("PATH")
            .unwrap()
            .starts_with("[temp]/run/bin:/runtimes:")
    );
    assert_eq!(
        variable("BUN_OPTIONS").unwrap(),
        "--preload=[temp]/run/time_scale.cjs"
    );
    assert_eq!(variable("LEAK_HARNESS_TIME_SCALE").unwrap(), "60");
    assert_eq!(variable("COOKIE").unwrap(), "x");
    // The environment of the harness itself does not reach it.
    assert_eq!(variable("CARGO_MANIFEST_DIR"), None);
    let settings =
        fs::read_to_string(place.folder.home().join(".claude-mem/settings.json")).unwrap();
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    assert_eq!(settings["CLAUDE_MEM_WORKER_PORT"], "31777");
    assert_eq!(
        settings["CLAUDE_CODE_PATH"],
        place.folder.claude().display().to_string()
    );
}

#[test]
fn the_model_gets_its_settings_as_flags() {
    let temp = tempfile::tempdir().unwrap();
    let place = place(temp.path());
    let prepared = environment::prepare(&unpacked("model", "bun"), &place, 4_711).unwrap();
    let arguments = prepared
        .arguments
        .join(" ")
        .replace(&temp.path().display().to_string(), "[temp]");
    assert_eq!(
        arguments,
        "--port 4711 --data [temp]/run/data --claude [temp]/run/bin/claude --time-scale 60 --cleanup none"
    );
}

#[test]
fn an_adapter_cannot_write_outside_the_folder_of_the_run() {
    let temp = tempfile::tempdir().unwrap();
    let place = Place {
        time_scale: 1.0,
        ..place(temp.path())
    };
    for path in ["/tmp/outside", "{home}/../../outside", "relative"] {
        let files = format!("[[start.files]]\npath = \"{path}\"\ntext = \"x\"\n\n[ready]");
        let adapter = Adapter::parse("small.toml", &SMALL.replace("[ready]", &files)).unwrap();
        let worker = ResolvedWorker {
            adapter,
            ..unpacked("model", "bun")
        };
        let error = environment::prepare(&worker, &place, 4_711)
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("outside the folder of the run"), "{error}");
    }
    assert!(!temp.path().join("outside").exists());
}
