//! A node that has peers and nothing else, on a thread of its own, and all that
//! it was told.

use ringcached::limits::NODE_NAME_BYTES_MAX;
use ringcached::net::Secret;
use ringcached::net::peers::{Handler, Identity, Lane, Link, Peers, PeersConfig, Refused};
use ringcached::ring::{Layout, NodeId};
use ringcached::wire::{Hello, Versions, append_frame, layout_fingerprint};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

/// Nothing in these tests takes so long unless it is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What a node was told so far.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) links: Vec<Arc<Link>>,
    pub(crate) frames: Vec<(NodeId, Vec<u8>)>,
    pub(crate) idles: usize,
    /// Beginnings and ends of links in their order, as `linked 1.7` for the
    /// seventh generation of node 1.
    pub(crate) log: Vec<String>,
    pub(crate) refused: Vec<String>,
    pub(crate) is_deaf: bool,
}

#[derive(Default)]
pub(crate) struct Ear {
    told: Mutex<Told>,
    changed: Condvar,
}

impl Ear {
    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told());
        self.changed.notify_all();
    }

    /// Waits until this holds.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Told) -> bool) {
        let told = self.told();
        let wait = self.changed.wait_timeout_while(told, DEADLINE, |told| !holds(told));
        let (told, ended) = wait.unwrap();
        assert!(
            !ended.timed_out(),
            "{what}: log {:?}, refused {:?}, {} frames",
            told.log,
            told.refused,
            told.frames.len()
        );
    }

    /// Reads nothing more until told to.
    pub(crate) fn set_deaf(&self, is_deaf: bool) {
        self.tell(|told| told.is_deaf = is_deaf);
    }
}

impl Handler for Ear {
    fn linked(&self, link: Arc<Link>) {
        self.tell(|told| {
            told.log.push(format!("linked {}.{}", link.node().0, link.generation()));
            told.links.push(link);
        });
    }

    fn frame(&self, link: &Arc<Link>, frame: &[u8]) {
        let told = self.told();
        let mut told = self.changed.wait_while(told, |told| told.is_deaf).unwrap();
        told.frames.push((link.node(), frame.to_vec()));
        drop(told);
        self.changed.notify_all();
    }

    fn idle(&self, _: &Arc<Link>) {
        self.tell(|told| told.idles += 1);
    }

    fn unlinked(&self, link: &Arc<Link>) {
        assert!(link.is_ended());
        self.tell(|told| {
            told.links.retain(|other| !Arc::ptr_eq(other, link));
            told.log.push(format!("unlinked {}.{}", link.node().0, link.generation()));
        });
    }

    fn refused(&self, _: SocketAddr, why: &Refused) {
        self.tell(|told| told.refused.push(why.to_string()));
    }

    fn remark(&self, remark: &str) {
        println!("{remark}");
    }
}

/// What a node is started with.
#[derive(Clone)]
pub(crate) struct Birth {
    pub(crate) id: u64,
    pub(crate) generation: u64,
    pub(crate) secret: &'static str,
    pub(crate) cluster: &'static str,
    pub(crate) versions: Versions,
    pub(crate) listen: SocketAddr,
    pub(crate) identity: Option<Identity>,
    pub(crate) idle_timeout: Duration,
    pub(crate) outbox_bytes_max: usize,
    pub(crate) lane: u16,
    pub(crate) lanes: &'static [u16],
}

impl Birth {
    pub(crate) fn of(id: u64) -> Self {
        Self {
            id,
            generation: 1,
            secret: "correct horse",
            cluster: "shop",
            versions: Versions::OURS,
            listen: "127.0.0.1:0".parse().unwrap(),
            identity: None,
            idle_timeout: Duration::from_secs(3),
            outbox_bytes_max: 16 << 20,
            lane: 0,
            lanes: &[],
        }
    }

    pub(crate) fn hello(&self) -> Hello {
        let name = format!("node-{}", self.id);
        assert!(name.len() <= NODE_NAME_BYTES_MAX);
        Hello {
            versions: self.versions,
            cluster: self.cluster.into(),
            slot_bits: 16,
            layout: layout_fingerprint(&Layout::default()),
            node: NodeId(self.id),
            name: name.into(),
            generation: self.generation,
            lane: self.lane,
            lanes: self.lanes.into(),
            bulk: 0,
        }
    }

    fn config(&self) -> PeersConfig {
        let minted = || {
            let secret = Secret::new(self.secret).unwrap();
            Identity::from_secret(&secret, self.cluster, NodeId(self.id)).unwrap()
        };
        let identity = self.identity.clone().unwrap_or_else(minted);
        let mut config = PeersConfig::new(identity, self.hello(), self.listen);
        config.idle_timeout = self.idle_timeout;
        config.outbox_bytes_max = self.outbox_bytes_max;
        config.frame_bytes_max = config.frame_bytes_max.min(self.outbox_bytes_max);
        config
    }

    pub(crate) fn start(&self) -> Node {
        let ear = Arc::new(Ear::default());
        let (ready, started) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel();
        let (config, handler) = (self.config(), Arc::clone(&ear));
        let thread = std::thread::spawn(move || {
            let options = LocalOptions::default();
            let runtime = Builder::new_current_thread().enable_all().build_local(options).unwrap();
            runtime.block_on(async {
                let (peers, lane) = bind_retrying(&config);
                tokio::task::spawn_local(lane.run(Rc::new(handler)));
                let peers = Arc::new(peers);
                ready.send(Arc::clone(&peers)).unwrap();
                if ended.await == Ok(End::Stop) {
                    peers.stop().await;
                }
            });
        });
        let peers = started.recv_timeout(DEADLINE).unwrap();
        let addr = peers.local_addr();
        Node { birth: self.clone(), ear, addr, end, peers, thread }
    }
}

/// The address of a node that was killed is free a moment later.
fn bind_retrying(config: &PeersConfig) -> (Peers, Lane) {
    let began = Instant::now();
    loop {
        match Peers::bind(config.clone()) {
            Ok(bound) => return bound,
            Err(error) => assert!(began.elapsed() < DEADLINE, "{error}"),
        }
        std::thread::yield_now();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Stop,
    Kill,
}

pub(crate) struct Node {
    pub(crate) birth: Birth,
    pub(crate) ear: Arc<Ear>,
    pub(crate) addr: SocketAddr,
    pub(crate) peers: Arc<Peers>,
    end: oneshot::Sender<End>,
    thread: JoinHandle<()>,
}

impl Node {
    pub(crate) fn meet(&self, other: &Self) {
        self.peers.meet(NodeId(other.birth.id), 0, other.addr, other.birth.generation);
    }

    /// The link to a node, which has to come soon.
    pub(crate) fn link(&self, other: &Self) -> Arc<Link> {
        let (node, generation) = (NodeId(other.birth.id), other.birth.generation);
        let is_it = |link: &&Arc<Link>| link.node() == node && link.generation() == generation;
        self.ear.until("no link", |told| told.links.iter().any(|link| is_it(&link)));
        Arc::clone(self.ear.told().links.iter().find(is_it).unwrap())
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.ear.told().log.clone()
    }

    /// Sends a frame to another, and waits until it is there.
    pub(crate) fn talk_to(&self, other: &Self, words: &[u8]) {
        send(&self.link(other), words);
        let came = (NodeId(self.birth.id), words.to_vec());
        other.ear.until("no frame", |told| told.frames.contains(&came));
    }

    /// Ends it as `kill -9` does: nobody is told.
    pub(crate) fn kill(self) -> Birth {
        self.ended(End::Kill)
    }

    pub(crate) fn stop(self) -> Birth {
        self.ended(End::Stop)
    }

    fn ended(self, end: End) -> Birth {
        self.ear.told().links.clear();
        let birth = Birth { listen: self.addr, ..self.birth };
        drop(self.peers);
        assert!(self.end.send(end).is_ok());
        self.thread.join().unwrap();
        birth
    }
}

/// Two nodes that know each other, the first with the smaller id.
pub(crate) fn pair() -> (Node, Node) {
    let (one, two) = (Birth::of(1).start(), Birth::of(2).start());
    one.meet(&two);
    two.meet(&one);
    (one, two)
}

pub(crate) fn send(link: &Link, words: &[u8]) {
    link.send(|into| append_frame(into, |into| into.extend_from_slice(words))).unwrap();
}
