//! Connections between nodes over QUIC: one for each pair, dialled by the one
//! with the smaller id, with one stream that carries frames both ways.
//!
//! [`Peers`] is told by gossip who is there ([`Peers::meet`]) and keeps a [`Link`]
//! to each; what comes over it is told to a [`Handler`]. What frames mean is not
//! known here.
//!
//! Nothing in here decides who is a member: whoever proves to have the cluster's
//! secret is linked to, and it is for the handler to answer or not.

mod certificate;
mod greet;
mod known;
mod link;
mod refused;
mod run;
mod transport;

pub use certificate::{Identity, PeerFiles};
pub use link::{Full, Link};
pub use refused::Refused;

use crate::limits::{FRAME_BYTES_MAX, PEER_FAREWELL_MS};
use crate::ring::NodeId;
use crate::wire::Hello;
use certificate::Proof;
use known::{Known, Target};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Who is told what happens on links. It is called on the runtime's thread, by
/// which all other links wait: it never blocks.
pub trait Handler: Send + Sync + 'static {
    /// There is a link to a node. The one before, if there was one, has ended.
    fn linked(&self, link: Arc<Link>);

    /// A frame came, given without its length.
    fn frame(&self, link: &Arc<Link>, frame: &[u8]);

    /// No more frames are there at the moment: what was put off until it pays
    /// can be done now.
    fn idle(&self, link: &Arc<Link>);

    /// A link has ended; [`Link::why_ended`] says why.
    fn unlinked(&self, link: &Arc<Link>);

    /// A connection did not come about. The dialling of one node is told of once
    /// while the reason is the same; strangers can make many.
    fn refused(&self, addr: SocketAddr, why: &Refused);

    /// Something that an operator may want to mend.
    fn remark(&self, remark: &str);
}

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

/// All links of a node.
pub struct Peers {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    config: PeersConfig,
    endpoint: quinn::Endpoint,
    handler: Arc<dyn Handler>,
    known: Known,
    /// Of this node: it may grow while the node lives.
    generation: AtomicU64,
    /// How connections are dialled, and what both ends prove themselves by.
    dialling: RwLock<(quinn::ClientConfig, Proof)>,
}

impl Shared {
    fn hello(&self) -> Hello {
        Hello { generation: self.generation.load(Ordering::Relaxed), ..self.config.hello.clone() }
    }

    fn client(&self) -> quinn::ClientConfig {
        self.dialling.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    fn proof(&self) -> Proof {
        self.dialling.read().unwrap_or_else(PoisonError::into_inner).1
    }
}

impl Peers {
    /// Listens, on the runtime that this is called on.
    ///
    /// # Errors
    /// Where the address cannot be listened on, or lengths do not go together.
    pub fn start(config: PeersConfig, handler: Arc<dyn Handler>) -> io::Result<Self> {
        if config.frame_bytes_max > config.outbox_bytes_max.min(FRAME_BYTES_MAX) {
            return Err(io::Error::other("frames are to fit the queue they wait in"));
        }
        if !config.hello.is_short() {
            return Err(io::Error::other("the name of the node or of the cluster is too long"));
        }
        let (endpoint, remark) = transport::endpoint(&config)?;
        if let Some(remark) = remark {
            handler.remark(&remark);
        }
        let client = transport::client_config(&config.identity, &config);
        let dialling = RwLock::new((client, config.identity.proof));
        let (known, generation) = (Known::default(), AtomicU64::new(config.hello.generation));
        let shared = Shared { config, endpoint, handler, known, generation, dialling };
        let shared = Arc::new(shared);
        let runtime = Handle::current();
        runtime.spawn(run::accept(Arc::clone(&shared)));
        Ok(Self { shared, runtime })
    }

    /// Where this node listens.
    ///
    /// # Errors
    /// Where the socket has none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }

    /// Tells where a node is, and which life it lives. Of two nodes the one with
    /// the smaller id dials, again and again until the other is forgotten; the
    /// other one waits. A greater generation ends the link to the earlier life
    /// at once, and a smaller one is passed over.
    pub fn meet(&self, node: NodeId, addr: SocketAddr, generation: u64) {
        let ours = self.shared.config.hello.node;
        if node == ours {
            return;
        }
        let target = Target { node, addr };
        if let Some(news) = self.shared.known.meet(target, generation, ours < node) {
            self.runtime.spawn(run::dial(Arc::clone(&self.shared), node, news));
        }
    }

    /// Ends the link to a node, and dials it no more. If it dials us, there is a
    /// link again.
    pub fn forget(&self, node: NodeId) {
        self.shared.known.forget(node);
    }

    /// Shows another certificate from now on. Links that are there keep theirs.
    pub fn renew(&self, identity: &Identity) {
        let config = &self.shared.config;
        let server = transport::server_config(identity, config);
        self.shared.endpoint.set_server_config(Some(server));
        let client = transport::client_config(identity, config);
        *self.shared.dialling.write().unwrap_or_else(PoisonError::into_inner) =
            (client, identity.proof);
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
            self.shared.endpoint.close(link::ENDED, b"this node ends");
            self.shared.endpoint.wait_idle().await;
        };
        if timeout(Duration::from_millis(PEER_FAREWELL_MS), farewell).await.is_err() {
            self.shared.endpoint.close(link::ENDED, b"this node ends");
        }
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("hello", &self.shared.config.hello).finish_non_exhaustive()
    }
}
