//! `get`, `gets`, `gat`, `gats`.

use super::text::end_line;
use super::{Session, Step};
use crate::item::{Expiry, Get, Key, Now, Op};
use crate::limits::{KEY_BYTES_MAX, OUTPUT_BYTES_HIGH};
use crate::memcache::Tokens;
use crate::memcache::text::{Read, Refusal, reply};
use crate::net::Output;
use crate::node::Topic;
use crate::store::{Found, PREFETCH_MAX};

impl Session {
    /// Answers a line that asks for keys. Where the answers grow too many it
    /// stops between two keys and goes on from there when they are gone; the
    /// line stays in the input until then.
    #[inline]
    pub(super) fn read(
        &mut self,
        read: &Read<'_>,
        line: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let mut keys = match self.answered {
            0 if line.len() > KEY_BYTES_MAX && read.keys.into_iter().any(is_too_long) => {
                return self.refuse(Refusal::BadLine, line, used, out);
            }
            0 => read.keys,
            answered => Tokens::new(&line[answered as usize..]),
        };
        if read.touch.is_some() && self.among_others && self.touches_what_is_read(keys) {
            return Step::Full(0);
        }
        let (mut hits, mut misses) = (0, 0);
        let touch = read.touch.map(|seconds| Expiry::from_client(seconds.into(), now));
        let cas = read.with_cas && self.shared().settings.cas_enabled;
        let is_shared = self.among_others;
        let is_one = is_shared && self.answered == 0 && keys.take(2).count() == 1;
        let (mut full, mut foreseen) = (false, 0);
        while let Some(token) = keys.next() {
            // Looked at before: a token is never empty, and not too long.
            let Ok(key) = Key::new(token) else { continue };
            if foreseen == 0 && !keys.rest().is_empty() {
                self.road.prefetch(keys.filter_map(|token| Key::new(token).ok()));
                foreseen = PREFETCH_MAX;
            }
            foreseen = foreseen.saturating_sub(1);
            if is_shared && self.read_elsewhere(key, read, !is_one, now, out) {
                if is_one {
                    // Its answer comes whole, and may be an error.
                    return Step::Done(used);
                }
            } else {
                let from = out.bytes().len();
                match self.read_one(key, touch, cas, now, out) {
                    true => hits += 1,
                    false => misses += 1,
                }
                // One alone ends with its line, and that of another node with its request.
                if is_shared && !is_one {
                    self.end_key(from, out);
                }
            }
            if out.len() >= OUTPUT_BYTES_HIGH || is_shared && self.is_full_for_others() {
                full = true;
                break;
            }
        }
        self.count_reads(hits, misses, touch.is_some());
        if full {
            self.answered = (line.len() - keys.rest().len()) as u32;
            return Step::Full(0);
        }
        self.answered = 0;
        out.bytes().extend_from_slice(reply::END);
        Step::Done(used)
    }

    /// Whether one of the keys is still to be read for what was asked before.
    fn touches_what_is_read(&self, mut keys: Tokens<'_>) -> bool {
        keys.any(|key| self.is_to_wait(self.road.hash(key)))
    }

    #[inline]
    fn read_one(
        &mut self,
        key: Key<'_>,
        touch: Option<Expiry>,
        cas: bool,
        now: Now,
        out: &mut Output,
    ) -> bool {
        let show = |found: &Found<'_>| {
            let meta = found.meta();
            let cas = cas.then_some(meta.cas);
            reply::value_line(out.bytes(), key.bytes(), meta.flags, found.value_len(), cas);
            out.value(found);
            end_line(out);
            found.value_len()
        };
        let len = match touch {
            None => self.road.get(key, now, show),
            Some(_) => {
                let op = Op::Get(Get { touch, lease: None });
                self.road.apply(key, now, &op, |_, found| found.map(show))
            }
        };
        self.note_read(key.bytes(), len, now);
        len.is_some()
    }

    /// For those who count prefixes or watch: a read that found a value of so many
    /// bytes, or none.
    #[inline]
    pub(super) fn note_read(&self, key: &[u8], len: Option<usize>, now: Now) {
        self.count_prefix_read(key, len.is_some());
        self.note_look(key, len, now);
    }

    #[inline]
    pub(super) fn count_prefix_read(&self, key: &[u8], hit: bool) {
        self.shared().prefixes.count(key, |counts| {
            counts.gets += 1;
            counts.hits += u64::from(hit);
        });
    }

    /// The same for those who watch alone: prefixes are not counted of meta commands.
    #[inline]
    pub(super) fn note_look(&self, key: &[u8], len: Option<usize>, now: Now) {
        if self.shared().watch.wants(Topic::Fetchers) {
            self.tell_read(key, len, now);
        }
    }

    /// Reads that touch count as touches, and as nothing else.
    #[inline]
    pub(super) fn count_reads(&self, hits: u64, misses: u64, touched: bool) {
        let counters = self.counters();
        let (of_all, of_hits, of_misses) = match touched {
            false => (&counters.cmd_get, &counters.get_hits, &counters.get_misses),
            true => (&counters.cmd_touch, &counters.touch_hits, &counters.touch_misses),
        };
        of_all.add(hits + misses);
        of_hits.add(hits);
        of_misses.add(misses);
    }
}

fn is_too_long(token: &[u8]) -> bool {
    token.len() > KEY_BYTES_MAX
}
