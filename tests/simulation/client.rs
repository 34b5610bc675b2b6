//! A client: one turn at a time, of one request or of many at once, at one node.

use crate::world::World;
use ringcached::net::{Answer, Next, Output};
use ringcached::node::Session;
use std::rc::Rc;
use std::task::Waker;

/// A client of one node.
pub(crate) struct Client {
    node: usize,
    session: Option<Session>,
    /// What was said and is not taken yet.
    said: Vec<u8>,
    out: Output,
    answer: Vec<u8>,
    /// A turn is under way, at this node.
    busy: Option<Rc<()>>,
    /// It has waited at one go for so long, without the time in which its node stood still.
    waited_ms: u64,
    waits_ms: u64,
    looked_ms: u64,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With these answers.
    Answer(String),
    /// The node is gone.
    Unknown,
}

impl Client {
    pub(crate) fn new(node: usize) -> Self {
        let (out, said, answer) = (Output::default(), Vec::new(), Vec::new());
        let (waited_ms, waits_ms, looked_ms) = (0, 0, 0);
        let session = None;
        Self { node, session, said, out, answer, busy: None, waited_ms, waits_ms, looked_ms }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// How long the last turn waited, or has been waiting, at one go: a flush ends what was
    /// said before it, and begins anew.
    pub(crate) fn waited_ms(&self) -> u64 {
        self.waited_ms
    }

    /// Begins a turn; at another node, if its own is gone.
    pub(crate) fn begin(&mut self, world: &mut World, requests: &str) -> Option<Ended> {
        while !world.takes_clients(self.node) {
            self.node = world.random.below(world.served);
            self.session = None;
        }
        self.session.get_or_insert_with(|| world.session(self.node));
        self.busy = Some(Rc::clone(&world.nodes[self.node].busy));
        (self.waited_ms, self.waits_ms, self.looked_ms) = (0, 0, world.now_ms());
        self.answer.clear();
        self.said = requests.into();
        self.go_on()
    }

    /// Goes on with it.
    pub(crate) fn poll(&mut self, world: &World) -> Option<Ended> {
        let since = std::mem::replace(&mut self.looked_ms, world.now_ms());
        if world.nodes[self.node].up.is_none() {
            self.session = None;
            self.busy = None;
            return Some(Ended::Unknown);
        }
        if !world.is_up(self.node) {
            return None;
        }
        self.waits_ms += self.looked_ms - since;
        self.waited_ms = self.waited_ms.max(self.waits_ms);
        match self.session.as_mut()?.has_news(Waker::noop()) {
            true => self.go_on(),
            false => None,
        }
    }

    fn go_on(&mut self) -> Option<Ended> {
        loop {
            let progress = self.session.as_mut()?.answer(&self.said, &mut self.out);
            self.said.drain(..progress.used);
            self.answer.extend(self.out.take());
            match progress.next {
                Next::Wait => return None,
                Next::Write => self.waits_ms = 0,
                Next::Read if self.said.is_empty() => {
                    self.busy = None;
                    let answer = String::from_utf8(std::mem::take(&mut self.answer)).unwrap();
                    return Some(Ended::Answer(answer));
                }
                next => panic!("{next:?} before {}", self.said.escape_ascii()),
            }
        }
    }
}
