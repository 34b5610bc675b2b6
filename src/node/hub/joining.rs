//! From the start of a node until it serves: when it may, and for whom it waits.

use super::{Effect, Hub};
use crate::cluster::{Card, Member, Phase, Step};
use crate::item::Now;
use crate::limits::{ASK_WAIT_MS_MAX, JOIN_LINK_S};
use crate::node::peers::Waiting;
use crate::ring::{NodeId, RingError};
use crate::wire;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

/// A node that is to serve tells the others so first.
#[derive(Debug)]
pub(super) struct Beginning {
    /// What it says of itself then.
    card: Card,
    waiting: Arc<Waiting>,
    /// Whom it tells that, and in which of their lives: who comes meanwhile is to know it too.
    told: BTreeMap<NodeId, u64>,
}

impl Hub {
    /// A node that joins begins to serve when all others have sent it what they
    /// had, and know that from now on it executes for its slots: two who execute
    /// for one slot would count twice.
    pub(super) fn go_on_joining(&mut self, now: Now) -> Result<(), RingError> {
        if self.card.phase != Phase::Joining {
            return Ok(());
        }
        let others = self.awaited(now);
        if let Some(beginning) = self.beginning.take() {
            // One who was to hear of it died meanwhile, perhaps.
            let may_begin = self.promises.may_take_over(self.shared.elapsed());
            if !beginning.waiting.is_over(Waker::noop()) || !may_begin {
                self.beginning = Some(beginning);
            } else if beginning.waiting.is_met_all() && beginning.told == self.lives(&others) {
                self.card = beginning.card;
                self.effects.push_back(Effect::Say(self.card.clone()));
                self.purge(false);
                return self.publish();
            } else {
                // It tries again at once, or says that it does not.
                self.card.sequence = beginning.card.sequence;
                self.told_in_vain = true;
            }
            return Ok(());
        }
        if self.cluster.overview().waits_for != self.waits_for() {
            self.show();
        }
        let becomes = match self.following.rings() {
            None => {
                self.look_for_others(&others, now);
                return Ok(());
            }
            // What it joins later it is told of first.
            Some(_) if !self.following.is_up_to_date() || self.is_stepping_back() => return Ok(()),
            Some(rings) if rings.reads(self.card.node) => Phase::Serving,
            // It has been brought all that it is to own.
            Some(rings) if rings.step == Step::HandOver && rings.has(self.card.node) => Phase::Warm,
            Some(_) => return Ok(()),
        };
        let is_filled_by = |node: &NodeId| self.is_filled_by(*node);
        let waits_for_others = becomes == Phase::Serving && !others.iter().all(is_filled_by)
            || self.knows_too_little()
            || !self.promises.may_take_over(self.shared.elapsed());
        if waits_for_others {
            self.ask_again(&others, now);
        } else {
            let sequence = self.card.sequence + 1;
            let card = Card { phase: becomes, sequence, ..self.card.clone() };
            // A card that was told before is not too long now.
            if let Ok(bytes) = wire::card_bytes(&card) {
                let (waiting, told) = (self.cluster.say(&bytes, &others, now), self.lives(&others));
                self.beginning = Some(Beginning { card, waiting, told });
            }
        }
        Ok(())
    }

    /// It does not begin after all. Some have heard that it would, and are to hear this as
    /// something newer.
    pub(super) fn give_up_beginning(&mut self) {
        if let Some(beginning) = self.beginning.take() {
            self.card.sequence = beginning.card.sequence;
            self.told_in_vain = true;
        }
        if self.told_in_vain {
            self.say();
        }
    }

    fn lives(&self, nodes: &[NodeId]) -> BTreeMap<NodeId, u64> {
        nodes.iter().map(|&node| (node, self.said(node).generation)).collect()
    }

    /// Whether a node has sent all that this one owns, and is known as what it is now: it may
    /// have begun to serve while this one was away.
    pub(super) fn is_filled_by(&self, node: NodeId) -> bool {
        let ring = self.following.ring();
        self.filled_by
            .get(&node)
            .is_some_and(|by| by.ring == ring && by.own_sequence <= self.said(node).sequence)
    }

    /// This node knows of no owners. Where nobody else does, a cluster begins with all who are
    /// there; it is for the one with the least id to say so.
    fn look_for_others(&mut self, others: &[NodeId], now: Now) {
        let looked_for = self.since_start(now);
        let is_known = !self.following.is_up_to_date();
        let waits_for_others = is_known
            || others.is_empty() && looked_for < self.config.search
            || looked_for < self.config.look
            || self.sees_strangers()
            || others.iter().any(|node| !self.filled_by.contains_key(node))
            || self.knows_too_little()
            || !self.promises.may_take_over(self.shared.elapsed());
        if waits_for_others {
            self.ask_again(others, now);
        } else if !self.somebody_knows() && others.iter().all(|&node| self.card.node < node) {
            let cards = others.iter().filter_map(|&node| self.members.current_card(node));
            let nodes = cards.chain([&self.card]).map(Card::ring_node).collect();
            self.found(nodes);
        }
    }

    /// Says again that it joins, where it was not sent all: what was said to that may be lost.
    fn ask_again(&mut self, others: &[NodeId], now: Now) {
        if !others.is_empty() && now >= self.ask_again_at {
            self.ask_wait_ms = (2 * self.ask_wait_ms).min(ASK_WAIT_MS_MAX);
            self.ask_again_at = now.after_ms(self.ask_wait_ms);
            self.say();
        }
    }

    /// Whether somebody is there who has not said yet what it is, or whom only others have
    /// heard of: it may be an owner, and have what this node lacks. It says so soon, or is
    /// held for dead.
    pub(super) fn knows_too_little(&self) -> bool {
        let mut others = self.members.iter().filter(|&(node, _)| node != self.card.node);
        let is_live = |node: &NodeId| self.members.find(*node).is_some_and(Member::is_live);
        let tellers = self.filled_by.iter().filter(|&(teller, _)| is_live(teller));
        let mut told_of = tellers.flat_map(|(_, by)| &by.live);
        // Whoever is on no ring has nothing.
        let matters = |node: NodeId| self.following.rings().is_none_or(|rings| rings.has(node));
        others.any(|(node, member)| {
            member.is_live() && member.current_card().is_none() && matters(node)
        }) || told_of.any(|&node| {
            node != self.card.node && self.members.find(node).is_none() && matters(node)
        })
    }

    /// Those from whom this node is to have all before it serves: who is on no ring has nothing. One
    /// that joins itself and cannot be linked is not waited for any longer after a while.
    pub(super) fn awaited(&self, now: Now) -> Vec<NodeId> {
        let joins_for_ms = now.unix_ms().saturating_sub(self.joins_from.unix_ms());
        let mut others = self.live_others();
        if let Some(rings) = self.following.rings() {
            others.retain(|&node| rings.has(node));
        }
        if joins_for_ms >= JOIN_LINK_S * 1000 {
            others.retain(|&node| self.serves(node) || self.cluster.is_linked(node));
        }
        others
    }

    /// Whether there are nodes that make their rings otherwise: beside them this one is
    /// not the first.
    pub(super) fn sees_strangers(&self) -> bool {
        self.members.iter().any(|(_, member)| member.is_strange())
    }

    /// The other nodes that are live and of this cluster.
    pub(super) fn live_others(&self) -> Vec<NodeId> {
        let live = self
            .members
            .iter()
            .filter(|(_, member)| member.is_live() && member.belongs())
            .filter(|(_, member)| member.current_card().is_some());
        live.map(|(node, _)| node).filter(|&node| node != self.card.node).collect()
    }

    /// Whether another node has owners, or knows of them.
    pub(super) fn somebody_knows(&self) -> bool {
        !self.nobody_serves() || self.filled_by.values().any(|by| by.ring != 0)
    }

    /// Whether none of the others serves.
    pub(super) fn nobody_serves(&self) -> bool {
        !self.live_others().iter().any(|&node| self.serves(node))
    }
}
