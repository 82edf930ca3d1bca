//! House rules as tests: who may import whom, where the platform may show, what no file may hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the harness with the modules of ours that it may use, and why no others.
const MAY_USE: [(&str, &[&str], &str); 29] = [
    ("units", &[], "units stand at the bottom"),
    ("process", &[], "an identity knows nothing but itself"),
    (
        "strict_toml",
        &[],
        "reading TOML strictly has nothing to do with what is read",
    ),
    (
        "scenario",
        &["units", "process", "strict_toml", "model::policy"],
        "a scenario is what was asked for, not what happened",
    ),
    (
        "timeline",
        &["units", "process", "scenario"],
        "facts know no judgement",
    ),
    (
        "judge",
        &["units", "process", "scenario", "timeline"],
        "the judge reads a recording's facts and nothing else",
    ),
    (
        "report",
        &["units", "process", "scenario", "timeline", "judge"],
        "a report is a pure function of a judgement",
    ),
    (
        "compare",
        &["units", "scenario", "timeline", "judge", "report"],
        "a comparison is a pure function of two reports",
    ),
    ("clock", &["units"], "the only reader of time"),
    (
        "emitter",
        &["clock", "units", "timeline"],
        "one channel for all facts",
    ),
    (
        "recording",
        &["units", "process", "scenario", "timeline"],
        "files only; it knows no judge and no report",
    ),
    (
        "platform",
        &["process", "units"],
        "the system's calls know nothing of runs",
    ),
    (
        "isolation",
        &[
            "platform", "process", "units", "timeline", "clock", "emitter",
        ],
        "the place of a run judges nothing",
    ),
    (
        "witness",
        &[
            "platform",
            "isolation",
            "process",
            "units",
            "scenario",
            "timeline",
            "clock",
            "emitter",
        ],
        "witnesses emit and never judge",
    ),
    (
        "worker",
        &[
            "platform",
            "isolation",
            "process",
            "units",
            "scenario",
            "timeline",
            "clock",
            "emitter",
            "strict_toml",
            "model::policy",
        ],
        "it emits and never judges",
    ),
    (
        "driver",
        &[
            "worker", "platform", "process", "units", "scenario", "timeline", "clock", "emitter",
        ],
        "it plays the users and never judges",
    ),
    (
        "model",
        &["process", "platform"],
        "a program of its own, which holds whom it signals as the harness does",
    ),
    (
        "screen",
        &["report::escape"],
        "it draws what it is given, on whatever it is given",
    ),
    (
        "attach",
        &[
            "clock",
            "platform",
            "process",
            "report::escape",
            "screen",
            "units",
        ],
        "it looks at a daemon of somebody else's: no scenario, no worker, no judge",
    ),
    (
        "run",
        &[
            "clock",
            "driver",
            "emitter",
            "isolation",
            "judge",
            "platform",
            "process",
            "recording",
            "report",
            "scenario",
            "strict_toml",
            "timeline",
            "units",
            "witness",
            "worker",
        ],
        "it wires all of them, and does not print",
    ),
    (
        "batch",
        &["isolation", "report", "run"],
        "it makes runs, each a process of its own, and knows nothing of what they are for",
    ),
    (
        "soak",
        &["judge", "report", "run", "scenario", "screen", "units"],
        "it is built on a run's progress and reports, and does not print",
    ),
    (
        "gym",
        &[
            "batch",
            "clock",
            "judge",
            "platform",
            "report",
            "run",
            "scenario",
            "strict_toml",
            "timeline",
            "units",
        ],
        "it is built on runs and their reports, and does not print",
    ),
    (
        "matrix",
        &[
            "batch",
            "clock",
            "model::policy",
            "report",
            "run",
            "scenario",
            "units",
        ],
        "it is built on runs and their reports, and does not print",
    ),
    (
        "bisect",
        &["report"],
        "its search is pure, and it does not print",
    ),
    (
        "explore",
        &[
            "batch",
            "clock",
            "judge",
            "recording",
            "report",
            "scenario",
            "strict_toml",
            "timeline",
            "units",
        ],
        "it is built on runs and their reports, and does not print",
    ),
    (
        "testing",
        &["report", "scenario", "worker", "judge"],
        "it runs the program and reads its report",
    ),
    (
        "cli",
        &[
            "attach",
            "batch",
            "bisect",
            "clock",
            "compare",
            "explore",
            "gym",
            "isolation",
            "judge",
            "matrix",
            "model::policy",
            "platform",
            "process",
            "recording",
            "report",
            "run",
            "scenario",
            "screen",
            "soak",
            "strict_toml",
            "timeline",
            "units",
            "witness",
            "worker",
        ],
        "it wires and prints",
    ),
    ("lib", &[], "it only declares"),
];

/// Where `cfg(target_os)` may stand.
const PLATFORM_FENCE: [&str; 5] = [
    "platform/",
    "isolation/",
    "witness/",
    "fake-claude/src/os",
    "fake-claude/src/os.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in a workspace")
        .to_owned()
}

fn sources(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is part of the project") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(root())
                    .expect("it lies below")
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, fs::read_to_string(&path).expect("sources are text"));
            }
        }
    }
    found
}

/// The part of a file that ends up in the product.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for (file, text) in sources(&root().join("harness/src")) {
        let inner = file.trim_start_matches("harness/src/");
        let is_test = inner.ends_with("tests.rs") || inner.ends_with("check.rs");
        if is_test || inner.starts_with("bin/") || inner == "main.rs" || inner == "lib.rs" {
            continue;
        }
        let module = inner
            .split(['/', '.'])
            .next()
            .expect("a path has a first part");
        let Some((_, allowed, reason)) = MAY_USE.iter().find(|(name, _, _)| *name == module) else {
            wrong.push(format!(
                "{file}: the module `{module}` has no line in the table of imports"
            ));
            continue;
        };
        for (number, line) in without_tests(&text).lines().enumerate() {
            let mut rest = line.split("//").next().unwrap_or(line);
            while let Some(at) = rest.find("crate::") {
                rest = &rest[at + "crate::".len()..];
                let path: String = rest
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
                    .collect();
                let used = path.split("::").next().unwrap_or_default();
                let fits = |name: &str| {
                    path == name || used == name || path.starts_with(&format!("{name}::"))
                };
                if used != module
                    && !allowed.iter().any(|name| fits(name))
                    && !path.starts_with('{')
                {
                    wrong.push(format!(
                        "{file}:{}: `{module}` may not use `crate::{path}`: {reason}",
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_platform_shows_only_behind_its_fence() {
    let mut wrong = Vec::new();
    for (file, text) in sources(&root().join("harness/src"))
        .into_iter()
        .chain(sources(&root().join("fake-claude/src")))
    {
        if PLATFORM_FENCE.iter().any(|fence| file.contains(fence)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if line.contains("target_os") && !line.trim_start().starts_with("//") {
                wrong.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "cfg(target_os) outside its fence:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn only_the_command_line_prints() {
    let mut wrong = Vec::new();
    for (file, text) in sources(&root().join("harness/src")) {
        if file.contains("/cli/") || file.contains("/model/") {
            continue;
        }
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if ["println!(", "print!(", "dbg!("]
                .iter()
                .any(|call| code.contains(call))
            {
                wrong.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "printing outside cli:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn tests_wait_for_events_with_a_deadline() {
    let mut wrong = Vec::new();
    for folder in ["harness/tests", "fake-claude/tests"] {
        for (file, text) in sources(&root().join(folder)) {
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or(line);
                if code.contains(concat!("sle", "ep(")) {
                    wrong.push(format!("{file}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "sleeping in a test:\n{}",
        wrong.join("\n")
    );
}
