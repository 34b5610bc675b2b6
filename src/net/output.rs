//! Answers on their way out: bytes, and large values that are shared with the
//! store instead of copied.

use crate::limits::OUTPUT_KEPT_BYTES_MAX;
use crate::store::{Found, SharedValue};
use std::collections::VecDeque;
use std::iter;
use std::ops::Range;

/// Answers to be sent, in order.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// How many of `bytes` are sent.
    bytes_sent: usize,
    /// Each stands before the byte of `bytes` with this index.
    shared: VecDeque<(usize, SharedValue)>,
    /// How many bytes of the first shared value are sent.
    first_sent: usize,
    /// Bytes of all shared values that are not sent.
    shared_len: usize,
}

impl Output {
    /// Where to write what is not a large value.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Adds a value.
    pub fn value(&mut self, found: &Found<'_>) {
        match found.shared_value() {
            Some(value) => {
                self.shared_len += value.as_ref().len();
                self.shared.push_back((self.bytes.len(), value));
            }
            None => found.append_value(&mut self.bytes),
        }
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.bytes_sent + self.shared_len
    }

    /// Bytes of memory that stay taken until more is sent: a value is held whole
    /// until its last byte has gone, and perhaps by nobody else any more.
    pub(super) fn held(&self) -> usize {
        let shared = self.shared.iter().map(|(_, value)| value.as_ref().len());
        self.bytes.len() + shared.sum::<usize>()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What waits, where it is in one piece.
    pub(super) fn single_piece(&self) -> Option<&[u8]> {
        self.shared.is_empty().then(|| &self.bytes[self.bytes_sent..])
    }

    /// What waits, piece by piece; no piece is empty.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let (mut bytes_from, mut shared_from) = (self.bytes_sent, self.first_sent);
        let pairs = self.shared.iter().flat_map(move |(at, value)| {
            let bytes = &self.bytes[std::mem::replace(&mut bytes_from, *at)..*at];
            [bytes, &value.as_ref()[std::mem::take(&mut shared_from)..]]
        });
        let last = self.shared.back().map_or(self.bytes_sent, |&(at, _)| at);
        let pieces = pairs.chain(iter::once(&self.bytes[last..]));
        pieces.filter(|piece| !piece.is_empty())
    }

    /// Takes so many bytes for sent.
    pub(super) fn advance(&mut self, mut sent: usize) {
        debug_assert!(sent <= self.len(), "only what waits can be sent");
        while let Some((at, value)) = self.shared.front() {
            let before = (at - self.bytes_sent).min(sent);
            self.bytes_sent += before;
            sent -= before;
            let left = value.as_ref().len() - self.first_sent;
            if self.bytes_sent < *at || sent < left {
                self.first_sent += sent;
                self.shared_len -= sent;
                return;
            }
            self.shared_len -= left;
            sent -= left;
            self.first_sent = 0;
            self.shared.pop_front();
        }
        self.bytes_sent += sent;
    }

    /// Forgets everything, and keeps some of the memory for the next batch.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(OUTPUT_KEPT_BYTES_MAX);
        self.shared.clear();
        (self.bytes_sent, self.first_sent, self.shared_len) = (0, 0, 0);
    }

    /// Puts texts in the place of bytes, which are in order and apart from each
    /// other, and of the large values among them. Nothing is sent yet.
    pub fn replace<'t>(&mut self, texts: impl Iterator<Item = (Range<usize>, &'t [u8])> + Clone) {
        debug_assert_eq!((self.bytes_sent, self.first_sent), (0, 0), "nothing is sent yet");
        let old = std::mem::take(&mut self.bytes);
        let mut shared = std::mem::take(&mut self.shared).into_iter().peekable();
        let more: usize = texts.clone().map(|(_, text)| text.len()).sum();
        self.bytes.reserve(old.len() + more);
        let mut from = 0;
        for (range, text) in texts {
            while let Some((at, value)) = shared.next_if(|(at, _)| *at <= range.start) {
                self.shared.push_back((at - from + self.bytes.len(), value));
            }
            while let Some((_, value)) = shared.next_if(|(at, _)| *at < range.end) {
                self.shared_len -= value.as_ref().len();
            }
            self.bytes.extend_from_slice(&old[from..range.start]);
            self.bytes.extend_from_slice(text);
            from = range.end;
        }
        for (at, value) in shared {
            self.shared.push_back((at - from + self.bytes.len(), value));
        }
        self.bytes.extend_from_slice(&old[from..]);
    }

    /// What waits, in memory of just its size. Nothing waits here afterwards.
    pub(crate) fn take_rest(&mut self) -> Self {
        let sent = self.bytes_sent;
        let moved = self.shared.drain(..).map(|(at, value)| (at - sent, value));
        let rest = Self {
            shared: moved.collect(),
            bytes: self.bytes[sent..].to_vec(),
            bytes_sent: 0,
            first_sent: self.first_sent,
            shared_len: self.shared_len,
        };
        self.clear();
        rest
    }
}

impl Output {
    /// Copies the large values in, of which there is none before this byte: for whoever
    /// wants all in one piece.
    pub(crate) fn flatten(&mut self, from: usize) {
        if self.shared.is_empty() {
            return;
        }
        let (tail, mut done) = (self.bytes.split_off(from), 0);
        for (at, value) in self.shared.drain(..) {
            self.bytes.extend_from_slice(&tail[done..at - from]);
            self.bytes.extend_from_slice(value.as_ref());
            done = at - from;
        }
        self.bytes.extend_from_slice(&tail[done..]);
        self.shared_len = 0;
    }

    /// Parts with what comes after a byte, but for large values right before it. Nothing
    /// is sent yet.
    pub(crate) fn split_off(&mut self, from: usize) -> Self {
        debug_assert_eq!((self.bytes_sent, self.first_sent), (0, 0), "nothing is sent yet");
        let first = self.shared.partition_point(|(at, _)| *at <= from);
        let shared = self.shared.split_off(first).into_iter();
        let shared: VecDeque<_> = shared.map(|(at, value)| (at - from, value)).collect();
        let shared_len = shared.iter().map(|(_, value)| value.as_ref().len()).sum();
        self.shared_len -= shared_len;
        let bytes = self.bytes.split_off(from);
        Self { bytes, bytes_sent: 0, shared, first_sent: 0, shared_len }
    }

    /// Takes all that waits, in one piece: for whoever has no socket.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.flatten(0);
        std::mem::take(self).bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{Expiry, Key, Now, Op, Store as Write, StoreMode};
    use crate::ring::{Layout, Node, NodeId, Ring};
    use crate::store::{Store, StoreConfig};

    const NOW: Now = Now::from_unix_ms(1_800_000_000_000);

    /// `a`, a large value, `bc`, two large values, and `d`; and all of it as
    /// one text.
    fn mixed() -> (Output, Vec<u8>) {
        let config = StoreConfig {
            memory: 64 << 20,
            item_bytes_max: 1 << 20,
            slot_bits: 8,
            node: 0,
            evicts: true,
            seed: 0,
        };
        let (store, mut out) = (Store::new(&config, NOW), Output::default());
        let ring = Ring::new(&Layout::default(), &[Node::new(NodeId(1))]).unwrap();
        let (hash, key) = (ring.hash(b"k"), Key::new(b"k").unwrap());
        let value: Vec<u8> = (0..200_000_u32).map(|index| (index % 251) as u8).collect();
        let write = Op::Store(Write {
            mode: StoreMode::Set,
            flags: 0,
            expiry: Expiry::Never,
            value: &value,
            compare: None,
            cas: None,
            invalidate: false,
            vivify: None,
        });
        store.apply(hash, key, NOW, &write, |_, _| ());
        for part in ["a", "bc", "", "d"] {
            out.bytes().extend(part.as_bytes());
            if part != "d" {
                store.get(hash, key, NOW, |found| out.value(found)).unwrap();
            }
        }
        let text = [b"a", &value[..], b"bc", &value, &value, b"d"].concat();
        (out, text)
    }

    #[test]
    fn pieces_are_all_in_order() {
        let (out, text) = mixed();
        assert_eq!(out.pieces().collect::<Vec<_>>().concat(), text);
        assert_eq!(out.len(), text.len());
        assert!(out.single_piece().is_none());
    }

    #[test]
    fn partial_sends_leave_the_rest() {
        for step in [1_usize << 10, 65_537, 199_999, 200_001, 200_003, 1 << 20] {
            let (mut out, text) = mixed();
            let mut sent = 0;
            while !out.is_empty() {
                let now = step.min(out.len());
                out.advance(now);
                sent += now;
                assert!(out.pieces().flatten().eq(&text[sent..]), "{step} at {sent}");
            }
            assert_eq!(sent, text.len());
        }
    }

    #[test]
    fn values_are_held_until_their_last_byte() {
        let (mut out, text) = mixed();
        assert_eq!(out.held(), text.len());
        out.advance(200_000);
        assert_eq!(out.held(), text.len(), "a byte of the first one waits");
        out.advance(1);
        assert_eq!(out.held(), text.len() - 200_000);
        assert_eq!(out.take_rest().held(), text.len() - 200_001, "no more of what was sent");
    }

    #[test]
    fn what_a_text_takes_the_place_of_goes_with_its_values() {
        // Bytes are `abcd`; values stand after the `a`, and two after the `c`.
        let (mut out, text) = mixed();
        out.replace([(1..1, &b"-"[..])].into_iter());
        assert_eq!(out.pieces().collect::<Vec<_>>().concat(), {
            let mut expected = text.clone();
            expected.insert(200_001, b'-');
            expected
        });
        let (mut out, text) = mixed();
        out.replace([(2..4, &b"ERROR"[..])].into_iter());
        let left = [&text[..200_002], b"ERROR"].concat();
        assert_eq!(out.pieces().collect::<Vec<_>>().concat(), left);
        assert_eq!(out.len(), left.len());
    }

    #[test]
    fn rest_moves_and_leaves_nothing() {
        let (mut out, text) = mixed();
        out.advance(300_000);
        let rest = out.take_rest();
        assert!(out.is_empty() && out.pieces().next().is_none());
        assert!(rest.pieces().flatten().eq(&text[300_000..]));
        assert_eq!(rest.len(), text.len() - 300_000);
    }
}
