//! Adapters and the texts that name workers: what is understood, and how errors read.

use std::collections::BTreeMap;
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
use super::spec::AdapterFile;
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
            "name = \"small\"",
            "name = \"small\"\nbased_on = \"claude-mem-8\"",
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
        ("port = 4711", ""),
        ("path = \"/ready\"", ""),
        ("path = \"/observe\"", ""),
        ("path = \"/observe\"", "ask = \"observe\""),
        (
            "path = \"/observe\"",
            "path = \"/observe\"\nask = \"observe\"",
        ),
        ("signal = \"SIGTERM\"", "closes_stdin = true"),
        (
            "[stop]",
            "[queue]\nask = \"waiting\"\nat = \"/left\"\n\n[stop]",
        ),
        ("signal = \"SIGTERM\"", ""),
        ("signal = \"SIGTERM\"", "signal = \"SIGKILL\""),
        ("method = \"POST\"", "method = \"PATCH\""),
        ("[ready]", "[[start.files]]\npath = \"{home}/a\"\n\n[ready]"),
        (
            "[ready]",
            "[ends.disconnect]\nduring = \"summary\"\nafter = \"half-body\"\n\n[ready]",
        ),
        ("[ready]", "[ends]\nusual = \"complete\"\n\n[ready]"),
        ("[ready]", "[ends]\nusual = \"stop\"\n\n[ready]"),
        ("[ready]", "[ends]\ncomplete = []\n\n[ready]"),
        (
            "[ready]",
            "[[ends.complete]]\nmethod = \"GET\"\npath = \"/left\"\nuntil = { at = \"/left\", is = [0], every = \"1s\", within = \"9s\" }\n\n[ready]",
        ),
        (
            "[ready]",
            "[[ends.prompt]]\nmethod = \"GET\"\npath = \"/left/{sesion}\"\n\n[ready]",
        ),
        (
            "work = true",
            "work = true\nuntil = { at = \"/left\", is = [0], every = \"1s\", within = \"9s\" }",
        ),
        (
            "work = true",
            "work = true\nuntil = { at = \"/left\", is = [0], evry = \"1s\", within = \"9s\" }",
        ),
        (
            "[ready]",
            "[start.settings]\nfile = \"{home}/settings.json\"\nvalues = { KEY = \"{prt}\" }\n\n[ready]",
        ),
        (
            "[ready]",
            "[start.settings]\nvalues = { KEY = \"{port}\" }\n\n[ready]",
        ),
        ("runtime = \"sh\"", "runtime = \"sh\"\nmodules = [\"zod\"]"),
        (
            "[stop]",
            "[[kept]]\nkinds = [\"observation\"]\npath = \"/waits\"\n\n[stop]",
        ),
        (
            "[stop]",
            "[[kept]]\nkinds = [\"observation\"]\npath = \"/waits\"\nitems = \"\"\ndatabase = \"{data}/db\"\nquery = \"SELECT 1\"\n\n[stop]",
        ),
        (
            "[stop]",
            "[[kept]]\nkinds = [\"observation\"]\ndatabase = \"{dta}/db\"\nquery = \"SELECT 1\"\n\n[stop]",
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

/// The same for the kind that reads lines: the worked example with one thing changed.
#[test]
fn errors_of_adapters_that_speak_by_lines_point_and_help() {
    const LINES: &str = include_str!("../../../scenarios/any-daemon/daemon.toml");
    let body = "body = { session = \"{session}\", text = \"{prompt}\" }";
    let changes = [
        ("kind = \"stdio\"", "kind = \"stdin\""),
        ("kind = \"stdio\"", "kind = \"stdio\"\nport = 4711"),
        ("timeout = \"10s\"", "timeout = \"10s\"\npath = \"/ready\""),
        ("ask = \"prompt\"", "method = \"POST\"\npath = \"/prompt\""),
        ("ask = \"prompt\"", "method = \"POST\"\nask = \"prompt\""),
        ("ask = \"prompt\"", ""),
        ("ask = \"prompt\"", "aks = \"prompt\""),
        (body, "body = \"{prompt}\""),
        (body, "body = { id = \"{session}\" }"),
        (body, "body = { session = \"{sesion}\" }"),
        (
            "[stop]",
            "[ends.disconnect]\nduring = \"prompt\"\nafter = \"sent\"\n\n[stop]",
        ),
        (
            "[stop]",
            "[[stored]]\nkinds = [\"prompt\"]\npath = \"/all\"\nitems = \"\"\n\n[stop]",
        ),
        (
            "[stop]",
            "[[stored]]\nkinds = [\"prompt\"]\nask = \"all\"\n\n[stop]",
        ),
        (
            "[stop]",
            "[queue]\npath = \"/left\"\nat = \"/left\"\n\n[stop]",
        ),
        ("closes_stdin = true", ""),
        (
            "closes_stdin = true",
            "closes_stdin = true\nsignal = \"SIGTERM\"",
        ),
    ];
    let mut text = String::new();
    for (from, to) in changes {
        assert!(LINES.contains(from), "{from}");
        let error = Adapter::parse("daemon.toml", &LINES.replacen(from, to, 1)).expect_err(to);
        let _ = writeln!(text, "{error}\n");
    }
    insta::assert_snapshot!(text);
}

/// Adapters lie beside scenarios and are told apart by what they say.
#[test]
fn an_adapter_is_told_from_a_scenario() {
    assert!(Adapter::is_written_in("kind = \"stdio\""));
    assert!(Adapter::is_written_in("name = \"a\"\nbased_on = \"model\""));
    assert!(!Adapter::is_written_in(
        "name = \"a\"\n[load]\nsessions = 1"
    ));
    assert!(!Adapter::is_written_in("kind = "));
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
                based_on: None,
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

/// Without it a release that knows a request again by this id would seem to do twice what is sent twice.
#[test]
fn the_use_of_a_tool_is_named_to_a_release_whose_hook_names_it() {
    let id_of = |adapter: &str| {
        let adapter = Adapter::built_in(adapter).unwrap();
        serde_json::to_value(&adapter.observation).unwrap()[0]["body"]["tool_use_id"].clone()
    };
    assert_eq!(id_of("claude-mem-13.25"), "toolu_{marker}");
    assert!(id_of("claude-mem-13.4").is_null());
}

#[test]
fn releases_find_their_adapter_by_version() {
    let name = |version: &str| {
        Adapter::for_package("claude-mem", &version.parse().unwrap()).map(|adapter| adapter.name)
    };
    for (version, adapter) in [
        ("8.5.10", "claude-mem-9"),
        ("9.0.0", "claude-mem-9"),
        ("9.0.5", "claude-mem-9"),
        ("9.0.8", "claude-mem-9"),
        ("9.0.12", "claude-mem-9"),
        ("9.0.17", "claude-mem-9.0.13"),
        ("9.1.1", "claude-mem-9.1"),
        ("10.0.8", "claude-mem-10.0"),
        ("10.3.3", "claude-mem-10.2"),
        ("10.5.5", "claude-mem-10.4"),
        ("10.5.6", "claude-mem-10.5.6"),
        ("10.6.3", "claude-mem-10.5.6"),
        ("11.0.1", "claude-mem-10.7"),
        ("12.1.6", "claude-mem-10.7"),
        ("12.3.9", "claude-mem-12.3.9"),
        ("12.4.3", "claude-mem-12.4"),
        ("12.4.4", "claude-mem-12.4.4"),
        ("12.4.9", "claude-mem-12.4.7"),
        ("12.7.5", "claude-mem-12.5"),
        ("13.0.0", "claude-mem-13"),
        ("13.4.0", "claude-mem-13.4"),
        ("13.15.3", "claude-mem-13.4"),
        ("13.25.3", "claude-mem-13.25"),
    ] {
        assert_eq!(name(version).as_deref(), Some(adapter), "{version}");
    }
    assert_eq!((name("8.4.9"), name("14.0.0")), (None, None));
    assert!(Adapter::for_package("other", &Version::new(9, 0, 0)).is_none());
}

/// Two adapters for one release would make it a matter of luck which one counts; none would leave a gap.
#[test]
fn every_release_has_exactly_one_adapter() {
    let adapters: Vec<_> = Adapter::built_in_names()
        .filter_map(Adapter::built_in)
        .filter(|adapter| adapter.package.as_deref() == Some("claude-mem"))
        .collect();
    let first = Version::new(8, 5, 0);
    let mut seen = 0;
    for major in 8..14 {
        for (minor, patch) in (0..30).flat_map(|minor| (0..20).map(move |patch| (minor, patch))) {
            let version = Version::new(major, minor, patch);
            if version < first {
                continue;
            }
            let fit: Vec<_> = adapters
                .iter()
                .filter(|adapter| adapter.versions.hold(&version))
                .map(|adapter| &adapter.name)
                .collect();
            assert_eq!(fit.len(), 1, "{version}: {fit:?}");
            seen += 1;
        }
    }
    assert!(seen > 3_000);
}

#[test]
fn a_generation_is_what_it_changed() {
    let adapter = |version: &str| {
        Adapter::for_package("claude-mem", &version.parse().unwrap()).expect(version)
    };
    let setting = |version: &str, key: &str| {
        let settings = adapter(version).start.settings.unwrap();
        settings
            .values
            .get(key)
            .map(|value| value.source().to_owned())
    };
    // A setting is added to those that were taken over.
    let chroma = "CLAUDE_MEM_CHROMA_MODE";
    assert_eq!(setting("9.1.1", chroma), None);
    for version in ["10.0.8", "10.3.3", "10.5.5"] {
        assert_eq!(setting(version, chroma).as_deref(), Some("remote"));
        assert_eq!(
            setting(version, "CLAUDE_MEM_WORKER_PORT").as_deref(),
            Some("{port}")
        );
    }
    // Requests and plain keys are replaced as a whole.
    let limits = |version: &str| (adapter(version).idle_limit, adapter(version).live_sessions);
    assert_eq!(limits("9.0.12"), (None, None));
    assert_eq!(limits("9.0.17"), (Some(Span::from_secs(180)), None));
    assert_eq!(limits("13.25.3"), (Some(Span::from_secs(180)), Some(10)));
    let kills = |version: &str| adapter(version).kills_by_command_line;
    assert_eq!(
        ["9.0.17", "9.1.1", "12.4.5", "12.4.7"].map(kills),
        [false, true, true, false]
    );
    assert_eq!(adapter("13.4.0").needs.modules["zod"], "4");
    assert!(adapter("12.7.5").needs.modules.is_empty());
    assert_eq!(
        adapter("13.4.0").needs.file,
        adapter("9.0.0").needs.file,
        "the other needs are still there"
    );
}

/// Up to 13.3 the database tells what waits; from 13.4 on it waits in memory alone, and nothing is kept.
#[test]
fn kept_work_is_read_where_it_lies() {
    let read_from = |version: &str| {
        let adapter = Adapter::for_package("claude-mem", &version.parse().unwrap()).unwrap();
        assert_eq!(adapter.stored.len(), 2, "{version}");
        match adapter.kept.as_slice() {
            [] => "nowhere",
            [kept] if kept.path.is_some() => "worker",
            _ => "database",
        }
    };
    // A worker that has died says nothing, and its queue lies in its database still.
    assert_eq!(
        ["9.0.0", "12.3.9", "12.4.9", "13.0.0", "13.4.0", "13.25.3"].map(read_from),
        [
            "database", "database", "database", "database", "nowhere", "nowhere"
        ]
    );
}

#[test]
fn each_generation_ends_its_sessions_as_its_hooks_do() {
    let adapter = |version: &str| {
        Adapter::for_package("claude-mem", &version.parse().unwrap()).expect(version)
    };
    let ends = |version: &str| {
        let adapter = adapter(version);
        (
            adapter.usual_end(),
            adapter.ends.prompt.len(),
            adapter.has_end(End::Complete),
            adapter.has_end(End::Abort),
        )
    };
    assert_eq!(ends("9.0.17"), (End::Abandon, 0, true, true));
    assert_eq!(ends("9.1.1"), (End::Complete, 1, true, true));
    assert_eq!(ends("10.3.3"), (End::Complete, 1, true, true));
    assert_eq!(ends("10.6.3"), (End::Complete, 0, true, true));
    assert_eq!(ends("11.0.1"), (End::Complete, 2, true, true));
    assert_eq!(ends("12.3.9"), (End::Complete, 0, true, true));
    assert_eq!(ends("12.4.9"), (End::Abandon, 0, false, true));
    assert_eq!(ends("13.15.3"), (End::Abandon, 0, false, false));
    assert_eq!(ends("13.25.3"), (End::Complete, 0, true, false));
    let second = |version: &str| {
        let adapter = adapter(version);
        adapter
            .prompt
            .get(1)
            .map(|request| request.unless.contains_key("contextInjected"))
    };
    assert_eq!(
        ["10.3.3", "10.5.5", "12.1.6", "12.4.9", "12.7.5"].map(second),
        [Some(false), Some(true), Some(true), Some(false), None]
    );
}

#[test]
fn an_end_that_nothing_says_is_a_usage_error_that_says_so() {
    let load: Load = toml::from_str("sessions = 1\nend = \"complete\"").unwrap();
    for (adapter, words) in [
        (
            "claude-mem-12.4.7",
            "claude-mem has no way to end a session with `end = \"complete\"`: since 12.4.4 no hook says that a session is over; it knows \"abandon\", \"abort\", \"disconnect\"",
        ),
        (
            "claude-mem-13",
            "claude-mem has no way to end a session with `end = \"complete\"`: no hook says that a session is over, and no route ends one; it knows \"abandon\", \"disconnect\"",
        ),
    ] {
        let error = unpacked(adapter, "bun").check_load(&load).unwrap_err();
        assert_eq!(error.to_string(), words);
    }
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
    let beside = parse("worker.toml").beside(Path::new("scenarios/a.toml"));
    assert_eq!(beside, WorkerSpec::Adapter("scenarios/worker.toml".into()));
    assert_eq!(parse("model").beside(Path::new("a.toml")), parse("model"));
    assert_eq!(
        parse("sdk-ts@0.3.330:end=break"),
        WorkerSpec::Sdk {
            adapter: "sdk-ts",
            version: Version::new(0, 3, 330),
            end: Some("break".to_owned()),
        }
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
    let unknown = made(&[("plugin/x", ""), ("package.json", r#"{"version":"8.4.9"}"#)]);
    let incomplete = made(&[
        ("plugin/scripts/worker-service.cjs", ""),
        ("package.json", r#"{"version":"13.4.0"}"#),
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
        "claude-mem@7.0.0".to_owned(),
        "claude-mem:".to_owned(),
        "sdk-ts@0.3".to_owned(),
        "sdk-ts@0.0.1:end=aclose".to_owned(),
        "sdk-ts@0.0.1".to_owned(),
        "sdk-py@0.0.1:end=aclose".to_owned(),
        in_folder(&empty),
        in_folder(&folder.path().join("absent")),
        in_folder(&nameless),
        in_folder(&unbuilt),
        in_folder(&unknown),
        in_folder(&incomplete),
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
            (&incomplete, "[incomplete]"),
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
        adapter_file: None,
        runtime: Some(Path::new("/runtimes").join(runtime)),
        program: Some("/bin/model-worker".into()),
        cache: "/cache".into(),
        flags: vec!["--cleanup".to_owned(), "none".to_owned()],
        settings: BTreeMap::new(),
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
    // Which of the two a release believes differs, so each setting is in both.
    assert_eq!(variable("CLAUDE_MEM_WORKER_PORT").unwrap(), "31777");
    assert_eq!(variable("CLAUDE_MEM_PROVIDER").unwrap(), "claude");
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

#[test]
fn what_only_a_start_shows_points_into_the_adapter_file() {
    let temp = tempfile::tempdir().unwrap();
    let place = Place {
        time_scale: 1.0,
        ..place(temp.path())
    };
    let files = "[[start.files]]\npath = \"{home}/../x\"\ntext = \"x\"\n\n[ready]";
    for (text, words) in [
        (SMALL.replace("[ready]", files), "own.toml:"),
        (
            SMALL.replace("{runtime}", "{package}"),
            "the adapter uses {package}, which this worker has no value for",
        ),
    ] {
        let worker = ResolvedWorker {
            adapter: Adapter::parse("own.toml", &text).unwrap(),
            adapter_file: Some(AdapterFile {
                name: "own.toml".to_owned(),
                text,
            }),
            package: None,
            ..unpacked("model", "bun")
        };
        let error = environment::prepare(&worker, &place, 4_711).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("own.toml:") && error.contains(words),
            "{error}"
        );
        assert!(error.contains('^'), "{error}");
    }
}

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn settings_of_a_scenario_lie_over_those_of_the_adapter_in_file_and_environment() {
    let temp = tempfile::tempdir().unwrap();
    let place = Place {
        time_scale: 1.0,
        ..place(temp.path())
    };
    let given = settings(&[
        ("CLAUDE_MEM_MAX_CONCURRENT_AGENTS", "2"),
        ("CLAUDE_MEM_NEW", "a b"),
    ]);
    let worker = unpacked("claude-mem-13.25", "bun")
        .with_settings(&given)
        .unwrap();
    assert_eq!(worker.settings()["CLAUDE_MEM_MAX_CONCURRENT_AGENTS"], "2");
    let prepared = environment::prepare(&worker, &place, 4_711).unwrap();
    let file = place.folder.home().join(".claude-mem/settings.json");
    let written: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    for (name, value) in &given {
        assert_eq!(written[name], json!(value));
        let mut set = prepared.environment.iter().rev();
        let (_, last) = set.find(|(known, _)| known == name.as_str()).unwrap();
        assert_eq!(last, value.as_str());
    }
}

#[test]
fn settings_that_a_worker_cannot_have_are_refused() {
    for (adapter, name, words) in [
        (
            "model",
            "ANY",
            "the adapter model has no place for settings",
        ),
        ("claude-mem-13.25", "HOME", "keeps the run in its place"),
        (
            "claude-mem-13.25",
            "LEAK_HARNESS_RUN",
            "keeps the run in its place",
        ),
        (
            "claude-mem-13.25",
            "BUN_OPTIONS",
            "keeps the run in its place",
        ),
        (
            "claude-mem-13.25",
            "CLAUDE_CODE_PATH",
            "`{claude}` in the adapter claude-mem-13.25",
        ),
    ] {
        let error = unpacked(adapter, "bun")
            .with_settings(&settings(&[(name, "1")]))
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
}
