//! A running node: store, view and clients, started and stopped together.

use super::bind::{self, Bound};
use super::crawler::Crawler;
use super::draining::Draining;
use super::others::{ClusterConfig, Others};
use super::panel::Panel;
use super::sessions::{self, Sessions};
use super::warm::{Begun, Parting, Warm, WarmFile, WasRead};
use super::{Log, Settings, Shared, SharedView};
use crate::cluster::View;
use crate::item::Now;
use crate::limits::{BUFFERS_BYTES_MIN, BUFFERS_SHARE};
use crate::net::{
    Clients, ClientsConfig, Lobby, Patience, Stop, Stopper, Surplus, Tls, TlsError, TlsFiles,
};
use crate::ring::{Layout, Node, NodeId, Ring, RingError};
use crate::store::{Store, StoreConfig};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{error, fmt, io};

/// What a node is made of.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Who it is on the ring, where it stands and how much it carries.
    pub node: Node,
    /// What its clients can see of it.
    pub settings: Settings,
    /// Where it listens.
    pub listen: Vec<ListenAt>,
    /// What to do where a port is taken.
    pub taken: TakenPort,
    /// A path where it listens too.
    pub unix_socket: Option<PathBuf>,
    /// The certificates, for those addresses that speak TLS.
    pub tls: Option<TlsFiles>,
    /// What becomes of the connection that is one too many.
    pub surplus: Surplus,
    /// How long clients may take.
    pub patience: Patience,
    /// Bytes for requests and answers under way; as memory goes if not said.
    pub buffers_bytes: Option<usize>,
    /// How long a graceful stop may take.
    pub grace: Duration,
    /// The cluster it belongs to, if it is to have others beside it.
    pub cluster: Option<ClusterConfig>,
    /// Where its memory is kept over a restart, if it is.
    pub warm_file: Option<WarmFile>,
}

/// One address to listen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAt {
    /// The address; port 0 is any free one.
    pub address: SocketAddr,
    /// Whether TLS is spoken there.
    pub speech: Speech,
}

/// How clients talk at an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speech {
    /// In the clear.
    #[default]
    Plain,
    /// By TLS.
    Tls,
}

/// What to do where a port is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TakenPort {
    /// Give up: somebody asked for this one.
    #[default]
    Refuse,
    /// Try the next ones.
    TryNext,
}

impl Default for ServerConfig {
    /// A node of its own at any free port of the loopback address.
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            node: Node::new(random_id()),
            settings: Settings::default(),
            listen: vec![ListenAt { address, speech: Speech::Plain }],
            taken: TakenPort::Refuse,
            unix_socket: None,
            tls: None,
            surplus: Surplus::Refuse,
            patience: Patience::default(),
            buffers_bytes: None,
            grace: GRACE,
            cluster: None,
            warm_file: None,
        }
    }
}

/// Long enough for answers on their way, short enough for whoever waits for the
/// process to end.
pub const GRACE: Duration = Duration::from_secs(5);

/// An identity that no other node has.
#[must_use]
pub fn random_id() -> NodeId {
    // The standard library's only source of what cannot be foreseen.
    NodeId(RandomState::new().hash_one(SystemTime::now()))
}

/// Why a node did not start. Nothing of it is left.
#[derive(Debug)]
pub enum StartError {
    /// An address is taken.
    Taken(SocketAddr),
    /// An address cannot be listened at.
    Address(SocketAddr, io::Error),
    /// A path cannot be listened at.
    Path(PathBuf, io::Error),
    /// The certificates are no good.
    Tls(TlsError),
    /// TLS is to be spoken, and there are no certificates.
    NoCertificates,
    /// The node cannot be put on a ring.
    Ring(RingError),
    /// A thread could not be started.
    Thread(io::Error),
    /// The address for other nodes is taken.
    OthersTaken(SocketAddr),
    /// Other nodes cannot be reached from this address.
    Others(SocketAddr, io::Error),
    /// The memory cannot be kept there over a restart.
    WarmFile(PathBuf, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(address) => write!(
                f,
                "port {} of {} is taken: choose another one, or 0 for any that is free",
                address.port(),
                address.ip()
            ),
            Self::Address(address, why) => write!(f, "cannot listen at {address}: {why}"),
            Self::Path(path, why) => write!(f, "cannot listen at {}: {why}", path.display()),
            Self::Tls(why) => write!(f, "TLS: {why}"),
            Self::NoCertificates => f.write_str("TLS needs a certificate and its key"),
            Self::Ring(why) => why.fmt(f),
            Self::Thread(why) => write!(f, "cannot start a thread: {why}"),
            Self::OthersTaken(address) => write!(
                f,
                "UDP port {} of {}, at which other nodes would reach this one, is taken",
                address.port(),
                address.ip()
            ),
            Self::Others(address, why) => {
                write!(f, "cannot listen for other nodes at {address}: {why}")
            }
            Self::WarmFile(path, why) => write!(f, "warm file {}: {why}", path.display()),
        }
    }
}

impl error::Error for StartError {}

/// Whether a node serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serving {
    /// It does.
    Yes,
    /// It joins, and waits for these nodes; for any where none are named.
    NotYet(Vec<Box<str>>),
    /// It is being stopped.
    Never,
}

/// Whoever waits for a node to serve looks this often whether it is stopped.
const STOP_LOOK: Duration = Duration::from_millis(50);

/// A node that serves, or joins others that do.
#[derive(Debug)]
pub struct Running {
    id: NodeId,
    bound: Bound,
    slots: u32,
    lobby: Lobby,
    tls: Option<Arc<Tls>>,
    log: Arc<Log>,
    clients: Clients,
    crawler: Crawler,
    others: Option<Others>,
    shared: Arc<Shared>,
    warm: Option<Warm>,
}

impl Running {
    /// Starts a node. It answers clients when this returns; where it joins others,
    /// it serves when [`Running::wait_until_serving`] says so.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(config: ServerConfig) -> Result<Self, StartError> {
        let tls = config.tls.clone().map(Tls::open).transpose().map_err(StartError::Tls)?;
        let tls = tls.map(Arc::new);
        // Drawn, so that nobody can choose keys that meet in one place.
        let alone = || Layout { seed: random_id().0, ..Layout::default() };
        let layout = config.cluster.as_ref().map_or_else(alone, ClusterConfig::layout);
        let ring = Ring::new(&layout, &[config.node]).map_err(StartError::Ring)?;
        let (listeners, bound) = bind::all(&config, tls.as_ref())?;
        let peers = bind::peers(&config)?;
        let clients = clients_config(&config);
        let lobby = Lobby::new(clients.workers);
        let log = Arc::new(Log::start().map_err(StartError::Thread)?);
        let (store, read) = memory(&config, &layout, &log)?;
        bind::open(&listeners)?;
        let told = config.cluster.as_ref();
        let settings = Settings {
            cluster_name: told.map(|cluster| cluster.name.clone()).unwrap_or_default(),
            layout,
            port: bound.port(),
            tls: config.tls,
            surplus: config.surplus,
            buffers_bytes: clients.buffers_bytes,
            ..config.settings
        };
        let view = SharedView::new(View::settled(&ring));
        let cluster = config.cluster.as_ref().map(|cluster| (config.node.id, cluster.write_ack));
        let certificates = told.and_then(|cluster| cluster.certificates.clone());
        let refresh = sessions::refresh(tls.clone(), certificates, &log);
        let about = (&bound, &log, cluster);
        let shared = sessions::shared(store, view, settings, &lobby, refresh, about);
        let crawler = Crawler::start(Arc::clone(&shared), now).map_err(StartError::Thread)?;
        let (mut others, lanes) = match config.cluster.zip(peers) {
            None => (None, Vec::new()),
            Some((cluster, socket)) => {
                let (listen, client) = (cluster.listen, bound.first());
                let others = Others::open(cluster, config.node, client, socket, &shared);
                let (others, lanes) = others.map_err(|why| StartError::Others(listen, why))?;
                (Some(others), lanes)
            }
        };
        let sessions = Arc::clone(&shared);
        let lanes: Vec<_> = lanes.into_iter().map(Some).collect();
        let lanes = Arc::new(Mutex::new(lanes));
        let held = Arc::clone(&lanes);
        // Whatever can refuse the start does so while the warm file is still there, and
        // nobody is answered before it is gone: no worker begins without its lane.
        let held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let answerers = move |worker| {
            let mut lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
            let lane = lanes.get_mut(worker).and_then(Option::take);
            Sessions::new(&sessions, worker, lane)
        };
        let clients = Clients::start(&clients, &lobby, listeners, answerers);
        let clients = clients.map_err(StartError::Thread)?;
        let warm = read.map(|read| forgotten(read, &lobby.stopper)).transpose()?;
        others.iter_mut().for_each(Others::seek);
        drop(held);
        let (id, slots) = (config.node.id, layout.slots());
        Ok(Self { id, bound, slots, lobby, tls, log, clients, crawler, others, shared, warm })
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The addresses it listens at, with their ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.bound.addresses
    }

    /// The port that was wanted, if that was taken.
    #[must_use]
    pub fn moved_from(&self) -> Option<u16> {
        self.bound.moved_from
    }

    /// Slots of its ring.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Where other nodes reach it, if it belongs to a cluster.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.others.as_ref().map(Others::address)
    }

    /// Nodes of its ring, as it knows them now, and those of them that serve.
    #[must_use]
    pub fn members(&self) -> (usize, usize) {
        let mut reader = self.shared.view.reader();
        let view = reader.view();
        let owning = (0..view.nodes().len() as u16).filter(|&node| view.is_read(node));
        (owning.clone().count(), owning.filter(|&node| view.executes(node)).count())
    }

    /// Waits until it serves, but no longer than `patience`, nor when it is
    /// stopped.
    #[must_use]
    pub fn wait_until_serving(&self, patience: Duration) -> Serving {
        let Some(cluster) = &self.shared.cluster else { return Serving::Yes };
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // Whoever stops the node tells its workers, and nobody else.
            let overview = cluster.wait_until_serving(left.min(STOP_LOOK));
            if overview.serves() {
                return Serving::Yes;
            }
            if self.lobby.stopper.is_asked() {
                return Serving::Never;
            }
            if left.is_zero() {
                return Serving::NotYet(overview.waits_for.clone());
            }
        }
    }

    /// Links to other nodes.
    #[must_use]
    pub fn links(&self) -> usize {
        let peers = self.shared.cluster.as_ref().map(|cluster| cluster.peers());
        peers.map_or(0, |peers| peers.iter().filter(|peer| peer.is_linked()).count())
    }

    /// A handle to have it leave its cluster for good, if it is in one.
    #[must_use]
    pub fn draining(&self) -> Option<Draining> {
        self.shared.cluster.as_ref().map(|cluster| cluster.draining.clone())
    }

    /// What operators are told of it, and ask of it: to leave by this handle, if it is to be
    /// able to.
    #[must_use]
    pub fn panel(&self, draining: Option<Draining>) -> Panel {
        Panel::new(self.id, &self.shared, self.stopper(), draining)
    }

    /// A handle to stop it with, from anywhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.lobby.stopper.clone()
    }

    /// The certificates, which can be read again.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Where to say what nobody is to wait for.
    #[must_use]
    pub fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Waits until it has stopped, by whomever.
    ///
    /// # Errors
    /// Where it gave up by itself.
    pub fn wait(self) -> io::Result<()> {
        self.clients.wait_until_served();
        let parting = Parting::of(&self.shared, self.id);
        // It says goodbye while the workers' lanes still answer the other nodes.
        drop(self.others);
        let ended = self.clients.wait();
        drop(self.crawler);
        // What a worker left that gave up is nothing to begin with.
        if let (Some(warm), Ok(())) = (self.warm, &ended) {
            self.log.say(warm.write(&self.shared.store, parting, &self.lobby.stopper));
        }
        self.log.finish();
        ended
    }
}

fn clients_config(config: &ServerConfig) -> ClientsConfig {
    let settings = &config.settings;
    // Half of what there is room for must take one item, or that could not be
    // sent while another is stored.
    let least = (BUFFERS_BYTES_MIN).max(4 * settings.item_bytes_max as u64);
    let usual = (settings.memory_bytes / BUFFERS_SHARE).max(least) as usize;
    ClientsConfig {
        workers: settings.threads.max(1),
        connections_max: settings.connections_max,
        surplus: config.surplus,
        buffers_bytes: config.buffers_bytes.unwrap_or(usual),
        patience: Patience { idle_s: settings.idle_timeout_s, ..config.patience },
        grace: config.grace,
    }
}

/// The memory to begin with, and the file it was read from.
fn memory(
    config: &ServerConfig,
    layout: &Layout,
    log: &Log,
) -> Result<(Store, Option<WasRead>), StartError> {
    let empty = || Store::new(&store_config(config, layout), now());
    let Some(file) = config.warm_file.clone() else { return Ok((empty(), None)) };
    let (path, grace) = (file.path.clone(), config.cluster.as_ref().map(|cluster| cluster.grace));
    let begun = Warm::begin(file, layout, grace, now(), empty);
    let Begun { store, read, said } = begun.map_err(|why| StartError::WarmFile(path, why))?;
    log.say(said);
    Ok((store, read))
}

/// Has a file that was read not be read again; or the node not serve.
fn forgotten(read: WasRead, stopper: &Stopper) -> Result<Warm, StartError> {
    let path = read.path().to_owned();
    read.put_away().map_err(|why| {
        stopper.stop(Stop::Now);
        StartError::WarmFile(path, why)
    })
}

fn store_config(config: &ServerConfig, layout: &Layout) -> StoreConfig {
    StoreConfig {
        memory: config.settings.memory_bytes,
        item_bytes_max: config.settings.item_bytes_max,
        seed: layout.seed,
        slot_bits: layout.slot_bits,
        node: config.node.id.0,
        evicts: config.settings.evict,
    }
}

/// The moment it is, by the system's clock.
pub(super) fn now() -> Now {
    // A clock before 1970 is as good as none.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now::from_unix_ms(since.as_millis() as u64)
}
