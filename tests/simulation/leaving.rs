//! Nodes that leave for good: they hand over all, answer whoever asked, and end. Those that
//! are stopped do all of that but hand over.

use crate::world::{Delivery, World};
use std::rc::Rc;

/// How far a node has come that is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It hands over what it owns.
    HandsOver,
    /// Others own it: it takes no more clients, and answers those that there are.
    Answers,
    /// It executes no more, listens to nobody, and says by gossip that it goes.
    Bids,
}

impl World {
    /// Has a node leave for good.
    pub(crate) fn drain(&mut self, number: usize) {
        self.say(&format!("node-{number} leaves"));
        if let Some(up) = &mut self.nodes[number].up {
            up.hub.drain();
            self.nodes[number].leaves = Some(Leaving::HandsOver);
        }
    }

    /// Has a node end that keeps its slots.
    pub(crate) fn stop(&mut self, number: usize) {
        self.say(&format!("node-{number} stops"));
        self.nodes[number].leaves = Some(Leaving::Answers);
    }

    /// Whether a client may come.
    pub(crate) fn takes_clients(&self, number: usize) -> bool {
        let leaves = self.nodes[number].leaves;
        self.is_up(number) && leaves.is_none_or(|leaves| leaves == Leaving::HandsOver)
    }

    /// Ends a node that has left, as its process would.
    pub(crate) fn go_on_leaving(&mut self, number: usize) {
        let since = self.since_start();
        let node = &mut self.nodes[number];
        let (Some(leaves), Some(up)) = (node.leaves, &mut node.up) else { return };
        let is_over = match leaves {
            Leaving::HandsOver => up.hub.is_drained(),
            // Nobody waits for it any more.
            Leaving::Answers => Rc::strong_count(&node.busy) == 1 && up.hub.leave(),
            Leaving::Bids => up.agent.has_left(),
        };
        if !is_over {
            return;
        }
        match leaves {
            Leaving::HandsOver => node.leaves = Some(Leaving::Answers),
            Leaving::Answers => {
                node.leaves = Some(Leaving::Bids);
                up.agent.leave(since);
                self.settle(number);
            }
            Leaving::Bids => self.ends(number),
        }
    }

    /// Its links are closed, which the others hear.
    fn ends(&mut self, number: usize) {
        self.say(&format!("node-{number} has left"));
        let node = &mut self.nodes[number];
        (node.up, node.leaves, node.step) = (None, None, None);
        for other in 0..self.nodes.len() {
            let up = self.nodes[other].up.as_ref();
            if let Some(link) = up.and_then(|up| up.links.get(&number)).map(|wire| wire.number) {
                let (at, from, number, if_cut) = (other, number, link, false);
                self.plan(self.now_ms() + 2, Delivery::Unlink { at, from, number, if_cut });
            }
        }
    }
}
