//! The way from a key to its item: hash, owners, primary, store.

use super::elsewhere::{LATE_MS, Parts, Place};
use crate::cluster::{After, View};
use crate::item::{Copied, Key, Now, Op, Outcome, Store, Version};
use crate::limits::HEDGE_MS;
use crate::node::peers::{Calls, Cluster, Kind, Sent, Slots, Turn, Waiting, Wanted};
use crate::node::{Counters, Shared, ViewReader, WriteAck};
use crate::ring::{KeyHash, NodeId, Owners};
use crate::store::{Found, FullWalk, Merged, PREFETCH_MAX, SharedValue};
use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// The way from a key to its item, for all sessions of one worker. Every
/// request for an item goes it, so this is the one place that knows who executes
/// for a key and who else keeps a copy.
pub(in crate::node) struct Road {
    pub(super) shared: Arc<Shared>,
    pub(super) view: RefCell<ViewReader>,
    worker: usize,
    /// What the turn under way sends to other nodes.
    turn: RefCell<Turn>,
    parts: RefCell<Parts>,
    /// So many of the copies that the step under way has sent have to be kept.
    least: Cell<u8>,
    /// Keys that this node could not execute for, though they are its own, in the turn
    /// under way: what the same turn asks of them later is not to overtake that.
    put_off: RefCell<Vec<KeyHash>>,
    /// When the turn under way first looked at the clocks for a read.
    pub(super) looked: Cell<Option<(Now, Duration)>>,
}

impl Road {
    pub(in crate::node) fn new(shared: &Arc<Shared>, worker: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            view: RefCell::new(shared.view.reader()),
            worker,
            turn: RefCell::default(),
            parts: RefCell::default(),
            least: Cell::new(0),
            put_off: RefCell::default(),
            looked: Cell::default(),
        }
    }

    /// This thread goes by one view from now on until the turn is dropped: of two writes
    /// of a key both go the same way, in their order.
    #[inline]
    pub(in crate::node) fn begin_turn(road: &Rc<Self>) -> Option<InTurn> {
        let cluster = road.shared.cluster.as_ref()?;
        cluster.turns.begin(road.worker);
        road.view.borrow_mut().hold();
        Some(InTurn(Rc::clone(road)))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn counters(&self) -> &Counters {
        self.shared.counters(self.worker)
    }

    /// Reads an item that nothing else is to happen to.
    #[inline]
    pub(super) fn get<R>(
        &self,
        key: Key<'_>,
        now: Now,
        visit: impl FnOnce(&Found<'_>) -> R,
    ) -> Option<R> {
        self.shared.store.get(self.hash(key.bytes()), key, now, visit)
    }

    /// Reads an item so that nobody will know.
    pub(super) fn peek<R>(
        &self,
        key: Key<'_>,
        now: Now,
        visit: impl FnOnce(&Found<'_>) -> R,
    ) -> Option<R> {
        self.shared.store.peek(self.hash(key.bytes()), key, now, visit)
    }

    /// Does what `op` asks.
    #[inline]
    pub(super) fn apply<R>(
        &self,
        key: Key<'_>,
        now: Now,
        op: &Op<'_>,
        visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
    ) -> R {
        let hash = self.hash(key.bytes());
        self.shared.store.apply(hash, key, now, op, |outcome, found| {
            self.copy(hash, key, op, outcome, found);
            visit(outcome, found)
        })
    }

    /// Writes a value, which is kept as it is where it came apart from the input.
    #[inline]
    pub(super) fn store<R>(
        &self,
        key: Key<'_>,
        now: Now,
        store: Store<'_>,
        whole: Option<&SharedValue>,
        visit: impl FnOnce(Outcome, Option<&Found<'_>>) -> R,
    ) -> R {
        let hash = self.hash(key.bytes());
        let op = Op::Store(store);
        self.shared.store.apply_shared(hash, key, now, &op, whole, |outcome, found| {
            self.copy(hash, key, &op, outcome, found);
            visit(outcome, found)
        })
    }

    /// Gets ready for requests for these keys, as many as are worth it at once.
    pub(in crate::node) fn prefetch<'k>(&self, keys: impl Iterator<Item = Key<'k>>) {
        self.prefetch_hashes(keys.map(|key| self.hash(key.bytes())));
    }

    /// The same for keys of copies that come, of which this node executes for none, perhaps.
    pub(in crate::node) fn prefetch_copies<'k>(&self, keys: impl Iterator<Item = Key<'k>>) {
        let mut hashes = [KeyHash(0); PREFETCH_MAX];
        let keys = keys.map(|key| self.hash(key.bytes()));
        let count = hashes.iter_mut().zip(keys).map(|(hash, key)| *hash = key).count();
        if count > 1 {
            self.shared.store.prefetch(&hashes[..count]);
        }
    }

    /// The same for keys of these hashes.
    pub(super) fn prefetch_hashes(&self, keys: impl Iterator<Item = KeyHash>) {
        let mut hashes = [KeyHash(0); PREFETCH_MAX];
        let mut count = 0;
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = key;
            count += 1;
        }
        if count > 1 {
            let here = self.keep_ours(&mut hashes[..count]);
            self.shared.store.prefetch(&hashes[..here]);
        }
    }

    /// Moves those that this node executes for to the front, and says how many they
    /// are. The table is asked for one right after the other, so that the waits for
    /// memory overlap; whoever asks for them again finds them near.
    fn keep_ours(&self, hashes: &mut [KeyHash]) -> usize {
        let mut reader = self.view.borrow_mut();
        let (view, me) = (reader.view(), self.me());
        if me.is_none() || view.is_alone() {
            return hashes.len();
        }
        let mut ours = 0;
        for at in 0..hashes.len() {
            let hash = hashes[at];
            hashes[ours] = hash;
            ours += usize::from(view.primary(hash) == me);
        }
        ours
    }

    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> KeyHash {
        self.view.borrow_mut().view().hash(key)
    }

    /// Whether there are other nodes, or are to be.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        !self.view.borrow_mut().view().is_alone() || self.refuses_writes()
    }

    /// Whether this node sees too few that serve to take writes.
    #[inline]
    pub(super) fn refuses_writes(&self) -> bool {
        self.shared.cluster.as_ref().is_some_and(|cluster| cluster.few.load(Ordering::Relaxed))
    }
}

/// The owners of a key beside its primary.
pub(super) struct Beside {
    /// Those that have all, and may be asked.
    pub(super) owners: Vec<NodeId>,
    /// So many have to answer.
    pub(super) least: u8,
    /// So many others count for writes, and catch up yet.
    pub(super) joining: u8,
}

/// A turn of a worker.
pub(in crate::node) struct InTurn(Rc<Road>);

impl Drop for InTurn {
    #[inline]
    fn drop(&mut self) {
        self.0.put_off.borrow_mut().clear();
        self.0.looked.set(None);
        self.0.view.borrow_mut().release();
        if let Some(cluster) = &self.0.shared.cluster {
            cluster.turns.end(self.0.worker);
        }
        if thread::panicking() {
            self.0.forget_answers();
        }
    }
}

/// The way to other nodes.
impl Road {
    /// Who executes for a key: now, or, for a request that `looks` and does nothing else,
    /// at a moment of the turn under way.
    pub(super) fn place(&self, hash: KeyHash, looks: bool) -> Place {
        let mut reader = self.view.borrow_mut();
        let is_turn = reader.is_held();
        let view = reader.view();
        let place = match (view.primary(hash), &self.shared.cluster) {
            (Some(node), Some(cluster)) if node != cluster.me => return Place::There(node),
            // Before anything else it has to learn who is the primary now.
            (Some(node), Some(cluster))
                if !self.may_execute(cluster, view, hash, self.moment(looks && is_turn)) =>
            {
                Place::There(node)
            }
            // Others may have what was acknowledged and never came here.
            (Some(_), Some(cluster)) if cluster.held_back.has(view.slot(hash)) => Place::Nowhere,
            (Some(_), _) => return Place::Here,
            (None, Some(cluster)) if self.knows_of_deaths(cluster, view) && view.are_dead(hash) => {
                return Place::Dead;
            }
            (None, _) => return Place::Nowhere,
        };
        if is_turn {
            self.put_off.borrow_mut().push(hash);
        }
        place
    }

    /// Whether nobody can have taken this node's place.
    fn may_execute(
        &self,
        cluster: &Cluster,
        view: &View,
        hash: KeyHash,
        (now, elapsed): (Now, Duration),
    ) -> bool {
        cluster.keeps_up(now)
            && cluster.promised.holds(view, hash, cluster.me, elapsed)
            && !self.put_off.borrow().contains(&hash)
    }

    /// Whether this node would have heard of it, were one alive that it holds for dead.
    fn knows_of_deaths(&self, cluster: &Cluster, view: &View) -> bool {
        cluster.keeps_time(self.shared.now())
            && view.index_of(cluster.me).is_some_and(|me| view.executes(me))
    }

    /// Who answers a read beside the primary, and how many have to: so many that one of
    /// them has whatever was acknowledged.
    pub(super) fn owners_beside(&self, hash: KeyHash, primary: Option<NodeId>) -> Beside {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let beside = |&owner: &u16| Some(view.node(owner)) != primary && view.is_live(owner);
        let beside: Vec<u16> = view.readers(hash).iter().filter(beside).collect();
        let whole = beside.iter().filter(|&&owner| view.executes(owner));
        let owners: Vec<NodeId> = whole.map(|&owner| view.node(owner)).collect();
        let joining = (beside.len() - owners.len()) as u8;
        Beside { owners, least: self.write_ack().of_readers(beside.len()), joining }
    }

    pub(super) fn write_ack(&self) -> WriteAck {
        self.shared.cluster.as_ref().map(|cluster| cluster.write_ack).unwrap_or_default()
    }

    /// The same of those that may be asked by now: a node that stood still may have been
    /// held for dead, and not know it.
    pub(super) fn whole_beside(&self, hash: KeyHash, primary: Option<NodeId>, now: Now) -> Beside {
        let mut beside = self.owners_beside(hash, primary);
        beside.owners.retain(|&owner| !self.is_me(owner) || self.has_all(now));
        beside
    }

    /// The version of what this node has under a key.
    pub(super) fn version(&self, key: Key<'_>, now: Now) -> Version {
        self.shared.store.version(self.hash(key.bytes()), key, now)
    }

    pub(super) fn is_me(&self, node: NodeId) -> bool {
        self.me() == Some(node)
    }

    /// Whether nothing came from a node for longer than a read waits for it, which was
    /// asked then. Where this node comes to look too late after it was due to, it gives the
    /// other one more time.
    fn is_slow(&self, node: NodeId, asked: Now, due: Now, now: Now) -> bool {
        let is_late = now.unix_ms() > due.unix_ms() + LATE_MS;
        let more_ms = if is_late { 3 * HEDGE_MS.start() } else { 0 };
        let peer = self.shared.cluster.as_ref().and_then(|cluster| cluster.peer(node));
        let lane = self.shared.lane(self.worker);
        peer.is_none_or(|peer| {
            let patience_ms = peer.patience_ms();
            let has_waited = due.unix_ms() >= asked.unix_ms() + patience_ms;
            has_waited && peer.is_slow(lane, now, patience_ms + more_ms)
        })
    }

    /// The same; where it is so, somebody waits for it no longer.
    pub(super) fn gives_up(&self, node: NodeId, asked: Now, due: Now, now: Now) -> bool {
        let is_slow = self.is_slow(node, asked, due, now);
        if let Some(cluster) = self.shared.cluster.as_ref().filter(|_| is_slow) {
            cluster.not_answered(node, now);
        }
        is_slow
    }

    /// Whether no link leads to who may answer, and that for long.
    pub(super) fn is_out_of_reach(&self, primary: NodeId, hash: KeyHash, reads: bool) -> bool {
        if !self.is_cut_off(primary) {
            return false;
        }
        let others = self.owners_beside(hash, Some(primary)).owners;
        !reads || others.iter().all(|&owner| self.is_cut_off(owner))
    }

    /// Whether no link leads to this node, and that for long.
    pub(super) fn is_cut_off(&self, node: NodeId) -> bool {
        self.shared.cluster.as_ref().is_some_and(|cluster| cluster.out_of_reach.has(node))
    }

    /// Whether a read goes past a node, for it did not answer the last ones.
    pub(super) fn passes_by(&self, node: NodeId) -> bool {
        let cluster = self.shared.cluster.as_ref();
        cluster.is_some_and(|cluster| !cluster.breakers.may_ask(node, self.shared.now()))
    }

    /// Whether any node did not answer lately.
    #[inline]
    pub(super) fn knows_of_failures(&self) -> bool {
        self.shared.cluster.as_ref().is_some_and(|cluster| cluster.breakers.are_any())
    }

    pub(super) fn count_passed_by(&self) {
        if let Some(cluster) = &self.shared.cluster {
            cluster.breakers.pass_by();
        }
    }

    /// Whether a node is held for live.
    pub(in crate::node) fn is_live(&self, node: NodeId) -> bool {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        view.index_of(node).is_some_and(|index| view.is_live(index))
    }

    /// Whether copies are taken of a node.
    pub(in crate::node) fn takes_from(&self, node: NodeId) -> bool {
        self.view.borrow_mut().view().takes_from(node)
    }

    /// The slots that a node owns by the ring that is read.
    pub(in crate::node) fn slots_of(&self, node: NodeId) -> Vec<u32> {
        self.view.borrow_mut().view().slots_of(node)
    }

    /// Gathers some of this node's items, or stamps of deletes, for those that they are to be
    /// brought to, by their slots. Whether there are more to look at.
    pub(in crate::node) fn gather(
        &self,
        (walk, kind): (&mut FullWalk, Kind),
        now: Now,
        moves: &BTreeMap<NodeId, Wanted>,
        turn: &mut Turn,
    ) -> bool {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        self.shared.store.walk_all(walk, now, |key, found| {
            if kind.is(found.is_tombstone()) {
                let slot = view.slot(view.hash(key.bytes()));
                for (&to, wanted) in moves {
                    if wanted.has(slot, kind) {
                        turn.keep(to, slot, key.bytes(), found);
                    }
                }
            }
            !turn.is_full()
        })
    }

    /// How much of the memory was looked at, of 1.
    pub(in crate::node) fn walked(&self, walk: &FullWalk) -> f64 {
        self.shared.store.walked(walk)
    }

    /// Whether this node has anything in its memory.
    pub(in crate::node) fn has_items(&self) -> bool {
        self.shared.store.figures().items > 0
    }

    /// A turn has waited for other nodes since then.
    pub(in crate::node) fn note_waited(&self, since: Duration) {
        if let Some(cluster) = &self.shared.cluster {
            let at = self.elapsed();
            cluster.waited.note(at.saturating_sub(since), at);
        }
    }

    /// The time since this node was started.
    pub(in crate::node) fn elapsed(&self) -> Duration {
        self.shared.elapsed()
    }

    /// Gathers the items that were written since then and that a dead node
    /// kept too, for all their other owners; of one that is forgotten nobody knows any more what
    /// it kept. Where this node knows of no owners it is for all: whoever is one keeps it. Whether
    /// there are more to look at.
    pub(in crate::node) fn gather_recent(
        &self,
        walk: &mut FullWalk,
        now: Now,
        dead: NodeId,
        since_ms: u64,
        turn: &mut Turn,
    ) -> bool {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let (me, dead) = (self.me(), view.index_of(dead));
        let is_other = |&owner: &u16| view.is_live(owner) && Some(view.node(owner)) != me;
        self.shared.store.walk_all(walk, now, |key, found| {
            if found.meta().version.unix_ms() >= since_ms {
                let hash = view.hash(key.bytes());
                let (owners, to_be) = view.writers(hash);
                let mut keep = |owner: u16| {
                    turn.keep(view.node(owner), view.slot(hash), key.bytes(), found);
                };
                if owners.iter().all(|owner| Some(view.node(owner)) == me) {
                    (0..view.nodes().len() as u16).filter(is_other).for_each(keep);
                } else if dead.is_none_or(|dead| owners.contains(dead) || to_be.contains(dead)) {
                    let to_be = to_be.iter().filter(|&owner| !owners.contains(owner));
                    owners.iter().chain(to_be).filter(is_other).for_each(&mut keep);
                }
            }
            !turn.is_full()
        })
    }

    /// How many nodes keep a key.
    pub(in crate::node) fn copies(&self) -> usize {
        self.view.borrow_mut().view().readers(KeyHash(0)).iter().count()
    }

    /// Whether this node has caught up with all others, as far as it knows.
    pub(in crate::node) fn has_all(&self, now: Now) -> bool {
        let keeps_up = self.shared.cluster.as_ref().is_none_or(|there| there.keeps_up(now));
        keeps_up && self.me().is_none_or(|me| self.executed(me))
    }

    /// Whether a node executes, as far as the view knows.
    pub(in crate::node) fn executed(&self, node: NodeId) -> bool {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        view.index_of(node).is_some_and(|index| view.executes(index))
    }

    /// What the death of others makes of the slots that this node owns with them.
    pub(in crate::node) fn slots_after(&self, dead: &BTreeSet<NodeId>) -> After {
        let me = self.me();
        me.map(|me| self.view.borrow_mut().view().slots_after(dead, me)).unwrap_or_default()
    }

    /// Takes an item as another node has it, unless the copy has no use. Whoever has all by its
    /// rings, and gets nothing under this key by them, is sent it by one who does not go by them
    /// yet: it would be found again when this node owns the slot once more.
    pub(in crate::node) fn merge(
        &self,
        key: Key<'_>,
        copied: &Copied<'_>,
        now: Now,
    ) -> Option<Merged> {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let hash = view.hash(key.bytes());
        let gets = self.me().is_none_or(|me| view.gets(hash, me));
        drop(reader);
        let takes = gets || !self.has_all(now);
        takes.then(|| self.shared.store.merge(hash, key, now, copied))
    }

    pub(in crate::node) fn turn(&self) -> RefMut<'_, Turn> {
        self.turn.borrow_mut()
    }

    pub(super) fn parts(&self) -> RefMut<'_, Parts> {
        self.parts.borrow_mut()
    }

    /// The copies that the step has sent, and how many of them have to be kept.
    pub(super) fn end_step(&self) -> (Calls, u8) {
        let least = self.least.take();
        (self.turn().end_step(least), least)
    }

    /// Sends what a turn has gathered.
    pub(in crate::node) fn send(&self, turn: Turn, now: Now) -> Sent {
        match &self.shared.cluster {
            Some(cluster) => {
                let floor = self.shared.store.flush_floor(now);
                cluster.send(self.shared.lane(self.worker), turn, floor, now)
            }
            None => Sent::nothing(now),
        }
    }

    /// The client of the turn under way is cut, and who comes next waits for none of its
    /// answers. What it has gathered for other nodes goes out with the next turn: copies of
    /// what was written here may be among it.
    #[cold]
    fn forget_answers(&self) {
        self.parts.take();
        self.least.set(0);
        self.turn().end_step(0);
    }

    /// Whether something waits for the end of the turn.
    pub(super) fn has_gathered(&self) -> bool {
        !self.turn().is_empty() || !self.parts().is_empty()
    }

    /// The slots of which this node gets what is written.
    pub(in crate::node) fn own_slots(&self, slots: u32) -> Slots {
        let mut own = Slots::none(slots);
        let mut reader = self.view.borrow_mut();
        let kept = self.me().map(|me| reader.view().slots_kept_by(me));
        kept.into_iter().flatten().for_each(|slot| own.insert(slot));
        own
    }

    /// The other owners of a slot that are live.
    pub(in crate::node) fn other_owners(&self, slot: u32) -> Vec<NodeId> {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let owners = view.readers_of_slot(slot).into_iter().flat_map(Owners::iter);
        let live = owners.filter(|&owner| view.is_live(owner)).map(|owner| view.node(owner));
        live.filter(|&node| !self.is_me(node)).collect()
    }

    /// The other nodes that are live.
    pub(in crate::node) fn live_others(&self) -> Vec<NodeId> {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let live = (0..).zip(view.nodes()).filter(|&(index, _)| view.is_live(index));
        live.map(|(_, &node)| node).filter(|&node| !self.is_me(node)).collect()
    }

    /// Tells these nodes that all up to this version is gone.
    pub(super) fn tell_floor(&self, floor: Version, to: &[NodeId], now: Now) -> Arc<Waiting> {
        match &self.shared.cluster {
            Some(cluster) => cluster.tell_floor(floor, to, now),
            None => Sent::nothing(now).waiting,
        }
    }

    /// What is gone, whoever flushed it.
    pub(in crate::node) fn flush_floor(&self, now: Now) -> Version {
        self.shared.store.flush_floor(now)
    }

    /// When this node last went on after it had stood still.
    pub(super) fn woke_at(&self, now: Now) -> Now {
        let cluster = self.shared.cluster.as_ref();
        cluster.map_or(Now::from_unix_ms(0), |cluster| cluster.woke_at(now))
    }

    /// Takes a flush that another node tells of.
    pub(in crate::node) fn flushed(&self, floor: Version, now: Now) -> bool {
        self.shared.flushed(floor, now)
    }

    /// Wakes whoever waits when it is time to ask others, if that is not over by then.
    pub(super) fn wake_for_hedge(&self, sent: &Sent, now: Now) {
        let Some(cluster) = &self.shared.cluster else { return };
        let patience =
            |node| cluster.peer(node).map_or(*HEDGE_MS.start(), |peer| peer.patience_ms());
        if let Some(ms) = sent.readers().map(patience).min() {
            self.wake_after(&sent.waiting, now, ms);
        }
    }

    fn wake_after(&self, waiting: &Arc<Waiting>, now: Now, ms: u64) {
        if let Some(cluster) = &self.shared.cluster {
            cluster.alarms.wake_at(waiting, now.after_ms(ms));
        }
    }

    /// Whether others execute for some keys than before, and not all may know.
    pub(super) fn has_just_changed(&self) -> bool {
        self.view.borrow_mut().view().has_just_changed()
    }

    /// Nothing sent, that is over after some time, or when there is another view.
    pub(super) fn pause(&self, now: Now, ms: u64) -> Sent {
        let sent = Sent::pause(now);
        self.wake_after(&sent.waiting, now, ms);
        sent
    }

    pub(super) fn me(&self) -> Option<NodeId> {
        self.shared.cluster.as_ref().map(|cluster| cluster.me)
    }

    /// Copies what an operation has changed to the other owners.
    #[inline]
    fn copy(
        &self,
        hash: KeyHash,
        key: Key<'_>,
        op: &Op<'_>,
        outcome: Outcome,
        found: Option<&Found<'_>>,
    ) {
        if let Some(cluster) = &self.shared.cluster
            && let Some(found) = found
            && (op.has_changed(outcome) || found.is_tombstone())
        {
            let mut view = self.view.borrow_mut();
            let least = cluster.copy(&mut self.turn(), view.view(), hash, key.bytes(), found);
            self.least.set(self.least.get().max(least));
        }
    }
}

impl fmt::Debug for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Road").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::waits::{Part, Source};
    use super::*;
    use crate::item::{Expiry, StoreMode};
    use crate::node::standing::{START_MS, node_of};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicU64;

    const ME: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    #[test]
    fn a_panic_leaves_the_next_turn_no_answers() {
        let shared = node_of(&[ME, OTHER], &Arc::new(AtomicU64::new(START_MS)));
        let road = Rc::new(Road::new(&shared, 0));
        let set = Store {
            mode: StoreMode::Set,
            flags: 0,
            expiry: Expiry::Never,
            value: b"v",
            compare: None,
            cas: None,
            invalidate: false,
            vivify: None,
        };
        let broken = catch_unwind(AssertUnwindSafe(|| {
            let _turn = Road::begin_turn(&road);
            road.parts().push(Part::new(0, 0, Source::Text(b"not for others".to_vec())));
            road.least.set(1);
            road.store(Key::new(b"k").unwrap(), shared.now(), set, None, |_, _| ());
            panic!("as a fault in what answers would");
        }));
        assert!(broken.is_err());
        let _next = Road::begin_turn(&road);
        assert!(road.parts().is_empty());
        let (copies, least) = road.end_step();
        assert!(copies.is_empty() && least == 0, "nobody waits for what it wrote");
        assert!(road.has_gathered(), "which the other owner is to have all the same");
    }
}
