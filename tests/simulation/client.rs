//! A client: one request at a time, at one node.

use crate::world::World;
use ringcached::net::{Answer, Next, Output};
use ringcached::node::Session;
use std::task::Waker;

/// A client of one node.
pub(crate) struct Client {
    node: usize,
    session: Option<Session>,
    out: Output,
    answer: Vec<u8>,
    /// A request is under way.
    busy: bool,
    /// For so long, without the time in which its node stood still.
    waited_ms: u64,
    looked_ms: u64,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this answer.
    Answer(String),
    /// The node is gone.
    Unknown,
}

impl Client {
    pub(crate) fn new(node: usize) -> Self {
        let (out, answer) = (Output::default(), Vec::new());
        Self { node, session: None, out, answer, busy: false, waited_ms: 0, looked_ms: 0 }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    /// How long the last request took, or has been taking.
    pub(crate) fn waited_ms(&self) -> u64 {
        self.waited_ms
    }

    /// Begins a request; at another node, if its own is gone.
    pub(crate) fn begin(&mut self, world: &mut World, request: &str) -> Option<Ended> {
        while !world.is_up(self.node) {
            self.node = world.random.below(world.nodes.len());
            self.session = None;
        }
        let session = self.session.get_or_insert_with(|| world.session(self.node));
        self.busy = true;
        (self.waited_ms, self.looked_ms) = (0, world.now_ms());
        self.answer.clear();
        let progress = session.answer(request.as_bytes(), &mut self.out);
        self.follow(progress.next)
    }

    /// Goes on with it.
    pub(crate) fn poll(&mut self, world: &World) -> Option<Ended> {
        let since = std::mem::replace(&mut self.looked_ms, world.now_ms());
        if world.nodes[self.node].up.is_none() {
            self.session = None;
            self.busy = false;
            return Some(Ended::Unknown);
        }
        if !world.is_up(self.node) {
            return None;
        }
        self.waited_ms += self.looked_ms - since;
        let session = self.session.as_mut()?;
        if !session.has_news(Waker::noop()) {
            return None;
        }
        let progress = session.answer(b"", &mut self.out);
        self.follow(progress.next)
    }

    fn follow(&mut self, mut next: Next) -> Option<Ended> {
        loop {
            self.answer.extend(self.out.take());
            match next {
                Next::Wait => return None,
                Next::Write => {
                    next = self.session.as_mut()?.answer(b"", &mut self.out).next;
                }
                _ => {
                    self.busy = false;
                    let answer = String::from_utf8(std::mem::take(&mut self.answer)).unwrap();
                    return Some(Ended::Answer(answer));
                }
            }
        }
    }
}
