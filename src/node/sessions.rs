//! From connections to sessions: what every session of a server is given.

use super::WriteAck;
use super::bind::Bound;
use super::lane;
use super::refusals::Remarks;
use super::server::now;
use super::session::Road;
use super::{
    ConnectionCount, ConnectionLine, Connections, Ending, Log, RefreshCertificates, Session,
    Settings, Shared, SharedView,
};
use crate::net::peers::{Lane, PeerCertificates};
use crate::net::{Answerer, Lobby, Member, Peer, Phase, Stop, Tls};
use crate::ring::NodeId;
use crate::store::Store;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// Makes the sessions of one worker, and serves other nodes beside them.
pub(super) struct Sessions {
    shared: Arc<Shared>,
    worker: usize,
    road: Rc<Road>,
    lane: Option<Lane>,
}

impl Sessions {
    pub(super) fn new(shared: &Arc<Shared>, worker: usize, lane: Option<Lane>) -> Self {
        let road = Rc::new(Road::new(shared, worker));
        Self { shared: Arc::clone(shared), worker, road, lane }
    }
}

impl Answerer for Sessions {
    type Answer = Session;

    fn answer(&mut self, member: &Arc<Member>) -> Session {
        Session::of_client(&self.road, member.id, &member.peer)
    }

    fn beside(&mut self) -> Pin<Box<dyn Future<Output = ()>>> {
        match self.lane.take() {
            Some(lane) => Box::pin(lane::serve(lane, Arc::clone(&self.shared), self.worker)),
            None => Box::pin(std::future::ready(())),
        }
    }
}

/// What they share.
pub(super) fn shared(
    store: Store,
    view: SharedView,
    settings: Settings,
    lobby: &Lobby,
    refresh: Option<RefreshCertificates>,
    (bound, log, cluster): (&Bound, &Arc<Log>, Option<(NodeId, WriteAck)>),
) -> Arc<Shared> {
    let mut shared = Shared::new(store, view, settings, Box::new(now));
    if let Some((me, write_ack)) = cluster {
        shared = shared.in_cluster(me, write_ack);
    }
    shared.log = Some(Arc::clone(log));
    shared.remarks = Arc::new(Remarks::new(Some(Arc::clone(log))));
    if let Some(cluster) = &shared.cluster {
        // It was made just now.
        let _ = cluster.remarks.set(Arc::clone(&shared.remarks));
    }
    shared.address = bound.shown();
    shared.connections = Box::new(Lines(lobby.clone()));
    let stopper = lobby.stopper.clone();
    shared.on_shutdown = Box::new(move |ending| {
        stopper.stop(match ending {
            Ending::Now => Stop::Now,
            Ending::Graceful => Stop::Graceful,
        });
    });
    shared.on_refresh_certificates = refresh;
    let shared = Arc::new(shared);
    // The connections are known to what is shared: it must not keep itself.
    let hearer = Arc::downgrade(&shared);
    lobby.census.on_event(move |event| {
        if let Some(shared) = hearer.upgrade() {
            shared.tell_connection(event);
        }
    });
    shared
}

/// Reads all certificates again, each for itself; none where there are none. What is
/// no good is logged.
pub(super) fn refresh(
    tls: Option<Arc<Tls>>,
    peers: Option<Arc<PeerCertificates>>,
    log: &Arc<Log>,
) -> Option<RefreshCertificates> {
    if tls.is_none() && peers.is_none() {
        return None;
    }
    let log = Arc::clone(log);
    Some(Box::new(move || {
        let outcomes =
            [tls.as_deref().map(Tls::reload), peers.as_deref().map(PeerCertificates::reload)];
        let mut are_good = true;
        for why in outcomes.into_iter().flatten().filter_map(Result::err) {
            log.say(format!("refresh_certs: the old certificates stay: {why}"));
            are_good = false;
        }
        are_good
    }))
}

/// The connections, in the words of the statistics.
#[derive(Debug)]
struct Lines(Lobby);

impl Connections for Lines {
    fn count(&self) -> ConnectionCount {
        let figures = self.0.census.figures();
        ConnectionCount {
            current: figures.current,
            total: figures.total,
            rejected: figures.rejected,
            listening_paused: figures.listen_disabled,
            listening_paused_us: figures.resting_us,
            accepting: figures.accepting,
            idle_kicks: figures.idle_kicks,
            out_of_memory: figures.read_buf_oom,
            yields: figures.yields,
        }
    }

    fn each(&self, show: &mut dyn FnMut(&ConnectionLine<'_>)) {
        let census = &self.0.census;
        let now_s = census.clock_s();
        census.each(|member| {
            let address = match member.peer {
                // memcached too names the path, which is all there is to name.
                Peer::Unix => member.listener.to_string(),
                ref peer => peer.to_string(),
            };
            show(&ConnectionLine {
                id: member.id,
                address: &address,
                listen_address: Some(&member.listener),
                state: state(member.phase()),
                idle_s: now_s.saturating_sub(member.last_s()).into(),
            });
        });
    }
}

/// What memcached calls it.
fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "conn_read",
        Phase::Head => "conn_waiting",
        Phase::Body => "conn_nread",
        Phase::Sending => "conn_mwrite",
        Phase::Parting => "conn_closing",
    }
}
