//! What an adapter of each kind says, and what it must leave to the other.

use super::adapter::{Adapter, Kind, Request};
use super::check::place;
use super::template::Body;
use crate::strict_toml::{Source, TomlError};

/// The keys of a line that the harness writes itself.
const OWN_KEYS: [&str; 2] = ["id", "ask"];

/// Checks that an adapter speaks as its kind does.
pub fn check_kind(source: &Source<'_>, adapter: &Adapter) -> Result<(), TomlError> {
    match adapter.kind {
        Kind::Http => check_http(source, adapter),
        Kind::Stdio => check_stdio(source, adapter),
    }
}

fn check_http(source: &Source<'_>, adapter: &Adapter) -> Result<(), TomlError> {
    let wrong = |needle: &str, message: String, remedy: &str| {
        Err(source.error(place(source, needle), message, Some(remedy.to_owned())))
    };
    match adapter.port {
        None => {
            return wrong(
                "kind",
                "a worker of the kind `http` needs a `port`".to_owned(),
                "give one from 1024 to 32767",
            );
        }
        Some(port) if !(1_024..32_768).contains(&port) => {
            return wrong(
                "port",
                format!("port {port} may be taken by others"),
                "use one from 1024 to 32767: outgoing connections use the ports above",
            );
        }
        Some(_) => {}
    }
    if adapter.ready.path.is_none() {
        return wrong(
            "[ready]",
            "`ready` needs a `path`".to_owned(),
            "name the path that answers once the worker is ready",
        );
    }
    if adapter.stop.closes_stdin {
        return wrong(
            "closes_stdin",
            "a worker of the kind `http` has no stdin".to_owned(),
            "stop it with signal = \"SIGTERM\", or with a request",
        );
    }
    for (key, request) in requests(adapter) {
        if let Some(ask) = &request.ask {
            return wrong(
                &quoted(ask),
                format!("`ask = \"{ask}\"` is for the kind `stdio`"),
                "a request of the kind `http` has `method` and `path`",
            );
        }
        let lacks = match (request.method, &request.path) {
            (Some(_), Some(_)) => continue,
            (None, _) => "method",
            (_, None) => "path",
        };
        return wrong(
            &heading(source, key),
            format!("a request of `{key}` has no `{lacks}`"),
            "a request of the kind `http` has `method` and `path`",
        );
    }
    let listings = adapter.stored.iter().chain(&adapter.kept);
    let asks = listings.filter_map(|listing| listing.ask.as_ref());
    let queue = adapter.queue.as_ref();
    if let Some(ask) = asks
        .chain(queue.and_then(|queue| queue.ask.as_ref()))
        .next()
    {
        return wrong(
            &quoted(ask),
            format!("`ask = \"{ask}\"` is for the kind `stdio`"),
            "a worker of the kind `http` is asked by `path`",
        );
    }
    if queue.is_some_and(|queue| queue.path.is_none()) {
        return wrong(
            "[queue]",
            "`queue` needs a `path`".to_owned(),
            "name the path whose answer holds the number",
        );
    }
    Ok(())
}

fn check_stdio(source: &Source<'_>, adapter: &Adapter) -> Result<(), TomlError> {
    let wrong = |needle: &str, message: String, remedy: &str| {
        Err(source.error(place(source, needle), message, Some(remedy.to_owned())))
    };
    if adapter.port.is_some() {
        return wrong(
            "port",
            "a worker of the kind `stdio` has no port".to_owned(),
            "leave it out",
        );
    }
    if adapter.ready.path.is_some() || adapter.ready.status != 200 {
        return wrong(
            "[ready]",
            "a worker of the kind `stdio` is ready by a line, not by `path` and `status`"
                .to_owned(),
            "leave them out: the worker writes {\"ready\": true}, or give `field`",
        );
    }
    if adapter.ends.disconnect.is_some() {
        return wrong(
            "disconnect",
            "a worker of the kind `stdio` has one stdin for all sessions, which cannot be broken off for one"
                .to_owned(),
            "leave `ends.disconnect` out",
        );
    }
    for (key, request) in requests(adapter) {
        if let Some(path) = &request.path {
            return wrong(
                path.source(),
                format!("`path = \"{}\"` is for the kind `http`", path.source()),
                "a request of the kind `stdio` has `ask`",
            );
        }
        if request.method.is_some() {
            return wrong(
                "method",
                format!("a request of `{key}` has a `method`, which is for the kind `http`"),
                "leave it out",
            );
        }
        let ask = request.ask.as_deref().unwrap_or_default();
        if ask.is_empty() {
            return wrong(
                &heading(source, key),
                format!("a request of `{key}` has no `ask`"),
                "a request of the kind `stdio` says what it asks for, such as ask = \"prompt\"",
            );
        }
        match &request.body {
            None => {}
            Some(Body::Object(entries)) => {
                if let Some((own, _)) = entries
                    .iter()
                    .find(|(name, _)| OWN_KEYS.contains(&name.as_str()))
                {
                    return wrong(
                        &quoted(ask),
                        format!(
                            "the body of `{ask}` has the key `{own}`, which the harness writes"
                        ),
                        "use another name",
                    );
                }
            }
            Some(_) => {
                return wrong(
                    &quoted(ask),
                    format!("the body of `{ask}` is no table"),
                    "its keys stand in the line beside `id` and `ask`: body = { session = \"{session}\" }",
                );
            }
        }
    }
    let listings = adapter.stored.iter().chain(&adapter.kept);
    let mut paths = listings.filter_map(|listing| listing.path.as_ref());
    if let Some(path) = paths.next() {
        return wrong(
            path.source(),
            format!("`path = \"{}\"` is for the kind `http`", path.source()),
            "a worker of the kind `stdio` is asked by `ask`",
        );
    }
    if let Some(queue) = &adapter.queue
        && (queue.path.is_some() || queue.ask.is_none())
    {
        return wrong(
            "[queue]",
            "`queue` needs an `ask`, and no `path`".to_owned(),
            "name what a line asks for to get the number",
        );
    }
    Ok(())
}

/// Every request of an adapter, with the key under which it stands.
fn requests(adapter: &Adapter) -> impl Iterator<Item = (&'static str, &Request)> {
    let ends = &adapter.ends;
    [
        ("open", adapter.open.as_slice()),
        ("prompt", &adapter.prompt),
        ("observation", &adapter.observation),
        ("summary", &adapter.summary),
        ("ends.prompt", &ends.prompt),
        (
            "ends.complete",
            ends.complete.as_deref().unwrap_or_default(),
        ),
        ("ends.abort", ends.abort.as_deref().unwrap_or_default()),
        ("stop", adapter.stop.request.as_slice()),
    ]
    .into_iter()
    .flat_map(|(key, requests)| requests.iter().map(move |request| (key, request)))
}

/// A text as a file writes it, so that it is not taken for a part of something else.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// How the heading of a request is written in this file.
fn heading(source: &Source<'_>, key: &str) -> String {
    let list = format!("[[{key}]]");
    if source.text.contains(&list) {
        list
    } else {
        key.rsplit('.').next().unwrap_or(key).to_owned()
    }
}
