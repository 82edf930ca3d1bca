//! Records that are seldom asked for, as few bytes as they can be: what a long run leaves behind of its sessions and their work.
//!
//! Numbers are written in as many bytes as they need (LEB128), moments and the like as the distance from those of the first record of
//! their block, since what is put away together happened together. A record is found by its [`Place`] and never moves.

use std::sync::Arc;

use crate::process::ProcessIdentity;

/// How many records make a block: one is found by stepping over those before it.
const EACH: u32 = 64;

/// What the numbers of a block's records are distances from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// A moment, in nanoseconds since the run's start.
    pub at: u64,
    /// The sequence number of an event.
    pub seq: u64,
    /// A process.
    pub process: ProcessIdentity,
}

impl Default for Origin {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Origin {
    /// Numbers are distances from nothing.
    pub const ZERO: Self = Self {
        at: 0,
        seq: 0,
        process: ProcessIdentity::new(0, 0),
    };
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    /// No place.
    pub const NOWHERE: Self = Self(u32::MAX);

    const fn block(self) -> usize {
        (self.0 / EACH) as usize
    }

    const fn slot(self) -> u32 {
        self.0 % EACH
    }
}

#[derive(Debug, Clone, Default)]
struct Block {
    origin: Origin,
    bytes: Vec<u8>,
    records: u32,
    /// A bit for each record that was taken out.
    taken: u64,
}

impl Block {
    /// Where the record in a slot begins and ends.
    fn range(&self, slot: u32) -> std::ops::Range<usize> {
        let mut reader = Reader::new(&self.bytes);
        for _ in 0..slot {
            let length = reader.number() as usize;
            reader.at += length;
        }
        let length = reader.number() as usize;
        reader.at..(reader.at + length).min(self.bytes.len())
    }

    const fn has(&self, slot: u32) -> bool {
        slot < self.records && self.taken & (1 << slot) == 0
    }
}

/// Records by their places. A copy shares what it does not change.
#[derive(Debug, Clone, Default)]
pub(super) struct Archive {
    blocks: Vec<Arc<Block>>,
}

impl Archive {
    /// Adds a record; `own` is what is written as it is, if it is the first of its block. None when there are more than anybody counts.
    pub fn add(&mut self, own: Origin, write: impl FnOnce(&mut Writer)) -> Option<Place> {
        let full = |block: &Arc<Block>| block.records == EACH;
        if self.blocks.last().is_none_or(full) {
            if let Some(last) = self.blocks.last_mut() {
                Arc::make_mut(last).bytes.shrink_to_fit();
            }
            self.blocks.push(Arc::new(Block {
                origin: own,
                ..Block::default()
            }));
        }
        let number = u32::try_from(self.blocks.len() - 1).ok()?;
        let first = number.checked_mul(EACH)?;
        let block = Arc::make_mut(self.blocks.last_mut()?);
        let place = first.checked_add(block.records)?;
        let mut writer = Writer {
            bytes: Vec::new(),
            origin: block.origin,
        };
        write(&mut writer);
        put(&mut block.bytes, writer.bytes.len() as u64);
        block.bytes.extend_from_slice(&writer.bytes);
        block.records += 1;
        Some(Place(place))
    }

    /// The record at a place; nothing where there is none.
    pub fn read(&self, place: Place) -> Option<Reader<'_>> {
        let block = self.blocks.get(place.block())?;
        block.has(place.slot()).then(|| {
            let range = block.range(place.slot());
            Reader {
                bytes: &block.bytes[range],
                at: 0,
                origin: block.origin,
            }
        })
    }

    /// Writes one byte of a record anew.
    pub fn write_byte(&mut self, place: Place, at: usize, byte: u8) {
        if let Some(block) = self.blocks.get_mut(place.block())
            && block.has(place.slot())
        {
            let block = Arc::make_mut(block);
            let range = block.range(place.slot());
            if let Some(old) = block.bytes[range].get_mut(at) {
                *old = byte;
            }
        }
    }

    /// Takes a record out. Its bytes are given back with the last one of its block.
    pub fn take_out(&mut self, place: Place) {
        let last = self.blocks.len() == place.block() + 1;
        if let Some(block) = self.blocks.get_mut(place.block())
            && block.has(place.slot())
        {
            let block = Arc::make_mut(block);
            block.taken |= 1 << place.slot();
            if !last && block.taken.count_ones() == block.records {
                block.bytes = Vec::new();
                block.records = 0;
            }
        }
    }

    /// How many bytes all of it takes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let of_block = |block: &Arc<Block>| size_of::<Block>() + 16 + block.bytes.capacity();
        self.blocks.iter().map(of_block).sum()
    }
}

/// Writes a record.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    origin: Origin,
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// A distance in either direction as a number that is small when the distance is.
const fn folded(distance: u64) -> u64 {
    let distance = distance as i64;
    ((distance << 1) ^ (distance >> 63)) as u64
}

const fn unfolded(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

impl Writer {
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn number(&mut self, number: u64) {
        put(&mut self.bytes, number);
    }

    /// A number near another one.
    pub fn near(&mut self, number: u64, other: u64) {
        self.number(folded(number.wrapping_sub(other)));
    }

    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    pub fn process(&mut self, process: ProcessIdentity) {
        let other = self.origin.process;
        self.near(u64::from(process.pid), u64::from(other.pid));
        self.near(process.start_time, other.start_time);
    }

    /// What the block's numbers are distances from.
    pub const fn origin(&self) -> Origin {
        self.origin
    }
}

/// Reads a record. What is not there is zero.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    origin: Origin,
}

impl<'a> Reader<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            origin: Origin::ZERO,
        }
    }

    /// How many bytes were read.
    pub const fn place(&self) -> usize {
        self.at
    }

    pub const fn origin(&self) -> Origin {
        self.origin
    }

    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        byte
    }

    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let end = self.at.saturating_add(count);
        let bytes = self.bytes.get(self.at..end).unwrap_or_default();
        self.at = end;
        bytes
    }

    pub fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }

    pub fn near(&mut self, other: u64) -> u64 {
        other.wrapping_add(unfolded(self.number()))
    }

    pub fn text(&mut self) -> String {
        let length = self.number() as usize;
        String::from_utf8_lossy(self.bytes(length)).into_owned()
    }

    pub fn process(&mut self) -> ProcessIdentity {
        let other = self.origin.process;
        let pid = self.near(u64::from(other.pid)) as u32;
        ProcessIdentity::new(pid, self.near(other.start_time))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(records: Vec<(u64, u32, u64, String, u8)>) {
            let mut archive = Archive::default();
            let mut places = Vec::new();
            for (at, pid, start, text, byte) in &records {
                let process = ProcessIdentity::new(*pid, *start);
                let own = Origin { at: *at, seq: 7, process };
                let place = archive.add(own, |writer| {
                    writer.near(*at, writer.origin().at);
                    writer.process(process);
                    writer.text(text);
                    writer.byte(*byte);
                    writer.number(*start);
                });
                places.push(place.unwrap());
            }
            for (place, (at, pid, start, text, byte)) in places.iter().zip(&records) {
                let mut reader = archive.read(*place).unwrap();
                prop_assert_eq!(reader.near(reader.origin().at), *at);
                prop_assert_eq!(reader.process(), ProcessIdentity::new(*pid, *start));
                prop_assert_eq!(reader.text(), text.clone());
                prop_assert_eq!(reader.byte(), *byte);
                prop_assert_eq!(reader.number(), *start);
            }
        }
    }

    #[test]
    fn a_block_that_holds_nothing_any_more_gives_its_bytes_back() {
        let mut archive = Archive::default();
        let places: Vec<Place> = (0..200_u8)
            .filter_map(|byte| archive.add(Origin::default(), |writer| writer.bytes(&[byte; 100])))
            .collect();
        let full = archive.bytes();
        archive.write_byte(places[70], 1, 255);
        for (number, place) in places.iter().enumerate() {
            if number != 70 {
                archive.take_out(*place);
            }
        }
        assert!(archive.read(places[69]).is_none());
        assert!(archive.bytes() * 2 < full + 6_400);
        let mut left = archive.read(places[70]).unwrap();
        assert_eq!([left.byte(), left.byte(), left.byte()], [70, 255, 70]);
    }

    #[test]
    fn a_copy_is_not_changed_with_its_original() {
        let mut archive = Archive::default();
        let place = archive
            .add(Origin::default(), |writer| writer.byte(1))
            .unwrap();
        let copy = archive.clone();
        archive.write_byte(place, 0, 2);
        assert_eq!(copy.read(place).unwrap().byte(), 1);
        assert_eq!(archive.read(place).unwrap().byte(), 2);
    }
}
