//! What came from other nodes and waits for the hub: links and gossip put it there, and
//! the hub takes it out, on one thread.

use super::refusals::Remarks;
use super::server::now;
use crate::cluster::{Event, Made};
use crate::limits::FRAMES_WAITING_BYTES_MAX;
use crate::net::peers::{Handler, Link, Refused};
use crate::wire::Life;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What came.
pub(super) enum Input {
    Linked(Arc<Link>),
    Frame(Arc<Link>, Vec<u8>),
    Unlinked(Arc<Link>),
    News(Event),
    /// One whose ring is made otherwise.
    Stranger(Life),
    /// What was to be worked out; nothing where it could not be.
    Made(Option<Box<Made>>),
}

/// Where it waits.
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    some: Notify,
    pub(super) remarks: Arc<Remarks>,
}

#[derive(Default)]
struct Waiting {
    inputs: VecDeque<Input>,
    frame_bytes: usize,
}

impl Inbox {
    pub(super) fn new(remarks: &Arc<Remarks>) -> Self {
        Self { waiting: Mutex::default(), some: Notify::new(), remarks: Arc::clone(remarks) }
    }

    pub(super) fn put(&self, input: Input) {
        let mut waiting = self.waiting();
        if let Input::Frame(link, frame) = &input {
            waiting.frame_bytes += frame.len();
            if waiting.frame_bytes > FRAMES_WAITING_BYTES_MAX {
                link.end("more comes than can be handled");
            }
        }
        waiting.inputs.push_back(input);
        drop(waiting);
        self.some.notify_one();
    }

    /// Until there is something.
    pub(super) async fn some(&self) {
        self.some.notified().await;
    }

    pub(super) fn take(&self) -> VecDeque<Input> {
        let mut waiting = self.waiting();
        waiting.frame_bytes = 0;
        std::mem::take(&mut waiting.inputs)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Inbox {
    fn linked(&self, link: Arc<Link>) {
        self.put(Input::Linked(link));
    }

    fn frame(&self, link: &Arc<Link>, frame: &[u8]) {
        self.put(Input::Frame(Arc::clone(link), frame.to_vec()));
    }

    fn idle(&self, _link: &Arc<Link>) {}

    fn unlinked(&self, link: &Arc<Link>) {
        self.put(Input::Unlinked(Arc::clone(link)));
    }

    fn refused(&self, addr: SocketAddr, why: &Refused) {
        self.remarks.refused("call", addr, &why.to_string(), now());
        if let Refused::Hello(refusal) = why
            && let Some(life) = refusal.stranger()
        {
            self.put(Input::Stranger(life));
        }
    }

    fn remark(&self, remark: &str) {
        self.remarks.say(remark.to_owned());
    }
}
