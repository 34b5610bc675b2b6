//! `watch`, and what the watchers are told of requests.

use super::write::Left;
use super::{Pending, Session};
use crate::item::{Expiry, Now, Outcome};
use crate::memcache::Tokens;
use crate::memcache::text::{Refusal, reply};
use crate::net::Output;
use crate::node::{Shared, Topic, Topics};
use std::fmt;

impl Session {
    pub(super) fn watch(&mut self, words: Tokens<'_>, out: &mut Output) {
        let text = if self.shared().settings.watch_enabled {
            self.join(words)
        } else {
            b"CLIENT_ERROR watch commands not allowed\r\n"
        };
        out.bytes().extend_from_slice(text);
    }

    fn join(&mut self, mut words: Tokens<'_>) -> &'static [u8] {
        let none = Topics::default();
        let topics = match words.rest().trim_ascii().is_empty() {
            true => none.with(b"fetchers"),
            false => words.try_fold(none, Topics::with),
        };
        let Some(topics) = topics else { return Refusal::Unknown.reply() };
        match self.shared().watch.join(topics) {
            None => b"WATCHER_TOO_MANY log watcher limit reached\r\n",
            Some(watcher) => {
                self.pending = Some(Box::new(Pending::Watch(watcher)));
                reply::OK
            }
        }
    }

    #[cold]
    pub(super) fn tell_read(&self, key: &[u8], len: Option<usize>, now: Now) {
        let (key, client) = (Encoded(key), self.connection);
        // What is not there is of no class.
        let (status, class) = if len.is_some() { ("found", 1) } else { ("not_found", 0) };
        let size = len.unwrap_or(0);
        let text = format_args!(
            "type=item_get key={key} status={status} clsid={class} cfd={client} size={size}"
        );
        self.shared().watch.tell(Topic::Fetchers, now, text);
    }

    #[cold]
    pub(super) fn tell_write(
        &self,
        key: &[u8],
        command: &str,
        outcome: Outcome,
        left: Left,
        now: Now,
    ) {
        let status = match outcome {
            Outcome::Stored => "stored",
            Outcome::Exists => "exists",
            Outcome::NotFound => "not_found",
            Outcome::TooLarge => "too_large",
            Outcome::NoRoom => "no_memory",
            _ => "not_stored",
        };
        let ttl = match left.expiry {
            Expiry::Never => 0,
            expiry @ Expiry::At(_) => expiry.left_s(now).unwrap_or(0),
        };
        let (key, client, size) = (Encoded(key), self.connection, left.value_len);
        let text = format_args!(
            "type=item_store key={key} status={status} cmd={command} ttl={ttl} clsid=1 \
             cfd={client} size={size}"
        );
        self.shared().watch.tell(Topic::Mutations, now, text);
    }

    #[cold]
    pub(super) fn tell_delete(&self, key: &[u8], now: Now) {
        let (key, client) = (Encoded(key), self.connection);
        let text = format_args!("type=deleted key={key} cmd=delete clsid=1 cfd={client} size=0");
        self.shared().watch.tell(Topic::Deletions, now, text);
    }
}

impl Shared {
    /// Tells those who watch evictions what was evicted since the last call.
    pub(in crate::node) fn tell_evictions(&self, now: Now) {
        let wanted = self.watch.wants(Topic::Evictions);
        for evicted in self.store.evicted(wanted) {
            let (key, meta, size) = (Encoded(&evicted.key), &evicted.meta, evicted.memory);
            let fetched = if meta.fetched { "yes" } else { "no" };
            let (ttl, idle) = (meta.expiry.left_s(now).map_or(-1, i64::from), meta.idle_s(now));
            let text = format_args!(
                "type=eviction key={key} fetch={fetched} ttl={ttl} la={idle} clsid=1 size={size}"
            );
            self.watch.tell(Topic::Evictions, now, text);
        }
    }
}

/// A key as a line of log can say it: whatever a URI would have to, it encodes.
pub(super) struct Encoded<'a>(pub(super) &'a [u8]);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'-' | b'_' | b'.' | b'~' => write!(f, "{}", char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(byte)),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_into_a_line() {
        assert_eq!(Encoded(b"a-b_c.d~1").to_string(), "a-b_c.d~1");
        assert_eq!(Encoded(b"a b:\n\xff").to_string(), "a%20b%3A%0A%FF");
    }
}
