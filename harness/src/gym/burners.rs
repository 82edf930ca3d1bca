//! Threads that do nothing but use up processor time: a machine that has too much to do, on demand.

use std::hint::spin_loop;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Burners for each core: what they add to the load average is four times the number of cores.
const FOR_EACH_CORE: usize = 4;

/// Threads of normal priority that spin until this is dropped. They end with the process, however that ends.
pub(super) struct Burners {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Burners {
    /// Starts them.
    pub(super) fn start() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let stop = Arc::new(AtomicBool::new(false));
        let burner = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    spin_loop();
                }
            })
        };
        let threads = (0..FOR_EACH_CORE * cores).map(burner).collect();
        Self { stop, threads }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.threads.len()).unwrap_or(u32::MAX)
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It cannot panic: it does nothing.
            let _ = thread.join();
        }
    }
}
