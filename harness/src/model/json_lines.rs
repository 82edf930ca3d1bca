//! An append-only file of JSON Lines with an index in memory.
//!
//! A daemon that is watched for growth must not grow by itself: what is stored stays in the file, and memory holds sixteen bytes
//! for each line. A line that a killed daemon left half written is skipped when the file is opened again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Where one line lies.
#[derive(Debug, Clone, Copy)]
struct Slot {
    offset: u64,
    length: u32,
    group: u32,
}

/// A file of JSON Lines.
#[derive(Debug)]
pub(super) struct JsonLines {
    path: PathBuf,
    file: File,
    length: u64,
    slots: Vec<Slot>,
    scratch: Vec<u8>,
}

/// A file of the data folder that cannot be used.
#[derive(Debug)]
pub(super) struct StoreError {
    path: PathBuf,
    cause: io::Error,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot use {}: {}", self.path.display(), self.cause)
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    pub(super) fn new(path: &Path, cause: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            cause,
        }
    }
}

impl JsonLines {
    /// Opens the file, made if need be. `visit` sees each whole line and says to which group it belongs; a line for which it has
    /// no group is passed over.
    pub(super) fn open(
        path: PathBuf,
        mut visit: impl FnMut(&[u8]) -> Option<u32>,
    ) -> Result<Self, StoreError> {
        let attempt = || -> io::Result<(File, Vec<u8>)> {
            let mut file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(&path)?;
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            if content.last().is_some_and(|last| *last != b'\n') {
                file.write_all(b"\n")?;
                content.push(b'\n');
            }
            Ok((file, content))
        };
        let (file, content) = attempt().map_err(|cause| StoreError::new(&path, cause))?;
        let mut slots = Vec::new();
        let mut offset = 0;
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            let text = &line[..line.len() - 1];
            if let (Some(group), Ok(length)) = (visit(text), u32::try_from(text.len())) {
                slots.push(Slot {
                    offset,
                    length,
                    group,
                });
            }
            offset += line.len() as u64;
        }
        Ok(Self {
            path,
            file,
            length: offset,
            slots,
            scratch: Vec::new(),
        })
    }

    /// Appends one line that is to be read again, and gives its number.
    pub(super) fn append(
        &mut self,
        group: u32,
        line: &impl Serialize,
    ) -> Result<usize, StoreError> {
        let offset = self.length;
        let length = self.log(line)?;
        self.slots.push(Slot {
            offset,
            length,
            group,
        });
        Ok(self.slots.len() - 1)
    }

    /// Appends one line that only the next opening will read, and gives its length.
    pub(super) fn log(&mut self, line: &impl Serialize) -> Result<u32, StoreError> {
        self.scratch.clear();
        let attempt = |scratch: &mut Vec<u8>, mut file: &File| -> io::Result<u32> {
            serde_json::to_writer(&mut *scratch, line)?;
            let length = u32::try_from(scratch.len()).map_err(io::Error::other)?;
            scratch.push(b'\n');
            file.write_all(scratch)?;
            Ok(length)
        };
        let length = attempt(&mut self.scratch, &self.file)
            .map_err(|cause| StoreError::new(&self.path, cause))?;
        self.length += u64::from(length) + 1;
        self.scratch.shrink_to(64 * 1024);
        Ok(length)
    }

    /// How many lines can be read.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many bytes the file has.
    pub(super) fn size(&self) -> u64 {
        self.length
    }

    /// The text of a line.
    pub(super) fn read(&self, number: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(slot) = self.slots.get(number) else {
            return Ok(None);
        };
        self.text(slot).map(Some)
    }

    /// Lines from the newest on, of one group or of all: `limit` of them after `offset`, and whether there are more.
    pub(super) fn newest(
        &self,
        group: Option<u32>,
        offset: usize,
        limit: usize,
    ) -> Result<(Vec<Vec<u8>>, bool), StoreError> {
        let mut wanted = self
            .slots
            .iter()
            .rev()
            .filter(|slot| group.is_none_or(|group| slot.group == group))
            .skip(offset);
        let lines = wanted
            .by_ref()
            .take(limit)
            .map(|slot| self.text(slot))
            .collect::<Result<_, _>>()?;
        Ok((lines, wanted.next().is_some()))
    }

    fn text(&self, slot: &Slot) -> Result<Vec<u8>, StoreError> {
        let mut text = vec![0; slot.length as usize];
        self.file
            .read_exact_at(&mut text, slot.offset)
            .map_err(|cause| StoreError::new(&self.path, cause))?;
        Ok(text)
    }

    /// Forgets every line, on disk too.
    pub(super) fn clear(&mut self) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .map_err(|cause| StoreError::new(&self.path, cause))?;
        self.length = 0;
        self.slots.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(lines: Vec<Vec<u8>>) -> Vec<String> {
        lines
            .into_iter()
            .map(|line| String::from_utf8(line).unwrap())
            .collect()
    }

    #[test]
    fn lines_come_newest_first_and_by_group() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = JsonLines::open(folder.path().join("a.jsonl"), |_| Some(0)).unwrap();
        for number in 0..5_u32 {
            file.append(number % 2, &number).unwrap();
        }
        let (lines, more) = file.newest(None, 1, 2).unwrap();
        assert_eq!((strings(lines), more), (vec!["3".into(), "2".into()], true));
        let (lines, more) = file.newest(Some(1), 0, 9).unwrap();
        assert_eq!(
            (strings(lines), more),
            (vec!["3".into(), "1".into()], false)
        );
    }

    #[test]
    fn half_a_line_is_skipped_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "1\n2\n{\"half").unwrap();
        let whole = |line: &[u8]| {
            serde_json::from_slice::<u32>(line).ok()?;
            Some(0)
        };
        let mut file = JsonLines::open(path.clone(), whole).unwrap();
        assert_eq!(file.len(), 2);
        file.append(0, &3).unwrap();
        let again = JsonLines::open(path, whole).unwrap();
        let (lines, _) = again.newest(None, 0, 9).unwrap();
        assert_eq!(strings(lines), ["3", "2", "1"]);
    }
}
