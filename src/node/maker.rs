//! The thread that works out what a node has to know before it goes by other rings.

use super::inbox::{Inbox, Input};
use crate::cluster::{Made, Making};
use crate::limits::BEHIND_NICE;
use std::sync::Arc;
use std::thread;

/// Works something out behind all other threads, for a change of owners has all nodes do so at
/// once, and clients ask meanwhile. What came of it is put into the inbox.
pub(super) fn make(making: Making, inbox: &Arc<Inbox>) {
    let outcome = Outcome { made: None, to: Arc::clone(inbox) };
    let run = || {
        // If it may not stand back, it takes its turn.
        let _ = rustix::process::nice(BEHIND_NICE);
        outcome.work_out(making);
    };
    // Where there is no room for a thread, nothing came of it.
    let _ = thread::Builder::new().name("maker".to_owned()).spawn(run);
}

/// Is told in any case, or this node would go by no other rings ever after.
struct Outcome {
    made: Option<Box<Made>>,
    to: Arc<Inbox>,
}

impl Outcome {
    fn work_out(mut self, making: Making) {
        self.made = Some(making.make().into());
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        self.to.put(Input::Made(self.made.take()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Agreed, Flaw, Founded, Plan, Rings, Step};
    use crate::node::refusals::Remarks;
    use crate::ring::{Layout, Node, NodeId};

    /// Works out a change to be filled by this plan, and waits for what comes of it.
    fn outcome(plan: fn(&Agreed) -> Result<Plan, Flaw>) -> Option<Box<Made>> {
        let (me, layout) = (NodeId(1), Layout { slot_bits: 8, ..Layout::default() });
        let rings = Rings::found(Founded { generation: 1, by: me }, vec![Node::new(me)]);
        let rings = Rings { step: Step::Fill, ..rings };
        let inbox = Arc::new(Inbox::new(&Arc::new(Remarks::new(None))));
        make(Making { me, layout, known: None, rings, plan }, &inbox);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(inbox.some());
        match inbox.take().pop_front() {
            Some(Input::Made(made)) => made,
            _ => panic!("nothing else comes"),
        }
    }

    #[test]
    fn what_came_of_it_is_told() {
        assert!(outcome(Agreed::plan).unwrap().agreed.is_ok());
    }

    #[test]
    fn that_nothing_came_of_it_is_told_too() {
        assert!(outcome(|_| panic!("for a test")).is_none());
    }
}
