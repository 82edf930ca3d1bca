//! House rules as tests: who may import whom, where the platform may show, what no file may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the harness with the modules of ours that it may use, and why no others.
const MAY_USE: [(&str, &[&str], &str); 28] = [
    ("units", &[], "units stand at the bottom"),
    ("process", &[], "an identity knows nothing but itself"),
    (
        "strict_toml",
        &[],
        "reading TOML strictly has nothing to do with what is read",
    ),
    (
        "scenario",
        &["strict_toml", "model::policy"],
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
        &["timeline", "units"],
        "files only; it knows no judge and no report",
    ),
    (
        "platform",
        &["process"],
        "the system's calls know nothing of runs",
    ),
    (
        "isolation",
        &["platform", "process", "timeline"],
        "the place of a run judges nothing",
    ),
    (
        "witness",
        &[
            "platform", "process", "units", "timeline", "clock", "emitter",
        ],
        "witnesses emit and never judge",
    ),
    (
        "worker",
        &[
            "process",
            "units",
            "scenario",
            "timeline",
            "clock",
            "emitter",
            "strict_toml",
        ],
        "it emits and never judges",
    ),
    (
        "driver",
        &[
            "worker", "units", "scenario", "timeline", "clock", "emitter",
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
        &["isolation", "platform", "report", "run"],
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
        &["report", "worker"],
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
            "platform",
            "recording",
            "report",
            "run",
            "scenario",
            "screen",
            "soak",
            "strict_toml",
            "units",
            "witness",
            "worker",
        ],
        "it wires and prints",
    ),
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

/// The lines of a file that end up in the product, with their numbers: declarations of test modules are left out, and all from a test
/// module on whose text stands in the file.
fn product(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut for_tests = false;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or(line);
        let is_module = module_declared(code).is_some();
        if for_tests && is_module && code.ends_with('{') {
            break;
        }
        for_tests = code == "#[cfg(test)]" || for_tests && !is_module && code.starts_with("#[");
        if !for_tests {
            lines.push((number, code));
        }
    }
    lines
}

/// The name in `mod name;` or `mod name {`.
fn module_declared(code: &str) -> Option<&str> {
    let (before, name) = code.split_once("mod ")?;
    let declares = before.is_empty() || before.starts_with("pub");
    declares.then(|| name.trim_end_matches([';', '{', ' ']))
}

/// The files of the harness that are tests alone: what a module declares behind `#[cfg(test)]`, and all that lies below.
fn test_files(sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in sources {
        let folder = file
            .strip_suffix("/mod.rs")
            .or_else(|| file.strip_suffix("/lib.rs"))
            .or_else(|| file.strip_suffix(".rs"))
            .expect("it is a source");
        let mut for_tests = false;
        let mut beside = None;
        for line in text.lines() {
            if let Some(name) = module_declared(line).filter(|_| line.ends_with(';')) {
                if for_tests {
                    let beside = beside.take().unwrap_or_else(|| format!("{folder}/{name}"));
                    found.push(beside);
                }
                for_tests = false;
            } else if line == "#[cfg(test)]" {
                for_tests = true;
            } else if let Some(path) = line.strip_prefix("#[path = \"") {
                let name = path.trim_end_matches(".rs\"]");
                let (parent, _) = file.rsplit_once('/').expect("it lies in a folder");
                beside = Some(format!("{parent}/{name}"));
            } else if !line.starts_with("#[") {
                for_tests = false;
            }
        }
    }
    found
}

/// The sources of the harness that end up in the product.
fn product_sources() -> BTreeMap<String, String> {
    let mut sources = sources(&root().join("harness/src"));
    let tests = test_files(&sources);
    assert!(tests.len() > 10, "{tests:?}");
    sources.retain(|file, _| {
        !tests.iter().any(|test| {
            file.strip_prefix(test.as_str())
                .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
        })
    });
    sources
}

/// What a line uses of ours: the paths behind `crate::`.
fn used(code: &str) -> Vec<String> {
    code.split("crate::")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':' || *c == '{')
                .collect()
        })
        .collect()
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<(&str, &str)> = MAY_USE
        .iter()
        .flat_map(|(module, allowed, _)| allowed.iter().map(|name| (*module, *name)))
        .collect();
    for (file, text) in product_sources() {
        let inner = file.trim_start_matches("harness/src/");
        if inner.starts_with("bin/") || inner == "main.rs" || inner == "lib.rs" {
            continue;
        }
        let module = inner
            .split(['/', '.'])
            .next()
            .expect("a path has a first part");
        let Some(&(module, allowed, reason)) = MAY_USE.iter().find(|(name, _, _)| *name == module)
        else {
            wrong.push(format!(
                "{file}: the module `{module}` has no line in the table of imports"
            ));
            continue;
        };
        for (number, line) in product(&text) {
            for path in used(line) {
                let fits = |name: &str| path == name || path.starts_with(&format!("{name}::"));
                let Some(&name) = allowed.iter().find(|name| fits(name)) else {
                    if !fits(module) {
                        wrong.push(format!(
                            "{file}:{number}: `{module}` may not use `crate::{path}`: {reason}"
                        ));
                    }
                    continue;
                };
                unused.remove(&(module, name));
            }
        }
    }
    for (module, name) in unused {
        wrong.push(format!("`{module}` may use `{name}` and does not"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_a_test_is_told_from_the_product() {
    let text = "use crate::a;\n#[cfg(test)]\nmod tests;\nuse crate::b;\n#[cfg(test)]\nmod tests {\nuse crate::c;\n}\n";
    let kept: Vec<_> = product(text)
        .iter()
        .flat_map(|(_, line)| used(line))
        .collect();
    assert_eq!(kept, ["a", "b"]);
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
    for (file, text) in product_sources() {
        if file.contains("/cli/") || file.contains("/model/") {
            continue;
        }
        for (number, code) in product(&text) {
            if ["println!(", "print!(", "dbg!("]
                .iter()
                .any(|call| code.contains(call))
            {
                wrong.push(format!("{file}:{number}: {}", code.trim()));
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
