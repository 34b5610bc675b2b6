//! Tells the other owners which copies did not get to a node: this one may die before it has
//! brought them.
//!
//! Whoever hears of it brings the node what it has itself, and is done then. So it is not to
//! hear of it before it has what the other one lacks: before it is told, the copies that were
//! under way have ended, to whomever they went.

use super::dirty::Slots;
use super::{Cluster, Settling};
use crate::item::Now;
use crate::limits::BEHIND_TOLD_MAX;
use crate::node::session::Road;
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// Tells the other owners which copies did not get to a node. Belongs to the hub's thread.
pub(in crate::node) struct Misses {
    road: Rc<Road>,
    cluster: Arc<Cluster>,
    telling: Option<Telling>,
    /// All that had been missed by then was told.
    told: Now,
    /// Nobody lacked anything then.
    whole: Now,
}

/// What others are being told.
#[derive(Debug)]
struct Telling {
    since: Now,
    slots: BTreeMap<NodeId, Slots>,
    /// What was under way then.
    settling: Settling,
    /// Some of it could not be sent, and is to be told later.
    is_partly: bool,
}

impl fmt::Debug for Misses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { told, whole, .. } = self;
        f.debug_struct("Misses").field("told", told).field("whole", whole).finish_non_exhaustive()
    }
}

impl Misses {
    pub(in crate::node) fn new(road: Rc<Road>, cluster: Arc<Cluster>, now: Now) -> Self {
        Self { road, cluster, telling: None, told: now, whole: now }
    }

    /// Somebody may not have heard what it was told.
    pub(in crate::node) fn tell_again(&mut self) {
        if self.cluster.dirty.tell_again() {
            self.told = self.told.min(self.whole);
            // What was missed before the one under way is told with the next.
            if let Some(telling) = &mut self.telling {
                telling.is_partly = true;
            }
        }
    }

    /// All that had been missed by then was told.
    pub(in crate::node) fn told(&self) -> Now {
        self.told
    }

    /// Goes on for a moment: `live` are the others that are held for live.
    pub(in crate::node) fn step(&mut self, live: &[NodeId], now: Now) {
        if self.cluster.dirty.lacks_nobody() {
            self.whole = now;
        }
        let slots = || Some(self.cluster.dirty.take_untold()).filter(|slots| !slots.is_empty());
        let begin = |slots| {
            let settling = Settling::begin(&self.cluster, None);
            Telling { since: now, slots, settling, is_partly: false }
        };
        let Some(mut telling) = self.telling.take().or_else(|| slots().map(begin)) else {
            self.told = now;
            return;
        };
        if telling.settling.is_over(&self.cluster) {
            self.tell(&mut telling, live);
        }
        match telling.slots.is_empty() {
            true if telling.is_partly => {}
            true => self.told = telling.since,
            false => self.telling = Some(telling),
        }
    }

    /// Tells some of it.
    fn tell(&self, telling: &mut Telling, live: &[NodeId]) {
        let mut left = BEHIND_TOLD_MAX;
        for (&behind, slots) in &mut telling.slots {
            let some = slots.take_some(left);
            left -= some.len();
            // Whoever is down is brought everything by everybody once it is back.
            for slot in some.into_iter().filter(|_| live.contains(&behind)) {
                // Who is linked later is told all again.
                let others = self.road.other_owners(slot).into_iter();
                let mut others = others.filter(|&to| to != behind && self.cluster.is_linked(to));
                if !others.all(|to| self.cluster.tell_behind(to, slot, behind)) {
                    self.cluster.dirty.tell_later(behind, slot);
                    telling.is_partly = true;
                }
            }
        }
        telling.slots.retain(|_, slots| slots.len() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::peers::Link;
    use crate::node::peers::Answer;
    use crate::node::peers::calls::Call;
    use crate::node::standing::{START_MS, node_of};
    use std::sync::atomic::AtomicU64;

    const ME: NodeId = NodeId(1);
    const OWNER: NodeId = NodeId(2);
    const BEHIND: NodeId = NodeId(3);

    /// This node, and its link to another owner of what a third one lacks.
    struct Scene {
        misses: Misses,
        link: Arc<Link>,
    }

    impl Scene {
        fn new() -> Self {
            let shared = node_of(&[ME, OWNER, BEHIND], &Arc::new(AtomicU64::new(START_MS)));
            let cluster = Arc::clone(shared.cluster.as_ref().unwrap());
            let road = Rc::new(Road::new(&shared, 0));
            let misses = Misses::new(road, cluster, at(0));
            let mut scene = Self { misses, link: Arc::new(link()) };
            scene.linked();
            scene
        }

        /// Something was missed, and told.
        fn that_told() -> Self {
            let mut scene = Self::new();
            scene.step(1);
            scene.miss();
            assert_eq!(scene.step(2), (at(2), true));
            scene
        }

        fn linked(&mut self) {
            self.link = Arc::new(link());
            self.misses.cluster.linked(&self.link);
            self.misses.tell_again();
        }

        fn miss(&self) {
            self.misses.cluster.dirty.miss(BEHIND, [7]);
        }

        /// Goes on, and says up to when all was told and whether something was sent.
        fn step(&mut self, ms: u64) -> (Now, bool) {
            self.misses.step(&[OWNER, BEHIND], at(ms));
            (self.misses.told(), !self.link.take_outgoing().is_empty())
        }
    }

    fn link() -> Link {
        Link::detached(OWNER, 1, 1 << 20, || {})
    }

    fn at(ms: u64) -> Now {
        Now::from_unix_ms(START_MS + ms)
    }

    #[test]
    fn who_is_told_has_what_the_other_lacks() {
        let mut scene = Scene::new();
        assert_eq!(scene.step(1), (at(1), false));
        let cluster = Arc::clone(&scene.misses.cluster);
        let under_way = call(&cluster);
        scene.miss();
        assert_eq!(scene.step(2), (at(1), false));
        // What is sent later is told of later.
        let later = call(&cluster);
        scene.miss();
        assert_eq!(scene.step(3), (at(1), false));
        cluster.answered(&scene.link, under_way, Answer::Kept, at(4));
        assert_eq!(scene.step(4), (at(2), true));
        assert_eq!(scene.step(5), (at(2), false));
        cluster.answered(&scene.link, later, Answer::Kept, at(6));
        assert_eq!(scene.step(6), (at(5), true));
        assert_eq!(scene.step(7), (at(7), false));
    }

    /// Begins a call that brings a copy.
    fn call(cluster: &Cluster) -> u32 {
        let deadline = Now::from_unix_ms(u64::MAX);
        let call = Call { waits: None, slots: vec![7], brings: false, asks: false, deadline };
        let mut begun = 0;
        cluster.peer(OWNER).unwrap().call(0, call, true, |call, _| begun = call).unwrap();
        begun
    }

    #[test]
    fn who_is_linked_anew_while_others_are_told_was_told_nothing() {
        let mut scene = Scene::that_told();
        call(&scene.misses.cluster);
        scene.miss();
        assert_eq!(scene.step(3), (at(2), false));
        // That ends what is under way.
        scene.linked();
        assert_eq!(scene.misses.told(), at(1));
        assert_eq!(scene.step(4), (at(1), true), "what was missed before is not told yet");
        assert_eq!(scene.step(5), (at(5), true));
    }

    #[test]
    fn who_is_linked_anew_was_told_nothing() {
        let mut scene = Scene::that_told();
        assert_eq!(scene.step(3), (at(3), false));
        scene.linked();
        assert_eq!(scene.misses.told(), at(1), "since then something is missed");
        assert_eq!(scene.step(4), (at(4), true));
        // Where nothing is missed there is nothing to be told.
        scene.misses.cluster.dirty.lacks_nothing(BEHIND);
        scene.step(5);
        scene.linked();
        assert_eq!(scene.misses.told(), at(5));
    }
}
