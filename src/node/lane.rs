//! A worker's lane: what other nodes ask of it, and what they answer its clients, on the
//! worker's own thread.

use super::Shared;
use super::peers::{Cluster, Executor, NoMessage};
use super::server::now;
use super::session::Road;
use crate::net::peers::{Handler, Lane, Link, Refused};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Notify;

/// Serves other nodes by a lane until the thread of the other nodes ends it.
pub(super) async fn serve(lane: Lane, shared: Arc<Shared>, worker: usize) {
    let Some(cluster) = shared.cluster.clone() else { return };
    let some = Arc::new(Notify::new());
    let bell = Arc::clone(&some);
    let road = Rc::new(Road::new(&shared, worker));
    let executor = Executor::new(Rc::clone(&road), Arc::clone(&cluster), move || bell.notify_one());
    let handler =
        Rc::new(Serving { road, shared: Arc::clone(&shared), cluster, executor: executor.into() });
    let run = lane.run(Rc::clone(&handler) as Rc<dyn Handler>);
    let finish = async {
        loop {
            some.notified().await;
            handler.executor.borrow_mut().finish_jobs();
        }
    };
    let ended = tokio::select! {
        ended = run => ended,
        never = finish => never,
    };
    if let Err(why) = ended {
        // The thread of the other nodes serves its connections too.
        shared.remarks.say(format!("worker {worker} cannot listen for other nodes: {why}"));
    }
}

struct Serving {
    road: Rc<Road>,
    shared: Arc<Shared>,
    cluster: Arc<Cluster>,
    executor: RefCell<Executor>,
}

impl Handler for Serving {
    fn linked(&self, link: Arc<Link>) {
        self.cluster.linked(&link);
    }

    fn frame(&self, link: &Arc<Link>, frame: &[u8]) {
        let _turn = Road::begin_turn(&self.road);
        match self.executor.borrow_mut().frame(link, frame, now()) {
            Ok(None) => {}
            Ok(Some(_)) => {
                link.end("it spoke of the cluster by a link that is not for it");
            }
            Err(NoMessage) => link.end("it sent what is no message"),
        }
    }

    fn idle(&self, _link: &Arc<Link>) {
        self.executor.borrow_mut().finish_jobs();
    }

    fn part(&self, link: &Arc<Link>) {
        self.cluster.hears(link, now());
    }

    fn unlinked(&self, link: &Arc<Link>) {
        self.cluster.unlinked(link);
    }

    fn refused(&self, addr: SocketAddr, why: &Refused) {
        self.shared.remarks.refused("call", addr, &why.to_string(), now());
    }

    fn remark(&self, remark: &str) {
        self.shared.remarks.say(remark.to_owned());
    }
}
