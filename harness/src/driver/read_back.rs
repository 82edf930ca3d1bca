//! Reading stored and kept work back from the worker, by the markers in it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use fake_claude::control::{TurnKind, markers};
use serde_json::Value;

use crate::emitter::Emitter;
use crate::timeline::event::{EventKind, Source};
use crate::worker::Adapter;
use crate::worker::adapter::{Listing, Method};
use crate::worker::http::Client;
use crate::worker::template::Variables;

/// How long one page may take.
const PAGE: Duration = Duration::from_secs(20);
/// Pages of one listing that are read at the most, so that a worker that never says the last one cannot hold a run for ever.
const PAGES: u32 = 10_000;

/// What was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// The markers in stored records, with the number of records each was in.
    pub stored: BTreeMap<String, u32>,
    /// The markers in what the worker still keeps in its queue.
    pub kept: BTreeMap<String, u32>,
    /// Whether all of what is stored could be read.
    pub complete: bool,
}

/// Reads stored and kept work back and emits `WorkStored` and `WorkKept` for each item of this run, then `StoreRead`. `prefix` is what
/// the markers of this run begin with. A record counts for the items of its listing's kinds alone: what else stands in it is quoted.
pub async fn read_back(
    adapter: &Adapter,
    client: &mut Client,
    prefix: &str,
    emitter: &Emitter,
) -> ReadBack {
    let emitter = emitter.of(Source::Driver);
    let mut read = ReadBack {
        complete: true,
        ..ReadBack::default()
    };
    for listing in &adapter.stored {
        read.complete &= read_listing(listing, client, prefix, &mut read.stored).await;
    }
    for listing in &adapter.kept {
        // What is kept only softens a loss: a list that cannot be read leaves the loss as it is.
        read_listing(listing, client, prefix, &mut read.kept).await;
    }
    for (item, times) in &read.stored {
        emitter
            .emit(EventKind::WorkStored {
                item: item.clone(),
                times: *times,
            })
            .await;
    }
    for item in read.kept.keys() {
        emitter
            .emit(EventKind::WorkKept { item: item.clone() })
            .await;
    }
    emitter
        .emit(EventKind::StoreRead {
            kinds: adapter.stored_kinds(),
            complete: read.complete,
        })
        .await;
    read
}

/// Reads all pages of a listing; whether that worked.
async fn read_listing(
    listing: &Listing,
    client: &mut Client,
    prefix: &str,
    found: &mut BTreeMap<String, u32>,
) -> bool {
    let mut seen = HashSet::new();
    for page in 0..PAGES {
        let mut variables = Variables::default();
        let limit = listing.limit.unwrap_or_default();
        variables.set("limit", limit);
        variables.set("offset", page * limit);
        let Ok(path) = listing.path.render_path(&variables) else {
            return false;
        };
        let answer = match client.send(Method::Get, &path, None, PAGE).await {
            Ok(answer) if answer.is_success() => answer.json(),
            Ok(_) | Err(_) => return false,
        };
        let Some(Value::Array(records)) = listing.items.of(&answer) else {
            return false;
        };
        for record in records {
            if listing.only.as_ref().is_some_and(|only| !only.fits(record)) {
                continue;
            }
            // A record that is stored while pages are read moves others to the next page, where they are met again.
            let id = listing
                .id
                .as_ref()
                .and_then(|id| id.of(record))
                .map(Value::to_string);
            if id.is_some_and(|id| !seen.insert(id)) {
                continue;
            }
            for marker in markers(&record.to_string()) {
                if marker.starts_with(prefix)
                    && kind_of(&marker).is_some_and(|kind| listing.kinds.contains(&kind))
                {
                    *found.entry(marker).or_default() += 1;
                }
            }
        }
        if listing.limit.is_none() || records.len() < limit as usize {
            return true;
        }
    }
    false
}

/// The kind of work that a marker was made for: its last letter but the `z`.
fn kind_of(marker: &str) -> Option<TurnKind> {
    match marker.rsplit_once('-')?.1.as_bytes().first()? {
        b'p' => Some(TurnKind::Prompt),
        b'o' => Some(TurnKind::Observation),
        b's' => Some(TurnKind::Summary),
        _ => None,
    }
}
