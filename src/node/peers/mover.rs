//! Brings other nodes what they lack: one pass over the memory for all who lack something
//! when it begins, a few messages under way at a time, and all passes together no faster
//! than clients do not notice. Whatever they have newer stays.
//!
//! A pass is as slow as the slowest it is for, and what a copy missed is not to wait for a
//! node that is filled: so some passes go on beside each other.
//!
//! The stamps of deletes come first, held back by nothing: they end by themselves after a
//! while, and what they deleted would come back where somebody has not heard of them.
//!
//! By a link of its own where the other node has a place for that: what is sent in bulk
//! would hold up requests that go by the same one.

use super::batches::Batches;
use super::move_rate::{MoveLimit, MoveRate};
use super::moves::{Became, Moved, Progress};
use super::{Cluster, Kind, Slots, Turn, Wanted};
use crate::item::Now;
use crate::limits::{BULK_LINK_MS, BULK_LINK_REST_MS, GATHERS_MAX, PASSES_MAX};
use crate::node::session::Road;
use crate::ring::NodeId;
use crate::store::FullWalk;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// Makes links for what is sent in bulk, and ends them.
pub(in crate::node) trait BulkLinks {
    /// A link to this life of a node is needed.
    fn meet(&self, node: NodeId, at: SocketAddr, generation: u64);
    /// None is needed any more.
    fn part(&self, node: NodeId);
}

/// When a mover is to be asked to go on; what is sooner is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::node) enum Rest {
    /// As soon as others have had their turn.
    None,
    /// After so long, or when it is woken.
    For(Duration),
    /// When it is woken.
    UntilWoken,
}

/// Brings other nodes what they lack.
pub(in crate::node) struct Mover {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    links: Box<dyn BulkLinks>,
    rate: MoveRate,
    /// Moves whose link is being made, since then.
    waiting: BTreeMap<NodeId, (Wanted, Now)>,
    passes: Vec<Pass>,
    /// Nodes that there is a link to, and when it was last of use.
    met: BTreeMap<NodeId, Now>,
}

/// One pass over this node's memory for some other nodes.
struct Pass {
    moves: BTreeMap<NodeId, Wanted>,
    /// Those of them that have refused something.
    refused: BTreeSet<NodeId>,
    walk: FullWalk,
    /// What the walk looks for.
    kind: Kind,
    /// All has been looked at.
    is_through: bool,
    sent: Batches,
    began: Duration,
}

impl fmt::Debug for Mover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moves = self.passes.iter().map(|pass| pass.moves.keys().collect::<Vec<_>>());
        let moves = moves.collect::<Vec<_>>();
        f.debug_struct("Mover").field("moves", &moves).finish_non_exhaustive()
    }
}

impl Mover {
    pub(in crate::node) fn new(
        road: Rc<Road>,
        cluster: Arc<Cluster>,
        links: Box<dyn BulkLinks>,
        limit: MoveLimit,
    ) -> Self {
        Self {
            road,
            cluster,
            links,
            rate: MoveRate::new(limit),
            waiting: BTreeMap::new(),
            passes: Vec::new(),
            met: BTreeMap::new(),
        }
    }

    /// Goes on for a moment.
    pub(in crate::node) fn step(&mut self, now: Now, waker: &Waker) -> Rest {
        self.look_for_links(now);
        self.begin(now);
        if self.passes.is_empty() {
            return self.rest(now);
        }
        self.rate.look(&self.cluster.waited, self.road.elapsed());
        self.cluster.moves.set_bytes_per_s(self.rate.bytes_per_s());
        let mut rest = Rest::UntilWoken;
        let mut passes = std::mem::take(&mut self.passes);
        passes.retain_mut(|pass| {
            self.reap(pass, waker);
            rest = rest.min(self.go_on(pass, now, waker));
            let is_over = pass.is_through && pass.sent.is_empty() || pass.moves.is_empty();
            if is_over {
                self.end(pass, now);
                rest = Rest::None;
            }
            !is_over
        });
        if !passes.is_empty() {
            // So that each comes first once, and sends as much as may be sent.
            passes.rotate_left(1);
        }
        self.passes = passes;
        if self.passes.is_empty() {
            self.cluster.moves.set_bytes_per_s(None);
        }
        // Some may be waited for no longer before one of them goes on.
        rest.min(rest_until(self.deadlines(), now))
    }

    /// All is sent, and answered.
    fn end(&mut self, pass: &Pass, now: Now) {
        for &to in pass.moves.keys() {
            self.met.entry(to).and_modify(|last| *last = now);
            let refused = pass.refused.contains(&to);
            let became = if refused { Became::Refused } else { Became::Brought };
            self.cluster.moves.end(Moved { to, became });
        }
    }

    /// Has links made to those for whom there is something new, and ends those that were
    /// of no use for long.
    fn look_for_links(&mut self, now: Now) {
        for (to, wanted) in self.cluster.moves.take_asked() {
            let address = self.cluster.bulk_address(to).filter(|_| self.road.has_items());
            if let Some((at, generation)) = address {
                self.links.meet(to, at, generation);
                self.met.insert(to, now);
            }
            self.waiting.insert(to, (wanted, now));
        }
        let is_in_use = |node: &NodeId| {
            self.waiting.contains_key(node)
                || self.passes.iter().any(|pass| pass.moves.contains_key(node))
        };
        let links = &self.links;
        self.met.retain(|node, last| {
            let stays = is_in_use(node) || !is_past(*last, BULK_LINK_REST_MS, now);
            if !stays {
                links.part(*node);
            }
            stays
        });
    }

    /// Begins a pass for all who can be reached.
    fn begin(&mut self, now: Now) {
        if self.passes.len() >= PASSES_MAX {
            return;
        }
        let (cluster, met) = (&self.cluster, &self.met);
        let is_ready = |&(node, (_, since)): &(&NodeId, &(Wanted, Now))| {
            let may_come = met.contains_key(node) && !is_past(*since, BULK_LINK_MS, now);
            !may_come || cluster.has_bulk_link(*node)
        };
        let ready = self.waiting.iter().filter(is_ready).map(|(&node, _)| node);
        let ready: Vec<NodeId> = ready.collect();
        let slots = |node| Some((node, self.waiting.remove(&node)?.0));
        let moves: BTreeMap<NodeId, Wanted> = ready.into_iter().filter_map(slots).collect();
        if !moves.is_empty() {
            let began = self.road.elapsed();
            if self.passes.is_empty() {
                self.rate.begin(&self.cluster.waited, began);
            }
            let under_way = moves.iter().map(|(&to, slots)| Progress::new(to, slots.all.len()));
            self.cluster.moves.begin(under_way);
            self.passes.push(Pass {
                moves,
                refused: BTreeSet::new(),
                walk: FullWalk::default(),
                kind: Kind::Deletes,
                is_through: false,
                sent: Batches::default(),
                began,
            });
        }
    }

    /// Looks what became of what was sent.
    fn reap(&self, pass: &mut Pass, waker: &Waker) {
        for (to, became) in pass.sent.reap(waker) {
            match became {
                Became::Lost => self.give_up(pass, to),
                _ => drop(pass.refused.insert(to)),
            }
        }
        let gone = pass.moves.keys().copied().filter(|&to| !self.road.is_live(to));
        for to in gone.collect::<Vec<_>>() {
            self.give_up(pass, to);
        }
    }

    /// Marks all that a node was to be brought, for another pass.
    fn give_up(&self, pass: &mut Pass, to: NodeId) {
        if let Some(Wanted { all, marked, deletes }) = pass.moves.remove(&to) {
            self.cluster.dirty.mark(to, marked.iter());
            // Some of it has got there, perhaps: its digests tell.
            let doubted = all.iter().chain(deletes.iter().flat_map(Slots::iter));
            self.cluster.dirty.doubt(to, doubted);
            self.cluster.moves.end(Moved { to, became: Became::Lost });
        }
    }

    /// Sends one message, if more may be under way.
    fn go_on(&mut self, pass: &mut Pass, now: Now, waker: &Waker) -> Rest {
        let at = self.road.elapsed();
        // Where little is to be sent, much has to be looked at.
        for _ in 0..GATHERS_MAX {
            if pass.is_through || pass.sent.are_full() {
                return Rest::UntilWoken;
            }
            if pass.kind == Kind::Items {
                if self.cluster.moves.is_paused() {
                    return Rest::UntilWoken;
                }
                let wait = self.rate.wait(at);
                if !wait.is_zero() {
                    return Rest::For(wait);
                }
            }
            let turn = self.gather(pass, now, at);
            if turn.is_empty() {
                continue;
            }
            let bytes = turn.bytes();
            self.rate.take(bytes, at);
            self.cluster.moves.count(turn.sendings());
            let mut sent = self.road.send(turn, now);
            sent.forget_bytes();
            // So that its end wakes this one up. Is it over, it could not be sent.
            let is_over = sent.waiting.is_over(waker);
            pass.sent.push(sent, if is_over { 0 } else { bytes });
            // It goes out while it is near.
            return Rest::None;
        }
        Rest::None
    }

    /// Gathers some of what a pass is to bring.
    fn gather(&self, pass: &mut Pass, now: Now, at: Duration) -> Turn {
        let mut turn = Turn::that_brings();
        let what = (&mut pass.walk, pass.kind);
        let is_over = !self.road.gather(what, now, &pass.moves, &mut turn);
        match (pass.kind, is_over) {
            (Kind::Deletes, false) => {}
            (Kind::Deletes, true) => (pass.walk, pass.kind) = (FullWalk::default(), Kind::Items),
            (Kind::Items, _) => {
                pass.is_through = is_over;
                let done = if is_over { 1.0 } else { self.road.walked(&pass.walk) };
                self.cluster.moves.walked(pass.moves.keys(), done, at.saturating_sub(pass.began));
            }
        }
        turn.wait_for_all();
        turn
    }

    /// Nothing is to be brought to anybody who can be reached.
    fn rest(&self, now: Now) -> Rest {
        let links = self.met.values().map(|&last| (last, BULK_LINK_REST_MS));
        rest_until(self.deadlines().chain(links), now)
    }

    /// Until when links are waited for, where another pass may begin then.
    fn deadlines(&self) -> impl Iterator<Item = (Now, u64)> {
        let waiting = (self.passes.len() < PASSES_MAX).then_some(&self.waiting);
        waiting
            .into_iter()
            .flatten()
            .map(|(_, waiting)| waiting)
            .map(|&(_, since)| (since, BULK_LINK_MS))
    }
}

/// Until the first of these times is over.
fn rest_until(times: impl Iterator<Item = (Now, u64)>, now: Now) -> Rest {
    let next = times.map(|(since, ms)| since.unix_ms() + ms).min();
    next.map_or(Rest::UntilWoken, |at| {
        Rest::For(Duration::from_millis(at.saturating_sub(now.unix_ms()).max(1)))
    })
}

fn is_past(since: Now, ms: u64, now: Now) -> bool {
    now.unix_ms() >= since.unix_ms() + ms
}

/// For nodes whose links are not made here: all goes by the first one.
#[derive(Debug)]
pub(in crate::node) struct NoBulkLinks;

impl BulkLinks for NoBulkLinks {
    fn meet(&self, _node: NodeId, _at: SocketAddr, _generation: u64) {}
    fn part(&self, _node: NodeId) {}
}
