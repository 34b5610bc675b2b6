//! A client without a socket, on a node of its own.

use ringcached::cluster::View;
use ringcached::item::Now;
use ringcached::limits::OUTPUT_BYTES_HIGH;
use ringcached::net::{Answer, Next, Output};
use ringcached::node::{Session, Settings, Shared, SharedView, Users};
use ringcached::ring::{Layout, Node, NodeId, Ring};
use ringcached::store::{Store, StoreConfig};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// What is answered otherwise than was recorded, because the client is this one.
pub(crate) const DIFFERENCES: [(&str, &str); 0] = [];

/// When every test begins: seconds since 1970.
pub(crate) const START_S: u64 = 1_800_000_000;

/// Takes longer to make than everything else of a node.
static RING: LazyLock<Ring> =
    LazyLock::new(|| Ring::new(&Layout::default(), &[Node::new(NodeId(1))]).unwrap());

/// One connection to a node.
pub(crate) struct Client {
    session: Session,
    input: Vec<u8>,
    /// A value that is being read apart from the stream, of so many bytes.
    value: Option<(usize, Vec<u8>)>,
    pub(crate) closed: bool,
    /// How often it had the session answer.
    pub(crate) turns: usize,
    pub(crate) shared: Arc<Shared>,
    clock_ms: Arc<AtomicU64>,
}

impl Client {
    /// The only client of a new node.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The only client of a new node that was told this.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { threads: 1, ..Settings::default() };
        change(&mut settings);
        Self::of(settings, |_| {})
    }

    /// Of a node that knows these users.
    pub(crate) fn of_users(users: &str) -> Self {
        let users = Users::parse(users.as_bytes()).unwrap();
        Self::with(|settings| settings.users = Some(users))
    }

    /// Of a node that was told this and changed like this.
    pub(crate) fn of(settings: Settings, change: impl FnOnce(&mut Shared)) -> Self {
        let config = StoreConfig {
            memory: settings.memory_bytes,
            item_bytes_max: settings.item_bytes_max,
            seed: Layout::default().seed,
            slot_bits: Layout::default().slot_bits,
            node: 1,
            evicts: true,
        };
        let store = Store::new(&config, Now::from_unix_ms(START_S * 1000));
        let view = SharedView::new(View::settled(&RING));
        let clock_ms = Arc::new(AtomicU64::new(START_S * 1000));
        let hand = Arc::clone(&clock_ms);
        let ticks = move || Now::from_unix_ms(hand.load(Ordering::Relaxed));
        let mut shared = Shared::new(store, view, settings, Box::new(ticks));
        change(&mut shared);
        let shared = Arc::new(shared);
        Self::beside(&shared, &clock_ms)
    }

    /// Another connection to the same node.
    pub(crate) fn another(&self) -> Self {
        Self::beside(&self.shared, &self.clock_ms)
    }

    fn beside(shared: &Arc<Shared>, clock_ms: &Arc<AtomicU64>) -> Self {
        Self {
            session: Session::new(shared, 0, 7),
            input: Vec::new(),
            value: None,
            closed: false,
            turns: 0,
            shared: Arc::clone(shared),
            clock_ms: Arc::clone(clock_ms),
        }
    }

    /// So that what takes no time is seen in one second. The clock stands still here.
    #[allow(clippy::unused_self, reason = "where the clock is real it is used")]
    pub(crate) fn begin_second(&self) {}

    pub(crate) fn wait_s(&self, seconds: u64) {
        self.clock_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// Sends bytes and takes all answers.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        if self.closed {
            return answers;
        }
        self.input.extend_from_slice(bytes);
        while self.value_is_whole(&mut answers) {
            let mut out = Output::default();
            self.turns += 1;
            let progress = self.session.answer(&self.input, &mut out);
            assert!(progress.used <= self.input.len(), "more is used than there is");
            self.input.drain(..progress.used);
            assert!(out.len() < OUTPUT_BYTES_HIGH + (2 << 20), "answers are bounded");
            answers.extend(out.take());
            match progress.next {
                Next::Read => break,
                Next::Write => {}
                Next::Wait => panic!("a node alone waits for nobody"),
                // No more, in the end, as in a connection: items are charged what it takes.
                Next::Body(len) => self.value = Some((len, Vec::with_capacity(len))),
                Next::Close => {
                    self.closed = true;
                    break;
                }
            }
        }
        answers
    }

    /// The same as text.
    pub(crate) fn ask(&mut self, text: &str) -> String {
        let answer = self.send(text.as_bytes());
        String::from_utf8(answer).unwrap()
    }

    /// The same, byte by byte.
    pub(crate) fn send_split(&mut self, bytes: &[u8], piece: usize) -> Vec<u8> {
        bytes.chunks(piece).flat_map(|piece| self.send(piece)).collect()
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
        assert_eq!(progress.used, 0, "the body is no input");
        answers.extend(out.take());
        self.closed = progress.next == Next::Close;
        true
    }

    /// Lines that a watcher waits for.
    pub(crate) fn news(&mut self) -> String {
        assert!(self.session.has_news(std::task::Waker::noop()), "there is something to say");
        self.ask("")
    }
}

/// Sends and expects, in turn.
pub(crate) fn transcript(client: &mut Client, exchanges: &[(&str, &str)]) {
    for (request, reply) in exchanges {
        assert_eq!(client.ask(request), *reply, "{}", request.escape_debug());
    }
}
