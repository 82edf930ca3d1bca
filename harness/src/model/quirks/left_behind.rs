//! What a session leaves behind in the daemon itself: files, pipes, threads, memory. And two habits that look like it and are none.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::sync::Mutex;
use std::thread;

use crate::model::lock;
use crate::model::policy::Quirk;

const MIB: usize = 1 << 20;
/// Open files that each session leaves behind.
const FILES: usize = 4;
/// Pipes that each session leaves behind, two open files each.
const PIPES: usize = 2;
/// Memory that each session leaves behind, all of it touched.
const MEMORY: usize = 2 * MIB;
/// Memory that each session takes of the sawtooth's teeth, and how much there is before it is given back.
const TOOTH_STEP: usize = 8 * MIB;
/// More than 32 MiB, which is the size from which on the allocator gives memory back to the kernel at once whatever it has learnt.
const TOOTH: usize = 96 * MIB;
/// What the first sessions add to the cache, and how large it gets.
const WARM_STEP: usize = 8 * MIB;
const WARM: usize = 128 * MIB;
/// Enough for a thread that does nothing.
const STACK: usize = 64 << 10;

/// All that was left behind.
#[derive(Debug, Default)]
pub(in crate::model) struct LeftBehind(Mutex<Heap>);

#[derive(Debug, Default)]
struct Heap {
    files: Vec<File>,
    pipes: Vec<(PipeReader, PipeWriter)>,
    memory: Vec<Vec<u8>>,
    tooth: Vec<u8>,
    cache: Vec<u8>,
}

impl LeftBehind {
    /// A session is over.
    pub(in crate::model) fn session_is_over(&self, quirks: &[Quirk]) -> io::Result<()> {
        let mut heap = lock(&self.0);
        for quirk in quirks {
            match quirk {
                Quirk::LeaksFiles => {
                    for _ in 0..FILES {
                        heap.files.push(File::open("/dev/null")?);
                    }
                }
                Quirk::LeaksPipes => {
                    for _ in 0..PIPES {
                        heap.pipes.push(io::pipe()?);
                    }
                }
                Quirk::LeaksThreads => leave_thread()?,
                Quirk::LeaksMemory => heap.memory.push(vec![1; MEMORY]),
                Quirk::Sawtooth => {
                    if heap.tooth.len() >= TOOTH {
                        heap.tooth = Vec::new();
                    }
                    grow(&mut heap.tooth, TOOTH_STEP, TOOTH);
                }
                Quirk::WarmsUp => grow(&mut heap.cache, WARM_STEP, WARM),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A thread that nobody will ever wake.
fn leave_thread() -> io::Result<()> {
    thread::Builder::new()
        .name("left-behind".to_owned())
        .stack_size(STACK)
        .spawn(|| {
            loop {
                thread::park();
            }
        })
        .map(drop)
}

/// Takes and touches more memory, up to an end. All of it is asked for at once, so that nothing is ever copied.
fn grow(memory: &mut Vec<u8>, step: usize, end: usize) {
    memory.reserve_exact(end - memory.len());
    let length = (memory.len() + step).min(end);
    memory.resize(length, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sessions: usize, quirk: Quirk) -> Heap {
        let left = LeftBehind::default();
        for _ in 0..sessions {
            left.session_is_over(&[quirk]).unwrap();
        }
        left.0.into_inner().unwrap()
    }

    #[test]
    fn the_saw_falls_and_the_cache_ends() {
        let teeth: Vec<usize> = [12, 13, 25]
            .map(|sessions| after(sessions, Quirk::Sawtooth).tooth.len() / MIB)
            .to_vec();
        assert_eq!(teeth, [96, 8, 8]);
        assert_eq!(after(3, Quirk::WarmsUp).cache.len(), 3 * WARM_STEP);
        assert_eq!(after(20, Quirk::WarmsUp).cache.len(), WARM);
    }

    #[test]
    fn what_leaks_stays() {
        assert_eq!(after(3, Quirk::LeaksFiles).files.len(), 3 * FILES);
        assert_eq!(after(3, Quirk::LeaksPipes).pipes.len(), 3 * PIPES);
        assert_eq!(after(3, Quirk::LeaksMemory).memory.len(), 3);
        assert!(after(3, Quirk::StoresTwice).files.is_empty());
    }
}
