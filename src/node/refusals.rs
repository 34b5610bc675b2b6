//! Who is refused by this node, for the log: whoever tries again and again is
//! named once in a while, with how often it was.

use super::Log;
use crate::item::Now;
use crate::limits::REFUSED_PEERS_MAX;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// What the threads that other nodes reach have to say.
#[derive(Debug)]
pub(super) struct Remarks {
    log: Option<Arc<Log>>,
    refusals: Mutex<Refusals>,
}

impl Remarks {
    pub(super) fn new(log: Option<Arc<Log>>) -> Self {
        Self { log, refusals: Mutex::default() }
    }

    /// Says it whatever `-v` is: who comes and goes here is not a client.
    pub(super) fn say(&self, line: String) {
        if let Some(log) = &self.log {
            log.say(line);
        }
    }

    /// Says who was refused, unless that was said lately.
    pub(super) fn refused(&self, what: &str, from: SocketAddr, why: &str, now: Now) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = refusals.line(what, from.ip(), why, now) {
            self.say(line);
        }
    }
}

/// Between two lines about the same machine and the same reason.
const PAUSE_MS: u64 = 60_000;

/// What has been refused lately.
#[derive(Debug, Default)]
struct Refusals {
    known: BTreeMap<(IpAddr, String), Known>,
}

#[derive(Debug)]
struct Known {
    told_ms: u64,
    /// Since it was told.
    count: u64,
}

impl Refusals {
    /// The line to log, if this is to be told now.
    fn line(&mut self, what: &str, from: IpAddr, why: &str, now: Now) -> Option<String> {
        let now_ms = now.unix_ms();
        let key = (from, format!("{what} {why}"));
        if let Some(known) = self.known.get_mut(&key) {
            if now_ms < known.told_ms + PAUSE_MS {
                known.count += 1;
                return None;
            }
            let count = known.count;
            *known = Known { told_ms: now_ms, count: 0 };
            return Some(format!("refused what={what} from={from} why={why:?} before={count}"));
        }
        self.known.retain(|_, known| now_ms < known.told_ms + PAUSE_MS);
        if self.known.len() >= REFUSED_PEERS_MAX {
            // So many at once say no more than these.
            return None;
        }
        self.known.insert(key, Known { told_ms: now_ms, count: 0 });
        Some(format!("refused what={what} from={from} why={why:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn at(ms: u64) -> Now {
        Now::from_unix_ms(1_000_000 + ms)
    }

    #[test]
    fn the_same_is_told_once_in_a_while_and_counted() {
        let mut refusals = Refusals::default();
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let line = refusals.line("call", from, "the secret differs", at(0)).unwrap();
        assert_eq!(line, "refused what=call from=127.0.0.1 why=\"the secret differs\"");
        for ms in 1..10 {
            assert_eq!(refusals.line("call", from, "the secret differs", at(ms)), None);
        }
        assert!(refusals.line("call", from, "it is too old", at(10)).is_some());
        let line = refusals.line("call", from, "the secret differs", at(PAUSE_MS)).unwrap();
        assert!(line.ends_with(" before=9"), "{line}");
    }

    #[test]
    fn many_machines_take_bounded_memory() {
        let mut refusals = Refusals::default();
        let from = |number: u32| IpAddr::V4(Ipv4Addr::from(number));
        let told = (0..2 * REFUSED_PEERS_MAX as u32)
            .filter_map(|number| refusals.line("call", from(number), "x", at(0)));
        assert_eq!(told.count(), REFUSED_PEERS_MAX);
        assert!(refusals.line("call", from(9), "x", at(PAUSE_MS)).is_some());
        assert!(refusals.known.len() <= REFUSED_PEERS_MAX);
    }
}
