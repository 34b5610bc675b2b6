//! The thread that brings other nodes what they lack, and takes what they bring: by a
//! socket of its own, so that no request waits behind it.

use super::Shared;
use super::lane;
use super::peers::{BulkLinks, Mover, Rest};
use super::server::now;
use super::session::Road;
use crate::limits::BEHIND_NICE;
use crate::net::peers::{Lane, Peers};
use crate::ring::NodeId;
use crate::wire::BULK_LANE;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::yield_now;
use tokio::time::timeout;

/// Starts the thread, which ends when its lane does.
pub(super) fn start(
    lane: Lane,
    peers: Arc<Peers>,
    shared: Arc<Shared>,
) -> io::Result<JoinHandle<()>> {
    let run = move || {
        // Where all have much to do, whoever serves clients comes first.
        if let Err(why) = rustix::process::nice(BEHIND_NICE) {
            shared.remarks.say(format!("what is moved in bulk goes before nobody: {why}"));
        }
        let builder =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match builder {
            Ok(runtime) => runtime.block_on(serve(lane, peers, shared)),
            Err(why) => shared.remarks.say(format!("nothing is moved in bulk: {why}")),
        }
    };
    thread::Builder::new().name("mover".to_owned()).spawn(run)
}

async fn serve(lane: Lane, peers: Arc<Peers>, shared: Arc<Shared>) {
    let worker = shared.mover_worker();
    tokio::select! {
        () = lane::serve(lane, Arc::clone(&shared), worker) => {}
        () = bring(peers, &shared) => {}
    }
}

/// Brings other nodes what they lack, for as long as it is asked.
async fn bring(peers: Arc<Peers>, shared: &Arc<Shared>) {
    let Some(cluster) = shared.cluster.clone() else { return };
    let waker = Waker::from(Arc::new(Bell(Arc::clone(shared))));
    let road = Rc::new(Road::new(shared, shared.mover_worker()));
    let mut mover =
        Mover::new(road, Arc::clone(&cluster), Box::new(Links(peers)), shared.settings.move_limit);
    loop {
        match mover.step(now(), &waker) {
            Rest::None => yield_now().await,
            Rest::For(wait) => drop(timeout(wait, cluster.moves.some()).await),
            Rest::UntilWoken => cluster.moves.some().await,
        }
    }
}

/// Has the mover look again.
struct Bell(Arc<Shared>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let Some(cluster) = &self.0.cluster {
            cluster.moves.ring();
        }
    }
}

struct Links(Arc<Peers>);

impl BulkLinks for Links {
    fn meet(&self, node: NodeId, at: SocketAddr, generation: u64) {
        self.0.meet(node, BULK_LANE, at, generation);
    }

    fn part(&self, node: NodeId) {
        self.0.part(node, BULK_LANE);
    }
}
