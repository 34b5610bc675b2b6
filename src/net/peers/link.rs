//! One peer, as the node sees it: where frames to it are put.
//!
//! A frame is appended to memory under a lock that is held for nothing else, from
//! any thread; a task takes all that is there and sends it at once. So a busy
//! link sends many frames with one packet, and an idle one sends each at once.

use crate::limits::{OUTBOX_KEPT_BYTES_MAX, OUTBOX_LATER_BYTES_MAX};
use crate::ring::NodeId;
use crate::wire::FRAME_PREFIX_BYTES;
use quinn::VarInt;
use std::fmt;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// A connection to another node, which ends and is not taken up again: the next
/// one to the same node is another link.
pub struct Link {
    node: NodeId,
    name: Box<str>,
    generation: u64,
    version: u16,
    lane: u16,
    lanes: Box<[u16]>,
    bulk: u16,
    outbox_bytes_max: usize,
    frame_bytes_max: usize,
    outbox: Mutex<Outbox>,
    on_ready: Box<dyn Fn() + Send + Sync>,
    connection: Option<quinn::Connection>,
    ended: OnceLock<Box<str>>,
}

#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    /// Bytes that were taken out and are not sent.
    sending: usize,
    /// Whoever moves the bytes knows that there are some.
    announced: bool,
}

/// Nothing was sent: there is no room for it, or the link is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer has no room for more, or is gone")
    }
}

impl std::error::Error for Full {}

/// What a link is made of.
pub(super) struct LinkParts {
    pub(super) node: NodeId,
    pub(super) name: Box<str>,
    pub(super) generation: u64,
    pub(super) version: u16,
    pub(super) lane: u16,
    pub(super) lanes: Box<[u16]>,
    pub(super) bulk: u16,
    pub(super) outbox_bytes_max: usize,
    pub(super) frame_bytes_max: usize,
    pub(super) on_ready: Box<dyn Fn() + Send + Sync>,
    pub(super) connection: Option<quinn::Connection>,
}

impl Link {
    pub(super) fn new(parts: LinkParts) -> Self {
        Self {
            node: parts.node,
            name: parts.name,
            generation: parts.generation,
            version: parts.version,
            lane: parts.lane,
            lanes: parts.lanes,
            bulk: parts.bulk,
            outbox_bytes_max: parts.outbox_bytes_max,
            frame_bytes_max: parts.frame_bytes_max,
            outbox: Mutex::default(),
            on_ready: parts.on_ready,
            connection: parts.connection,
            ended: OnceLock::new(),
        }
    }

    /// A link whose bytes somebody else moves: `on_ready` is called when there
    /// are some, and not again before [`Link::take_outgoing`].
    #[must_use]
    pub fn detached(
        node: NodeId,
        generation: u64,
        outbox_bytes_max: usize,
        on_ready: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self::new(LinkParts {
            node,
            name: Box::default(),
            generation,
            version: crate::wire::PROTOCOL_VERSION,
            lane: 0,
            lanes: Box::default(),
            bulk: 0,
            outbox_bytes_max,
            frame_bytes_max: outbox_bytes_max,
            on_ready: Box::new(on_ready),
            connection: None,
        })
    }

    /// Who is at the other end.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// What the other end is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which of its lives this is: greater with every start.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The protocol version that both speak.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Which of the links to that node this is: zero for the one by which nodes speak
    /// of the cluster, greater ones for those between lanes, and [`BULK_LANE`](crate::wire::BULK_LANE) for the
    /// one that this node brings the other by what it lacks.
    #[must_use]
    pub fn lane(&self) -> u16 {
        self.lane
    }

    /// Where the lanes of the node at the other end are, in their order, as far as it
    /// told.
    #[must_use]
    pub fn lanes(&self) -> Vec<SocketAddr> {
        let Some(connection) = &self.connection else { return Vec::new() };
        let ip = connection.remote_address().ip();
        self.lanes.iter().map(|&port| SocketAddr::new(ip, port)).collect()
    }

    /// Where the node at the other end takes what is moved in bulk, as far as it told.
    #[must_use]
    pub fn bulk(&self) -> Option<SocketAddr> {
        let ip = self.connection.as_ref()?.remote_address().ip();
        (self.bulk != 0).then(|| SocketAddr::new(ip, self.bulk))
    }

    /// How long a packet and its answer take, as measured lately; zero where
    /// nothing is measured.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.connection.as_ref().map_or(Duration::ZERO, quinn::Connection::rtt)
    }

    /// Sends the whole frames that `write` appends, or none of them. It is called
    /// with the link locked: it is to encode and to do nothing else.
    ///
    /// # Errors
    /// Where there is no room, where a frame is longer than the other end takes,
    /// and where the link is at its end. Nothing was sent then.
    pub fn send(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Full> {
        self.append(write)?;
        self.announce();
        Ok(())
    }

    /// The same, for what nobody waits for: it goes out with what is sent next, or with
    /// the next [`Link::announce`], so that one wake-up and one packet serve many.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub fn send_later(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Full> {
        if self.append(write)? >= OUTBOX_LATER_BYTES_MAX {
            self.announce();
        }
        Ok(())
    }

    /// Has all that waits sent.
    pub fn announce(&self) {
        let mut outbox = self.outbox();
        if !outbox.bytes.is_empty() && !std::mem::replace(&mut outbox.announced, true) {
            drop(outbox);
            (self.on_ready)();
        }
    }

    /// How many bytes wait then.
    fn append(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<usize, Full> {
        let mut outbox = self.outbox();
        let before = outbox.bytes.len();
        if self.is_ended() || before + outbox.sending >= self.outbox_bytes_max {
            return Err(Full);
        }
        write(&mut outbox.bytes);
        let fits = outbox.bytes.len() + outbox.sending <= self.outbox_bytes_max;
        if !fits || !are_frames(&outbox.bytes[before..], self.frame_bytes_max) {
            outbox.bytes.truncate(before);
            outbox.bytes.shrink_to(OUTBOX_KEPT_BYTES_MAX);
            return Err(Full);
        }
        Ok(outbox.bytes.len())
    }

    /// All that is to be sent, which counts as sent.
    #[must_use]
    pub fn take_outgoing(&self) -> Vec<u8> {
        let mut outbox = self.outbox();
        outbox.announced = false;
        mem::take(&mut outbox.bytes)
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn bytes_waiting(&self) -> usize {
        let outbox = self.outbox();
        outbox.bytes.len() + outbox.sending
    }

    /// Ends the link: nothing is sent or received by it any more. The first
    /// reason given is kept, and the other end hears it.
    pub fn end(&self, why: &str) {
        let first = self.ended.set(why.into()).is_ok();
        if let (true, Some(connection)) = (first, &self.connection) {
            connection.close(ENDED, why.as_bytes());
        }
        self.outbox().bytes = Vec::new();
    }

    /// Whether it is at its end.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Why it is at its end, if it is.
    #[must_use]
    pub fn why_ended(&self) -> Option<&str> {
        self.ended.get().map(AsRef::as_ref)
    }

    /// Swaps what is to be sent against what was sent.
    pub(super) fn swap_outgoing(&self, sent: &mut Vec<u8>) {
        sent.clear();
        sent.shrink_to(OUTBOX_KEPT_BYTES_MAX);
        let mut outbox = self.outbox();
        mem::swap(&mut outbox.bytes, sent);
        outbox.sending = sent.len();
        outbox.announced = false;
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code that a connection is closed with; the words beside it say more.
pub(super) const ENDED: VarInt = VarInt::from_u32(1);

/// Whether these are whole frames that another node takes.
fn are_frames(mut bytes: &[u8], frame_bytes_max: usize) -> bool {
    while let Some((prefix, rest)) = bytes.split_first_chunk::<FRAME_PREFIX_BYTES>() {
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > frame_bytes_max || length > rest.len() {
            return false;
        }
        bytes = &rest[length..];
    }
    bytes.is_empty()
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("node", &self.node)
            .field("name", &self.name)
            .field("lane", &self.lane)
            .field("generation", &self.generation)
            .field("ended", &self.why_ended())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::append_frame;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn link(bytes_max: usize) -> (Link, Arc<AtomicU32>) {
        let wakes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&wakes);
        let on_ready = move || _ = counted.fetch_add(1, Ordering::Relaxed);
        (Link::detached(NodeId(1), 1, bytes_max, on_ready), wakes)
    }

    fn frame(bytes: usize) -> impl FnOnce(&mut Vec<u8>) {
        move |into| append_frame(into, |into| into.resize(into.len() + bytes, 7))
    }

    #[test]
    fn a_batch_is_announced_once() {
        let (link, wakes) = link(1000);
        for _ in 0..3 {
            link.send(frame(6)).unwrap();
        }
        assert_eq!((wakes.load(Ordering::Relaxed), link.bytes_waiting()), (1, 30));
        assert_eq!(link.take_outgoing().len(), 30);
        link.send(frame(6)).unwrap();
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_nobody_waits_for_goes_with_the_next() {
        let (link, wakes) = link(1 << 20);
        let woken = || wakes.load(Ordering::Relaxed);
        link.send_later(frame(6)).unwrap();
        assert_eq!((woken(), link.bytes_waiting()), (0, 10));
        link.send(frame(6)).unwrap();
        assert_eq!((woken(), link.take_outgoing().len()), (1, 20));
        link.announce();
        link.send_later(frame(6)).unwrap();
        assert_eq!(woken(), 1);
        link.announce();
        link.announce();
        assert_eq!((woken(), link.take_outgoing().len()), (2, 10));
        // Much does not wait.
        link.send_later(frame(OUTBOX_LATER_BYTES_MAX)).unwrap();
        assert_eq!(woken(), 3);
    }

    #[test]
    fn a_full_outbox_refuses_and_keeps_what_it_has() {
        let (link, _) = link(100);
        link.send(frame(76)).unwrap();
        assert_eq!(link.send(frame(17)), Err(Full));
        assert_eq!(link.bytes_waiting(), 80);
        link.send(frame(16)).unwrap();
        assert_eq!(link.send(|_| panic!("there is no room")), Err(Full));
        assert_eq!(link.take_outgoing().len(), 100);
        link.send(frame(1)).unwrap();
    }

    #[test]
    fn what_is_being_sent_counts() {
        let (link, _) = link(100);
        link.send(frame(76)).unwrap();
        let mut sending = Vec::new();
        link.swap_outgoing(&mut sending);
        assert_eq!(link.send(frame(17)), Err(Full));
        link.swap_outgoing(&mut sending);
        link.send(frame(17)).unwrap();
    }

    #[test]
    fn a_refused_giant_leaves_no_memory_behind() {
        let (link, _) = link(1000);
        assert_eq!(link.send(frame(8 << 20)), Err(Full));
        assert!(link.outbox().bytes.capacity() <= OUTBOX_KEPT_BYTES_MAX);
    }

    #[test]
    fn what_is_no_frame_is_not_sent() {
        let (link, _) = link(100);
        assert_eq!(link.send(|into| into.extend_from_slice(b"\x05\0\0\0abc")), Err(Full));
        assert_eq!(link.send(|into| into.extend_from_slice(b"\x01\0\0\0abc")), Err(Full));
        assert_eq!(link.bytes_waiting(), 0);
    }

    #[test]
    fn an_ended_link_takes_nothing() {
        let (link, _) = link(100);
        link.send(frame(6)).unwrap();
        link.end("the node is gone");
        link.end("said later");
        assert_eq!(link.send(frame(6)), Err(Full));
        assert_eq!((link.why_ended(), link.bytes_waiting()), (Some("the node is gone"), 0));
    }
}
