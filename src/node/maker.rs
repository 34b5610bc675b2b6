//! The thread that works out what a node has to know before it goes by other rings.

use super::bulk::NICE;
use super::inbox::{Inbox, Input};
use crate::cluster::Making;
use std::sync::Arc;
use std::thread;

/// Works something out behind all other threads, for a change of owners has all nodes do so at
/// once, and clients ask meanwhile. What came of it is put into the inbox.
pub(super) fn make(making: Making, inbox: &Arc<Inbox>) {
    let (to, same) = (Arc::clone(inbox), making.clone());
    let run = move || {
        // If it may not stand back, it takes its turn.
        let _ = rustix::process::nice(NICE);
        to.put(Input::Made(making.make().into()));
    };
    if thread::Builder::new().name("maker".to_owned()).spawn(run).is_err() {
        // There is no room for a thread: all others wait for this node's step.
        inbox.put(Input::Made(same.make().into()));
    }
}
