//! Work items that were put away, those of one session together.
//!
//! Nothing that is known of an item is lost but the moment at which it was accepted, which nobody asks for.

use fake_claude::control::{MARKER_PREFIX, TurnKind};

use super::{Answer, Course, Item};
use crate::judge::archive::{Archive, Origin, Place, Reader, Writer};
use crate::judge::sessions::SessionKey;
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// How much greater a session's number may be than all before it.
const GAP: usize = 1 << 16;

/// A marker as the driver writes it: `lhm-<run>-<session>-<letter><count>z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker<'a> {
    run: &'a str,
    /// The number of its session.
    pub session: u32,
    kind: TurnKind,
    count: u32,
}

impl<'a> Marker<'a> {
    /// A marker, if it is written as the driver writes them.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (run, rest) = text.strip_prefix(MARKER_PREFIX)?.split_once('-')?;
        let (session, rest) = rest.split_once('-')?;
        let mut letters = rest.chars();
        let kind = kind_of(letters.next()?)?;
        let marker = Self {
            run,
            session: number(session)?,
            kind,
            count: number(letters.as_str().strip_suffix('z')?)?,
        };
        Some(marker)
    }

    fn text(&self) -> String {
        let Self {
            run,
            session,
            kind,
            count,
        } = self;
        let letter = letter_of(*kind);
        format!("{MARKER_PREFIX}{run}-{session}-{letter}{count}z")
    }
}

/// A number that is written in the one way in which it is written back.
fn number(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    canonical.then(|| text.parse().ok())?
}

const KINDS: [TurnKind; 3] = [TurnKind::Prompt, TurnKind::Observation, TurnKind::Summary];

const fn letter_of(kind: TurnKind) -> char {
    match kind {
        TurnKind::Prompt => 'p',
        TurnKind::Observation => 'o',
        TurnKind::Summary => 's',
    }
}

fn kind_of(letter: char) -> Option<TurnKind> {
    KINDS.into_iter().find(|kind| letter_of(*kind) == letter)
}

fn place_of(kind: TurnKind) -> u8 {
    KINDS.iter().position(|known| *known == kind).unwrap_or(0) as u8
}

// The first byte of an item: its letter in two bits, whether it is a usual one, and its count where that is small.
const LETTER: u8 = 0b11;
const USUAL: u8 = 1 << 2;
const COUNT: u32 = 3;
const SMALL: u32 = 1 << 5;

// What an item that is not usual has, a bit each, and how it was answered and what came of it in as many bits as these need.
const ABORTED: u64 = 1;
const KEPT: u64 = 1 << 1;
const OTHERS: u64 = 1 << 2;
const WAITING: u64 = 1 << 3;
const TURN: u64 = 1 << 4;
const ANSWERED_BY: u64 = 1 << 5;
const ANSWER: u32 = 6;
const GIVEN: u32 = 9;

const ANSWERS: [Option<Answer>; 5] = [
    None,
    Some(Answer::Accepted),
    Some(Answer::Refused),
    Some(Answer::Skipped),
    Some(Answer::Unknown),
];
const COURSES: [Option<Course>; 6] = [
    None,
    Some(Course::Read),
    Some(Course::Left),
    Some(Course::Failed),
    Some(Course::Silent),
    Some(Course::Deserted),
];

/// Items that were put away, by the number of their session.
#[derive(Debug, Clone, Default)]
pub(super) struct Cold {
    /// The run that all markers name.
    run: Option<String>,
    archive: Archive,
    /// The place of each record, by the number of its session.
    places: Vec<Place>,
}

impl Cold {
    /// Puts the items of a session away, if they can be: they all belong to one session, and all markers are of one run.
    pub fn put(&mut self, number: u32, items: &[(&str, &Item)]) -> bool {
        let Some((_, first)) = items.first() else {
            return false;
        };
        let markers: Option<Vec<Marker<'_>>> = items
            .iter()
            .map(|(text, item)| {
                Marker::parse(text).filter(|marker| {
                    let run = self.run.as_deref().unwrap_or(marker.run);
                    marker.run == run && item.session == first.session
                })
            })
            .collect();
        let Some(markers) = markers else {
            return false;
        };
        let index = number as usize;
        if index >= self.places.len() + GAP {
            return false;
        }
        // Most sessions have one claude that answers all of their items.
        let who = items.iter().find_map(|(_, item)| item.answered_by);
        let own = Origin {
            at: 0,
            seq: first.offered_seq,
            process: who.unwrap_or(Origin::ZERO.process),
        };
        let place = self.archive.add(own, |writer| {
            writer.near(first.session as u64, u64::from(number));
            writer.number((items.len() as u64) << 1 | u64::from(who.is_some()));
            if let Some(who) = who {
                writer.process(who);
            }
            let mut seq = writer.origin().seq;
            for (marker, (_, item)) in markers.iter().zip(items) {
                write(writer, marker, item, who, seq);
                seq = item.offered_seq;
            }
        });
        let Some(place) = place else {
            return false;
        };
        if self.run.is_none() {
            self.run = markers.first().map(|marker| marker.run.to_owned());
        }
        if self.places.len() <= index {
            self.places.resize(index + 1, Place::NOWHERE);
        }
        self.places[index] = place;
        true
    }

    /// Takes the items of a session out again.
    pub fn take(&mut self, number: u32) -> Option<Vec<(String, Item)>> {
        let place = *self.places.get(number as usize)?;
        let items = self.items(number, self.archive.read(place)?);
        self.places[number as usize] = Place::NOWHERE;
        self.archive.take_out(place);
        Some(items)
    }

    /// An item that was put away.
    pub fn peek(&self, text: &str) -> Option<Item> {
        let marker = Marker::parse(text)?;
        let place = *self.places.get(marker.session as usize)?;
        let items = self.items(marker.session, self.archive.read(place)?);
        let mut items = items.into_iter();
        let (_, item) = items.find(|(known, _)| known == text)?;
        Some(item)
    }

    /// Notes that an item is in so many more stored records, where that can be noted in its place.
    pub fn store(&mut self, text: &str, times: u32) -> bool {
        self.stored(text, times).is_some()
    }

    fn stored(&mut self, text: &str, times: u32) -> Option<()> {
        let marker = Marker::parse(text)?;
        if self.run.as_deref() != Some(marker.run) {
            return None;
        }
        let place = *self.places.get(marker.session as usize)?;
        let mut reader = self.archive.read(place)?;
        let (session, count, who) = read_head(&mut reader, marker.session);
        let mut seq = reader.origin().seq;
        for _ in 0..count {
            let (kind, number, usual) = read_first(&mut reader);
            let at = reader.place();
            let stored = reader.clone().byte();
            let item = read(&mut reader, session, kind, usual, who, seq);
            seq = item.offered_seq;
            if (kind, number) == (marker.kind, marker.count) {
                let stored = u32::from(stored).checked_add(times)?;
                let stored = u8::try_from(stored).ok().filter(|_| usual)?;
                self.archive.write_byte(place, at, stored);
                return Some(());
            }
        }
        None
    }

    /// The items of every session, with its number.
    pub fn groups(&self) -> impl Iterator<Item = (u32, Vec<(String, Item)>)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(number, place)| {
            let number = number as u32;
            let reader = self.archive.read(*place)?;
            Some((number, self.items(number, reader)))
        })
    }

    fn items(&self, number: u32, mut reader: Reader<'_>) -> Vec<(String, Item)> {
        let run = self.run.as_deref().unwrap_or_default();
        let (session, count, who) = read_head(&mut reader, number);
        let mut seq = reader.origin().seq;
        (0..count)
            .map(|_| {
                let (kind, count, usual) = read_first(&mut reader);
                let marker = Marker {
                    run,
                    session: number,
                    kind,
                    count,
                };
                let item = read(&mut reader, session, kind, usual, who, seq);
                seq = item.offered_seq;
                (marker.text(), item)
            })
            .collect()
    }

    /// How many bytes the items take.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.archive.bytes() + self.places.capacity() * size_of::<Place>()
    }
}

/// Whether an item is as nearly all are: accepted, read by the claude of its session, and answered by it in one good turn.
fn is_usual(item: &Item, kind: TurnKind, who: Option<ProcessIdentity>) -> bool {
    let Item {
        session: _,
        kind: own_kind,
        offered_seq: _,
        answer,
        aborted,
        kept,
        good,
        elsewhere,
        last_turn,
        answered_by,
        answered_by_others,
        given,
        stored,
        waiting,
    } = *item;
    own_kind == kind
        && answer.is_some_and(|(answer, _)| answer == Answer::Accepted)
        && !(aborted || kept || answered_by_others || waiting)
        && (good, elsewhere) == (1, 0)
        && who.is_some()
        && last_turn.map(|(who, _)| who) == who
        && answered_by == who
        && given == who.map(|who| (who, Course::Read))
        && stored <= u32::from(u8::MAX)
}

fn write(
    writer: &mut Writer,
    marker: &Marker<'_>,
    item: &Item,
    who: Option<ProcessIdentity>,
    seq: u64,
) {
    let usual = is_usual(item, marker.kind, who);
    let small = Some(marker.count).filter(|count| (1..SMALL).contains(count));
    let small = small.unwrap_or_default() as u8;
    let usual_bit = if usual { USUAL } else { 0 };
    writer.byte(place_of(marker.kind) | usual_bit | small << COUNT);
    if small == 0 {
        writer.number(u64::from(marker.count));
    }
    if usual {
        // In a place of its own, so that it can be written anew.
        writer.byte(item.stored as u8);
        writer.near(item.offered_seq, seq);
        writer.number(u64::from(item.last_turn.map_or(0, |(_, turn)| turn)));
    } else {
        write_unusual(writer, item, seq);
    }
}

fn write_unusual(writer: &mut Writer, item: &Item, seq: u64) {
    let flag = |holds: bool, flag: u64| if holds { flag } else { 0 };
    let answer = item.answer.map(|(answer, _)| answer);
    let answer = ANSWERS.iter().position(|known| *known == answer);
    let course = item.given.map(|(_, course)| course);
    let course = COURSES.iter().position(|known| *known == course);
    let flags = flag(item.aborted, ABORTED)
        | flag(item.kept, KEPT)
        | flag(item.answered_by_others, OTHERS)
        | flag(item.waiting, WAITING)
        | flag(item.last_turn.is_some(), TURN)
        | flag(item.answered_by.is_some(), ANSWERED_BY)
        | (answer.unwrap_or_default() as u64) << ANSWER
        | (course.unwrap_or_default() as u64) << GIVEN;
    writer.number(flags);
    writer.byte(place_of(item.kind));
    writer.byte(item.good);
    writer.byte(item.elsewhere);
    writer.number(u64::from(item.stored));
    writer.near(item.offered_seq, seq);
    if let Some((_, at)) = item.answer {
        writer.number(at.0);
    }
    if let Some((who, turn)) = item.last_turn {
        writer.process(who);
        writer.number(u64::from(turn));
    }
    let given = item.given.map(|(who, _)| who);
    for who in [item.answered_by, given].into_iter().flatten() {
        writer.process(who);
    }
}

/// The session of a record, how many items it holds, and who answered most of them.
fn read_head(reader: &mut Reader<'_>, number: u32) -> (SessionKey, u64, Option<ProcessIdentity>) {
    let session = reader.near(u64::from(number)) as SessionKey;
    let count = reader.number();
    let who = (count & 1 == 1).then(|| reader.process());
    (session, count >> 1, who)
}

/// The kind and the count in an item's marker, and whether the item is a usual one.
fn read_first(reader: &mut Reader<'_>) -> (TurnKind, u32, bool) {
    let first = reader.byte();
    let kind = KINDS[usize::from(first & LETTER).min(KINDS.len() - 1)];
    let count = match first >> COUNT {
        0 => reader.number() as u32,
        count => u32::from(count),
    };
    (kind, count, first & USUAL != 0)
}

fn read(
    reader: &mut Reader<'_>,
    session: SessionKey,
    kind: TurnKind,
    usual: bool,
    who: Option<ProcessIdentity>,
    seq: u64,
) -> Item {
    if !usual {
        return read_unusual(reader, session, seq);
    }
    let stored = u32::from(reader.byte());
    let offered_seq = reader.near(seq);
    let turn = reader.number() as u32;
    Item {
        session,
        kind,
        offered_seq,
        answer: Some((Answer::Accepted, RunTime::START)),
        aborted: false,
        kept: false,
        good: 1,
        elsewhere: 0,
        last_turn: who.map(|who| (who, turn)),
        answered_by: who,
        answered_by_others: false,
        given: who.map(|who| (who, Course::Read)),
        stored,
        waiting: false,
    }
}

fn read_unusual(reader: &mut Reader<'_>, session: SessionKey, seq: u64) -> Item {
    let flags = reader.number();
    let has = |flag: u64| flags & flag != 0;
    let kind = KINDS[usize::from(reader.byte()).min(KINDS.len() - 1)];
    let (good, elsewhere) = (reader.byte(), reader.byte());
    let stored = reader.number() as u32;
    let offered_seq = reader.near(seq);
    let answer = ANSWERS[((flags >> ANSWER & 0b111) as usize).min(ANSWERS.len() - 1)];
    let course = COURSES[((flags >> GIVEN & 0b111) as usize).min(COURSES.len() - 1)];
    Item {
        session,
        kind,
        offered_seq,
        answer: answer.map(|answer| (answer, RunTime(reader.number()))),
        aborted: has(ABORTED),
        kept: has(KEPT),
        good,
        elsewhere,
        last_turn: has(TURN).then(|| (reader.process(), reader.number() as u32)),
        answered_by: has(ANSWERED_BY).then(|| reader.process()),
        answered_by_others: has(OTHERS),
        given: course.map(|course| (reader.process(), course)),
        stored,
        waiting: has(WAITING),
    }
}

#[cfg(test)]
mod tests;
