//! What a request to another node and its answer cost: the processor time of both
//! ends together, for 100 bytes each way over one link.
//!
//! Both nodes are in this process, each on a thread of its own, so the time of the
//! process is that of both. Nothing else is done with a frame than to answer it.

use ringcached::net::Secret;
use ringcached::net::peers::{Handler, Identity, Link, Peers, PeersConfig, Refused};
use ringcached::ring::NodeId;
use ringcached::wire::{Hello, Versions, append_frame};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

const FRAME: [u8; 100] = [7; 100];

/// Sends a frame for each that came, once all that came are read.
struct Echo {
    came: AtomicU64,
    answered: AtomicU64,
    links: Mutex<Sender<Arc<Link>>>,
}

fn send(link: &Link, frames: u64) {
    let write = |into: &mut Vec<u8>| {
        for _ in 0..frames {
            append_frame(into, |into| into.extend_from_slice(&FRAME));
        }
    };
    link.send(write).expect("the queue has room for all that is in flight");
}

impl Handler for Echo {
    fn linked(&self, link: Arc<Link>) {
        self.links.lock().unwrap().send(link).unwrap();
    }

    fn frame(&self, _: &Arc<Link>, frame: &[u8]) {
        assert_eq!(frame.len(), FRAME.len());
        self.came.fetch_add(1, Ordering::Relaxed);
    }

    fn idle(&self, link: &Arc<Link>) {
        let came = self.came.load(Ordering::Relaxed);
        send(link, came - self.answered.swap(came, Ordering::Relaxed));
    }

    fn unlinked(&self, link: &Arc<Link>) {
        assert_eq!(link.why_ended().map(|why| why.contains("node ends")), Some(true), "{link:?}");
    }

    fn refused(&self, addr: SocketAddr, why: &Refused) {
        panic!("{addr}: {why}");
    }

    fn remark(&self, remark: &str) {
        eprintln!("{remark}");
    }
}

struct Node {
    peers: Arc<Peers>,
    echo: Arc<Echo>,
    links: Receiver<Arc<Link>>,
    _end: oneshot::Sender<()>,
}

fn node(id: u64, segmentation_offload: bool) -> Node {
    let secret = Secret::new("bench").unwrap();
    let identity = Identity::from_secret(&secret, "bench", NodeId(id)).unwrap();
    let hello = Hello {
        versions: Versions::OURS,
        cluster: "bench".into(),
        slot_bits: 16,
        layout: 0,
        node: NodeId(id),
        name: "bench".into(),
        generation: 1,
        lane: 0,
        lanes: Box::default(),
        bulk: 0,
    };
    let mut config = PeersConfig::new(identity, hello, "127.0.0.1:0".parse().unwrap());
    config.segmentation_offload = segmentation_offload;
    let (linked, links) = channel();
    let (came, answered) = (AtomicU64::new(0), AtomicU64::new(0));
    let echo = Arc::new(Echo { came, answered, links: Mutex::new(linked) });
    let (ready, started) = channel();
    let (end, ended) = oneshot::channel::<()>();
    let handler = Arc::clone(&echo);
    std::thread::spawn(move || {
        let options = LocalOptions::default();
        let runtime = Builder::new_current_thread().enable_all().build_local(options).unwrap();
        runtime.block_on(async {
            let (peers, lane) = Peers::bind(config).unwrap();
            tokio::task::spawn_local(lane.run(Rc::new(handler)));
            let peers = Arc::new(peers);
            ready.send(Arc::clone(&peers)).unwrap();
            let _ = ended.await;
            peers.stop().await;
        });
    });
    let peers = started.recv().unwrap();
    Node { peers, echo, links, _end: end }
}

/// Microseconds that this process has had of the processors so far.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    // Linux counts these in hundredths of a second on every machine.
    ticks.map(|ticks| ticks.parse::<u64>().unwrap() * 10_000).sum()
}

fn measure(in_flight: u64, segmentation_offload: bool, time: Duration) {
    let (one, two) = (node(1, segmentation_offload), node(2, segmentation_offload));
    one.peers.meet(NodeId(2), 0, two.peers.local_addr(), 1);
    let link = one.links.recv_timeout(Duration::from_secs(10)).unwrap();
    send(&link, in_flight);
    std::thread::sleep(time / 4);
    let done = || one.echo.came.load(Ordering::Relaxed);
    let (before, cpu, began) = (done(), cpu_us(), Instant::now());
    std::thread::sleep(time);
    let (requests, cpu, took) = (done() - before, cpu_us() - cpu, began.elapsed());
    assert!(requests > 0, "nothing came back");
    let each = cpu as f64 / requests as f64;
    let rate = requests as f64 / took.as_secs_f64();
    let offload = if segmentation_offload { "with" } else { "without" };
    println!(
        "{in_flight:4} in flight, {offload} GSO: {each:.2} us of CPU, {rate:.0} requests a second, \
         {:.0} us each",
        in_flight as f64 / rate * 1e6
    );
}

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let time = if is_bench { Duration::from_secs(3) } else { Duration::from_millis(100) };
    for in_flight in [1, 16, 256, 1024] {
        for segmentation_offload in [true, false] {
            measure(in_flight, segmentation_offload, time);
        }
    }
}
