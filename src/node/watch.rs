//! The log that clients may watch: who is told what, and how much waits for one
//! who does not listen.

use crate::item::Now;
use crate::limits::{WATCHER_BYTES_MAX, WATCHERS_MAX};
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What may be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Topic {
    /// Reads.
    Fetchers = 1,
    /// Writes.
    Mutations = 2,
    /// Items that went to make room.
    Evictions = 4,
    /// Connections that come and go.
    ConnectionEvents = 8,
    /// Deletes.
    Deletions = 16,
}

/// Some topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics(u8);

impl Topics {
    /// Adds the topic of this name. memcached has more than there are here: of
    /// those nothing is ever told.
    #[must_use]
    pub fn with(self, name: &[u8]) -> Option<Self> {
        let topic = match name {
            b"fetchers" => Topic::Fetchers as u8,
            b"mutations" => Topic::Mutations as u8,
            b"evictions" => Topic::Evictions as u8,
            b"connevents" => Topic::ConnectionEvents as u8,
            b"deletions" => Topic::Deletions as u8,
            b"proxyreqs" | b"proxyevents" | b"proxyuser" | b"rawcmds" | b"sysevents" => 0,
            _ => return None,
        };
        Some(Self(self.0 | topic))
    }
}

/// Everybody who watches.
#[derive(Debug, Default)]
pub struct Watch {
    /// What somebody watches; for a look without the lock.
    wanted: AtomicU8,
    line: AtomicU64,
    sent: AtomicU64,
    skipped: AtomicU64,
    watchers: Mutex<Vec<Arc<Watcher>>>,
}

/// One who watches.
pub struct Watcher {
    topics: Topics,
    waiting: Mutex<Vec<u8>>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// How much was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchCount {
    /// Who watches now.
    pub watchers: u64,
    /// Lines, each counted for every watcher who got it.
    pub sent: u64,
    /// Lines that a watcher did not get because it was too slow.
    pub skipped: u64,
}

impl Watch {
    /// Whether somebody watches this.
    #[inline]
    #[must_use]
    pub fn wants(&self, topic: Topic) -> bool {
        self.wanted.load(Ordering::Relaxed) & topic as u8 != 0
    }

    /// Lets another one watch; none where there are too many.
    #[must_use]
    pub fn join(&self, topics: Topics) -> Option<Arc<Watcher>> {
        let mut watchers = lock(&self.watchers);
        if watchers.len() >= WATCHERS_MAX {
            return None;
        }
        let watcher = Watcher { topics, waiting: Mutex::default(), wake: OnceLock::new() };
        let watcher = Arc::new(watcher);
        watchers.push(Arc::clone(&watcher));
        self.wanted.fetch_or(topics.0, Ordering::Relaxed);
        Some(watcher)
    }

    /// Forgets one who watched.
    pub fn leave(&self, watcher: &Arc<Watcher>) {
        let mut watchers = lock(&self.watchers);
        watchers.retain(|other| !Arc::ptr_eq(other, watcher));
        let wanted = watchers.iter().fold(0, |wanted, watcher| wanted | watcher.topics.0);
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Tells all who watch this topic. Ask [`Watch::wants`] first.
    pub fn tell(&self, topic: Topic, now: Now, text: fmt::Arguments<'_>) {
        let number = self.line.fetch_add(1, Ordering::Relaxed) + 1;
        let (seconds, millis) = (now.unix_ms() / 1000, now.unix_ms() % 1000);
        let mut line = Vec::new();
        // Writing to memory does not fail.
        let _ = writeln!(line, "ts={seconds}.{millis:03}000 gid={number} {text}");
        for watcher in lock(&self.watchers).iter().filter(|one| one.topics.0 & topic as u8 != 0) {
            let count = if watcher.push(&line) { &self.sent } else { &self.skipped };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How much was told.
    #[must_use]
    pub fn count(&self) -> WatchCount {
        WatchCount {
            watchers: lock(&self.watchers).len() as u64,
            sent: self.sent.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
        }
    }
}

impl Watcher {
    /// What to call when there is something to tell: it may be called from any
    /// thread, at any time, and is to return at once. Set once.
    pub fn on_news(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.wake.set(Box::new(wake));
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }

    /// Whether [`Watcher::on_news`] has been called.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.wake.get().is_some()
    }

    /// Moves the lines that wait to the end of `out`.
    pub fn take(&self, out: &mut Vec<u8>) {
        out.append(&mut lock(&self.waiting));
    }

    /// Adds a line, if there is room. The bell rings for the first line only:
    /// who hears it takes all.
    fn push(&self, line: &[u8]) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.len() + line.len() > WATCHER_BYTES_MAX {
            return false;
        }
        let first = waiting.is_empty();
        waiting.extend_from_slice(line);
        drop(waiting);
        if let (true, Some(wake)) = (first, self.wake.get()) {
            wake();
        }
        true
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("topics", &self.topics).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now::from_unix_ms(1_500);

    fn taken(watcher: &Watcher) -> String {
        let mut out = Vec::new();
        watcher.take(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn watchers_are_told_their_topics() {
        let watch = Watch::default();
        assert!(!watch.wants(Topic::Fetchers));
        let watcher = watch.join(Topics::default().with(b"fetchers").unwrap()).unwrap();
        assert!(watch.wants(Topic::Fetchers) && !watch.wants(Topic::Mutations));
        watch.tell(Topic::Fetchers, NOW, format_args!("type=item_get key=a"));
        watch.tell(Topic::Mutations, NOW, format_args!("type=item_store key=a"));
        assert_eq!(taken(&watcher), "ts=1.500000 gid=1 type=item_get key=a\n");
        watch.leave(&watcher);
        assert!(!watch.wants(Topic::Fetchers));
    }

    #[test]
    fn slow_watchers_lose_lines() {
        let watch = Watch::default();
        let watcher = watch.join(Topics::default().with(b"evictions").unwrap()).unwrap();
        let rings = Arc::new(AtomicU64::new(0));
        let bell = Arc::clone(&rings);
        watcher.on_news(move || {
            bell.fetch_add(1, Ordering::Relaxed);
        });
        let long = "k".repeat(WATCHER_BYTES_MAX / 2);
        (0..3).for_each(|_| watch.tell(Topic::Evictions, NOW, format_args!("{long}")));
        assert!(taken(&watcher).len() <= WATCHER_BYTES_MAX);
        assert_eq!(watch.count(), WatchCount { watchers: 1, sent: 1, skipped: 2 });
        assert_eq!(rings.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn watchers_are_bounded() {
        let watch = Watch::default();
        let all: Vec<_> = (0..=WATCHERS_MAX).map(|_| watch.join(Topics::default())).collect();
        assert!(all[WATCHERS_MAX - 1].is_some() && all[WATCHERS_MAX].is_none());
        assert_eq!(Topics::default().with(b"bogus"), None);
    }
}
