//! How often the worker's open files are counted, and how often they are asked what they are.
//!
//! Counting is one call of the kernel from Linux 6.2 on, and a reading of the folder before. Telling pipes and sockets from other files
//! costs a call for each of at most 512 files ([`platform::open_pipe_count`]), so it is done anew only when the count has changed, and now
//! and then in case that files of one kind took the place of another. For a worker with 10,000 open files both are done once a second.

use fake_claude::quantity::Span;

use crate::platform;
use crate::process::ProcessIdentity;
use crate::units::RunTime;

/// The time between two counts while the worker has few files open.
const EVERY: Span = Span::from_millis(250);
/// How many files are few.
const FEW: u32 = 512;
/// The time between two counts while it has more.
const EVERY_MANY: Span = Span::from_secs(1);
/// For so many counts the last answer stands while the number of files is the same.
const SAME: u32 = 8;

/// The last count.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    due: RunTime,
    last: Option<Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    process: ProcessIdentity,
    files: u32,
    pipes: Option<u32>,
    /// For how many counts this has stood.
    stood: u32,
}

impl OpenFiles {
    /// How many files a process has open, and how many of them are pipes or sockets; nothing while no count is due.
    pub fn count(&mut self, process: ProcessIdentity, at: RunTime) -> (Option<u32>, Option<u32>) {
        if at < self.due {
            return (None, None);
        }
        let files = platform::open_file_count(process.pid);
        let every = if files.is_some_and(|files| files > FEW) {
            EVERY_MANY
        } else {
            EVERY
        };
        self.due = at + every;
        let Some(files) = files else {
            return (None, None);
        };
        let pipes = match self.last {
            Some(last) if last.process == process && last.files == files && last.stood < SAME => {
                self.last = Some(Count {
                    stood: last.stood + 1,
                    ..last
                });
                last.pipes
            }
            _ => {
                let pipes = platform::open_pipe_count(process.pid, files);
                self.last = Some(Count {
                    process,
                    files,
                    pipes,
                    stood: 0,
                });
                pipes
            }
        };
        (Some(files), pipes)
    }
}
