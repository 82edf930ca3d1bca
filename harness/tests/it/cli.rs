//! The command line: exit codes, formats, the small commands, hostile text.

use std::fs;
use std::io::pipe;
use std::os::unix::fs::PermissionsExt;

use leak_harness::scenario::Verdict;
use quick_junit::{NonSuccessKind, TestCaseStatus};

use crate::support::{Ground, Said, never_ready, scenarios};

/// A leak of three processes that nobody expects.
fn unexpected_leak(ground: &Ground) -> std::path::PathBuf {
    let leak = fs::read_to_string(scenarios().join("smoke/leak.toml")).expect("it is text");
    let mut table: toml::Table = leak.parse().expect("it is TOML");
    let expect = table["expect"].as_table_mut().expect("it is a table");
    expect.remove("verdict").expect("the leak is expected");
    expect.remove("findings").expect("it is counted");
    ground.write("unexpected.toml", &table.to_string())
}

#[test]
fn a_clean_run_ends_with_0() {
    let ground = Ground::new();
    let said = ground
        .run(&scenarios().join("smoke/clean.toml"), &[])
        .expect(0);
    assert!(said.stdout.starts_with("Pass, as expected"), "{said:?}");
    assert!(said.stderr.ends_with("results: out\n"), "{said:?}");
    ground.assert_clean();
}

#[test]
fn a_leak_that_nobody_expects_ends_with_1_and_names_the_sessions() {
    let ground = Ground::new();
    let said = ground.run(&unexpected_leak(&ground), &[]).expect(1);
    let report = ground.report();
    assert_eq!(report.processes.retained, 3);
    let sessions: Vec<_> = report
        .findings
        .iter()
        .flat_map(|finding| &finding.sessions)
        .collect();
    assert_eq!(sessions.len(), 3);
    for session in sessions {
        assert!(said.stdout.contains(session.as_str()), "{said:?}");
    }
    ground.assert_clean();
}

#[test]
fn a_leak_that_is_expected_ends_with_0_and_with_another_count_with_1() {
    let ground = Ground::new();
    let leak = scenarios().join("smoke/leak.toml");
    ground.run(&leak, &["--quiet"]).expect(0);
    let said = ground
        .run(&leak, &["--set", "expect.findings.retained=2"])
        .expect(1);
    assert!(
        said.stdout.contains("retained 3, and 2 was expected"),
        "{said:?}"
    );
    ground.assert_clean();
}

#[test]
fn quiet_says_nothing_but_the_result() {
    let ground = Ground::new();
    let said = ground
        .run(&scenarios().join("smoke/clean.toml"), &["--quiet"])
        .expect(0);
    assert_eq!(said.stderr, "");
    ground.assert_clean();
}

#[test]
fn what_cannot_be_decided_ends_with_3_and_names_the_knob() {
    let ground = Ground::new();
    let said = ground
        .run(
            &scenarios().join("smoke/clean.toml"),
            &["--timeout", "300ms", "--set", "claude.turn=5s"],
        )
        .expect(3);
    assert!(said.stdout.starts_with("Inconclusive"), "{said:?}");
    assert!(
        said.stdout
            .contains("a longer `[run] timeout` would decide it"),
        "{said:?}"
    );
    ground.assert_clean();
}

/// Demands a refusal before anything was started or written.
#[track_caller]
fn refused(ground: &Ground, said: Said, because: &[&str]) {
    let said = said.expect(2);
    assert_eq!(said.stdout, "");
    for part in because {
        assert!(said.stderr.contains(part), "no `{part}` in {}", said.stderr);
    }
    assert!(!ground.path("out").exists());
    ground.assert_clean();
}

#[test]
fn a_broken_file_is_refused_with_its_place_and_the_nearest_key() {
    let ground = Ground::new();
    let file = ground.write(
        "broken.toml",
        "name = \"x\"\n\n[load]\nsessions = 3\nobservation = 2\nend = \"complete\"\n",
    );
    let place = format!(
        "leak-harness: {}:5:1: unknown key `observation`",
        file.display()
    );
    let said = ground.run(&file, &[]);
    refused(&ground, said, &[&place, "did you mean `observations`?"]);
}

#[test]
fn one_broken_file_stops_all_before_the_first_runs() {
    let ground = Ground::new();
    let broken = ground.write("broken.toml", "name = ");
    let clean = scenarios().join("smoke/clean.toml");
    let said = ground.run(&clean, &[broken.to_str().expect("it is text")]);
    refused(&ground, said, &["broken.toml:1:"]);
}

#[test]
fn what_is_not_there_is_refused() {
    let ground = Ground::new();
    let said = ground.run(&ground.path("nothing.toml"), &[]);
    refused(&ground, said, &["nothing.toml: No such file or directory"]);

    let clean = scenarios().join("smoke/clean.toml");
    let said = ground.run(&clean, &["--worker", "no-such-worker"]);
    refused(
        &ground,
        said,
        &[
            "`no-such-worker` names no worker",
            "claude-mem@VERSION",
            "FILE.toml",
        ],
    );

    let said = ground.run(&clean, &["--worker", "claude-mem@9.9.9"]);
    refused(&ground, said, &["`leak-harness install claude-mem@9.9.9`"]);

    let said = ground.run(&clean, &["--baseline", "no-such-report.json"]);
    refused(&ground, said, &["no-such-report.json: No such file"]);

    let said = ground.call(["judge", "no-such-run"]);
    refused(&ground, said, &["no-such-run"]);
}

#[test]
fn installing_without_npm_says_what_to_do() {
    let ground = Ground::new();
    let mut command = ground.program();
    command
        .args(["install", "claude-mem@9.0.0"])
        .env("PATH", "");
    let said = ground.finish(command);
    refused(
        &ground,
        said,
        &["the program `npm` is not on PATH; install Node.js"],
    );
}

#[test]
fn a_worker_that_does_not_start_ends_with_4_and_its_last_words() {
    let ground = Ground::new();
    let adapter = ground.write(
        "locked.toml",
        r#"
            name = "locked"
            dialect = "claude-mem-9"
            kind = "http"
            port = 31778

            [needs]
            runtime = "sh"

            [start]
            command = ["{runtime}", "-c", "echo the database is locked; printf '\\033[2Jhostile\\n' >&2; exit 1"]
            cwd = "{data}"

            [stop]
            signal = "SIGTERM"
            timeout = "5s"
        "#,
    );
    for isolation in ["auto", "fallback"] {
        let said = ground
            .run(
                &scenarios().join("smoke/clean.toml"),
                &[
                    "--worker",
                    adapter.to_str().expect("it is text"),
                    "--isolation",
                    isolation,
                ],
            )
            .expect(4);
        assert_eq!(said.stdout, "");
        assert!(said.stderr.contains("the database is locked"), "{said:?}");
        assert!(said.stderr.contains("\\x1b[2Jhostile"), "{said:?}");
        let log = fs::read_to_string(ground.path("out/worker.log")).expect("its log is kept");
        assert!(log.starts_with("the database is locked\n"), "{log}");
        ground.assert_clean();
    }
}

#[test]
fn a_worker_that_is_never_ready_ends_with_4_and_its_answer() {
    let ground = Ground::new();
    let adapter = never_ready(&ground, "5s");
    let said = ground
        .run(
            &scenarios().join("smoke/clean.toml"),
            &["--worker", adapter.to_str().expect("it is text")],
        )
        .expect(4);
    assert!(said.stderr.contains("it answered 404"), "{said:?}");
    assert!(
        said.stderr.contains("model-worker: listening on"),
        "{said:?}"
    );
    ground.assert_clean();
}

/// Every field that is promised to whoever reads `report.json`.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "schema",
            "verdict",
            "expected",
            "as_expected",
            "findings",
            "thresholds",
            "series",
            "smallest_leak",
            "isolation",
            "witnesses",
        ],
    ),
    ("/scenario", &["name", "seed", "time_scale", "compress"]),
    ("/worker", &["name", "version", "cleanup"]),
    ("/sessions", &["planned", "opened", "ended", "stalled"]),
    ("/processes", BINS),
    ("/roles/primary", BINS),
    ("/roles/payload", BINS),
    ("/roles/grandchild", BINS),
    ("/roles/helper", BINS),
    ("/roles/probe", BINS),
    (
        "/work",
        &[
            "offered",
            "answered",
            "duplicated",
            "lost",
            "pending",
            "aborted",
            "refused",
            "skipped",
            "unknown",
        ],
    ),
    (
        "/memory",
        &[
            "peak_rss_bytes",
            "peak_pss_bytes",
            "leaked_rss_bytes",
            "leaked_pss_bytes",
            "ballast",
        ],
    ),
    ("/time_to_reap_ms", &["p50", "p95", "p99", "max", "count"]),
    (
        "/findings/0",
        &[
            "rule",
            "signature",
            "count",
            "known",
            "sessions",
            "processes",
            "cause",
            "evidence",
        ],
    ),
    (
        "/findings/0/processes/0",
        &[
            "pid",
            "host_pid",
            "ppid",
            "start_time",
            "rss_bytes",
            "pss_bytes",
            "age_ms",
            "command",
        ],
    ),
    ("/thresholds/0", &["metric", "limit", "actual", "ok"]),
    (
        "/series/0",
        &["t_ms", "children", "rss_bytes", "worker_rss_bytes"],
    ),
    (
        "/forecast",
        &["leaked_per_session", "per_hour", "exhausts_in_s"],
    ),
    ("/overhead", &["cpu_ms", "ticks", "late_ticks"]),
];

const BINS: &[&str] = &[
    "spawned",
    "peak",
    "clean",
    "retained",
    "reparented",
    "zombie",
    "residue",
    "readopted",
    "killed_early",
    "crashed",
    "survivor",
    "undecided",
];

#[test]
fn the_json_has_every_promised_field() {
    let ground = Ground::new();
    let said = ground
        .run(
            &scenarios().join("smoke/leak.toml"),
            &[
                "--format",
                "json",
                "--set",
                "expect.limits.peak_children=50",
            ],
        )
        .expect(0);
    let json = said.json();
    let mut missing = Vec::new();
    for (place, fields) in FIELDS {
        let object = json.pointer(place).and_then(|value| value.as_object());
        for field in *fields {
            if object.is_none_or(|object| !object.contains_key(*field)) {
                missing.push(format!("{place}/{field}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert_eq!(json["processes"]["retained"], 3);
    assert_eq!(json["thresholds"][0]["metric"], "peak_children");
    ground.assert_clean();
}

#[test]
fn a_run_leaves_every_format_and_is_judged_and_rendered_again() {
    let ground = Ground::new();
    let scenario = unexpected_leak(&ground);
    let ran = ground.run(&scenario, &["--format", "json"]).expect(1);
    let file = |name: &str| fs::read_to_string(ground.path("out").join(name)).expect(name);
    for part in [
        "worker.log",
        "recording/manifest.json",
        "recording/scenario.toml",
        "recording/adapter.toml",
        "recording/events.jsonl",
    ] {
        file(part);
    }
    assert_eq!(ran.stdout, file("report.json"));

    let out = ground.path("out");
    let out = out.to_str().expect("it is text");
    let judged = ground.call(["judge", out, "--format", "json"]).expect(1);
    assert_eq!(judged.stdout, file("report.json"));
    let inner = format!("{out}/recording");
    let again = ground.call(["judge", &inner, "--format", "json"]).expect(1);
    assert_eq!(judged.stdout, again.stdout);

    // Rendering is no test.
    let markdown = ground
        .call(["report", out, "--format", "markdown"])
        .expect(0);
    assert_eq!(markdown.stdout, file("report.md"));
    let junit = ground.call(["report", out, "--format", "junit"]).expect(0);
    assert_eq!(junit.stdout, file("junit.xml"));
    let page = ground.call(["report", out, "--format", "html"]).expect(0);
    assert_eq!(page.stdout, file("report.html"));
    assert!(
        page.stdout
            .contains("<script type=\"application/json\" id=\"lanes-data\">")
    );
    let document = quick_junit::Report::deserialize_from_str(&junit.stdout).expect("it is JUnit");
    let [suite] = &document.test_suites[..] else {
        panic!("one suite: {document:?}");
    };
    assert_eq!(suite.name.as_str(), "leak");
    let failed: Vec<_> = suite
        .test_cases
        .iter()
        .filter(|case| {
            matches!(
                case.status,
                TestCaseStatus::NonSuccess {
                    kind: NonSuccessKind::Failure,
                    ..
                }
            )
        })
        .map(|case| case.name.as_str())
        .collect();
    assert_eq!(failed, ["verdict", "retained"]);

    // Other thresholds are another verdict; what was recorded stays.
    let longer = ground
        .call(["judge", out, "--set", "expect.grace=60s"])
        .expect(3);
    assert!(
        longer
            .stdout
            .contains("a shorter `[expect] grace` or a longer `[run] timeout` would decide it"),
        "{longer:?}"
    );
    ground
        .call([
            "judge",
            out,
            "--set",
            "expect.verdict=fail",
            "--set",
            "expect.findings.retained=3",
        ])
        .expect(0);
    let wrong = ground
        .call(["judge", out, "--set", "expect.graze=60s"])
        .expect(2);
    assert!(wrong.stderr.contains("did you mean `grace`?"), "{wrong:?}");
    ground.assert_clean();
}

#[test]
fn a_baseline_makes_findings_known() {
    let ground = Ground::new();
    let scenario = unexpected_leak(&ground);
    ground.run(&scenario, &[]).expect(1);
    fs::rename(ground.path("out"), ground.path("before")).expect("it can be renamed");
    let said = ground
        .run(&scenario, &["--baseline", "before/report.json"])
        .expect(0);
    assert!(said.stdout.contains("retained (known)"), "{said:?}");
    let report = ground.report();
    assert_eq!(
        (report.verdict, report.processes.retained),
        (Verdict::Pass, 3)
    );
    assert!(report.findings.iter().all(|finding| finding.known));
    // A folder of results will do as well, and judging again knows no baseline but the one it is given.
    ground
        .call(["judge", "out", "--baseline", "before"])
        .expect(0);
    ground.call(["judge", "out"]).expect(1);
    // What a newer program wrote may mean something else.
    let written = ground.path("before/report.json");
    let text = fs::read_to_string(&written).expect("it is text");
    let newer = text.replacen("\"schema\": 1", "\"schema\": 99", 1);
    assert_ne!(text, newer);
    fs::write(&written, newer).expect("it can be written");
    let said = ground
        .call(["judge", "out", "--baseline", "before"])
        .expect(2);
    assert!(said.stderr.contains("newer leak-harness"), "{said:?}");
    ground.assert_clean();
}

#[test]
fn several_scenarios_and_rounds_have_a_folder_each() {
    let ground = Ground::new();
    let smoke = |name: &str| scenarios().join("smoke").join(name);
    let leak = smoke("leak.toml");
    ground
        .run(&smoke("clean.toml"), &[leak.to_str().expect("it is text")])
        .expect(0);
    ground
        .run(&smoke("clean.toml"), &["--repeat", "2"])
        .expect(0);
    for name in ["clean", "leak", "clean-1", "clean-2"] {
        assert!(ground.path("out").join(name).join("report.json").exists());
    }
    let said = ground.call(["run", leak.to_str().expect("it is text"), "-q"]);
    said.expect(0);
    let folders = fs::read_dir(ground.path("reports")).expect("results have a place");
    assert_eq!(folders.count(), 1);
    ground.assert_clean();
}

#[test]
fn the_folder_of_a_run_stays_when_asked_for() {
    let ground = Ground::new();
    let said = ground
        .run(&scenarios().join("smoke/clean.toml"), &["--keep"])
        .expect(0);
    let folder = said
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("the run's folder stays: "))
        .expect("it is named");
    assert!(std::path::Path::new(folder).join("bin/claude").exists());
    ground.assert_nothing_lives();
}

#[test]
fn help_is_stable() {
    let ground = Ground::new();
    insta::assert_snapshot!("help", ground.call(["--help"]).expect(0).stdout);
    insta::assert_snapshot!(
        "help_of_run",
        ground.call(["run", "--help"]).expect(0).stdout
    );
    insta::assert_snapshot!(
        "help_of_gym",
        ground.call(["gym", "--help"]).expect(0).stdout
    );
    insta::assert_snapshot!(
        "help_of_matrix",
        ground.call(["matrix", "--help"]).expect(0).stdout
    );
    let version = ground.call(["--version"]).expect(0).stdout;
    assert_eq!(
        version,
        format!("leak-harness {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn unknown_words_of_the_command_line_are_refused() {
    let ground = Ground::new();
    let said = ground.call(["runn"]);
    refused(&ground, said, &["run"]);
    let said = ground.call(["run"]);
    refused(&ground, said, &["<SCENARIO>"]);
    let said = ground.run(&scenarios().join("smoke/clean.toml"), &["--timeout", "5"]);
    refused(&ground, said, &["--timeout"]);
    let said = ground.run(
        &scenarios().join("smoke/clean.toml"),
        &["--repeat", "2", "--until-fail"],
    );
    refused(&ground, said, &["--until-fail"]);
}

#[test]
fn rules_are_explained() {
    let ground = Ground::new();
    insta::assert_snapshot!("explain", ground.call(["explain"]).expect(0).stdout);
    let retained = ground.call(["explain", "retained"]).expect(0);
    insta::assert_snapshot!("explain_retained", retained.stdout);
    let hyphen = ground.call(["explain", "killed-early"]).expect(0);
    assert!(hyphen.stdout.starts_with("killed_early: "), "{hyphen:?}");
    let said = ground.call(["explain", "retaned"]);
    refused(
        &ground,
        said,
        &["no rule is called `retaned`; did you mean `retained`?"],
    );
}

#[test]
fn scenarios_and_installed_workers_are_listed() {
    let ground = Ground::new();
    fs::create_dir_all(ground.path("mine/deeper")).expect("it can be made");
    for (from, to) in [
        ("smoke/leak.toml", "mine/a.toml"),
        ("smoke/clean.toml", "mine/deeper/b.toml"),
    ] {
        fs::copy(scenarios().join(from), ground.path(to)).expect("it can be copied");
    }
    insta::assert_snapshot!("list", ground.call(["list", "mine"]).expect(0).stdout);
    ground.write("mine/not-one.toml", "name = 3");
    let said = ground.call(["list", "mine"]);
    refused(&ground, said, &["mine/not-one.toml:1:"]);
    let said = ground.call(["list"]);
    refused(&ground, said, &["scenarios: No such file or directory"]);
}

#[test]
fn every_scenario_of_the_project_is_listed() {
    let ground = Ground::new();
    let folder = scenarios();
    let listed = ground.call([folder_argument("list"), folder.as_os_str()]);
    let listed = listed.expect(0).stdout;
    assert!(
        listed.contains("smoke/clean.toml\n    Four sessions end"),
        "{listed}"
    );
}

fn folder_argument(word: &str) -> &std::ffi::OsStr {
    word.as_ref()
}

#[test]
fn the_schema_is_json_and_names_the_keys() {
    let ground = Ground::new();
    let schema = ground.call(["schema"]).expect(0).json();
    for key in [
        "/properties/load",
        "/properties/claude",
        "/properties/expect",
    ] {
        assert!(schema.pointer(key).is_some(), "{key}");
    }
    let named = ground.call(["schema", "scenario"]).expect(0);
    assert_eq!(named.json(), schema);
    for (of, kept) in [
        (
            "report",
            include_str!("../../../reports/report.schema.json"),
        ),
        (
            "compare",
            include_str!("../../../reports/compare.schema.json"),
        ),
    ] {
        let said = ground.call(["schema", of]).expect(0).json();
        assert_eq!(
            said.to_string(),
            serde_json::from_str::<serde_json::Value>(kept)
                .expect("it is JSON")
                .to_string()
        );
    }
    ground.call(["schema", "recording"]).expect(2);
}

#[test]
fn the_doctor_looks_at_the_machine() {
    let ground = Ground::new();
    let said = ground.call(["doctor"]).expect(0);
    for line in [
        "yes  fake-claude: ",
        "yes  model-worker: ",
        "no   claude-mem: none in the cache; `leak-harness install claude-mem@VERSION` fetches one",
        "open files: ",
        "\nRuns ",
    ] {
        assert!(said.stdout.contains(line), "no `{line}` in {}", said.stdout);
    }
    // What is there is found by its name in the cache, as an installation leaves it.
    let folder = ground.path("cache/leak-harness/bun/1.3.0");
    fs::create_dir_all(&folder).expect("it can be made");
    fs::write(folder.join("bun"), "").expect("it can be written");
    fs::set_permissions(folder.join("bun"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let said = ground.call(["doctor"]).expect(0);
    assert!(said.stdout.contains("yes  bun: 1.3.0\n"), "{said:?}");
}

#[test]
fn shells_get_completions() {
    let ground = Ground::new();
    let said = ground.call(["completions", "bash"]).expect(0);
    assert!(said.stdout.contains("--until-fail"), "{said:?}");
    let said = ground.call(["completions", "no-such-shell"]);
    refused(&ground, said, &["zsh"]);
}

#[test]
fn a_reader_who_has_gone_is_no_error() {
    let ground = Ground::new();
    let clean = scenarios().join("smoke/clean.toml");
    let clean = clean.to_str().expect("it is text");
    let commands: [&[&str]; 7] = [
        &["completions", "bash"],
        &["schema"],
        &["explain"],
        &["doctor"],
        &["--help"],
        &["run", clean, "--out", "out"],
        // Long enough for lines of progress.
        &["run", clean, "--out", "out", "--set", "claude.turn=3s"],
    ];
    for arguments in commands {
        for closed in ["stdout", "stderr"] {
            let (reader, writer) = pipe().expect("there are pipes");
            drop(reader);
            let mut command = ground.program();
            command.args(arguments);
            match closed {
                "stdout" => command.stdout(writer),
                _ => command.stderr(writer),
            };
            let output = command.output().expect("it can be started");
            let code = output.status.code();
            let long = arguments.contains(&"claude.turn=3s");
            // The work of the long one is lost: sessions complete in mid-turn.
            assert!(
                code == Some(0) || (long && code == Some(1)),
                "{arguments:?} with closed {closed}: {output:?}"
            );
            ground.assert_clean();
        }
    }
}

/// What could clear a terminal, end a quotation or a line.
const HOSTILE: &str = "it's \"a\" $(b)\u{1b}[2J\n<c>&é";

#[track_caller]
fn assert_harmless(text: &str) {
    let bad = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(bad, None, "{text:?}");
}

#[test]
fn hostile_names_are_escaped_and_do_no_harm() {
    let ground = Ground::named(HOSTILE);
    let name = format!("{HOSTILE}.toml");
    let file = ground.path(&name);
    fs::copy(scenarios().join("smoke/leak.toml"), &file).expect("it can be copied");
    for isolation in ["auto", "fallback"] {
        for format in ["human", "json", "junit", "markdown"] {
            let said = ground
                .run(&file, &["--isolation", isolation, "--format", format])
                .expect(0);
            assert_harmless(&said.stdout);
            assert_harmless(&said.stderr);
            ground.assert_clean();
        }
    }
    assert_eq!(ground.report().processes.retained, 3);
    let xml = fs::read_to_string(ground.path("out/junit.xml")).expect("it is text");
    quick_junit::Report::deserialize_from_str(&xml).expect("it is JUnit");

    let broken = ground.write(format!("broken {HOSTILE}.toml"), "name = 3\n");
    for arguments in [
        &["run".as_ref(), broken.as_os_str()],
        &[
            "run".as_ref(),
            ground.path(format!("no {name}")).as_os_str(),
        ],
        &["list".as_ref(), ground.path("").as_os_str()],
        &["judge".as_ref(), ground.path("").as_os_str()],
        &[
            "report".as_ref(),
            ground.path("out/recording/events.jsonl").as_os_str(),
        ],
        &["explain".as_ref(), HOSTILE.as_ref()],
        &["run".as_ref(), "--worker=\u{1b}[2J.toml".as_ref()],
    ] {
        let said = ground.call(arguments).expect(2);
        assert_eq!(said.stdout, "");
        assert_harmless(&said.stderr);
    }
    let said = ground.call(["run".as_ref(), broken.as_os_str()]).expect(2);
    assert!(
        said.stderr
            .contains("\\x1b[2J\\x0a<c>&é.toml:1:8: invalid type"),
        "{said:?}"
    );
    ground.assert_clean();
}
