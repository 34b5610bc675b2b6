//! Looks while all is well whether the copies of this node's slots are alike, and makes them so.
//!
//! The primary of each slot compares digests with its other owners, everything once in some
//! minutes. What differs is looked at again after some seconds, for copies are under way all the
//! time ([`Differing`]). What differs still, and in the same way, is listed by all owners, key by
//! key ([`Evening`] decides what is to be done about it), and the one who has the newest sends it.
//! What is over in a slot that is listed goes, for until then its digest tells of it.
//!
//! Nobody fights eviction: a node that lacked room lately says so with its digests, and is left
//! alone. And what differs for good, such as what is too old to be brought, is remembered by how
//! it differs, and not looked at again before that changes.
//!
//! What is sent here is marked nowhere: where it does not arrive, the next look finds it.

#[cfg(test)]
mod tests;

use super::comparing::{Comparing, Look, Seen};
use super::differing::{Differing, Suspects};
use super::evening::{Evening, List};
use super::listing::{Listing, Listings};
use super::{Cluster, Turn};
use crate::item::Now;
use crate::limits::{
    AUDIT_GATHER_SLOTS, AUDIT_REST_MS, AUDIT_ROUND_MS, AUDIT_SETTLE_MS, AUDIT_SLOTS_MAX,
    LIST_BUSY_MS, LIST_MS, LIST_SLOTS_MAX,
};
use crate::node::session::Road;
use crate::ring::{KeyHash, NodeId};
use crate::wire::{Bring, List as ListSlots, ListState, Listed, Message};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// What another node says for this.
#[derive(Debug)]
pub(in crate::node) enum Audited {
    /// It wants to know what is here in these slots.
    List(u64, Vec<u32>),
    /// That is what it has, if that is all.
    Listed(u64, ListState, List),
    /// That node is to be brought what is here under these hashes.
    Bring(NodeId, Vec<KeyHash>),
}

/// Compares the copies of this node's slots. Belongs to the hub's thread.
pub(in crate::node) struct Audit {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    /// What is still to be looked at in this round, and when the next look is due.
    left: Vec<(NodeId, Vec<u32>)>,
    next_at: Now,
    every_ms: u64,
    /// While a round begins: its slots, by their other owners, up to one.
    gathered: Option<(u32, BTreeMap<NodeId, Vec<u32>>)>,
    looking: Option<Looking>,
    differing: Differing,
    exchange: Option<Exchange>,
    /// Of the last one.
    number: u64,
    exchange_at: Now,
    rest_ms: u64,
    /// Slots that are listed at a time: fewer where they have much.
    at_once: usize,
    /// For others.
    listings: Listings,
}

struct Looking {
    node: NodeId,
    comparing: Comparing,
    /// What was seen at the first look, if this is the second.
    before: Option<Suspects>,
}

/// All owners of some slots list what they have.
struct Exchange {
    slots: BTreeSet<u32>,
    others: BTreeSet<NodeId>,
    mine: Listing,
    lists: BTreeMap<NodeId, List>,
    /// Who makes lists for others, and when it is asked again.
    busy: BTreeMap<NodeId, Now>,
    began: Now,
    until: Now,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("differing", &self.differing).finish_non_exhaustive()
    }
}

impl Audit {
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>, now: Now) -> Self {
        Self {
            road,
            cluster,
            left: Vec::new(),
            next_at: now,
            every_ms: AUDIT_ROUND_MS,
            gathered: None,
            looking: None,
            differing: Differing::default(),
            exchange: None,
            number: now.unix_ms(),
            exchange_at: now,
            rest_ms: *AUDIT_REST_MS.start(),
            at_once: LIST_SLOTS_MAX,
            listings: Listings::default(),
        }
    }

    /// Goes on for a moment. `may` is false while owners change, or this node does not serve.
    pub(in crate::node) fn step(&mut self, may: bool, now: Now) {
        if !may {
            self.begin_anew(now);
            return;
        }
        self.list_for_others(now);
        self.look(now);
        self.go_on_exchanging(now);
    }

    /// Owners are to be others: what was seen of them counts no more.
    fn begin_anew(&mut self, now: Now) {
        self.left.clear();
        self.differing.clear();
        self.listings.clear();
        self.gathered = None;
        (self.looking, self.exchange) = (None, None);
        // Who has just caught up is to come to rest first.
        self.next_at = now.after_ms(AUDIT_SETTLE_MS);
    }

    /// Whether nothing is under way that some ticks would bring on: lists are made bit by bit,
    /// and whoever asked for one waits.
    pub(in crate::node) fn rests(&self) -> bool {
        self.gathered.is_none() && self.listings.len() == 0 && self.lists_own() == 0
    }

    /// Lists that this node makes for itself.
    fn lists_own(&self) -> usize {
        usize::from(self.exchange.as_ref().is_some_and(|it| !it.mine.is_over()))
    }

    /// Another node says something for this.
    pub(in crate::node) fn hear(&mut self, from: NodeId, said: Audited, now: Now) {
        match said {
            Audited::List(number, slots) => self.asked(from, number, slots, now),
            Audited::Listed(number, state, list) => {
                let exchange = self.exchange.as_mut().filter(|it| it.others.contains(&from));
                let Some(exchange) = exchange.filter(|_| number == self.number) else { return };
                match state {
                    ListState::All => {
                        exchange.lists.insert(from, list);
                        exchange.until = now.after_ms(LIST_MS);
                    }
                    ListState::UnderWay => exchange.until = now.after_ms(LIST_MS),
                    ListState::Busy => drop(exchange.busy.insert(from, now.after_ms(LIST_BUSY_MS))),
                    ListState::TooMuch => self.list_less(now),
                    // It is left alone, however little it is asked for.
                    ListState::Evicts => self.give_up(now),
                }
            }
            Audited::Bring(to, hashes) => self.bring(to, &hashes, now),
        }
    }

    /// Another node wants a list.
    fn asked(&mut self, from: NodeId, number: u64, slots: Vec<u32>, now: Now) {
        let state = if self.road.evicts(now) {
            ListState::Evicts
        } else if !self.listings.begin(from, number, slots, now) {
            ListState::Busy
        } else {
            return;
        };
        tell_listed(&self.cluster, from, Listed { number, state, items: &[] });
    }

    fn list_for_others(&mut self, now: Now) {
        let own = self.lists_own();
        let cluster = &self.cluster;
        self.listings.step(&self.road, own, now, |node, listed| tell_listed(cluster, node, listed));
    }

    /// Compares digests, one node and some slots at a time.
    fn look(&mut self, now: Now) {
        if let Some(Looking { node, mut comparing, before }) = self.looking.take() {
            match comparing.step(&self.cluster, now, |slot| self.road.digest(slot)) {
                Look::UnderWay => self.looking = Some(Looking { node, comparing, before }),
                Look::Over(seen) => self.saw(node, seen, before.as_ref(), now),
                Look::Lost => {}
            }
            return;
        }
        if let Some((node, before)) = self.differing.take_due(now) {
            self.begin_look(node, before.keys().copied().collect(), Some(before), now);
        } else if now >= self.next_at {
            if self.left.is_empty() && !self.has_begun_round() {
                return;
            }
            self.next_at = now.after_ms(self.every_ms);
            if let Some((node, slots)) = self.left.pop() {
                self.begin_look(node, slots, None, now);
            }
        }
    }

    fn begin_look(&mut self, node: NodeId, slots: Vec<u32>, before: Option<Suspects>, now: Now) {
        // What is marked is brought anyway.
        let is_even = self.cluster.is_linked(node) && self.cluster.dirty.count(node) == 0;
        if is_even && !self.road.evicts(now) {
            let comparing = Comparing::begin(node, slots, now);
            self.looking = Some(Looking { node, comparing, before });
        }
    }

    /// Gathers the slots of a round, some at a time. Whether that is all.
    fn has_begun_round(&mut self) -> bool {
        let (from, mut gathered) = self.gathered.take().unwrap_or_default();
        let to = self.road.slots().min(from.saturating_add(AUDIT_GATHER_SLOTS));
        for slot in from..to {
            for node in self.road.audited_owners(slot).into_iter().flatten() {
                gathered.entry(node).or_default().push(slot);
            }
        }
        if to < self.road.slots() {
            self.gathered = Some((to, gathered));
            return false;
        }
        let pieces = gathered.iter().flat_map(|(&node, slots)| {
            slots.chunks(AUDIT_SLOTS_MAX).map(move |slots| (node, slots.to_vec()))
        });
        self.left = pieces.collect();
        self.every_ms = AUDIT_ROUND_MS / (self.left.len() as u64).max(1);
        // What was in vain in one round need not be in the next.
        self.rest_ms = (self.rest_ms / 2).max(*AUDIT_REST_MS.start());
        true
    }

    fn saw(&mut self, node: NodeId, seen: Seen, before: Option<&Suspects>, now: Now) {
        self.cluster.compares.count(&seen);
        if !seen.evicts {
            let told = seen.differing.into_iter();
            let told = told.filter_map(|(slot, pair)| pair.map(|[one, other]| (slot, one ^ other)));
            self.differing.saw(node, told, before, now);
        }
    }

    fn go_on_exchanging(&mut self, now: Now) {
        let Some(exchange) = &mut self.exchange else {
            if now >= self.exchange_at && !self.differing.is_empty() {
                self.begin_exchange(now);
            }
            return;
        };
        exchange.mine.step(&self.road, self.listings.len(), now);
        if !exchange.mine.is_over() {
            exchange.until = now.after_ms(LIST_MS);
        }
        let is_over = exchange.mine.is_over() && exchange.lists.len() == exchange.others.len();
        let (is_late, is_busy) = (now >= exchange.until, !exchange.busy.is_empty());
        let due = exchange.busy.iter().find(|&(_, &at)| now >= at).map(|(&node, _)| node);
        if exchange.mine.is_too_much() {
            self.list_less(now);
        } else if is_over {
            if let Some(exchange) = self.exchange.take() {
                self.even_out(exchange, now);
            }
        } else if is_late && is_busy {
            // It keeps its turn.
            self.exchange = None;
            self.exchange_at = now.after_ms(self.rest_ms);
        } else if is_late {
            self.give_up(now);
        } else if let Some(node) = due {
            exchange.busy.remove(&node);
            self.ask_list(node);
        }
    }

    /// Has all owners of some slots that differ list what they have.
    fn begin_exchange(&mut self, now: Now) {
        let in_turn = self.differing.in_turn();
        let Some(&first) = in_turn.first() else { return };
        let owners = self.road.audited_owners(first);
        let is_linked = |node: &NodeId| self.cluster.is_linked(*node);
        let Some(others) = owners.filter(|owners| owners.iter().all(is_linked)) else {
            self.differing.drop(&BTreeSet::from([first]));
            return;
        };
        let is_theirs = |slot: &u32| self.road.audited_owners(*slot).as_ref() == Some(&others);
        let slots: BTreeSet<u32> =
            in_turn.into_iter().filter(is_theirs).take(self.at_once).collect();
        self.number += 1;
        let mine = Listing::of(slots.iter().copied().collect());
        let (lists, busy) = (BTreeMap::new(), BTreeMap::new());
        let (began, until) = (now, now.after_ms(LIST_MS));
        let asked: Vec<NodeId> = others.iter().copied().collect();
        self.exchange = Some(Exchange { slots, others, mine, lists, busy, began, until });
        for node in asked {
            self.ask_list(node);
        }
    }

    fn ask_list(&self, node: NodeId) {
        let Some(exchange) = &self.exchange else { return };
        let bytes: Vec<u8> = exchange.slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        let list = ListSlots { number: self.number, slots: &bytes };
        if let Some(peer) = self.cluster.peer(node) {
            peer.say(|frame| Message::List(list).encode(frame));
        }
    }

    /// Somebody has more than fits into a list: the next one is of fewer slots.
    fn list_less(&mut self, now: Now) {
        if self.at_once == 1 {
            return self.give_up(now);
        }
        self.at_once /= 2;
        self.exchange = None;
        self.exchange_at = now.after_ms(*AUDIT_REST_MS.start());
    }

    /// Somebody does not say what he has, or has too much. It is found again in the next round.
    fn give_up(&mut self, now: Now) {
        if let Some(exchange) = self.exchange.take() {
            self.differing.drop(&exchange.slots);
            self.rest(false, now);
        }
    }

    fn even_out(&mut self, exchange: Exchange, now: Now) {
        let Exchange { slots, others, mine, mut lists, began, .. } = exchange;
        let (me, Some(mine)) = (self.cluster.me, mine.into_list()) else { return };
        if self.road.evicts(now) {
            self.differing.drop(&slots);
            self.rest(false, now);
            return;
        }
        lists.insert(me, mine);
        let Evening { brought, young } = Evening::of(&lists, me, began, now);
        let mends: BTreeSet<u32> =
            brought.values().flatten().map(|hash| self.road.slot(*hash)).collect();
        let unripe: BTreeSet<u32> = young.iter().map(|hash| self.road.slot(*hash)).collect();
        for ((from, to), hashes) in &brought {
            if *from == me {
                self.bring(*to, hashes, now);
            } else if let Some(peer) = self.cluster.peer(*from) {
                let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0.to_le_bytes()).collect();
                let bring = Bring { node: to.0, hashes: &bytes };
                peer.say(|frame| Message::Bring(bring).encode(frame));
            }
        }
        for &node in &others {
            for &slot in slots.iter().filter(|slot| !unripe.contains(slot)) {
                self.differing.listed((slot, node), mends.contains(&slot));
            }
            // How they differ now is still to be seen.
            self.differing.suspect(node, mends.iter().map(|&slot| (slot, None)).collect(), now);
        }
        self.differing.drop(&slots);
        self.at_once = (2 * self.at_once).min(LIST_SLOTS_MAX);
        self.rest(!mends.is_empty(), now);
    }

    /// Lists cost a walk over the memory: where they were in vain, the next ones come later.
    fn rest(&mut self, has_mended: bool, now: Now) {
        self.rest_ms = match has_mended {
            true => *AUDIT_REST_MS.start(),
            false => (2 * self.rest_ms).min(*AUDIT_REST_MS.end()),
        };
        self.exchange_at = now.after_ms(self.rest_ms);
    }

    /// Sends a node what is here under these hashes, as much as goes into one turn. What is
    /// left is found again.
    fn bring(&self, to: NodeId, hashes: &[KeyHash], now: Now) {
        let mut turn = Turn::default();
        turn.set_offers();
        for &hash in hashes {
            if turn.is_full() {
                break;
            }
            self.road.offer(to, hash, now, &mut turn);
        }
        self.cluster.compares.mend(turn.parts());
        drop(self.road.send(turn, now));
    }
}

fn tell_listed(cluster: &Cluster, to: NodeId, listed: Listed<'_>) {
    if let Some(peer) = cluster.peer(to) {
        peer.say(|frame| Message::Listed(listed).encode(frame));
    }
}
