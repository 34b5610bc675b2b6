//! Looks while all is well whether the copies of this node's slots are alike, and makes them so.
//!
//! The primary of each slot compares digests with its other owners, everything once in some
//! minutes. What differs is looked at again after some seconds, for copies are under way all the
//! time. What differs still is listed by all owners, key by key ([`Evening`] decides what is
//! to be done about it), and the one who has the newest sends it.
//!
//! Nobody fights eviction: a node that lacked room lately says so with its digests, and is left
//! alone. And what differs for good, such as what is too old to be brought, is remembered by its
//! two digests, and not looked at again before one of them changes.
//!
//! What is sent here is marked nowhere: where it does not arrive, the next look finds it.

use super::comparing::{Comparing, Look, Seen};
use super::evening::{Evening, Had, List};
use super::{Cluster, Turn};
use crate::item::Now;
use crate::limits::{
    AUDIT_KNOWN_MAX, AUDIT_REST_MS, AUDIT_ROUND_MS, AUDIT_SETTLE_MS, AUDIT_SLOTS_MAX,
    AUDIT_SUSPECTS_MAX, AUDIT_TRIES, LIST_GATHERS_MAX, LIST_ITEMS_MAX, LIST_MS, LIST_SLOTS_MAX,
    LISTINGS_MAX,
};
use crate::node::session::Road;
use crate::ring::{KeyHash, NodeId};
use crate::store::FullWalk;
use crate::wire::{Bring, List as ListSlots, Listed, Message};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// What another node says for this.
#[derive(Debug)]
pub(in crate::node) enum Audited {
    /// It wants to know what is here in these slots.
    List(u64, Vec<u32>),
    /// That is what it has; none where it does not say.
    Listed(u64, Option<List>),
    /// That node is to be brought what is here under these hashes.
    Bring(NodeId, Vec<KeyHash>),
}

/// The digests of two nodes of one slot.
type Pair = [u64; 2];

/// Compares the copies of this node's slots. Belongs to the hub's thread.
pub(in crate::node) struct Audit {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    /// What is still to be looked at in this round, and when the next look is due.
    left: Vec<(NodeId, Vec<u32>)>,
    next_at: Now,
    every_ms: u64,
    looking: Option<Looking>,
    /// What differed, and when.
    suspects: VecDeque<(NodeId, Vec<u32>, Now)>,
    /// What differed twice.
    differing: BTreeMap<(u32, NodeId), Pair>,
    /// What was listed before and differed all the same, and how often it was tried to mend it.
    known: BTreeMap<(u32, NodeId), (Pair, u8)>,
    exchange: Option<Exchange>,
    /// Of the last one.
    number: u64,
    exchange_at: Now,
    rest_ms: u64,
    /// Slots that are listed at a time: fewer where they have much.
    at_once: usize,
    /// For others.
    listings: BTreeMap<NodeId, (u64, Listing)>,
}

struct Looking {
    node: NodeId,
    comparing: Comparing,
    is_second: bool,
}

/// All owners of some slots list what they have.
struct Exchange {
    slots: Vec<u32>,
    others: BTreeSet<NodeId>,
    mine: Listing,
    lists: BTreeMap<NodeId, List>,
    until: Now,
}

/// A walk over the memory for what is in some slots.
struct Listing {
    /// In order.
    slots: Vec<u32>,
    walk: FullWalk,
    list: List,
    is_through: bool,
}

impl Listing {
    fn of(mut slots: Vec<u32>) -> Self {
        slots.sort_unstable();
        Self { slots, walk: FullWalk::default(), list: List::new(), is_through: false }
    }

    /// Goes on for a moment.
    fn step(&mut self, road: &Road, now: Now) {
        for _ in 0..LIST_GATHERS_MAX {
            if self.is_through || self.is_too_much() {
                return;
            }
            let Self { slots, walk, list, is_through } = self;
            *is_through = !road.list(walk, now, slots, |hash, version, is_tombstone| {
                let had = Had::of(version, is_tombstone);
                let there = list.entry(hash).or_insert(had);
                *there = had.max(*there);
            });
        }
    }

    fn is_too_much(&self) -> bool {
        self.list.len() > LIST_ITEMS_MAX
    }

    fn is_over(&self) -> bool {
        self.is_through || self.is_too_much()
    }

    fn into_list(self) -> Option<List> {
        (!self.is_too_much()).then_some(self.list)
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suspects, differing, .. } = self;
        let mut audit = f.debug_struct("Audit");
        audit.field("suspects", suspects).field("differing", differing).finish_non_exhaustive()
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
            looking: None,
            suspects: VecDeque::new(),
            differing: BTreeMap::new(),
            known: BTreeMap::new(),
            exchange: None,
            number: now.unix_ms(),
            exchange_at: now,
            rest_ms: *AUDIT_REST_MS.start(),
            at_once: LIST_SLOTS_MAX,
            listings: BTreeMap::new(),
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
        self.suspects.clear();
        self.differing.clear();
        self.known.clear();
        self.listings.clear();
        (self.looking, self.exchange) = (None, None);
        // Who has just caught up is to come to rest first.
        self.next_at = after(now, AUDIT_SETTLE_MS);
    }

    /// Another node says something for this.
    pub(in crate::node) fn hear(&mut self, from: NodeId, said: Audited, now: Now) {
        match said {
            Audited::List(number, slots) => {
                if self.listings.len() < LISTINGS_MAX || self.listings.contains_key(&from) {
                    self.listings.insert(from, (number, Listing::of(slots)));
                }
            }
            Audited::Listed(number, list) => {
                let exchange = self.exchange.as_mut().filter(|it| it.others.contains(&from));
                match (exchange, list) {
                    _ if number != self.number => {}
                    (Some(exchange), Some(list)) => drop(exchange.lists.insert(from, list)),
                    (Some(_), None) => self.list_less(now),
                    (None, _) => {}
                }
            }
            Audited::Bring(to, hashes) => self.bring(to, &hashes, now),
        }
    }

    fn list_for_others(&mut self, now: Now) {
        let (road, cluster) = (&self.road, &self.cluster);
        self.listings.retain(|&node, (number, listing)| {
            listing.step(road, now);
            if !listing.is_over() {
                return true;
            }
            let evicts = road.evicts(now);
            let list = std::mem::replace(listing, Listing::of(Vec::new())).into_list();
            let words = list.iter().flatten().flat_map(|(hash, had)| [hash.0, had.0]);
            let items: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
            let is_all = list.is_some() && !evicts;
            let listed = Listed { number: *number, is_all, items: &items };
            if let Some(peer) = cluster.peer(node) {
                peer.say(|frame| Message::Listed(listed).encode(frame));
            }
            false
        });
    }

    /// Compares digests, one node and some slots at a time.
    fn look(&mut self, now: Now) {
        if let Some(Looking { node, mut comparing, is_second }) = self.looking.take() {
            match comparing.step(&self.cluster, now, |slot| self.road.digest(slot)) {
                Look::UnderWay => self.looking = Some(Looking { node, comparing, is_second }),
                Look::Over(seen) => self.saw(node, seen, is_second, now),
                Look::Lost => {}
            }
            return;
        }
        let is_due = |&(_, _, at): &(NodeId, Vec<u32>, Now)| now >= after(at, AUDIT_SETTLE_MS);
        if self.suspects.front().is_some_and(is_due)
            && let Some((node, slots, _)) = self.suspects.pop_front()
        {
            self.begin_look(node, slots, true, now);
        } else if now >= self.next_at {
            if self.left.is_empty() {
                self.begin_round();
            }
            self.next_at = after(now, self.every_ms);
            if let Some((node, slots)) = self.left.pop() {
                self.begin_look(node, slots, false, now);
            }
        }
    }

    fn begin_look(&mut self, node: NodeId, slots: Vec<u32>, is_second: bool, now: Now) {
        // What is marked is brought anyway.
        let is_even = self.cluster.is_linked(node) && self.cluster.dirty.count(node) == 0;
        if is_even && !self.road.evicts(now) {
            let comparing = Comparing::begin(node, slots, now);
            self.looking = Some(Looking { node, comparing, is_second });
        }
    }

    fn begin_round(&mut self) {
        self.at_once = LIST_SLOTS_MAX;
        let shared = self.road.audited_slots();
        let pieces = shared.iter().flat_map(|(&node, slots)| {
            slots.chunks(AUDIT_SLOTS_MAX).map(move |slots| (node, slots.to_vec()))
        });
        self.left = pieces.collect();
        self.every_ms = AUDIT_ROUND_MS / (self.left.len() as u64).max(1);
    }

    fn saw(&mut self, node: NodeId, seen: Seen, is_second: bool, now: Now) {
        self.cluster.compares.count(&seen);
        if seen.evicts {
            return;
        }
        let known = &self.known;
        let is_news = |&(slot, pair): &(u32, Pair)| match known.get(&(slot, node)) {
            Some(&(there, tries)) => there != pair || tries < AUDIT_TRIES,
            None => true,
        };
        let told = seen.differing.into_iter().filter_map(|(slot, pair)| Some((slot, pair?)));
        let news: Vec<(u32, Pair)> = told.filter(is_news).collect();
        if is_second {
            let room = AUDIT_SUSPECTS_MAX.saturating_sub(self.differing.len());
            let news = news.into_iter().take(room);
            self.differing.extend(news.map(|(slot, pair)| ((slot, node), pair)));
        } else {
            self.suspect(node, news.into_iter().map(|(slot, _)| slot).collect(), now);
        }
    }

    /// These are looked at again in a while.
    fn suspect(&mut self, node: NodeId, slots: Vec<u32>, now: Now) {
        let there: usize = self.suspects.iter().map(|(_, slots, _)| slots.len()).sum();
        if !slots.is_empty() && there + slots.len() <= AUDIT_SUSPECTS_MAX {
            self.suspects.push_back((node, slots, now));
        }
    }

    fn go_on_exchanging(&mut self, now: Now) {
        let Some(exchange) = &mut self.exchange else {
            if now >= self.exchange_at && !self.differing.is_empty() {
                self.begin_exchange(now);
            }
            return;
        };
        exchange.mine.step(&self.road, now);
        let is_over = exchange.mine.is_over() && exchange.lists.len() == exchange.others.len();
        let is_too_much = exchange.mine.is_too_much();
        if is_too_much {
            self.list_less(now);
        } else if now >= exchange.until {
            self.give_up(now);
        } else if is_over && let Some(exchange) = self.exchange.take() {
            self.even_out(exchange, now);
        }
    }

    /// Has all owners of some slots that differ list what they have.
    fn begin_exchange(&mut self, now: Now) {
        let Some((&(first, _), _)) = self.differing.first_key_value() else { return };
        let owners = self.road.audited_owners(first);
        let is_linked = |node: &NodeId| self.cluster.is_linked(*node);
        let Some(others) = owners.filter(|owners| owners.iter().all(is_linked)) else {
            self.differing.retain(|(slot, _), _| *slot != first);
            return;
        };
        let slots: BTreeSet<u32> = self.differing.keys().map(|&(slot, _)| slot).collect();
        let is_theirs = |slot: &u32| self.road.audited_owners(*slot).as_ref() == Some(&others);
        let slots: Vec<u32> = slots.into_iter().filter(is_theirs).take(self.at_once).collect();
        self.number += 1;
        let bytes: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        let list = ListSlots { number: self.number, slots: &bytes };
        for &node in &others {
            if let Some(peer) = self.cluster.peer(node) {
                peer.say(|frame| Message::List(list).encode(frame));
            }
        }
        let (mine, lists) = (Listing::of(slots.clone()), BTreeMap::new());
        self.exchange = Some(Exchange { slots, others, mine, lists, until: after(now, LIST_MS) });
    }

    /// Somebody has more than fits into a list: the next one is of fewer slots.
    fn list_less(&mut self, now: Now) {
        if self.at_once == 1 {
            return self.give_up(now);
        }
        self.at_once /= 2;
        self.exchange = None;
        self.exchange_at = after(now, *AUDIT_REST_MS.start());
    }

    /// Somebody does not say what he has. It is found again in the next round.
    fn give_up(&mut self, now: Now) {
        if let Some(exchange) = self.exchange.take() {
            self.differing.retain(|(slot, _), _| exchange.slots.binary_search(slot).is_err());
            self.rest(false, now);
        }
    }

    fn even_out(&mut self, exchange: Exchange, now: Now) {
        let Exchange { slots, others, mine, mut lists, .. } = exchange;
        let (me, Some(mine)) = (self.cluster.me, mine.into_list()) else { return };
        if self.road.evicts(now) {
            self.rest(false, now);
            return;
        }
        lists.insert(me, mine);
        let Evening { brought, young } = Evening::of(&lists, me, now);
        let mends: BTreeSet<u32> =
            brought.values().flatten().map(|hash| self.road.slot(*hash)).collect();
        let unripe: BTreeSet<u32> = young.iter().map(|hash| self.road.slot(*hash)).collect();
        for ((from, to), hashes) in &brought {
            self.cluster.compares.mend(hashes.len());
            if *from == me {
                self.bring(*to, hashes, now);
            } else if let Some(peer) = self.cluster.peer(*from) {
                let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0.to_le_bytes()).collect();
                let bring = Bring { node: to.0, hashes: &bytes };
                peer.say(|frame| Message::Bring(bring).encode(frame));
            }
        }
        for &node in &others {
            let pairs = slots.iter().filter_map(|&slot| {
                self.differing.remove(&(slot, node)).map(|pair| ((slot, node), pair))
            });
            let pairs = pairs.filter(|((slot, _), _)| !unripe.contains(slot)).collect::<Vec<_>>();
            for (place, pair) in pairs {
                self.remember(place, pair, mends.contains(&place.0));
            }
        }
        for &node in &others {
            self.suspect(node, mends.iter().copied().collect(), now);
        }
        self.rest(!mends.is_empty(), now);
    }

    fn remember(&mut self, place: (u32, NodeId), pair: Pair, is_mended: bool) {
        if self.known.len() >= AUDIT_KNOWN_MAX && !self.known.contains_key(&place) {
            self.known.pop_first();
        }
        let there = self.known.get(&place).filter(|&&(there, _)| there == pair);
        let tries = there.map_or(0, |&(_, tries)| tries) + 1;
        self.known.insert(place, (pair, if is_mended { tries } else { AUDIT_TRIES }));
    }

    /// Lists cost a walk over the memory: where they were in vain, the next ones come later.
    fn rest(&mut self, has_mended: bool, now: Now) {
        self.rest_ms = match has_mended {
            true => *AUDIT_REST_MS.start(),
            false => (2 * self.rest_ms).min(*AUDIT_REST_MS.end()),
        };
        self.exchange_at = after(now, self.rest_ms);
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
        drop(self.road.send(turn, now));
    }
}

fn after(from: Now, ms: u64) -> Now {
    Now::from_unix_ms(from.unix_ms() + ms)
}
