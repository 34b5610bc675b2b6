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
}

impl Hub {
    /// This node executes no more from now on.
    pub(super) fn step_back(&mut self, why: StepBack) {
        if !self.is_stepping_back() {
            self.cluster.leave();
            self.stepping_back = Some((why, Settling::begin(&self.cluster, None)));
        }
    }

    pub(super) fn is_stepping_back(&self) -> bool {
        self.stepping_back.is_some()
    }

    /// Joins again once all has ended.
    pub(super) fn go_on_stepping_back(&mut self) -> Result<(), RingError> {
        let Some((why, settling)) = &mut self.stepping_back else { return Ok(()) };
        // Who leaves for good is not to come back by this.
        if self.leaving.is_some() || !settling.is_over(&self.cluster) {
            return Ok(());
        }
        if *why == StepBack::Unlinked {
            self.effects.push_back(Effect::TellSteppedBack);
        }
        self.stepping_back = None;
        // It may have been held for dead meanwhile, and has joined again for that.
        let joins = match self.card.phase {
            Phase::Serving => self.join_again(),
            _ => Ok(()),
        };
        self.cluster.stay();
        joins
    }
}
