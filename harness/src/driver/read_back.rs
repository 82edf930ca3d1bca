//! Reading stored and kept work back from the worker, by the markers in it.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use fake_claude::control::{TurnKind, markers};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};

use crate::emitter::Emitter;
use crate::timeline::event::{EventKind, Source};
use crate::worker::Adapter;
use crate::worker::adapter::{Listing, Pointer};
use crate::worker::client::{Client, Target};
use crate::worker::template::Variables;

/// How long one page may take.
const PAGE: Duration = Duration::from_secs(20);
/// Pages of one listing that are read at the most, so that a worker that never says the last one cannot hold a run for ever.
const PAGES: u32 = 10_000;

/// How many records of a listing are remembered by their ids, those that were met last: a listing that moves on while its pages are read
/// shows some of a page again on the next one.
const REMEMBERED: usize = 4_096;
/// How many rows of a database are read before what they hold is told.
const ROWS: usize = 256;

/// How long a database may be locked by its owner.
const LOCKED: Duration = Duration::from_secs(5);

/// Which of the two looks at stored work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// When the run has drained: what is kept only softens a loss, so a list of it that cannot be read leaves the loss as it is.
    First,
    /// After the graces: what is no longer kept is lost, so a list of it that cannot be read makes the look incomplete.
    Second,
}

/// What came of reading back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBack {
    /// Whether all could be read that the look rests on.
    pub complete: bool,
    /// Whether anything of this run is kept in the worker's queue.
    pub kept: bool,
}

/// Reads stored and kept work back and emits `WorkStored` and `WorkKept` for each item of this run, page by page, then `StoreRead`.
/// `prefix` is what the markers of this run begin with, `folders` the placeholders of the run's folders. A record counts for the items of
/// its listing's kinds alone: what else stands in it is quoted.
pub async fn read_back(
    adapter: &Adapter,
    client: &mut Client,
    folders: &Variables,
    prefix: &str,
    emitter: &Emitter,
    look: Look,
) -> ReadBack {
    let emitter = &emitter.of(Source::Driver);
    let mut complete = true;
    let any_kept = Cell::new(false);
    for listing in &adapter.stored {
        let tell = Tell {
            emitter,
            kept: None,
        };
        complete &= read_listing(listing, client, folders, prefix, tell).await;
    }
    for listing in &adapter.kept {
        let tell = Tell {
            emitter,
            kept: Some(&any_kept),
        };
        let read = read_listing(listing, client, folders, prefix, tell).await;
        complete &= read || look == Look::First;
    }
    emitter
        .emit(EventKind::StoreRead {
            kinds: adapter.stored_kinds(),
            complete,
        })
        .await;
    ReadBack {
        complete,
        kept: any_kept.get(),
    }
}

/// Tells what was found, so that nobody has to hold all of it.
#[derive(Clone, Copy)]
struct Tell<'a> {
    emitter: &'a Emitter,
    /// Notes that work is kept in the worker's queue; none where it is such as is stored.
    kept: Option<&'a Cell<bool>>,
}

impl Tell<'_> {
    async fn found(self, items: BTreeMap<String, u32>) {
        for (item, times) in items {
            let event = if let Some(any) = self.kept {
                any.set(true);
                EventKind::WorkKept { item }
            } else {
                EventKind::WorkStored { item, times }
            };
            self.emitter.emit(event).await;
        }
    }
}

/// Reads all of a listing; whether that worked.
async fn read_listing(
    listing: &Listing,
    client: &mut Client,
    folders: &Variables,
    prefix: &str,
    tell: Tell<'_>,
) -> bool {
    let mut records = Records {
        listing,
        prefix,
        seen: HashSet::new(),
        order: VecDeque::new(),
    };
    match (&listing.items, &listing.database, &listing.query) {
        (Some(items), ..) => read_pages(items, client, &mut records, tell).await,
        (_, Some(database), Some(query)) => {
            let Ok(file) = database.render(folders) else {
                return false;
            };
            read_rows(Path::new(&file), query, &mut records, tell)
                .await
                .is_ok()
        }
        _ => false,
    }
}

/// Reads all pages of a listing that the worker gives; whether that worked.
async fn read_pages(
    items: &Pointer,
    client: &mut Client,
    records: &mut Records<'_>,
    tell: Tell<'_>,
) -> bool {
    for page in 0..PAGES {
        let mut variables = Variables::default();
        let limit = records.listing.limit;
        variables.set("limit", limit.unwrap_or_default());
        variables.set("offset", page * limit.unwrap_or_default());
        let Ok(target) = records.listing.target(&variables) else {
            return false;
        };
        let line = match (&target, limit) {
            (Target::Line(_), Some(limit)) => {
                Some(json!({ "limit": limit, "offset": page * limit }))
            }
            _ => None,
        };
        let answer = match client.send(&target, line.as_ref(), PAGE).await {
            Ok(answer) if answer.is_success() => answer.json(),
            Ok(_) | Err(_) => return false,
        };
        let Some(Value::Array(page)) = items.of(&answer) else {
            return false;
        };
        tell.found(records.take(page)).await;
        if limit.is_none_or(|limit| page.len() < limit as usize) {
            return true;
        }
    }
    false
}

/// Reads the rows of a statement, an object each. The file is opened for reading alone; its owner may be writing to it.
async fn read_rows(
    file: &Path,
    query: &str,
    records: &mut Records<'_>,
    tell: Tell<'_>,
) -> rusqlite::Result<()> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database.busy_timeout(LOCKED)?;
    let mut statement = database.prepare(query)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut some = Vec::new();
    loop {
        let row = rows.next()?;
        let over = row.is_none();
        if let Some(row) = row {
            let mut record = Map::new();
            for (index, column) in columns.iter().enumerate() {
                record.insert(column.clone(), json(row.get_ref(index)?));
            }
            some.push(Value::Object(record));
        }
        if over || some.len() == ROWS {
            tell.found(records.take(&some)).await;
            some.clear();
        }
        if over {
            return Ok(());
        }
    }
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into(),
    }
}

/// The records of a listing, as far as they were read.
struct Records<'a> {
    listing: &'a Listing,
    prefix: &'a str,
    /// The ids of the records that were met last, and their order.
    seen: HashSet<String>,
    order: VecDeque<String>,
}

impl Records<'_> {
    /// Counts the markers of records that were not met before.
    fn take(&mut self, records: &[Value]) -> BTreeMap<String, u32> {
        let listing = self.listing;
        let mut found = BTreeMap::new();
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
            if id.is_some_and(|id| !self.is_new(id)) {
                continue;
            }
            for marker in markers(&record.to_string()) {
                if marker.starts_with(self.prefix)
                    && kind_of(&marker).is_some_and(|kind| listing.kinds.contains(&kind))
                {
                    *found.entry(marker).or_default() += 1;
                }
            }
        }
        found
    }

    fn is_new(&mut self, id: String) -> bool {
        let new = self.seen.insert(id.clone());
        if new {
            self.order.push_back(id);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
        }
        new
    }
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::clock::Clock;
    use crate::driver::tests::{WhatWasRead, drain, run, what_was_read};

    /// Reads back what a database holds that its owner has open and has not yet moved out of its log.
    #[test]
    fn kept_work_is_found_in_the_database_of_a_living_worker() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("claude-mem.db");
        let owner = Connection::open(&file).unwrap();
        owner
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE pending_messages (id INTEGER PRIMARY KEY, status TEXT, tool_input TEXT, weight REAL, raw BLOB);
                 INSERT INTO pending_messages VALUES
                     (1, 'pending', 'echo lhm-ab-1-o1z', 0.5, NULL),
                     (2, 'processing', NULL, NULL, CAST('lhm-ab-1-s1z' AS BLOB)),
                     (3, 'failed', 'echo lhm-ab-1-o2z', NULL, NULL),
                     (4, 'pending', 'echo lhm-cd-1-o1z', NULL, NULL);",
            )
            .unwrap();
        let listing = |query: &str| {
            toml::from_str(&format!(
                "kinds = [\"observation\", \"summary\"]\ndatabase = \"{{home}}/claude-mem.db\"\nquery = \"{query}\"\nonly = {{ at = \"/status\", is = [\"pending\", \"processing\"] }}"
            ))
            .unwrap()
        };
        let mut folders = Variables::default();
        folders.set("home", folder.path().to_string_lossy().into_owned());
        let read_at = |look: Look, kept: Listing, stored: Option<Listing>| {
            let adapter = Adapter {
                stored: stored.into_iter().collect(),
                kept: vec![kept],
                ..Adapter::built_in("claude-mem-9").unwrap()
            };
            run(async {
                let (emitter, mut events) = Emitter::channel(Clock::start());
                let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
                let told = read_back(
                    &adapter,
                    &mut Client::new(nobody),
                    &folders,
                    "lhm-ab-",
                    &emitter,
                    look,
                )
                .await;
                let read: WhatWasRead = what_was_read(&drain(&mut events));
                assert_eq!(
                    (read.complete, !read.kept.is_empty()),
                    (told.complete, told.kept)
                );
                read
            })
        };
        let read = |kept, stored| read_at(Look::First, kept, stored);
        let all = "SELECT * FROM pending_messages";
        let found = read(listing(all), None);
        assert_eq!(
            found.kept.iter().collect::<Vec<_>>(),
            ["lhm-ab-1-o1z", "lhm-ab-1-s1z"]
        );
        assert!(found.complete);
        // What is stored must be readable; of what is kept, nothing is found.
        let wrong = || listing("SELECT * FROM no_such_table");
        assert!(!read(wrong(), Some(wrong())).complete);
        assert!(read(wrong(), None).complete);
        // After the graces, what is not kept is lost: there it must be readable too.
        assert!(!read_at(Look::Second, wrong(), None).complete);
        assert!(read_at(Look::Second, listing(all), None).complete);
        // Nothing is written: neither can a statement change anything.
        let change = read(listing("DELETE FROM pending_messages RETURNING *"), None);
        assert!(change.kept.is_empty());
        // However many rows there are, and however they are cut into pieces.
        let many = "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 600)
            SELECT n AS id, 'lhm-ab-2-o' || (n / 2) || 'z' AS tool_input FROM counted";
        let stored = toml::from_str(&format!(
            "kinds = [\"observation\"]\ndatabase = \"{{home}}/claude-mem.db\"\nquery = \"\"\"{many}\"\"\"\nid = \"/id\""
        ));
        let found = read(listing(all), Some(stored.unwrap()));
        assert_eq!(found.stored.len(), 301);
        assert_eq!(found.stored["lhm-ab-2-o128z"], 2);
        let left: i64 = owner
            .query_row("SELECT count(*) FROM pending_messages", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(left, 4);
    }
}
