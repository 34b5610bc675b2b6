//! A node that ends, and keeps its slots: it tells all others itself, and by calls, that it
//! executes no more, before gossip says that it is gone.
//!
//! Gossip tells some, and they tell others. Whoever hears of an end from somebody else cannot
//! know whether that node still executes, and takes its place only once what it has promised
//! is over, which takes seconds. And what a node was asked before it was heard to be gone
//! fails, though it would still say that it does not execute it. So it first says by a call
//! that it joins, which it is not to be brought anything for. Each of the others acts by that
//! at once, and answers when all that it had asked of that node has ended. Then nobody waits
//! for the node any more, and it may go.

use super::Hub;
use crate::cluster::{Card, Phase};
use crate::node::peers::{Settling, Waiting};
use crate::ring::NodeId;
use crate::wire;
use std::sync::Arc;
use std::task::Waker;

/// While a node ends.
#[derive(Debug)]
pub(super) struct Parting {
    /// What it has begun.
    settling: Settling,
    /// That the others take its place, once they are told to.
    told: Option<Arc<Waiting>>,
}

impl Hub {
    /// This node executes no more from now on. What it has begun has ended when this says
    /// so, and the others have what it executed until then for theirs.
    #[must_use]
    pub fn leave(&mut self) -> bool {
        if self.parting.is_none() {
            self.cluster.leave();
        }
        let cluster = &self.cluster;
        let begin = || Parting { settling: Settling::begin(cluster, None), told: None };
        let parting = self.parting.get_or_insert_with(begin);
        if !parting.settling.is_over(cluster) {
            return false;
        }
        let told = parting.told.clone().unwrap_or_else(|| self.tell_parting());
        let is_over = told.is_over(Waker::noop());
        if let Some(parting) = &mut self.parting {
            parting.told = Some(told);
        }
        is_over
    }

    fn tell_parting(&mut self) -> Arc<Waiting> {
        // Who joins leaves nobody anything to execute. Who comes or goes for good and does not
        // get to the end of that is not to be taken for one who stays.
        let others = match self.card.phase {
            Phase::Serving => self.live_others(),
            Phase::Joining | Phase::Warm | Phase::Leaving => Vec::new(),
        };
        self.card.sequence += 1;
        let card = Card { phase: Phase::Joining, ..self.card.clone() };
        // A card that was told before is not too long now.
        let bytes = wire::card_bytes(&card).unwrap_or_default();
        self.cluster.say(&bytes, &others, self.shared.now())
    }

    /// Another node says this of itself by a call; whether that is that it ends. Who joins
    /// and stays says that by gossip.
    pub(super) fn hear_parting(&mut self, card: &Card) -> bool {
        let parts = card.phase == Phase::Joining;
        if parts {
            self.parted.insert(card.node, card.generation);
        }
        parts
    }

    /// Whether a node has said in its present life that it ends.
    pub(super) fn has_parted(&self, node: NodeId) -> bool {
        let generation = self.members.find(node).map(|member| member.generation);
        generation.is_some() && self.parted.get(&node).copied() == generation
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::stepping_back::tests::{card, serving};
    use super::*;
    use crate::cluster::Event;
    use crate::item::{Now, Version};
    use crate::memcache::Protocol;
    use crate::net::peers::Link;
    use crate::node::Shared;
    use crate::node::peers::Turn;
    use crate::node::session::Road;
    use crate::node::standing::{START_MS, node_of};
    use crate::wire::{Executor, Frames, Kept, Message, Say};
    use std::rc::Rc;
    use std::sync::atomic::AtomicU64;

    const ME: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);
    const NOW: Now = Now::from_unix_ms(START_MS);

    /// A node that serves, its link to another one that does, and what both share.
    fn beside_another() -> (Hub, Arc<Link>, Arc<Shared>) {
        let shared = node_of(&[ME, OTHER], &Arc::new(AtomicU64::new(START_MS)));
        let mut hub = serving(&shared);
        hub.handle_event(&Event::Heard(card(OTHER)), NOW).unwrap();
        let link = Arc::new(Link::detached(OTHER, 1, 1 << 20, || {}));
        hub.handle_linked(&link).unwrap();
        drop(link.take_outgoing());
        (hub, link, shared)
    }

    pub(in crate::node::hub) fn message(message: &Message<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let mut frames = Frames::new(1 << 20);
        frames.push(&bytes);
        frames.next_frame().unwrap().unwrap().to_vec()
    }

    /// What was sent by a link.
    #[derive(Default)]
    struct Sent {
        /// Cards that were said, and by which calls.
        cards: Vec<(u32, Card)>,
        /// Calls that ask for something.
        asked: Vec<u32>,
        /// Calls that were answered.
        kept: Vec<u32>,
    }

    fn sent(link: &Link) -> Sent {
        let mut sent = Sent::default();
        let mut frames = Frames::new(1 << 20);
        frames.push(&link.take_outgoing());
        while let Some(frame) = frames.next_frame().unwrap() {
            match Message::decode(frame).unwrap() {
                Message::Say(Say { call, card }) => {
                    sent.cards.push((call, wire::card(card).unwrap()));
                }
                Message::Ask(ask) => sent.asked.push(ask.call),
                Message::Kept(Kept { call, accepted: true }) => sent.kept.push(call),
                _ => {}
            }
        }
        sent
    }

    #[test]
    fn who_ends_waits_until_the_others_know() {
        let (mut hub, link, shared) = beside_another();
        let road = Rc::new(Road::new(&shared, 0));
        let turn = Road::begin_turn(&road);
        assert!(!hub.leave());
        assert!(sent(&link).cards.is_empty(), "it has begun something");
        drop(turn);
        assert!(!hub.leave());
        let said = sent(&link).cards;
        let [(call, ref card)] = said[..] else { panic!("{said:?}") };
        assert_eq!((card.node, card.phase), (ME, Phase::Joining));
        assert!(!hub.leave() && sent(&link).cards.is_empty(), "it has said so");
        let kept = message(&Message::Kept(Kept { call, accepted: true }));
        assert!(hub.handle_frame(&link, &kept, NOW).unwrap());
        assert!(hub.leave());
    }

    #[test]
    fn nobody_waits_for_a_link_to_who_is_gone() {
        let (mut hub, link, _shared) = beside_another();
        assert!(!hub.leave());
        hub.handle_unlinked(&link).unwrap();
        assert!(hub.leave());
    }

    #[test]
    fn who_hears_of_an_end_asks_nothing_any_more_and_brings_nothing() {
        let (mut hub, link, shared) = beside_another();
        let cluster = Arc::clone(shared.cluster.as_ref().unwrap());
        let mut turn = Turn::default();
        turn.ask(OTHER, Executor::Primary, Protocol::Text, true, &[b"get k\r\n"]);
        let _waits = cluster.send(0, turn, Version::ZERO, NOW);
        let [asked] = sent(&link).asked[..] else { panic!("it is asked") };
        let card = Card { sequence: 9, phase: Phase::Joining, ..card(OTHER) };
        let bytes = wire::card_bytes(&card).unwrap();
        let said = message(&Message::Say(Say { call: 5, card: &bytes }));
        assert!(hub.handle_frame(&link, &said, NOW).unwrap());
        hub.handle_tick(NOW).unwrap();
        assert!(!hub.serves(OTHER));
        assert!(sent(&link).kept.is_empty(), "it still executes something");
        let told = message(&Message::Kept(Kept { call: asked, accepted: true }));
        assert!(hub.handle_frame(&link, &told, NOW).unwrap());
        hub.handle_idle().unwrap();
        assert_eq!(sent(&link).kept, [5]);
        assert!(hub.repair.is_even(OTHER), "it is brought nothing");
    }
}
