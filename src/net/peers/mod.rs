//! Connections between nodes over QUIC: one for each pair of lanes, dialled by the
//! node with the smaller id, with one stream that carries frames both ways; and for as
//! long as one node brings another what it lacks, one that it dials for that alone.
//!
//! A lane is a socket and the thread that serves it; a node has some. [`Peers`] is told
//! who is there ([`Peers::meet`]) and keeps a [`Link`] to each; what comes over it is
//! told to a [`Handler`]. What frames mean is not known here.
//!
//! Nothing in here decides who is a member: whoever proves to have the cluster's
//! secret is linked to, and it is for the handler to answer or not.

mod certificate;
mod datagrams;
mod greet;
mod known;
mod link;
mod refused;
mod renewal;
mod run;
mod transport;

pub use certificate::{Identity, PeerFiles};
pub use link::{Full, Link};
pub use refused::Refused;
pub use renewal::PeerCertificates;

use crate::limits::{FRAME_BYTES_MAX, PEER_FAREWELL_MS};
use crate::ring::NodeId;
use crate::wire::{BULK_LANE, Hello};
use certificate::Proof;
use known::{Known, News, Target};
use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::timeout;

/// Who is told what happens on the links of a lane. It is called on the lane's thread,
/// by which all its other links wait: it never blocks.
pub trait Handler: 'static {
    /// There is a link to a node. The one before, if there was one, has ended.
    fn linked(&self, link: Arc<Link>);

    /// A frame came, given without its length.
    fn frame(&self, link: &Arc<Link>, frame: &[u8]);

    /// No more frames are there at the moment: what was put off until it pays
    /// can be done now.
    fn idle(&self, link: &Arc<Link>);

    /// Part of a frame came, of which there is more to come.
    fn part(&self, link: &Arc<Link>) {
        let _ = link;
    }

    /// A link has ended; [`Link::why_ended`] says why.
    fn unlinked(&self, link: &Arc<Link>);

    /// A connection did not come about. The dialling of one node is told of once
    /// while the reason is the same; strangers can make many.
    fn refused(&self, addr: SocketAddr, why: &Refused);

    /// Something that an operator may want to mend.
    fn remark(&self, remark: &str);
}

impl<H: Handler + ?Sized> Handler for Arc<H> {
    fn linked(&self, link: Arc<Link>) {
        (**self).linked(link);
    }

    fn frame(&self, link: &Arc<Link>, frame: &[u8]) {
        (**self).frame(link, frame);
    }

    fn idle(&self, link: &Arc<Link>) {
        (**self).idle(link);
    }

    fn part(&self, link: &Arc<Link>) {
        (**self).part(link);
    }

    fn unlinked(&self, link: &Arc<Link>) {
        (**self).unlinked(link);
    }

    fn refused(&self, addr: SocketAddr, why: &Refused) {
        (**self).refused(addr, why);
    }

    fn remark(&self, remark: &str) {
        (**self).remark(remark);
    }
}

/// The lane by which another node brings what this one lacks: the other end of its
/// [`BULK_LANE`].
pub(crate) const BULK_IN: u16 = BULK_LANE - 1;

/// How a node speaks with its peers.
#[derive(Clone, Debug)]
pub struct PeersConfig {
    /// What it shows to them.
    pub identity: Identity,
    /// What it says first.
    pub hello: Hello,
    /// Where it listens, and dials from.
    pub listen: SocketAddr,
    /// Bytes that wait for one peer, at most. What does not fit is refused.
    pub outbox_bytes_max: usize,
    /// Bytes of a frame, at most, sent and received, equal on all nodes: the
    /// largest item and the words around it. No more than the outbox has.
    pub frame_bytes_max: usize,
    /// A peer that was silent for so long is lost.
    pub idle_timeout: Duration,
    /// Something is sent at least so often, by the one who dialled; the other end
    /// acknowledges it.
    pub keep_alive: Duration,
    /// Whether the kernel cuts large sends into packets: much faster, and broken
    /// on some networks.
    pub segmentation_offload: bool,
    /// Bytes of each of the socket's buffers.
    pub socket_buffer_bytes: usize,
}

impl PeersConfig {
    /// What suits the machines of one network.
    #[must_use]
    pub fn new(identity: Identity, hello: Hello, listen: SocketAddr) -> Self {
        Self {
            identity,
            hello,
            listen,
            outbox_bytes_max: 16 << 20,
            frame_bytes_max: 8 << 20,
            idle_timeout: Duration::from_secs(3),
            keep_alive: Duration::from_secs(1),
            segmentation_offload: true,
            socket_buffer_bytes: 4 << 20,
        }
    }
}

/// A lane: links to other nodes, by one socket. Any thread may use it; the bytes are
/// moved by [`Lane::run`].
pub struct Peers {
    shared: Arc<Shared>,
    /// Nodes to dial from now on.
    dials: mpsc::UnboundedSender<Dial>,
}

/// A node that is to be dialled, and what wakes the task that does.
struct Dial {
    node: NodeId,
    lane: u16,
    news: News,
}

/// A socket that is bound, and a lane as soon as it runs.
pub struct Lane {
    shared: Arc<Shared>,
    socket: UdpSocket,
    remark: Option<String>,
    dials: mpsc::UnboundedReceiver<Dial>,
}

struct Shared {
    config: PeersConfig,
    address: SocketAddr,
    known: Known,
    /// Of this node: it may grow while the node lives.
    generation: AtomicU64,
    /// How connections are dialled, and what both ends prove themselves by.
    proving: RwLock<Proving>,
    /// There as soon as the lane runs.
    endpoint: OnceLock<quinn::Endpoint>,
}

struct Proving {
    identity: Identity,
    client: quinn::ClientConfig,
}

impl Shared {
    fn hello(&self, lane: u16) -> Hello {
        let generation = self.generation.load(Ordering::Relaxed);
        Hello { generation, lane, ..self.config.hello.clone() }
    }

    fn client(&self) -> quinn::ClientConfig {
        self.proving.read().unwrap_or_else(PoisonError::into_inner).client.clone()
    }

    fn proof(&self) -> Proof {
        self.proving.read().unwrap_or_else(PoisonError::into_inner).identity.proof
    }
}

impl Peers {
    /// Listens; nobody is answered before the lane runs.
    ///
    /// # Errors
    /// Where the address cannot be listened on, or lengths do not go together.
    pub fn bind(config: PeersConfig) -> io::Result<(Self, Lane)> {
        if config.frame_bytes_max > config.outbox_bytes_max.min(FRAME_BYTES_MAX) {
            return Err(io::Error::other("frames are to fit the queue they wait in"));
        }
        if !config.hello.is_short() {
            return Err(io::Error::other("the name of the node or of the cluster is too long"));
        }
        let (socket, remark) = transport::socket(config.listen, config.socket_buffer_bytes)?;
        let client = transport::client_config(&config.identity, &config);
        let proving = Proving { identity: config.identity.clone(), client };
        let shared = Arc::new(Shared {
            address: socket.local_addr()?,
            known: Known::default(),
            generation: AtomicU64::new(config.hello.generation),
            proving: RwLock::new(proving),
            endpoint: OnceLock::new(),
            config,
        });
        let (dials, told) = mpsc::unbounded_channel();
        let lane = Lane { shared: Arc::clone(&shared), socket, remark, dials: told };
        Ok((Self { shared, dials }, lane))
    }

    /// Where this node listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Tells where a lane of a node is, and which life the node lives. Of two nodes the
    /// one with the smaller id dials, again and again until the other is forgotten;
    /// the other one waits. A greater generation ends the link to the earlier life at
    /// once, and a smaller one is passed over. For what is moved in bulk whoever has
    /// something to bring dials.
    pub fn meet(&self, node: NodeId, lane: u16, addr: SocketAddr, generation: u64) {
        let ours = self.shared.config.hello.node;
        if node == ours {
            return;
        }
        let target = Target { node, lane, addr };
        let is_dialled = ours < node || lane == BULK_LANE;
        if let Some(news) = self.shared.known.meet(target, generation, is_dialled) {
            // Where nobody listens to it, the lane is at its end.
            let _ = self.dials.send(Dial { node, lane, news });
        }
    }

    /// Ends the links to earlier lives of a node.
    pub fn outlive(&self, node: NodeId, generation: u64) {
        self.shared.known.outlive(node, generation);
    }

    /// Ends the links to a node, and dials it no more. If it dials us, there is a
    /// link again.
    pub fn forget(&self, node: NodeId) {
        self.shared.known.forget(node);
    }

    /// The same for one lane of a node.
    pub fn part(&self, node: NodeId, lane: u16) {
        self.shared.known.part(node, lane);
    }

    /// The same for the lanes of a node with greater numbers than this.
    pub fn forget_above(&self, node: NodeId, lane: u16) {
        self.shared.known.forget_above(node, lane);
    }

    /// Shows another certificate from now on. Links that are there keep theirs.
    pub fn renew(&self, identity: &Identity) {
        let config = &self.shared.config;
        let client = transport::client_config(identity, config);
        let proving = Proving { identity: identity.clone(), client };
        *self.shared.proving.write().unwrap_or_else(PoisonError::into_inner) = proving;
        // One that is made later looks for itself.
        if let Some(endpoint) = self.shared.endpoint.get() {
            endpoint.set_server_config(Some(transport::server_config(identity, config)));
        }
    }

    /// Says another generation from now on: that of this node after it was held
    /// for dead, which the others have heard of and ask for. Links that are there
    /// are ended by those who have.
    pub fn set_generation(&self, generation: u64) {
        self.shared.generation.store(generation, Ordering::Relaxed);
    }

    /// Ends all links, tells the other ends so, and listens no more. The handler
    /// has heard the end of each when this returns.
    pub async fn stop(&self) {
        let seats = self.shared.known.close();
        let farewell = async {
            for seat in seats {
                seat.until_gone().await;
            }
            self.shared.close();
            if let Some(endpoint) = self.shared.endpoint.get() {
                endpoint.wait_idle().await;
            }
        };
        if timeout(Duration::from_millis(PEER_FAREWELL_MS), farewell).await.is_err() {
            self.shared.close();
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        if let Some(endpoint) = self.endpoint.get() {
            endpoint.close(link::ENDED, b"this node ends");
        }
    }
}

impl Lane {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Moves bytes until [`Peers::stop`], and tells the handler of them. To be run on a
    /// runtime of one thread, on which it spawns more.
    ///
    /// # Errors
    /// Where the runtime does not take the socket.
    pub async fn run(self, handler: Rc<dyn Handler>) -> io::Result<()> {
        let Self { shared, socket, remark, mut dials } = self;
        if let Some(remark) = remark {
            handler.remark(&remark);
        }
        let endpoint = {
            let proving = shared.proving.read().unwrap_or_else(PoisonError::into_inner);
            let config = &shared.config;
            let config = PeersConfig { identity: proving.identity.clone(), ..config.clone() };
            let endpoint = transport::endpoint(&config, socket)?;
            shared.endpoint.get_or_init(|| endpoint).clone()
        };
        let ours = Rc::new(Ours { shared, endpoint: endpoint.clone(), handler });
        let mut accept = spawn_local(run::accept(Rc::clone(&ours)));
        loop {
            tokio::select! {
                dial = dials.recv() => match dial {
                    Some(dial) => drop(spawn_local(run::dial(Rc::clone(&ours), dial))),
                    None => break,
                },
                _ = &mut accept => break,
            }
        }
        ours.shared.close();
        let farewell = Duration::from_millis(PEER_FAREWELL_MS);
        let _ = timeout(farewell, endpoint.wait_idle()).await;
        Ok(())
    }
}

/// A lane that runs.
struct Ours {
    shared: Arc<Shared>,
    endpoint: quinn::Endpoint,
    handler: Rc<dyn Handler>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("hello", &self.shared.config.hello).finish_non_exhaustive()
    }
}
