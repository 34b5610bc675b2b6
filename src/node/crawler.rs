//! Looks for expired items, a little at a time, and tells those who watch of
//! evicted ones.

use crate::item::Now;
use crate::limits::{CRAWL_ITEMS_PER_S, CRAWL_STEP_ITEMS};
use crate::node::Shared;
use crate::store::Store;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The thread that looks; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Crawler {
    /// Hanging up is what ends it.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// So often it looks, so that each time is short.
const ROUNDS_PER_S: u32 = 10;

impl Crawler {
    /// Starts to look. `now` tells the time.
    pub(super) fn start(
        shared: Arc<Shared>,
        now: impl Fn() -> Now + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let look = move || {
            let pause = Duration::from_secs(1) / ROUNDS_PER_S;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                let now = now();
                // Without this thread nothing is cleared away any more. The panic
                // itself was told by whoever panicked.
                let looked = catch_unwind(AssertUnwindSafe(|| {
                    round(&shared.store, now);
                    shared.tell_evictions(now);
                    shared.tell_first_eviction();
                }));
                if looked.is_err()
                    && let Some(log) = &shared.log
                {
                    log.say("the crawler goes on after a panic".to_owned());
                }
            }
        };
        let thread = thread::Builder::new().name("crawler".to_owned()).spawn(look)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

/// One round, in steps: between two of them whoever wants the core has it.
fn round(store: &Store, now: Now) {
    let steps = CRAWL_ITEMS_PER_S / u64::from(ROUNDS_PER_S) / CRAWL_STEP_ITEMS;
    for _ in 0..steps {
        if store.crawl(now, CRAWL_STEP_ITEMS).looked_at < CRAWL_STEP_ITEMS {
            break;
        }
        thread::yield_now();
    }
}

impl Drop for Crawler {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Nothing depends on how it ended.
            let _ = thread.join();
        }
    }
}
