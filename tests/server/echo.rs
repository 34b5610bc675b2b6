//! A protocol of lines, to see how bytes are moved:
//!
//! | a client says | and reads |
//! |---|---|
//! | `echo TEXT` | `TEXT` |
//! | `fill N` | N times `x` |
//! | `body N`, a line's end, N bytes | `got N SUM`, the bytes summed up |
//! | `wait N`, a line's end, N bytes | the same, taken from the stream |
//! | `value` | a large value that is shared with a store |
//! | `hold` | nothing: the worker stands until the test lets it go on |
//! | `later` | `later`, when the test lets it; meanwhile nothing of the client is read |
//! | `stand` | nothing: the worker stands before it answers the next `body` |
//! | `turns` | how often a connection of this server has had a turn |
//! | `panic` | nothing: what answers breaks |
//! | `quit` | the end |

use crate::wait_until;
use ringcached::item::{Expiry, Key, Now, Op, Store as Write, StoreMode};
use ringcached::net::{Answer, Next, Output, Progress};
use ringcached::ring::{KeyHash, Layout, Node, NodeId, Ring};
use ringcached::store::{Store, StoreConfig};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

/// Answers one connection.
#[derive(Debug)]
pub(crate) struct Echo {
    value: Arc<Value>,
    gate: Arc<Gate>,
    stands: bool,
    waits: bool,
}

/// Where a worker may be made to stand, and what it did before.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    turns: AtomicU64,
    shut: AtomicBool,
    held: AtomicBool,
    open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    /// How often connections have had a turn.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// From now on the worker stands where it lets a client in.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
        wait_until("the gate is open", || self.open.load(Ordering::SeqCst));
    }
}

/// Answers beyond this are sent before more is answered.
const OUTPUT_HIGH: usize = 128 << 10;

const NOW: Now = Now::from_unix_ms(1_800_000_000_000);

/// A large value in a store.
#[derive(Debug)]
pub(crate) struct Value {
    store: Store,
    hash: KeyHash,
}

impl Value {
    pub(crate) fn new() -> Arc<Self> {
        let config = StoreConfig {
            memory: 64 << 20,
            item_bytes_max: 2 << 20,
            slot_bits: 8,
            node: 0,
            evicts: true,
            seed: 0,
        };
        let ring = Ring::new(&Layout::default(), &[Node::new(NodeId(1))]).unwrap();
        let (store, hash) = (Store::new(&config, NOW), ring.hash(b"key"));
        let write = Op::Store(Write {
            mode: StoreMode::Set,
            flags: 0,
            expiry: Expiry::Never,
            value: &Self::bytes(),
            compare: None,
            cas: None,
            invalidate: false,
            vivify: None,
        });
        store.apply(hash, Key::new(b"key").unwrap(), NOW, &write, |_, _| ());
        Arc::new(Self { store, hash })
    }

    /// What is in it.
    pub(crate) fn bytes() -> Vec<u8> {
        (0..1_000_000_u32).map(|index| (index % 251) as u8).collect()
    }
}

impl Echo {
    pub(crate) fn new(value: &Arc<Value>, gate: &Arc<Gate>) -> Self {
        if gate.shut.load(Ordering::SeqCst) {
            gate.hold();
        }
        Self { value: Arc::clone(value), gate: Arc::clone(gate), stands: false, waits: false }
    }

    fn one(&mut self, line: &str, rest: &[u8], out: &mut Output) -> Option<(usize, Next)> {
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "echo" => out.bytes().extend(argument.bytes().chain([b'\n'])),
            "fill" => {
                let end = out.bytes().len() + argument.parse::<usize>().unwrap();
                out.bytes().resize(end, b'x');
            }
            "body" => return Some((0, Next::Body(argument.parse().unwrap()))),
            "wait" => {
                let wanted = argument.parse().unwrap();
                answer_sum(rest.get(..wanted)?, out);
                return Some((wanted, Next::Read));
            }
            "value" => {
                let key = Key::new(b"key").unwrap();
                self.value.store.get(self.value.hash, key, NOW, |found| out.value(found)).unwrap();
            }
            "hold" => self.gate.hold(),
            "stand" => self.stands = true,
            "later" => {
                self.waits = true;
                return Some((0, Next::Wait));
            }
            "turns" => out.bytes().extend(format!("{}\n", self.gate.turns()).bytes()),
            "panic" => panic!("a client asked for it"),
            "quit" => return Some((0, Next::Close)),
            other => panic!("the test says {other:?}"),
        }
        Some((0, if out.len() > OUTPUT_HIGH { Next::Write } else { Next::Read }))
    }
}

impl Answer for Echo {
    fn answer(&mut self, input: &[u8], out: &mut Output) -> Progress {
        self.gate.turns.fetch_add(1, Ordering::SeqCst);
        if std::mem::take(&mut self.waits) {
            out.bytes().extend(b"later\n");
        }
        let mut used = 0;
        while let Some(end) = input[used..].iter().position(|&byte| byte == b'\n') {
            let line = std::str::from_utf8(&input[used..][..end]).unwrap();
            let rest = &input[used + end + 1..];
            let Some((more, next)) = self.one(line, rest, out) else { break };
            used += end + 1 + more;
            if next != Next::Read {
                return Progress { used, next };
            }
        }
        Progress { used, next: Next::Read }
    }

    fn body(&mut self, body: Vec<u8>, out: &mut Output) -> Progress {
        if std::mem::take(&mut self.stands) {
            self.gate.hold();
        }
        answer_sum(&body, out);
        Progress { used: 0, next: Next::Read }
    }

    fn has_news(&mut self, waker: &Waker) -> bool {
        if self.waits {
            *self.gate.waker.lock().unwrap() = Some(waker.clone());
            self.gate.held.store(true, Ordering::SeqCst);
        }
        self.waits && self.gate.open.load(Ordering::SeqCst)
    }
}

fn answer_sum(bytes: &[u8], out: &mut Output) {
    let sum: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
    out.bytes().extend(format!("got {} {sum}\n", bytes.len()).bytes());
}
