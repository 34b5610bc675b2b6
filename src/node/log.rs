//! What a node says on stderr while it runs, as far as `-v` asks for it.
//!
//! Each line has its time before it. What a node says before it serves, to whoever has started
//! it, is not of the log and has none.
//!
//! Nobody waits for whoever reads it: a thread of its own writes, and lines that
//! come faster than they are read are lost, and counted.

use super::log_times::{goes_to_journal, written};
use crate::limits::{LOG_END_MS, LOG_LINES_MAX};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

/// Where lines are handed in. The thread ends when this is dropped, and nobody
/// waits for that.
#[derive(Debug)]
pub struct Log {
    entries: SyncSender<Entry>,
    lost: AtomicU64,
}

#[derive(Debug)]
enum Entry {
    /// With when it was said: it may wait to be written.
    Line(SystemTime, String),
    /// All before it is written: whoever waits for that is to be told.
    End(SyncSender<()>),
}

impl Log {
    /// Writes to stderr from now on.
    ///
    /// # Errors
    /// Where a thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let (entries, waiting) = sync_channel(LOG_LINES_MAX);
        let is_timed = !goes_to_journal(io::stderr());
        let write = move || {
            for entry in waiting {
                // A closed stderr leaves nobody to tell, as does one who waits no more.
                let _ = match entry {
                    Entry::Line(at, line) if is_timed => {
                        writeln!(io::stderr(), "{} {line}", written(at)).ok()
                    }
                    Entry::Line(_, line) => writeln!(io::stderr(), "{line}").ok(),
                    Entry::End(told) => told.try_send(()).ok(),
                };
            }
        };
        thread::Builder::new().name("log".to_owned()).spawn(write)?;
        Ok(Self { entries, lost: AtomicU64::new(0) })
    }

    /// Says a line, if there is room; and how many were lost before it.
    pub fn say(&self, line: String) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let line = if lost > 0 { format!("{line} ({lost} lines lost before)") } else { line };
        if self.entries.try_send(Entry::Line(SystemTime::now(), line)).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    /// Waits until all is written that was said before; not long, if nobody reads.
    pub fn finish(&self) {
        let (told, written) = sync_channel(1);
        if self.entries.try_send(Entry::End(told)).is_ok() {
            // Whoever does not read in time does without.
            let _ = written.recv_timeout(Duration::from_millis(LOG_END_MS));
        }
    }
}
