//! What is fed: the parsers, and a session on a node without sockets.

use ringcached::cluster::View;
use ringcached::item::Now;
use ringcached::limits::OUTPUT_BYTES_HIGH;
use ringcached::memcache::{Line, binary, text};
use ringcached::net::{Answer, Next, Output};
use ringcached::node::{Session, Settings, Shared, SharedView};
use ringcached::ring::{Layout, Node, NodeId, Ring};
use ringcached::store::{Store, StoreConfig};
use std::sync::{Arc, LazyLock};

/// Seconds since 1970.
const START_S: u64 = 1_800_000_000;

/// Bytes of answers at a time, at most: those that one request adds come on top.
const OUTPUT_BYTES_MAX: usize = OUTPUT_BYTES_HIGH + (2 << 20);

/// A ring takes longer to build than most inputs to check.
static RING: LazyLock<Ring> =
    LazyLock::new(|| Ring::new(&Layout::default(), &[Node::new(NodeId(1))]).unwrap());

/// All parsers, at every place where a request may begin.
pub(crate) fn parse(input: &[u8]) {
    for start in 0..input.len().min(64) {
        if let Line::Whole { text: line, used } = Line::find(&input[start..], 0) {
            assert!(used <= input.len() - start && line.len() < used);
            let _ = text::parse(line);
            let _ = text::claimed_body(line);
            let _ = text::is_hushed(line);
        }
        if let binary::Head::Whole(request) = binary::Head::find(&input[start..]) {
            assert!(request.header.head_len() <= input.len() - start);
        }
    }
}

/// The only connection to a node of its own.
pub(crate) struct Client {
    session: Session,
    input: Vec<u8>,
    /// A value that is being read apart from the stream, of so many bytes.
    value: Option<(usize, Vec<u8>)>,
    closed: bool,
}

impl Client {
    pub(crate) fn new() -> Self {
        let now = Now::from_unix_ms(START_S * 1000);
        let settings = Settings { threads: 1, memory_bytes: 4 << 20, ..Settings::default() };
        let config = StoreConfig {
            memory: settings.memory_bytes,
            item_bytes_max: settings.item_bytes_max,
            seed: Layout::default().seed,
            slot_bits: Layout::default().slot_bits,
            node: 1,
            evicts: true,
        };
        let view = SharedView::new(View::settled(&RING));
        let shared = Shared::new(Store::new(&config, now), view, settings, Box::new(move || now));
        Self {
            session: Session::new(&Arc::new(shared), 0, 1),
            input: Vec::new(),
            value: None,
            closed: false,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Sends bytes and takes all answers.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        self.input.extend_from_slice(bytes);
        while !self.closed && self.value_is_whole(&mut answers) {
            let mut out = Output::default();
            let progress = self.session.answer(&self.input, &mut out);
            assert!(progress.used <= self.input.len(), "more is used than there is");
            assert!(out.len() < OUTPUT_BYTES_MAX, "answers are bounded");
            self.input.drain(..progress.used);
            answers.extend(out.take());
            match progress.next {
                Next::Read => break,
                Next::Write => {}
                // No more, in the end, as in a connection: items are charged what it takes.
                Next::Body(len) => self.value = Some((len, Vec::with_capacity(len))),
                Next::Close => self.closed = true,
            }
        }
        answers
    }

    /// Moves input into the value that is being read, if there is one. Whether
    /// none is left to be read.
    fn value_is_whole(&mut self, answers: &mut Vec<u8>) -> bool {
        let Some((len, mut value)) = self.value.take() else { return true };
        let more = (len - value.len()).min(self.input.len());
        value.extend(self.input.drain(..more));
        if value.len() < len {
            self.value = Some((len, value));
            return false;
        }
        let mut out = Output::default();
        let progress = self.session.body(value, &mut out);
        answers.extend(out.take());
        self.closed = progress.next == Next::Close;
        true
    }
}
