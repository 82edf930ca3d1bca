//! What no single key of an adapter can tell: which placeholders exist where, what must come along with what.

use std::ops::Range;

use super::adapter::{Adapter, Kind, Moment, Request, TimeScaling};
use super::check_kind::check_kind;
use super::template::Template;
use crate::strict_toml::{Source, TomlError};

/// The placeholders of `[start]`.
const START: [&str; 12] = [
    "port", "home", "data", "tmp", "cwd", "claude", "package", "adapter", "runtime", "program",
    "host", "cache",
];
/// The placeholders of every request of a session.
const REQUEST: [&str; 6] = ["session", "project", "prompt", "marker", "cwd", "number"];
/// The placeholders that name folders of the run.
const FOLDERS: [&str; 4] = ["home", "data", "tmp", "cwd"];
/// The placeholders of a listing.
const LISTING: [&str; 2] = ["offset", "limit"];

/// Checks an adapter that was read.
pub fn check(source: &Source<'_>, adapter: &Adapter) -> Result<(), TomlError> {
    let wrong = |needle: &str, message: String, remedy: &str| {
        Err(source.error(place(source, needle), message, Some(remedy.to_owned())))
    };
    let name = &adapter.name;
    if name.is_empty()
        || !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    {
        return wrong(
            "name",
            format!("`{name}` is no name for an adapter"),
            "use letters, digits, hyphens and full stops",
        );
    }
    if adapter.start.command.is_empty() {
        return wrong(
            "command",
            "there is nothing to start".to_owned(),
            "name the program and its arguments",
        );
    }
    for file in &adapter.start.files {
        if file.json.is_some() == file.text.is_some() {
            return wrong(
                file.path.source(),
                format!(
                    "the file `{}` needs either `json` or `text`",
                    file.path.source()
                ),
                "keep one of them",
            );
        }
    }
    let stop = &adapter.stop;
    let ways = [
        stop.signal.is_some(),
        stop.request.is_some(),
        stop.closes_stdin,
    ];
    if ways.into_iter().filter(|given| *given).count() != 1 {
        let (either, or) = match adapter.kind {
            Kind::Http => ("either `signal` or `request`", ""),
            Kind::Stdio => ("one of `signal`, `request`", " and `closes_stdin`"),
        };
        return wrong(
            "[stop]",
            format!("`stop` needs {either}{or}"),
            "keep one of them, such as signal = \"SIGTERM\"",
        );
    }
    for moment in [Moment::Prompt, Moment::Observation, Moment::Summary] {
        let work = adapter
            .moment(moment)
            .iter()
            .filter(|request| request.work)
            .count();
        let key = key(moment);
        if work > 1 {
            return wrong(
                &format!("[[{key}]]"),
                format!("{work} requests of `{key}` hand the work over"),
                "one of them does: keep one `work = true`",
            );
        }
        if work == 0 && !adapter.moment(moment).is_empty() && moment != Moment::Prompt {
            return wrong(
                &format!("[[{key}]]"),
                format!("no request of `{key}` hands the work over"),
                "mark the one that does with `work = true`",
            );
        }
    }
    if let Some(disconnect) = adapter.ends.disconnect
        && !adapter.is_work(disconnect.during)
    {
        return wrong(
            "disconnect",
            format!(
                "`{}` has no request that could be broken off",
                key(disconnect.during)
            ),
            "name a moment with a request marked `work = true`",
        );
    }
    check_kind(source, adapter)?;
    check_ends(source, adapter)?;
    check_placeholders(source, adapter)
}

/// The ends of an adapter: each can be made, and the usual one is known.
fn check_ends(source: &Source<'_>, adapter: &Adapter) -> Result<(), TomlError> {
    let ends = &adapter.ends;
    for (key, requests) in [("complete", &ends.complete), ("abort", &ends.abort)] {
        let says_it = |requests: &Vec<Request>| requests.iter().any(|it| it.until.is_none());
        if requests.as_ref().is_some_and(|requests| !says_it(requests)) {
            return Err(source.error(
                place(source, key),
                format!("no request of `ends.{key}` says that a session is over"),
                Some("leave the end out when the worker knows none".to_owned()),
            ));
        }
    }
    match ends.usual {
        Some(usual) if !adapter.has_end(usual) => Err(source.error(
            place(source, "usual"),
            format!("`usual` names `{usual}`, an end that this worker does not know"),
            Some(format!("name a known one, or give `ends.{usual}`")),
        )),
        _ => Ok(()),
    }
}

/// The key of a moment.
const fn key(moment: Moment) -> &'static str {
    match moment {
        Moment::Prompt => "prompt",
        Moment::Observation => "observation",
        Moment::Summary => "summary",
    }
}

fn check_placeholders(source: &Source<'_>, adapter: &Adapter) -> Result<(), TomlError> {
    let start = &adapter.start;
    let mut known: Vec<&str> = START.to_vec();
    if adapter.time_scale == Some(TimeScaling::Told) {
        known.push("time_scale");
    }
    for argument in &start.command {
        // The flags are any number of arguments, so they can only stand for one as a whole.
        if argument.only_slot() != Some("flags") {
            known_slots(source, argument, &known)?;
        }
    }
    for template in start.env.values().chain([&start.cwd]) {
        known_slots(source, template, &known)?;
    }
    for file in &start.files {
        known_slots(source, &file.path, &known)?;
        let mut templates: Vec<&Template> = file.text.iter().collect();
        if let Some(json) = &file.json {
            json.visit(&mut |template| templates.push(template));
        }
        for template in templates {
            known_slots(source, template, &known)?;
        }
    }
    if let Some(settings) = &start.settings {
        for template in settings.values.values().chain([&settings.file]) {
            known_slots(source, template, &known)?;
        }
    }
    for listing in adapter.stored.iter().chain(&adapter.kept) {
        let is_asked = listing.path.is_some() || listing.ask.is_some();
        let from_worker = is_asked && listing.items.is_some();
        let from_file = listing.database.is_some() && listing.query.is_some();
        let given = [
            is_asked || listing.items.is_some(),
            listing.database.is_some() || listing.query.is_some(),
        ];
        if !(from_worker || from_file) || given == [true, true] {
            return Err(source.error(
                place(source, "kinds"),
                "a list is read either from the worker or from a file".to_owned(),
                Some(format!(
                    "give `{}` and `items`, or `database` and `query`",
                    match adapter.kind {
                        Kind::Http => "path",
                        Kind::Stdio => "ask",
                    }
                )),
            ));
        }
        if let Some(path) = &listing.path {
            known_slots(source, path, &LISTING)?;
        }
        if let Some(database) = &listing.database {
            known_slots(source, database, &FOLDERS)?;
        }
    }
    let moments = || {
        adapter
            .open
            .iter()
            .chain(&adapter.prompt)
            .chain(&adapter.observation)
            .chain(&adapter.summary)
    };
    let mut known: Vec<&str> = REQUEST.to_vec();
    known.extend(moments().flat_map(|request| request.capture.keys().map(String::as_str)));
    let ends = [&adapter.ends.complete, &adapter.ends.abort];
    let ends = ends.into_iter().flatten().flatten();
    for request in moments().chain(&adapter.ends.prompt).chain(ends) {
        check_request(source, request, &known)?;
    }
    adapter
        .stop
        .request
        .iter()
        .try_for_each(|request| check_request(source, request, &[]))
}

fn check_request(source: &Source<'_>, request: &Request, known: &[&str]) -> Result<(), TomlError> {
    let mut templates: Vec<&Template> = request.path.iter().collect();
    if let Some(body) = &request.body {
        body.visit(&mut |template| templates.push(template));
    }
    if let Some(path) = request.path.as_ref().map(Template::source)
        && !path.starts_with('/')
    {
        return Err(source.error(
            place(source, path),
            format!("`{path}` is no path of a request"),
            Some("a path begins with `/`; the worker's address is known".to_owned()),
        ));
    }
    if request.work && request.until.is_some() {
        return Err(source.error(
            place(source, "until"),
            "a request that is made again and again cannot hand work over".to_owned(),
            Some("keep `work` or `until`".to_owned()),
        ));
    }
    if let Some(name) = request
        .unless
        .keys()
        .find(|name| !known.contains(&name.as_str()))
    {
        return Err(unknown(source, name, name, known));
    }
    templates
        .into_iter()
        .try_for_each(|template| known_slots(source, template, known))
}

fn known_slots(source: &Source<'_>, template: &Template, known: &[&str]) -> Result<(), TomlError> {
    template
        .slots()
        .find(|slot| !known.contains(slot))
        .map_or(Ok(()), |slot| {
            Err(unknown(source, slot, &format!("{{{slot}}}"), known))
        })
}

fn unknown(source: &Source<'_>, name: &str, needle: &str, known: &[&str]) -> TomlError {
    let nearest = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(name, known), *known))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .map(|(_, known)| format!("did you mean `{{{known}}}`? "))
        .unwrap_or_default();
    let known: Vec<_> = known.iter().map(|name| format!("{{{name}}}")).collect();
    let remedy = format!(
        "{nearest}known here: {}",
        if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        }
    );
    source.error(
        place(source, needle),
        format!("unknown placeholder `{{{name}}}`"),
        Some(remedy),
    )
}

/// Where a text stands first in the file, comments left out. Types hold no places once they are read; what a dialect brought along is
/// not found, and the error is then about the file as a whole.
pub(super) fn place(source: &Source<'_>, needle: &str) -> Option<Range<usize>> {
    let mut begin = 0;
    for line in source.text.split_inclusive('\n') {
        if let Some(column) = line
            .find(needle)
            .filter(|_| !line.trim_start().starts_with('#'))
        {
            return Some(begin + column..begin + column + needle.len());
        }
        begin += line.len();
    }
    None
}
