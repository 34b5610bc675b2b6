//! What one turn of a session sends to other nodes: requests for keys that they
//! execute for, and copies of items that were written here.

use super::waiting::{Calls, Need};
use crate::item::Version;
use crate::limits::{
    ASK_REQUESTS_MAX, BULK_TURN_BYTES, BULK_TURN_ROOM_BYTES, KEEP_ITEMS_MAX, TURN_BYTES_HIGH,
};
use crate::memcache::Protocol;
use crate::ring::NodeId;
use crate::store::Found;
use crate::wire;

/// What one turn sends, gathered until its end: one message for each node and
/// purpose.
#[derive(Debug, Default)]
pub(in crate::node) struct Turn {
    /// A call each.
    sendings: Vec<Sending>,
    needs: Vec<Need>,
    /// Copies that the step under way has sent.
    step: Calls,
    /// Requests and items, and bytes of them.
    parts: usize,
    bytes: usize,
    /// See [`Turn::that_brings`].
    brings: bool,
    /// See [`Turn::set_offers`].
    offers: bool,
}

/// One call to one node.
#[derive(Debug)]
pub(in crate::node) struct Sending {
    pub(in crate::node) to: NodeId,
    pub(super) what: What,
    /// What the parts below are parts of.
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum What {
    Ask { executor: wire::Executor, requests: Vec<Asked> },
    Keep(Vec<Kept>),
}

/// A request, up to this byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) protocol: Protocol,
    reads: bool,
    pub(super) end: usize,
}

/// An item: its key up to a byte, its value up to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) slot: u32,
    key_end: usize,
    value_end: usize,
    version: Version,
    expiry_s: u32,
    rest: Option<Rest>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    cas: u64,
    flags: u32,
    stale: bool,
    won: bool,
}

/// Where the answer to a request will be.
#[derive(Clone, Copy, Debug)]
pub(in crate::node) struct AskedAt {
    /// Of which call of the turn.
    pub(in crate::node) call: u16,
    /// Which of its replies.
    pub(in crate::node) request: u16,
}

impl Turn {
    pub(in crate::node) fn is_empty(&self) -> bool {
        self.sendings.is_empty()
    }

    /// Whether it has gathered so much that it is to be sent before there is more.
    pub(in crate::node) fn is_full(&self) -> bool {
        let bytes_high = if self.brings { BULK_TURN_BYTES } else { TURN_BYTES_HIGH };
        self.parts >= ASK_REQUESTS_MAX.min(KEEP_ITEMS_MAX) || self.bytes >= bytes_high
    }

    pub(super) fn sendings(&self) -> &[Sending] {
        &self.sendings
    }

    /// Requests and items that it has gathered.
    pub(super) fn parts(&self) -> usize {
        self.parts
    }

    /// Bytes of them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many bytes of answers wait for those of other nodes: they count as well.
    pub(in crate::node) fn holds(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// One that copies in bulk what was there before: where a copy fails, it is brought again.
    pub(super) fn that_brings() -> Self {
        Self { brings: true, ..Self::default() }
    }

    /// What it copies was there before: where a copy fails, it is left at that.
    pub(super) fn set_offers(&mut self) {
        self.offers = true;
    }

    pub(super) fn offers(&self) -> bool {
        self.offers
    }

    pub(super) fn brings(&self) -> bool {
        self.brings
    }

    /// Whoever waits for this turn waits for all of it.
    pub(super) fn wait_for_all(&mut self) {
        self.needs.extend((0..self.sendings.len() as u16).map(Need::of));
    }

    /// Sends a request, made of these parts, to the node that executes it.
    pub(in crate::node) fn ask(
        &mut self,
        to: NodeId,
        executor: wire::Executor,
        protocol: Protocol,
        reads: bool,
        parts: &[&[u8]],
    ) -> AskedAt {
        let fits = |what: &What| matches!(what, What::Ask { executor: e, .. } if *e == executor);
        let call = self.sending(to, fits, || What::Ask { executor, requests: Vec::new() });
        let Sending { what, bytes, .. } = &mut self.sendings[usize::from(call)];
        for part in parts {
            bytes.extend_from_slice(part);
        }
        let What::Ask { requests, .. } = what else { unreachable!("an ask was looked for") };
        requests.push(Asked { protocol, reads, end: bytes.len() });
        self.parts += 1;
        self.bytes += parts.iter().map(|part| part.len()).sum::<usize>();
        let request = requests.len() as u16 - 1;
        if request == 0 {
            self.needs.push(Need::of(call));
        }
        AskedAt { call, request }
    }

    /// Sends a copy of an item that the step under way has written.
    pub(in crate::node) fn keep(&mut self, to: NodeId, slot: u32, key: &[u8], found: &Found<'_>) {
        let call = self.keep_beside(to, slot, key, found);
        self.step.push(call);
    }

    /// The same to one who is not asked whether it has it: it is only to own the slot.
    pub(in crate::node) fn keep_beside(
        &mut self,
        to: NodeId,
        slot: u32,
        key: &[u8],
        found: &Found<'_>,
    ) -> u16 {
        let is_keep = |what: &What| matches!(what, What::Keep(_));
        let call = self.sending(to, is_keep, || What::Keep(Vec::new()));
        let Sending { what, bytes, .. } = &mut self.sendings[usize::from(call)];
        let What::Keep(items) = what else { unreachable!("a keep was looked for") };
        bytes.extend_from_slice(key);
        let key_end = bytes.len();
        let meta = found.meta();
        let tombstone = found.is_tombstone();
        if !tombstone {
            found.append_value(bytes);
        }
        items.push(Kept {
            slot,
            key_end,
            value_end: bytes.len(),
            version: meta.version,
            expiry_s: meta.expiry.to_word(),
            rest: (!tombstone).then_some(Rest {
                cas: meta.cas,
                flags: meta.flags,
                stale: meta.standing.stale,
                won: meta.standing.won,
            }),
        });
        self.parts += 1;
        self.bytes += key.len() + found.value_len();
        call
    }

    /// The copies that the step has sent, of which so many have to be
    /// acknowledged before its answer may go out.
    pub(in crate::node) fn end_step(&mut self, least: u8) -> Calls {
        let calls = std::mem::take(&mut self.step);
        if least > 0 && !calls.is_empty() {
            self.needs.push(Need { calls, least });
        }
        calls
    }

    pub(super) fn into_parts(self) -> (Vec<Sending>, Vec<Need>) {
        (self.sendings, self.needs)
    }

    fn sending(
        &mut self,
        to: NodeId,
        fits: impl Fn(&What) -> bool,
        make: impl FnOnce() -> What,
    ) -> u16 {
        let there = self.sendings.iter().position(|there| there.to == to && fits(&there.what));
        let place = there.unwrap_or_else(|| {
            // What is to be full needs no smaller memory first.
            let room = if self.brings { BULK_TURN_ROOM_BYTES } else { 0 };
            self.sendings.push(Sending { to, what: make(), bytes: Vec::with_capacity(room) });
            self.sendings.len() - 1
        });
        place as u16
    }
}

impl Sending {
    /// One of the requests.
    pub(in crate::node) fn request(&self, number: u16) -> (Protocol, &[u8]) {
        let What::Ask { requests, .. } = &self.what else { return (Protocol::Text, b"") };
        let number = usize::from(number);
        let from = number.checked_sub(1).map_or(0, |before| requests[before].end);
        let Asked { protocol, end, .. } = requests[number];
        (protocol, &self.bytes[from..end])
    }

    /// Whether nothing is asked that changes anything.
    pub(in crate::node) fn only_reads(&self) -> bool {
        match &self.what {
            What::Ask { requests, .. } => requests.iter().all(|asked| asked.reads),
            What::Keep(_) => false,
        }
    }

    /// Whether it asks a node that is to execute as the primary.
    pub(in crate::node) fn asks_primary(&self) -> bool {
        matches!(self.what, What::Ask { executor: wire::Executor::Primary, .. })
    }

    /// Whether it asks an owner for reads that need not be the primary's.
    pub(in crate::node) fn asks_copy(&self) -> bool {
        matches!(self.what, What::Ask { executor: wire::Executor::Copy, .. })
    }

    /// The requests, in order.
    pub(super) fn requests(&self) -> Vec<wire::Request<'_>> {
        let What::Ask { requests, .. } = &self.what else { return Vec::new() };
        let mut from = 0;
        let request = |asked: &Asked| {
            let bytes = &self.bytes[std::mem::replace(&mut from, asked.end)..asked.end];
            let protocol = match asked.protocol {
                Protocol::Text => wire::Protocol::Text,
                Protocol::Binary => wire::Protocol::Binary,
            };
            wire::Request { protocol, bytes }
        };
        requests.iter().map(request).collect()
    }

    /// The items, in order.
    pub(super) fn items(&self) -> Vec<wire::Item<'_>> {
        let What::Keep(items) = &self.what else { return Vec::new() };
        let mut from = 0;
        let item = |kept: &Kept| {
            let key = &self.bytes[std::mem::replace(&mut from, kept.value_end)..kept.key_end];
            let value = &self.bytes[kept.key_end..kept.value_end];
            let body = kept.rest.map(|Rest { cas, flags, stale, won }| wire::Body {
                cas,
                flags,
                stale,
                won,
                value,
            });
            let (version, expiry_s) = (kept.version.0, kept.expiry_s);
            wire::Item { key, version, expiry_s, body }
        };
        items.iter().map(item).collect()
    }

    /// It was sent: only to whom is still to be known.
    pub(super) fn forget_bytes(&mut self) {
        (self.what, self.bytes) = (What::Keep(Vec::new()), Vec::new());
    }

    /// How many items it has, and the bytes of all.
    pub(super) fn size(&self) -> (usize, usize) {
        match &self.what {
            What::Ask { .. } => (0, self.bytes.len()),
            What::Keep(items) => (items.len(), self.bytes.len()),
        }
    }

    /// The slots of the items.
    pub(super) fn slots(&self) -> Vec<u32> {
        match &self.what {
            What::Ask { .. } => Vec::new(),
            What::Keep(items) => items.iter().map(|kept| kept.slot).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A turn to which so many bytes were added.
    fn with(mut turn: Turn, bytes: usize) -> Turn {
        let part: &[u8] = &vec![7; bytes];
        turn.ask(NodeId(1), wire::Executor::Copy, Protocol::Text, true, &[part]);
        turn
    }

    #[test]
    fn what_brings_is_full_sooner() {
        assert!(!with(Turn::that_brings(), BULK_TURN_BYTES - 1).is_full());
        assert!(with(Turn::that_brings(), BULK_TURN_BYTES).is_full());
        assert!(!with(Turn::default(), TURN_BYTES_HIGH - 1).is_full());
    }

    #[test]
    fn what_brings_is_gathered_where_it_stays() {
        let turn = with(Turn::that_brings(), BULK_TURN_BYTES);
        assert_eq!(turn.sendings[0].bytes.capacity(), BULK_TURN_ROOM_BYTES);
        // One that may have a single key takes no more than it needs.
        assert!(with(Turn::default(), 100).sendings[0].bytes.capacity() < 1000);
    }
}
