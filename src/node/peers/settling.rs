//! What was begun by an older view, and has to end before others may rely on a newer
//! one: turns that are under way on the workers' threads, and copies that those sent.
//!
//! Each worker has a link of its own, so that nothing holds what this node says of the
//! cluster behind the writes that it executed before.

use super::{Cluster, Peer};
use crate::ring::NodeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Who is in the middle of a turn. Odd while it is.
#[derive(Debug)]
pub(in crate::node) struct Turns(Box<[Cell]>);

/// On cache lines of its own, so that no worker slows another one down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell(AtomicU64);

impl Turns {
    pub(super) fn new(threads: usize) -> Self {
        Self(std::iter::repeat_with(Cell::default).take(threads).collect())
    }

    /// A thread looks at the view after this, and only until [`Turns::end`]. Only that
    /// thread may say so.
    #[inline]
    pub(in crate::node) fn begin(&self, thread: usize) {
        let cell = &self.0[thread].0;
        cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        // Either this thread sees the view that was published before a look at this
        // number, or that look sees this number.
        fence(Ordering::SeqCst);
    }

    #[inline]
    pub(in crate::node) fn end(&self, thread: usize) {
        let cell = &self.0[thread].0;
        cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Those under way, which may go by the view before the one that was just
    /// published.
    fn under_way(&self) -> Vec<(usize, u64)> {
        fence(Ordering::SeqCst);
        let numbers = self.0.iter().map(|cell| cell.0.load(Ordering::Acquire)).enumerate();
        numbers.filter(|(_, number)| number % 2 == 1).collect()
    }

    fn is_over(&self, (thread, number): (usize, u64)) -> bool {
        self.0[thread].0.load(Ordering::Acquire) != number
    }
}

/// What is still to end.
#[derive(Debug)]
pub(in crate::node) struct Settling {
    turns: Vec<(usize, u64)>,
    /// Calls under way, looked up once the turns are over.
    calls: Option<Vec<Calls>>,
    which: Which,
    /// To whom; to all where none is named.
    to: Option<NodeId>,
}

/// Which calls have to end.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// Those that bring copies.
    Copies,
    /// And those that ask for something to be executed.
    Work,
}

/// Calls to one node: their lanes and numbers.
#[derive(Debug)]
struct Calls {
    peer: Arc<Peer>,
    calls: Vec<(usize, u32)>,
}

impl Settling {
    /// What is under way now, after the view was published.
    pub(in crate::node) fn begin(cluster: &Cluster, to: Option<NodeId>) -> Self {
        Self { turns: cluster.turns.under_way(), calls: None, which: Which::Copies, to }
    }

    /// The same, and all that the node was asked to execute.
    pub(in crate::node) fn of_all_work(cluster: &Cluster, to: NodeId) -> Self {
        Self { which: Which::Work, ..Self::begin(cluster, Some(to)) }
    }

    /// Whether all of it has ended.
    pub(in crate::node) fn is_over(&mut self, cluster: &Cluster) -> bool {
        self.turns.retain(|&turn| !cluster.turns.is_over(turn));
        if !self.turns.is_empty() {
            return false;
        }
        let (to, which) = (self.to, self.which);
        let calls = self.calls.get_or_insert_with(|| {
            let peers = cluster.peers().into_iter();
            let peers = peers.filter(|peer| to.is_none_or(|to| peer.node == to));
            let under_way = |peer: &Peer| match which {
                Which::Copies => peer.copies_under_way(),
                Which::Work => peer.work_under_way(),
            };
            peers.map(|peer| Calls { calls: under_way(&peer), peer }).collect()
        });
        for Calls { peer, calls } in calls.iter_mut() {
            calls.retain(|&(lane, number)| peer.is_under_way(lane, number));
        }
        calls.retain(|calls| !calls.calls.is_empty());
        calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Now;
    use crate::net::peers::Link;
    use crate::node::WriteAck;
    use crate::node::peers::calls::Call;

    const NOW: Now = Now::from_unix_ms(1_800_000_000_000);
    const OTHER: NodeId = NodeId(2);

    fn cluster() -> Cluster {
        let cluster = Cluster::new(NodeId(1), WriteAck::Quorum, 1 << 16, 2);
        cluster.linked(&Arc::new(Link::detached(OTHER, 1, 1 << 20, || {})));
        cluster
    }

    /// Begins a call that brings copies of these slots.
    fn call(cluster: &Cluster, slots: Vec<u32>) -> u32 {
        let deadline = Now::from_unix_ms(u64::MAX);
        let call = Call { waits: None, slots, brings: false, asks: false, deadline };
        let mut begun = 0;
        let peer = cluster.peer(OTHER).unwrap();
        peer.call(0, call, true, |number, _| begun = number).unwrap();
        begun
    }

    fn answer(cluster: &Cluster, number: u32) {
        let link = Link::detached(OTHER, 1, 1 << 20, || {});
        cluster.answered(&link, number, super::super::Answer::Kept, NOW);
    }

    #[test]
    fn nothing_under_way_is_over_at_once() {
        let cluster = cluster();
        assert!(Settling::begin(&cluster, None).is_over(&cluster));
    }

    #[test]
    fn turns_under_way_are_waited_for_and_later_ones_are_not() {
        let cluster = cluster();
        cluster.turns.begin(0);
        let mut settling = Settling::begin(&cluster, None);
        assert!(!settling.is_over(&cluster));
        cluster.turns.begin(1);
        cluster.turns.end(0);
        cluster.turns.begin(0);
        assert!(settling.is_over(&cluster));
    }

    /// What a turn has sent before it ended is waited for, too.
    #[test]
    fn copies_under_way_are_waited_for_and_later_ones_are_not() {
        let cluster = cluster();
        cluster.turns.begin(0);
        let mut settling = Settling::begin(&cluster, Some(OTHER));
        assert!(!settling.is_over(&cluster));
        let (copies, asked) = (call(&cluster, vec![7]), call(&cluster, Vec::new()));
        cluster.turns.end(0);
        assert!(!settling.is_over(&cluster));
        call(&cluster, vec![8]);
        answer(&cluster, asked);
        assert!(!settling.is_over(&cluster));
        answer(&cluster, copies);
        assert!(settling.is_over(&cluster));
    }

    #[test]
    fn copies_to_others_are_not_waited_for() {
        let cluster = cluster();
        call(&cluster, vec![7]);
        assert!(Settling::begin(&cluster, Some(NodeId(3))).is_over(&cluster));
        assert!(!Settling::begin(&cluster, None).is_over(&cluster));
    }
}
