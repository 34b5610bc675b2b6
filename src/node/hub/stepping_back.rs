//! A node that serves steps back, and joins again: what it has begun ends before anybody
//! hears of it, for whoever hears takes its place.

use super::{Effect, Hub};
use crate::cluster::Phase;
use crate::node::peers::Settling;
use crate::ring::RingError;

/// Why a node joins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepBack {
    /// Others may have held it for dead meanwhile.
    StoodStill,
    /// Others cannot call it.
    Unlinked,
    /// Others have changed owners without it.
    Missed,
}

/// What has to end before a node joins again, and before it may execute again.
#[derive(Debug)]
pub(super) struct SteppingBack {
    why: StepBack,
    /// What it has begun.
    settling: Settling,
    /// It has joined again since. What was begun before it did goes by a view in which it
    /// serves, and is not to execute by that.
    joins: bool,
}

impl Hub {
    /// This node executes no more from now on.
    pub(super) fn step_back(&mut self, why: StepBack) {
        if !self.is_stepping_back() {
            self.cluster.leave();
            let settling = Settling::begin(&self.cluster, None);
            self.stepping_back = Some(SteppingBack { why, settling, joins: false });
        }
    }

    pub(super) fn is_stepping_back(&self) -> bool {
        self.stepping_back.is_some()
    }

    /// Joins again once all has ended.
    pub(super) fn go_on_stepping_back(&mut self) -> Result<(), RingError> {
        let Some(back) = &mut self.stepping_back else { return Ok(()) };
        // Who leaves for good is not to come back by this.
        if self.parting.is_some() || !back.settling.is_over(&self.cluster) {
            return Ok(());
        }
        if back.joins {
            self.stepping_back = None;
            self.cluster.stay();
            return Ok(());
        }
        back.joins = true;
        if back.why == StepBack::Unlinked {
            self.effects.push_back(Effect::TellSteppedBack);
        }
        // It may have been held for dead meanwhile, and has joined again for that.
        let joins = match self.card.phase {
            Phase::Joining => Ok(()),
            Phase::Warm | Phase::Serving | Phase::Leaving => self.join_again(),
        };
        if let Some(back) = &mut self.stepping_back {
            back.settling = Settling::begin(&self.cluster, None);
        }
        joins
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cluster::{Agreed, Card};
    use crate::item::{Now, Version};
    use crate::node::hub::HubConfig;
    use crate::node::session::Road;
    use crate::node::standing::{START_MS, node_of};
    use crate::node::{Shared, WriteAck};
    use crate::ring::{Layout, NodeId};
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    const ME: NodeId = NodeId(1);

    pub(in crate::node::hub) fn card(node: NodeId) -> Card {
        let address = "127.0.0.1:1".parse().unwrap();
        Card {
            node,
            name: "node".into(),
            generation: 1,
            sequence: 1,
            client: "127.0.0.1:1".into(),
            peer: address,
            calls: 1,
            admin: None,
            zone: "".into(),
            weight: 1,
            phase: Phase::Serving,
            flush_floor: Version::ZERO,
            build: "".into(),
        }
    }

    /// The hub of a node that serves.
    pub(in crate::node::hub) fn serving(shared: &Arc<Shared>) -> Hub {
        begun(shared, Phase::Serving)
    }

    /// The hub of a node in this phase.
    pub(in crate::node::hub) fn begun(shared: &Arc<Shared>, phase: Phase) -> Hub {
        let config = HubConfig {
            layout: Layout::default(),
            write_ack: WriteAck::Quorum,
            grace: Duration::from_secs(60),
            look: Duration::ZERO,
            search: Duration::ZERO,
            is_sought: false,
            moves_itself: true,
            recall: Duration::from_secs(1),
            notice: Duration::from_secs(1),
            plan: Agreed::plan,
        };
        Hub::new(config, Card { phase, ..card(ME) }, shared, 0).unwrap()
    }

    #[test]
    fn nothing_is_executed_by_the_view_in_which_it_served() {
        let shared = node_of(&[ME], &Arc::new(AtomicU64::new(START_MS)));
        let cluster = Arc::clone(shared.cluster.as_ref().unwrap());
        let (now, mut hub) = (Now::from_unix_ms(START_MS), serving(&shared));
        let road = Rc::new(Road::new(&shared, 0));
        cluster.tick(now);
        assert!(road.has_all(now));
        hub.step_back(StepBack::StoodStill);
        assert!(!road.has_all(now), "others may have written what it has not heard of");
        // Begun after that, and before the others hear of it.
        let turn = Road::begin_turn(&road);
        for _ in 0..3 {
            hub.go_on_stepping_back().unwrap();
            assert_eq!(hub.card().phase, Phase::Joining);
            assert!(!cluster.stays());
        }
        drop(turn);
        hub.go_on_stepping_back().unwrap();
        assert!(cluster.stays() && !hub.is_stepping_back());
    }
}
