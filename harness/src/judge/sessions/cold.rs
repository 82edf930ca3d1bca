//! Sessions that were put away.
//!
//! Nothing that a later event could ask for is lost, with one exception: of the stretches of service and the primaries of a session that
//! was put away more than [`RECENT`] sessions ago, only whether there were any before its end is kept. Whatever starts now can neither have
//! overlapped with them nor be replaced by them.

use std::collections::BTreeMap;

use super::names::Names;
use super::{Ended, Past, Session, SessionKey};
use crate::judge::archive::{Archive, Origin, Place, Reader, Writer};
use crate::process::ProcessIdentity;
use crate::scenario::End;
use crate::units::RunTime;

/// How many sessions, those that were put away last, keep their past whole.
const RECENT: usize = 1_024;

// What a record has, a bit each. Those of a session that nothing is to be said of come first, so that they take one byte.
const OPENED: u64 = 1;
const ENDED: u64 = 1 << 1;
/// Its name is written like a UUID.
const UUID: u64 = 1 << 2;
const SERVED: u64 = 1 << 3;
const BEGAN: u64 = 1 << 4;
/// Two bits: how it ended.
const END: u64 = 5;
const BETWEEN: u64 = 1 << 7;
const STALLED: u64 = 1 << 8;
const TWIN: u64 = 1 << 9;
const HUNG: u64 = 1 << 10;
const WAITS: u64 = 1 << 11;
const QUEUED: u64 = 1 << 12;
const ATTENDED: u64 = 1 << 13;
const GIVEN_BEFORE: u64 = 1 << 14;
const NEVER_GIVEN: u64 = 1 << 15;

const ENDS: [End; 4] = [End::Complete, End::Abandon, End::Abort, End::Disconnect];

/// Sessions that were put away, by key and by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Cold {
    archive: Archive,
    /// The place of each record, by key.
    places: Vec<Place>,
    /// Every session that was ever put away.
    names: Names,
    /// Those that are in `names`, though they are awake again.
    woken: BTreeMap<SessionKey, String>,
    recent: BTreeMap<SessionKey, Past>,
    /// The latest end of those that were put away: none of them was open after it.
    last_end: RunTime,
}

impl Cold {
    /// Puts a session away, if there is room for one more.
    pub fn put(&mut self, key: SessionKey, session: &Session) -> bool {
        let Ok(number) = u32::try_from(key) else {
            return false;
        };
        let process = ProcessIdentity::new(0, 0);
        let own = Origin {
            at: session.opened.unwrap_or_default().0,
            seq: session.ended.map_or(0, |ended| ended.seq),
            process,
        };
        let Some(place) = self.archive.add(own, |writer| write(writer, session)) else {
            return false;
        };
        if self.places.len() <= key {
            self.places.resize(key + 1, Place::NOWHERE);
        }
        self.places[key] = place;
        if self.woken.remove(&key).is_none() {
            let (archive, places, woken) = (&self.archive, &self.places, &self.woken);
            let name_of = |key: SessionKey| match woken.get(&key) {
                Some(name) => name.clone(),
                None => name_at(archive, places, key).unwrap_or_default(),
            };
            self.names.add(number, &session.name, name_of);
        }
        if let Some(ended) = session.ended {
            self.last_end = self.last_end.max(ended.at);
        }
        self.recent.insert(key, session.past.clone());
        if self.recent.len() > RECENT {
            self.recent.pop_first();
        }
        true
    }

    /// The key of a session that was put away, by its name.
    pub fn find(&self, name: &str) -> Option<SessionKey> {
        self.names.find(name, |key| {
            name_at(&self.archive, &self.places, key).is_some_and(|known| known == name)
        })
    }

    /// Takes a session out again.
    pub fn take(&mut self, key: SessionKey) -> Option<Session> {
        let session = self.peek(key)?;
        let place = std::mem::replace(&mut self.places[key], Place::NOWHERE);
        self.archive.take_out(place);
        self.recent.remove(&key);
        self.woken.insert(key, session.name.clone());
        Some(session)
    }

    /// A session that was put away.
    pub fn peek(&self, key: SessionKey) -> Option<Session> {
        let mut reader = self.archive.read(*self.places.get(key)?)?;
        let mut session = read(&mut reader);
        if let Some(past) = self.recent.get(&key) {
            session.past = past.clone();
        }
        Some(session)
    }

    /// Those that were open at a moment.
    pub fn open_at(&self, moment: RunTime) -> impl Iterator<Item = SessionKey> {
        let keys = if moment < self.last_end {
            0..self.places.len()
        } else {
            0..0
        };
        keys.filter(move |key| {
            self.peek(*key)
                .is_some_and(|session| session.open_at(moment))
        })
    }

    /// How many entries are held that do not stand for one session each.
    #[cfg(test)]
    pub fn entries(&self) -> usize {
        self.recent.len() + self.woken.len()
    }

    /// How many bytes the sessions take.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.archive.bytes() + self.names.bytes() + self.places.capacity() * size_of::<Place>()
    }
}

fn name_at(archive: &Archive, places: &[Place], key: SessionKey) -> Option<String> {
    let mut reader = archive.read(*places.get(key)?)?;
    let flags = reader.number();
    Some(read_name(&mut reader, flags))
}

fn write(writer: &mut Writer, session: &Session) {
    let uuid = uuid(&session.name);
    let end = session.ended.map(|ended| ended.end);
    let end = ENDS.iter().position(|known| Some(*known) == end);
    let flag = |holds: bool, flag: u64| if holds { flag } else { 0 };
    let flags = flag(session.opened.is_some(), OPENED)
        | flag(session.ended.is_some(), ENDED)
        | flag(uuid.is_some(), UUID)
        | flag(session.served, SERVED)
        | flag(session.started_before_its_end(), BEGAN)
        | (end.unwrap_or_default() as u64) << END
        | flag(!session.between_prompts.is_empty(), BETWEEN)
        | flag(session.stalled.is_some(), STALLED)
        | flag(session.twin_for.is_some(), TWIN)
        | flag(session.hung, HUNG)
        | flag(session.waits, WAITS)
        | flag(session.queued, QUEUED)
        | flag(session.attended, ATTENDED)
        | flag(session.given_before, GIVEN_BEFORE)
        | flag(session.never_given, NEVER_GIVEN);
    writer.number(flags);
    match uuid {
        Some(uuid) => writer.bytes(&uuid.to_be_bytes()),
        None => writer.text(&session.name),
    }
    let origin = writer.origin();
    if let Some(opened) = session.opened {
        writer.near(opened.0, origin.at);
    }
    if let Some(ended) = session.ended {
        writer.near(ended.at.0, session.opened.map_or(origin.at, |at| at.0));
        writer.near(ended.seq, origin.seq);
    }
    // Most have no descendants, and then that takes no byte.
    writer.number(u64::from(session.started) << 1 | u64::from(session.descendants > 0));
    if session.descendants > 0 {
        writer.number(u64::from(session.descendants));
    }
    if let Some((from, to)) = session.twin_for {
        writer.near(from.0, origin.at);
        writer.near(to.0, from.0);
    }
    if let Some(words) = &session.stalled {
        writer.text(words);
    }
    if !session.between_prompts.is_empty() {
        writer.number(session.between_prompts.len() as u64);
        for (from, to) in &session.between_prompts {
            writer.near(from.0, origin.at);
            writer.byte(u8::from(to.is_some()));
            if let Some(to) = to {
                writer.near(to.0, from.0);
            }
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Session {
    let flags = reader.number();
    let has = |flag: u64| flags & flag != 0;
    let name = read_name(reader, flags);
    let origin = reader.origin();
    let opened = has(OPENED).then(|| RunTime(reader.near(origin.at)));
    let ended = has(ENDED).then(|| Ended {
        at: RunTime(reader.near(opened.map_or(origin.at, |at| at.0))),
        end: ENDS[(flags >> END & 0b11) as usize],
        seq: reader.near(origin.seq),
    });
    let started = reader.number();
    let descendants = if started & 1 == 1 { reader.number() } else { 0 };
    let twin_for = has(TWIN).then(|| {
        let from = reader.near(origin.at);
        (RunTime(from), RunTime(reader.near(from)))
    });
    let stalled = has(STALLED).then(|| reader.text());
    let between = if has(BETWEEN) { reader.number() } else { 0 };
    let between_prompts = (0..between)
        .map(|_| {
            let from = reader.near(origin.at);
            let to = (reader.byte() == 1).then(|| RunTime(reader.near(from)));
            (RunTime(from), to)
        })
        .collect();
    Session {
        name,
        opened,
        between_prompts,
        ended,
        stalled,
        hung: has(HUNG),
        waits: has(WAITS),
        queued: has(QUEUED),
        attended: has(ATTENDED),
        given_before: has(GIVEN_BEFORE),
        never_given: has(NEVER_GIVEN),
        served: has(SERVED),
        started: (started >> 1) as u32,
        descendants: descendants as u32,
        twin_for,
        past: Past {
            began: has(BEGAN),
            ..Past::default()
        },
        touched: RunTime::START,
    }
}

fn read_name(reader: &mut Reader<'_>, flags: u64) -> String {
    if flags & UUID == 0 {
        return reader.text();
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(reader.bytes(16));
    hyphenated(u128::from_be_bytes(bytes))
}

/// The number that a name is written for, where it is written as UUIDs are.
fn uuid(name: &str) -> Option<u128> {
    let digits: String = name.split('-').collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    (hyphenated(number) == name).then_some(number)
}

fn hyphenated(number: u128) -> String {
    let digits = format!("{number:032x}");
    let (first, rest) = digits.split_at(8);
    format!(
        "{first}-{}-{}-{}-{}",
        &rest[..4],
        &rest[4..8],
        &rest[8..12],
        &rest[12..]
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::sessions::Service;

    fn session() -> impl Strategy<Value = Session> {
        let moment = || any::<u64>().prop_map(RunTime);
        let name = prop_oneof![
            "[a-z0-9-]{0,40}",
            any::<u128>().prop_map(hyphenated),
            any::<u128>().prop_map(|number| hyphenated(number).to_uppercase())
        ];
        let end = prop::sample::select(ENDS.to_vec());
        let ended = (moment(), end, any::<u64>()).prop_map(|(at, end, seq)| Ended { at, end, seq });
        let facts = (
            name,
            prop::option::of(moment()),
            prop::option::of(ended),
            prop::option::of("[a-z ]{0,9}"),
            prop::option::of((moment(), moment())),
            prop::collection::vec((moment(), prop::option::of(moment())), 0..3),
        );
        let marks = (any::<[bool; 7]>(), any::<u32>(), any::<u32>());
        let past = prop::collection::vec((moment(), moment()), 0..3);
        (facts, marks, past).prop_map(|(facts, (marks, started, descendants), past)| {
            let (name, opened, ended, stalled, twin_for, between_prompts) = facts;
            let [
                hung,
                waits,
                queued,
                attended,
                given_before,
                never_given,
                served,
            ] = marks;
            Session {
                name,
                opened,
                between_prompts,
                ended,
                stalled,
                hung,
                waits,
                queued,
                attended,
                given_before,
                never_given,
                served,
                started,
                descendants,
                twin_for,
                past: Past {
                    services: past
                        .iter()
                        .map(|(from, to)| Service {
                            from: *from,
                            to: *to,
                        })
                        .collect(),
                    primaries: past
                        .iter()
                        .map(|(first, start)| (ProcessIdentity::new(7, start.0), *first))
                        .collect(),
                    began: false,
                },
                touched: RunTime::START,
            }
        })
    }

    proptest! {
        #[test]
        fn what_was_put_away_comes_back_as_it_was(sessions in prop::collection::vec(session(), 1..80)) {
            let mut cold = Cold::default();
            for (key, session) in sessions.iter().enumerate() {
                prop_assert!(cold.put(key, session));
            }
            for (key, session) in sessions.iter().enumerate() {
                let same = |other: SessionKey| sessions[other].name == session.name;
                prop_assert!(cold.find(&session.name).is_some_and(same));
                let (peeked, taken) = (cold.peek(key), cold.take(key));
                prop_assert_eq!(peeked.as_ref(), Some(session));
                prop_assert_eq!(taken.as_ref(), Some(session));
                prop_assert_eq!(cold.take(key), None);
                prop_assert!(cold.put(key, session));
            }
        }
    }

    #[test]
    fn of_one_that_was_put_away_long_ago_its_past_is_told_in_one_word() {
        let mut cold = Cold::default();
        let session = |key: SessionKey| {
            let mut session = Session {
                name: format!("s{key}"),
                opened: Some(RunTime(5)),
                ended: Some(Ended {
                    at: RunTime(9),
                    end: End::Abort,
                    seq: 3,
                }),
                ..Session::default()
            };
            session.note_primary(ProcessIdentity::new(7, 1), RunTime(6));
            session
        };
        for key in 0..=RECENT {
            assert!(cold.put(key, &session(key)));
        }
        let first = cold.take(0).unwrap();
        assert!(first.started_before_its_end());
        assert!(!first.started_between(RunTime(5), RunTime(9)));
        assert_eq!(cold.take(1).unwrap(), session(1));
    }
}
