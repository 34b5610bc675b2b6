//! What is noted down while the failure detector works: it owns its codec and
//! its handler of cards, and both write here.
//!
//! The lock is never contended and never held over a call out of here: one task
//! owns all who write and read.

use super::cards::Cards;
use crate::cluster::Card;
use crate::ring::NodeId;
use crate::wire::gossip::{
    Garbled, Identity, SwimHeader, SwimMember, SwimState, SwimWord, swim_bytes, swim_header,
    swim_member,
};
use crate::wire::{card, card_bytes};
use bytes::{Buf, BufMut};
use foca::{Header, Invalidates, Member, Message, State};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is noted down, by all who write it.
#[derive(Clone, Debug)]
pub(super) struct Ledger(Arc<Mutex<Page>>);

/// What is noted down.
#[derive(Debug)]
pub(super) struct Page {
    /// All cards.
    pub(super) cards: Cards,
    /// Those that are new since they were last looked at.
    pub(super) heard: Vec<Card>,
    /// What packets said of members since that was last looked at.
    pub(super) said: Vec<SwimMember>,
    /// Who sent the packet that is being read.
    pub(super) speaker: Option<NodeId>,
    /// The same, and to whom it was sent.
    pub(super) sent: Option<(Identity, Identity)>,
    /// The probe under way.
    pub(super) probe: Option<Probe>,
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) node: NodeId,
    number: u8,
    pub(super) answered: bool,
}

impl Ledger {
    pub(super) fn new(me: NodeId) -> Self {
        Self(Arc::new(Mutex::new(Page {
            cards: Cards::new(me),
            heard: Vec::new(),
            said: Vec::new(),
            speaker: None,
            sent: None,
            probe: None,
        })))
    }

    pub(super) fn page(&self) -> MutexGuard<'_, Page> {
        // A page is whole after each of its changes, so a panic elsewhere does
        // not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// A card came; whether it is news.
    pub(super) fn hear(&mut self, card: Card) -> bool {
        let news = self.cards.take(&card);
        if news {
            self.heard.push(card);
        }
        news
    }

    fn sent(&mut self, header: &SwimHeader) {
        if let SwimWord::Ping(number) = header.word {
            self.probe = Some(Probe { node: header.to.node(), number, answered: false });
        }
    }

    fn received(&mut self, header: &SwimHeader) {
        self.speaker = Some(header.from.node());
        self.sent = Some((header.from, header.to));
        self.said.push(SwimMember {
            identity: header.from,
            incarnation: header.incarnation,
            state: SwimState::Alive,
        });
        let (who, number) = match &header.word {
            SwimWord::Ack(number) => (header.from.node(), *number),
            SwimWord::ForwardedAck(origin, number) => (origin.node(), *number),
            _ => return,
        };
        if let Some(probe) = &mut self.probe {
            probe.answered |= probe.node == who && probe.number == number;
        }
    }
}

/// The failure detector's words as bytes.
#[derive(Debug)]
pub(super) struct Codec(pub(super) Ledger);

impl foca::Codec<Identity> for Codec {
    type Error = Garbled;

    fn encode_header(
        &mut self,
        header: &Header<Identity>,
        buf: impl BufMut,
    ) -> Result<(), Garbled> {
        let header = header_out(header);
        put(&swim_bytes(&header), buf)?;
        self.0.page().sent(&header);
        Ok(())
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Identity>, Garbled> {
        let header = get(buf, swim_header)?;
        self.0.page().received(&header);
        Ok(header_in(&header))
    }

    fn encode_member(
        &mut self,
        member: &Member<Identity>,
        buf: impl BufMut,
    ) -> Result<(), Garbled> {
        let state = match member.state() {
            State::Alive => SwimState::Alive,
            State::Suspect => SwimState::Suspect,
            State::Down => SwimState::Down,
        };
        let member =
            SwimMember { identity: *member.id(), incarnation: member.incarnation(), state };
        put(&swim_bytes(&member), buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Identity>, Garbled> {
        let member = get(buf, swim_member)?;
        self.0.page().said.push(member);
        let state = match member.state {
            SwimState::Alive => State::Alive,
            SwimState::Suspect => State::Suspect,
            SwimState::Down => State::Down,
        };
        Ok(Member::new(member.identity, member.incarnation, state))
    }
}

/// All or nothing.
fn put(bytes: &[u8], mut buf: impl BufMut) -> Result<(), Garbled> {
    if buf.remaining_mut() < bytes.len() {
        return Err(Garbled);
    }
    buf.put_slice(bytes);
    Ok(())
}

fn get<W>(
    mut buf: impl Buf,
    read: impl Fn(&[u8]) -> Result<(W, usize), Garbled>,
) -> Result<W, Garbled> {
    let (word, length) = read(buf.chunk())?;
    buf.advance(length);
    Ok(word)
}

pub(super) fn header_out(header: &Header<Identity>) -> SwimHeader {
    let word = match header.message {
        Message::Ping(number) => SwimWord::Ping(number),
        Message::Ack(number) => SwimWord::Ack(number),
        Message::PingReq { target, probe_number } => SwimWord::PingRequest(target, probe_number),
        Message::IndirectPing { origin, probe_number } => {
            SwimWord::IndirectPing(origin, probe_number)
        }
        Message::IndirectAck { target, probe_number } => {
            SwimWord::IndirectAck(target, probe_number)
        }
        Message::ForwardedAck { origin, probe_number } => {
            SwimWord::ForwardedAck(origin, probe_number)
        }
        Message::Announce => SwimWord::Announce,
        Message::Feed => SwimWord::Feed,
        Message::Gossip => SwimWord::Gossip,
        Message::Broadcast => SwimWord::Broadcast,
        Message::TurnUndead => SwimWord::TurnUndead,
    };
    SwimHeader { from: header.src, incarnation: header.src_incarnation, to: header.dst, word }
}

fn header_in(header: &SwimHeader) -> Header<Identity> {
    let message = match header.word {
        SwimWord::Ping(number) => Message::Ping(number),
        SwimWord::Ack(number) => Message::Ack(number),
        SwimWord::PingRequest(target, probe_number) => Message::PingReq { target, probe_number },
        SwimWord::IndirectPing(origin, probe_number) => {
            Message::IndirectPing { origin, probe_number }
        }
        SwimWord::IndirectAck(target, probe_number) => {
            Message::IndirectAck { target, probe_number }
        }
        SwimWord::ForwardedAck(origin, probe_number) => {
            Message::ForwardedAck { origin, probe_number }
        }
        SwimWord::Announce => Message::Announce,
        SwimWord::Feed => Message::Feed,
        SwimWord::Gossip => Message::Gossip,
        SwimWord::Broadcast => Message::Broadcast,
        SwimWord::TurnUndead => Message::TurnUndead,
    };
    Header { src: header.from, src_incarnation: header.incarnation, dst: header.to, message }
}

/// Which card a broadcast is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CardKey {
    node: NodeId,
    generation: u64,
    sequence: u64,
}

impl Invalidates for CardKey {
    fn invalidates(&self, other: &Self) -> bool {
        self.node == other.node
            && (self.generation, self.sequence) >= (other.generation, other.sequence)
    }
}

/// Takes the cards that ride on the failure detector's packets.
#[derive(Debug)]
pub(super) struct CardHandler(pub(super) Ledger);

impl foca::BroadcastHandler<Identity> for CardHandler {
    type Key = CardKey;
    type Error = Garbled;

    fn receive_item(
        &mut self,
        data: &[u8],
        sender: Option<&Identity>,
    ) -> Result<Option<CardKey>, Garbled> {
        let card = card(data).map_err(|_| Garbled)?;
        let key = CardKey { node: card.node, generation: card.generation, sequence: card.sequence };
        // Without a sender it is this node's own.
        let news = sender.is_none() || self.0.page().hear(card);
        Ok(news.then_some(key))
    }
}

impl foca::Identity for Identity {
    /// A node that comes back elsewhere takes its own place.
    type Addr = NodeId;

    /// Going on under a new generation is decided by the agent, which knows all
    /// generations that were heard of and does not hurry.
    fn renew(&self) -> Option<Self> {
        None
    }

    fn addr(&self) -> NodeId {
        self.node()
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.generation, self.address) > (adversary.generation, adversary.address)
    }
}

/// The bytes of a card that is known to be in bounds, or nothing.
pub(super) fn bytes_of(card: &Card) -> Option<Vec<u8>> {
    card_bytes(card).ok()
}
