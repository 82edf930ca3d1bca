//! How many files a process of the run may open, changed by a planned fault.

use std::io;

use super::Witnesses;
use crate::platform;
use crate::process::ProcessIdentity;

impl Witnesses {
    /// Lets a process of the run open so many more files and no more, and gives back what its limit was; none when it is gone.
    pub fn leave_files(&self, process: ProcessIdentity, more: u32) -> io::Result<Option<u64>> {
        if self.shared.roll.borrow().is_there(process)? {
            platform::leave_files(process.pid, more)
        } else {
            Ok(None)
        }
    }

    /// Gives a process of the run this limit of open files. Tells whether there was anybody to get it.
    pub fn allow_files(&self, process: ProcessIdentity, limit: u64) -> io::Result<bool> {
        Ok(self.shared.roll.borrow().is_there(process)?
            && platform::allow_files(process.pid, limit)?)
    }
}
