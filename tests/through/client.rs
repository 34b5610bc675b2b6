//! A client with the words of the one in `tests/protocol`, but on a connection: to a
//! node that owns next to nothing.

use crate::node::{Node, PATIENCE, wait_until};
use crate::nodes;
use crate::will::Will;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is answered otherwise than was recorded, and why.
pub(crate) const DIFFERENCES: [(&str, &str); 1] = [
    // A dump is of what the node holds that is asked, and this one holds nothing.
    ("lru_crawler mgdump hash", "OK\r\nEN\r\n"),
];

/// Clusters that nobody uses at the moment, all of them empty once they are flushed.
static FREE: Mutex<Vec<Vec<Node>>> = Mutex::new(Vec::new());
static WILL: LazyLock<Will> = LazyLock::new(Will::new);
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// What is begun so early in a second ends in it, however busy the machine is.
const BEGINS_MS: u32 = 200;

/// A connection to a cluster that nobody else uses.
pub(crate) struct Client {
    nodes: Vec<Node>,
    stream: TcpStream,
    /// None before it has said anything.
    is_binary: Option<bool>,
    pub(crate) closed: bool,
}

impl Client {
    /// The only client of empty nodes.
    pub(crate) fn new() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let nodes = free.unwrap_or_else(start);
        nodes[2].connect().ask("flush_all\r\n", "OK\r\n");
        let stream = TcpStream::connect(nodes[2].address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { nodes, stream, is_binary: None, closed: false }
    }

    /// So that what takes no time is seen in one second.
    #[allow(clippy::unused_self, reason = "a client without a socket has its own clock")]
    pub(crate) fn begin_second(&self) {
        wait_until("a second begins", || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            since.subsec_millis() < BEGINS_MS
        });
    }

    /// Sends bytes and takes all answers.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.send_split(bytes, usize::MAX)
    }

    /// The same as text.
    pub(crate) fn ask(&mut self, text: &str) -> String {
        String::from_utf8(self.send(text.as_bytes())).unwrap()
    }

    /// The same in pieces.
    pub(crate) fn send_split(&mut self, bytes: &[u8], piece: usize) -> Vec<u8> {
        if self.closed {
            return Vec::new();
        }
        self.is_binary.get_or_insert(bytes.first() == Some(&0x80));
        let (mark, end) = self.mark();
        // It may have closed before it has read everything.
        let pieces = bytes.chunks(piece).chain([&mark[..]]);
        let _ = pieces.map(|piece| self.stream.write_all(piece)).collect::<Result<Vec<_>, _>>();
        self.read_to(&end)
    }

    /// Requests that are answered behind all others, by the node that is asked, and their
    /// answers.
    fn mark(&self) -> (Vec<u8>, Vec<u8>) {
        if self.is_binary != Some(true) {
            return (
                b"mn\r\nversion\r\nmn\r\n".to_vec(),
                b"MN\r\nVERSION 1.6.45\r\nMN\r\n".to_vec(),
            );
        }
        let no_op = |magic| [&[magic, 0x0a][..], &[0; 10], b"mark", &[0; 8]].concat();
        (no_op(0x80), no_op(0x81))
    }

    fn read_to(&mut self, end: &[u8]) -> Vec<u8> {
        let (mut answers, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match self.stream.read(&mut piece) {
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing more came behind {}", answers.escape_ascii())
                }
                Ok(0) | Err(_) => {
                    self.closed = true;
                    return answers;
                }
                Ok(len) => answers.extend_from_slice(&piece[..len]),
            }
            if answers.ends_with(end) {
                answers.truncate(answers.len() - end.len());
                return answers;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.nodes));
    }
}

fn start() -> Vec<Node> {
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let nodes = nodes::beside_owners(&format!("through-{number}"), "");
    for node in &nodes {
        // Nobody drops what is in a static.
        WILL.add(&format!("kill -9 {}", node.child.id()));
    }
    nodes
}

/// Sends and expects, in turn.
pub(crate) fn transcript(client: &mut Client, exchanges: &[(&str, &str)]) {
    for (request, reply) in exchanges {
        assert_eq!(client.ask(request), *reply, "{}", request.escape_debug());
    }
}
