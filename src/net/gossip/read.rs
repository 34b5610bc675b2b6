//! What an agent does with what it is sent.

use super::agent::Agent;
use super::ledger::header_out;
use crate::cluster::Card;
use crate::ring::NodeId;
use crate::wire::card;
use crate::wire::gossip::{
    Digest, Identity, Parcel, SwimHeader, SwimMember, SwimState, SwimWord, parcel, swim_bytes,
};
use foca::{Header, Member, Message, State};
use rand::RngExt;
use std::net::SocketAddr;
use std::time::Duration;

/// A death is recent for so long: who heard nothing meanwhile is told of it when
/// it compares cards.
const DEATHS_RECENT: Duration = Duration::from_secs(60);

/// Deaths in one packet, at most: each takes at most 42 bytes.
const DEATHS_MAX: usize = 25;

impl Agent {
    /// What is not understood is dropped: the network loses packets too.
    pub(super) fn read(&mut self, from: SocketAddr, plain: &[u8]) {
        let Ok(parcel) = parcel(plain) else {
            return;
        };
        match parcel {
            Parcel::Swim(data) => {
                let _ = self.swim.handle_data(data, &mut self.effects);
                self.correct();
            }
            Parcel::Hello { from, incarnation } => self.greet(from, incarnation),
            Parcel::Doubt { from, of, incarnation } => self.defend(from, &of, incarnation),
            Parcel::Sum { from, cards, mix } => self.compare(from, (cards, mix)),
            Parcel::Have { from, first, last, digests } => {
                self.even_out(from, NodeId(first), NodeId(last), &digests);
            }
            Parcel::Want { nodes, .. } => self.fetch(from, &nodes),
            Parcel::Take { cards, .. } => self.take(&cards),
        }
    }

    /// One says hello who knew this address only: read as if it had known whose
    /// it is.
    fn greet(&mut self, from: Identity, incarnation: u16) {
        let me = *self.swim.identity();
        if from.node() == me.node() {
            if from.address != me.address {
                let mut page = self.ledger.page();
                page.cards.namesake = page.cards.namesake.max(from.generation);
            }
            return;
        }
        let header =
            Header { src: from, src_incarnation: incarnation, dst: me, message: Message::Announce };
        let data = swim_bytes(&header_out(&header));
        let _ = self.swim.handle_data(&data, &mut self.effects);
    }

    /// Whoever speaks to an earlier life of this node does not know that it was started
    /// again, and this node may know of nobody else.
    fn correct(&mut self) {
        let me = *self.swim.identity();
        let Some((from, to)) = self.ledger.page().sent.take() else { return };
        if to.node() == me.node() && to.generation < me.generation && self.takes_part() {
            let _ = self.swim.announce(from, &mut self.effects);
        }
    }

    /// One doubts that this node lives. It refutes that, and says so to the one who
    /// doubts straight away.
    fn defend(&mut self, from: Identity, of: &Identity, incarnation: u16) {
        let me = *self.swim.identity();
        if of.node() != me.node() || !self.takes_part() {
            return;
        }
        if *of == me {
            let doubt = std::iter::once(Member::new(me, incarnation, State::Suspect));
            let _ = self.swim.apply_many(doubt, false, &mut self.effects);
        }
        let _ = self.swim.announce(from, &mut self.effects);
    }

    /// Cards do not say who is down, so that is said too: one may have heard
    /// nothing while everyone was told.
    fn compare(&mut self, from: Identity, theirs: (u32, u64)) {
        self.remind_of_deaths(from);
        let start = self.rng.random_range(0..1 << 16);
        let ranges = {
            let cards = &mut self.ledger.page().cards;
            if cards.sum() == theirs {
                return;
            }
            cards.ranges(start)
        };
        let me = *self.swim.identity();
        for range in ranges {
            let (first, last) = (range.first.0, range.last.0);
            let have = Parcel::Have { from: me, first, last, digests: range.digests };
            self.effects.send(from.address, &have);
        }
    }

    fn remind_of_deaths(&mut self, to: Identity) {
        let down = self.told.down(self.effects.now).into_iter();
        let late =
            down.filter(|(of, down_for)| *down_for < DEATHS_RECENT && of.node() != to.node());
        let late: Vec<Identity> = late.map(|(of, _)| of).collect();
        if late.is_empty() || !self.takes_part() {
            return;
        }
        let start = self.rng.random_range(0..late.len());
        let some = late.iter().cycle().skip(start).take(late.len().min(DEATHS_MAX));
        let from = *self.swim.identity();
        self.effects.send(to.address, &Parcel::Swim(&deaths(from, to, some.copied())));
    }

    fn even_out(&mut self, from: Identity, first: NodeId, last: NodeId, digests: &[Digest]) {
        let (newer, wanted) = {
            let cards = &mut self.ledger.page().cards;
            let newer: Vec<Card> = cards.newer(first, last, digests).into_iter().cloned().collect();
            (newer, cards.wanted(digests))
        };
        self.give(from.address, &newer.iter().collect::<Vec<_>>());
        if !wanted.is_empty() {
            let me = *self.swim.identity();
            self.effects.send(from.address, &Parcel::Want { from: me, nodes: wanted });
        }
    }

    fn fetch(&mut self, to: SocketAddr, nodes: &[u64]) {
        let cards: Vec<Card> = self.ledger.page().cards.of(nodes).into_iter().cloned().collect();
        self.give(to, &cards.iter().collect::<Vec<_>>());
    }

    fn take(&mut self, cards: &[&[u8]]) {
        let mut page = self.ledger.page();
        for card in cards.iter().filter_map(|bytes| card(bytes).ok()) {
            page.hear(card);
        }
    }
}

/// The failure detector's packet that says that some are down.
fn deaths(from: Identity, to: Identity, down: impl Iterator<Item = Identity>) -> Vec<u8> {
    let mut bytes = swim_bytes(&SwimHeader { from, incarnation: 0, to, word: SwimWord::Gossip });
    let count_at = bytes.len();
    bytes.extend([0; 2]);
    let mut count: u16 = 0;
    for identity in down {
        bytes.extend(swim_bytes(&SwimMember { identity, incarnation: 0, state: SwimState::Down }));
        count += 1;
    }
    bytes[count_at..count_at + 2].copy_from_slice(&count.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::GossipConfig;
    use super::super::limits::TRANSMITS_MAX;
    use super::super::samples::{address, card};
    use super::*;
    use crate::cluster::Event;
    use crate::wire::card_bytes;
    use crate::wire::gossip::{PARCEL_BYTES_MAX, parcel_bytes};
    use proptest::prelude::*;

    fn agent(node: u64) -> Agent {
        Agent::new(GossipConfig::lan(), card(node), node, Duration::ZERO)
    }

    fn identity(node: u64) -> Identity {
        Identity::new(NodeId(node), 1, address(node))
    }

    /// Packets of two agents that meet, and of each kind.
    fn packets() -> Vec<Vec<u8>> {
        let (mut one, mut other) = (agent(1), agent(2));
        let mut packets = Vec::new();
        one.announce(address(2), Duration::ZERO);
        for _ in 0..10 {
            while let Some((_, bytes)) = one.poll_transmit() {
                other.handle_packet(address(1), &bytes, Duration::ZERO);
                packets.push(bytes);
            }
            while let Some((_, bytes)) = other.poll_transmit() {
                one.handle_packet(address(2), &bytes, Duration::ZERO);
                packets.push(bytes);
            }
        }
        assert_eq!((one.live(), other.live()), (1, 1));
        let from = identity(2);
        let doubt = Parcel::Doubt { from, of: identity(1), incarnation: 0 };
        packets.push(parcel_bytes(&doubt));
        let own = card_bytes(&Card { generation: 99, ..card(1) }).unwrap();
        packets.push(parcel_bytes(&Parcel::Take { from, cards: vec![&own] }));
        packets
    }

    #[test]
    fn a_suspect_answers_the_one_who_doubts() {
        let mut agent = agent(1);
        let doubt = Parcel::Doubt { from: identity(2), of: identity(1), incarnation: 0 };
        agent.handle_packet(address(2), &parcel_bytes(&doubt), Duration::ZERO);
        let (to, _) = agent.poll_transmit().unwrap();
        assert_eq!((to, agent.poll_transmit()), (address(2), None));
    }

    /// It knows nobody, and was not told where anybody is.
    #[test]
    fn one_that_was_started_again_is_found_by_who_speaks_to_the_life_before() {
        let (mut before, mut other) = (agent(1), agent(2));
        other.announce(address(1), Duration::ZERO);
        for _ in 0..10 {
            while let Some((_, bytes)) = other.poll_transmit() {
                before.handle_packet(address(2), &bytes, Duration::ZERO);
            }
            while let Some((_, bytes)) = before.poll_transmit() {
                other.handle_packet(address(1), &bytes, Duration::ZERO);
            }
        }
        let again = Card { generation: 2, ..card(1) };
        let mut again = Agent::new(GossipConfig::lan(), again, 3, Duration::ZERO);
        let mut now = Duration::ZERO;
        while again.live() == 0 {
            now = other.next_timeout().unwrap().max(now);
            assert!(now <= 2 * GossipConfig::lan().probe_period, "it is not found");
            other.handle_timeout(now);
            for _ in 0..3 {
                while let Some((_, bytes)) = other.poll_transmit() {
                    again.handle_packet(address(2), &bytes, now);
                }
                while let Some((_, bytes)) = again.poll_transmit() {
                    other.handle_packet(address(1), &bytes, now);
                }
            }
        }
        assert_eq!(other.live(), 1);
    }

    #[test]
    fn one_that_missed_a_death_hears_of_it_with_the_cards() {
        let (mut agent, mut other) = (agent(1), agent(2));
        for known in [identity(2), identity(3)] {
            let hello = Parcel::Hello { from: known, incarnation: 0 };
            agent.handle_packet(known.address, &parcel_bytes(&hello), Duration::ZERO);
        }
        let down = deaths(identity(2), identity(1), std::iter::once(identity(3)));
        agent.handle_packet(address(2), &parcel_bytes(&Parcel::Swim(&down)), Duration::ZERO);
        assert_eq!(agent.live(), 1);
        while agent.poll_transmit().is_some() {}

        let late = Duration::from_secs(30);
        let sum = Parcel::Sum { from: identity(2), cards: 0, mix: 0 };
        agent.handle_packet(address(2), &parcel_bytes(&sum), late);
        while let Some((_, bytes)) = agent.poll_transmit() {
            other.handle_packet(address(1), &bytes, late);
        }
        let told = std::iter::from_fn(|| other.poll_event());
        let down: Vec<_> = told.filter(|event| matches!(event, Event::Down(_))).collect();
        assert!(matches!(down[..], [Event::Down(notice)] if notice.node == NodeId(3)), "{down:?}");
    }

    #[test]
    fn deaths_fit_into_a_packet() {
        let long = Identity::new(NodeId(u64::MAX), u64::MAX, "[ffff::1]:65535".parse().unwrap());
        let many = std::iter::repeat_n(long, DEATHS_MAX);
        let bytes = parcel_bytes(&Parcel::Swim(&deaths(long, long, many)));
        assert!(bytes.len() <= PARCEL_BYTES_MAX, "{}", bytes.len());
    }

    #[test]
    fn what_waits_to_be_sent_is_bounded() {
        let mut agent = agent(1);
        for _ in 0..2 * TRANSMITS_MAX {
            agent.announce(address(2), Duration::ZERO);
        }
        assert_eq!(std::iter::from_fn(|| agent.poll_transmit()).count(), TRANSMITS_MAX);
    }

    proptest! {
        #[test]
        fn damaged_packets_are_survived(
            (which, at, byte) in (any::<usize>(), any::<usize>(), any::<u8>()),
            length in 0_usize..1400,
        ) {
            let mut packets = packets();
            let which = which % packets.len();
            let damaged = &mut packets[which];
            let at = at % damaged.len();
            damaged[at] = byte;
            damaged.truncate(length);
            let mut agent = agent(1);
            for (step, packet) in packets.iter().enumerate() {
                let now = Duration::from_millis(700) * step as u32;
                agent.handle_packet(address(2), packet, now);
                agent.handle_timeout(now);
            }
        }
    }
}
