//! Clients under way while something happens to the nodes: each knows all nodes, and
//! asks a second one where the first does not answer.

use crate::node::Node;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// How long a client waits for a node before it asks another one.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Clients of each node.
const CLIENTS_EACH: usize = 2;

/// What clients have met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) clients: usize,
    /// Keys whose writes were acknowledged.
    pub(crate) kept: Vec<String>,
    pub(crate) reads: usize,
    /// Of them, those that found what was acknowledged.
    pub(crate) hits: usize,
    /// The others: the key, and which of the nodes was asked first.
    pub(crate) missed: Vec<String>,
    /// Requests that were said to a second node.
    pub(crate) retried: usize,
    /// Requests that failed at both.
    pub(crate) failed: Vec<Failed>,
    pub(crate) slowest: Duration,
    slowest_request: String,
}

/// A request that failed at both nodes that were asked.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) request: String,
    pub(crate) asked: [SocketAddr; 2],
    took: Duration,
    how: Vec<String>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, asked, took, how } = self;
        write!(f, "{request} at {asked:?} after {} ms: {how:?}", took.as_millis())
    }
}

impl Met {
    fn add(&mut self, other: Self) {
        self.kept.extend(other.kept);
        self.reads += other.reads;
        self.hits += other.hits;
        self.missed.extend(other.missed);
        self.retried += other.retried;
        self.failed.extend(other.failed);
        if other.slowest > self.slowest {
            (self.slowest, self.slowest_request) = (other.slowest, other.slowest_request);
        }
    }

    /// Those requests that failed, however often they were said.
    pub(crate) fn failed_once(&self) -> BTreeMap<&str, &Failed> {
        self.failed.iter().map(|failed| (&failed.request[..], failed)).collect()
    }

    pub(crate) fn hit_percent(&self) -> f64 {
        100.0 * self.hits as f64 / self.reads.max(1) as f64
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} writes acknowledged, {} of {} reads hit ({:.3} %), {} asked a second node, {} \
             failed in all ({} different ones), slowest {} ms ({})",
            self.kept.len(),
            self.hits,
            self.reads,
            self.hit_percent(),
            self.retried,
            self.failed.len(),
            self.failed_once().len(),
            self.slowest.as_millis(),
            self.slowest_request
        )
    }
}

/// Has clients write and read through all nodes while something is done to them; what
/// they met.
pub(crate) fn met_during(nodes: &[SocketAddr], done: impl FnOnce(&Crowd<'_>)) -> Met {
    let is_over = AtomicBool::new(false);
    let met = Mutex::new(Met::default());
    thread::scope(|scope| {
        let clients: Vec<ScopedJoinHandle<'_, ()>> = (0..nodes.len() * CLIENTS_EACH)
            .map(|number| {
                let mut client = Client::new(number, nodes);
                let (is_over, met) = (&is_over, &met);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        client.write_and_read();
                        let mut all = met.lock().unwrap_or_else(PoisonError::into_inner);
                        all.add(std::mem::take(&mut client.met));
                    }
                })
            })
            .collect();
        let end = End(&is_over);
        done(&Crowd { met: &met });
        drop(end);
        drop(clients);
    });
    let met = met.into_inner().unwrap_or_else(PoisonError::into_inner);
    Met { clients: nodes.len() * CLIENTS_EACH, ..met }
}

/// The clients, as whoever does something to the nodes sees them.
pub(crate) struct Crowd<'a> {
    met: &'a Mutex<Met>,
}

impl Crowd<'_> {
    /// Waits until so many more writes are acknowledged.
    pub(crate) fn goes_on(&self, writes: usize) {
        let acknowledged = || self.met.lock().unwrap_or_else(PoisonError::into_inner).kept.len();
        let before = acknowledged();
        crate::node::wait_until("writes are acknowledged", || acknowledged() >= before + writes);
    }
}

/// Has the clients end, also where what is done panics.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Client {
    number: usize,
    nodes: Vec<SocketAddr>,
    /// A connection to each, made when it is asked.
    links: Vec<Option<BufReader<TcpStream>>>,
    /// Keys it has written.
    written: usize,
    met: Met,
}

impl Client {
    /// Each begins with another node.
    fn new(number: usize, nodes: &[SocketAddr]) -> Self {
        let mut nodes = nodes.to_vec();
        let count = nodes.len();
        nodes.rotate_left(number % count);
        let links = nodes.iter().map(|_| None).collect();
        Self { number, nodes, links, written: 0, met: Met::default() }
    }

    /// A new key, and some of those it has written: the newest, and old ones.
    fn write_and_read(&mut self) {
        let key = format!("crowd-{}-{}", self.number, self.written);
        let set = format!("set {key} 0 0 {}\r\n{key}\r\n", key.len());
        if self.ask(&set, |reply| reply == "STORED\r\n").is_some() {
            self.written += 1;
            self.met.kept.push(key);
        }
        for back in [1, 7, 77, 777] {
            if let Some(old) = self.written.checked_sub(back) {
                self.read(old);
            }
        }
    }

    fn read(&mut self, number: usize) {
        let key = format!("crowd-{}-{number}", self.number);
        let whole = |reply: &str| reply.ends_with("END\r\n");
        let Some(reply) = self.ask(&format!("get {key}\r\n"), whole) else { return };
        self.met.reads += 1;
        if reply == found(&key) {
            self.met.hits += 1;
        } else {
            let from_newest = self.written - number;
            self.met.missed.push(format!("{key} at {}, {from_newest} back", self.nodes[0]));
        }
    }

    /// The answer, of the first node or of the next one.
    fn ask(&mut self, request: &str, is_good: impl Fn(&str) -> bool) -> Option<String> {
        let started = Instant::now();
        let mut failures = Vec::new();
        for at in 0..2 {
            match self.ask_node(at, request) {
                Ok(reply) if is_good(&reply) => {
                    self.timed(started, request);
                    return Some(reply);
                }
                Ok(reply) => failures.push(reply.trim_end().to_owned()),
                Err(why) => failures.push(why.to_string()),
            }
            self.links[at] = None;
            self.met.retried += usize::from(at == 0);
        }
        self.timed(started, request);
        self.met.failed.push(Failed {
            request: first_line(request).to_owned(),
            asked: [self.nodes[0], self.nodes[1]],
            took: started.elapsed(),
            how: failures,
        });
        None
    }

    fn timed(&mut self, started: Instant, request: &str) {
        if started.elapsed() > self.met.slowest {
            self.met.slowest = started.elapsed();
            first_line(request).clone_into(&mut self.met.slowest_request);
        }
    }

    fn ask_node(&mut self, at: usize, request: &str) -> io::Result<String> {
        if self.links[at].is_none() {
            let stream = TcpStream::connect_timeout(&self.nodes[at], TIMEOUT)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            self.links[at] = Some(BufReader::new(stream));
        }
        let link = self.links[at].as_mut().expect("just made");
        link.get_mut().write_all(request.as_bytes())?;
        read_reply(link)
    }
}

/// A line, or values up to `END`.
fn read_reply(from: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut reply = String::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let value_len = line.strip_prefix("VALUE ").and_then(|rest| rest.split(' ').nth(2));
        reply += &line;
        let Some(len) = value_len else { return Ok(reply) };
        let len: usize = len.trim_end().parse().map_err(io::Error::other)?;
        let mut value = vec![0; len + 2];
        from.read_exact(&mut value)?;
        reply += &String::from_utf8_lossy(&value);
    }
}

fn first_line(request: &str) -> &str {
    request.lines().next().unwrap_or_default()
}

fn found(key: &str) -> String {
    format!("VALUE {key} 0 {}\r\n{key}\r\nEND\r\n", key.len())
}

/// All that was acknowledged is there, through this node.
pub(crate) fn has_all(node: &Node, met: &Met) {
    let mut client = node.connect();
    for keys in met.kept.chunks(100) {
        let values = keys.iter().map(|key| found(key).replace("END\r\n", ""));
        let reply = values.collect::<String>() + "END\r\n";
        client.ask(&format!("get {}\r\n", keys.join(" ")), &reply);
    }
}
