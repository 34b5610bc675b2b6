//! What a node says on stderr while it runs, as far as `-v` asks for it.
//!
//! Nobody waits for whoever reads it: a thread of its own writes, and lines that
//! come faster than they are read are lost, and counted.

use crate::limits::LOG_LINES_MAX;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Where lines are handed in. The thread ends when this is dropped, and nobody
/// waits for that.
#[derive(Debug)]
pub struct Log {
    lines: SyncSender<String>,
    lost: AtomicU64,
}

impl Log {
    /// Writes to stderr from now on.
    ///
    /// # Errors
    /// Where a thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let (lines, waiting) = sync_channel::<String>(LOG_LINES_MAX);
        let write = move || {
            for line in waiting {
                // A closed stderr leaves nobody to tell.
                let _ = writeln!(io::stderr(), "{line}");
            }
        };
        thread::Builder::new().name("log".to_owned()).spawn(write)?;
        Ok(Self { lines, lost: AtomicU64::new(0) })
    }

    /// Says a line, if there is room; and how many were lost before it.
    pub fn say(&self, line: String) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let line = if lost > 0 { format!("{line} ({lost} lines lost before)") } else { line };
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}
