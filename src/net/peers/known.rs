//! The nodes that were heard of, and the links to each that has some.
//!
//! One lock, held for a look and never over a call out of here.

use super::link::Link;
use super::refused::Refused;
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

const STARTED_ANEW: &str = "the node has started anew";
const MOVED: &str = "the node is at another address";

/// What wakes a task that dials; which one it is tells tasks apart.
pub(super) type News = Arc<Notify>;

#[derive(Default)]
pub(super) struct Known(Mutex<Nodes>);

#[derive(Default)]
struct Nodes {
    by_lane: BTreeMap<(NodeId, u16), Node>,
    /// Nobody is met any more.
    is_closed: bool,
}

/// One lane of a node.
struct Node {
    /// Where to dial it, if somebody told.
    addr: Option<SocketAddr>,
    /// The newest life of it that was heard of.
    generation: u64,
    seat: Option<Seat>,
    /// The task that dials it.
    dialler: Option<News>,
}

/// A link in use, and when it is not any more.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) link: Arc<Link>,
    /// Closed when the link's task is through with it.
    pub(super) gone: watch::Receiver<()>,
}

impl Seat {
    /// Until nothing more is heard of the link.
    pub(super) async fn until_gone(mut self) {
        while self.gone.changed().await.is_ok() {}
    }
}

/// Where a node is to be dialled.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) node: NodeId,
    pub(super) lane: u16,
    pub(super) addr: SocketAddr,
}

impl Known {
    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where a node is and which life it lives. Ends the link to an
    /// earlier life. What wakes the task that dials it is handed out if there is
    /// to be one and there is none.
    pub(super) fn meet(&self, target: Target, generation: u64, is_dialled: bool) -> Option<News> {
        let mut nodes = self.nodes();
        if nodes.is_closed {
            return None;
        }
        let addr = Some(target.addr);
        let fresh = Node { addr, generation, seat: None, dialler: None };
        let node = nodes.by_lane.entry((target.node, target.lane)).or_insert(fresh);
        if generation < node.generation {
            return None;
        }
        let is_news = generation > node.generation || node.addr != addr;
        // What was dialled there may be another lane of the node by now.
        let has_moved = node.addr.is_some() && node.addr != addr;
        (node.addr, node.generation) = (addr, generation);
        let is_old = |seat: &Seat| has_moved || seat.link.generation() < generation;
        let old = node.seat.clone().filter(is_old);
        let dialler = match &node.dialler {
            Some(dialler) if is_news => {
                dialler.notify_one();
                None
            }
            None if is_dialled => {
                node.dialler = Some(News::default());
                node.dialler.clone()
            }
            Some(_) | None => None,
        };
        drop(nodes);
        if let Some(old) = old {
            old.link.end(if has_moved { MOVED } else { STARTED_ANEW });
        }
        dialler
    }

    /// Ends the links to earlier lives of a node.
    pub(super) fn outlive(&self, node: NodeId, generation: u64) {
        let mut old = Vec::new();
        for lane in self.nodes().by_lane.range_mut(lanes_of(node)).map(|(_, lane)| lane) {
            lane.generation = lane.generation.max(generation);
            old.extend(lane.seat.clone().filter(|seat| seat.link.generation() < generation));
        }
        for old in old {
            old.link.end(STARTED_ANEW);
        }
    }

    /// Ends the links to a node and the dialling of it.
    pub(super) fn forget(&self, node: NodeId) {
        self.forget_from((node, 0));
    }

    /// The same for the lanes behind this one.
    pub(super) fn forget_above(&self, node: NodeId, lane: u16) {
        self.forget_from((node, lane.saturating_add(1)));
    }

    /// The same for one of its lanes.
    pub(super) fn part(&self, node: NodeId, lane: u16) {
        let lane = self.nodes().by_lane.remove(&(node, lane));
        if let Some(lane) = lane {
            lane.dismiss("there is nothing more to bring");
        }
    }

    fn forget_from(&self, (node, lane): (NodeId, u16)) {
        let mut nodes = self.nodes();
        let lanes = nodes.by_lane.range((node, lane)..=(node, u16::MAX));
        let lanes: Vec<_> = lanes.map(|(&lane, _)| lane).collect();
        let lanes: Vec<Node> = lanes.iter().filter_map(|lane| nodes.by_lane.remove(lane)).collect();
        drop(nodes);
        for lane in lanes {
            lane.dismiss("the node is not a member any more");
        }
    }

    /// As [`Known::forget`] for all of them and for ever. The links that were in
    /// use are handed out.
    pub(super) fn close(&self) -> Vec<Seat> {
        let mut nodes = self.nodes();
        nodes.is_closed = true;
        let nodes = std::mem::take(&mut nodes.by_lane);
        let seats = nodes.values().filter_map(|node| node.seat.clone()).collect();
        for node in nodes.into_values() {
            node.dismiss("this node ends");
        }
        seats
    }

    /// Where the task that `news` wakes is to dial; nowhere if it has been
    /// dismissed.
    pub(super) fn target(&self, node: NodeId, lane: u16, news: &News) -> Option<Target> {
        let nodes = self.nodes();
        let known = nodes.by_lane.get(&(node, lane))?;
        known.dialler.as_ref().filter(|dialler| Arc::ptr_eq(dialler, news))?;
        known.addr.map(|addr| Target { node, lane, addr })
    }

    /// Gives a new link the place of the one before, which is ended and handed
    /// out. The newest connection counts: who dials again has lost the last one.
    pub(super) fn seat(&self, seat: Seat) -> Result<Option<Seat>, Refused> {
        let generation = seat.link.generation();
        let mut nodes = self.nodes();
        if nodes.is_closed {
            return Err(Refused::Unreachable("this node ends".into()));
        }
        let fresh = Node { addr: None, generation, seat: None, dialler: None };
        let node = nodes.by_lane.entry(lane_of(&seat.link)).or_insert(fresh);
        if generation < node.generation {
            return Err(Refused::Outdated { generation, known: node.generation });
        }
        node.generation = generation;
        let before = node.seat.replace(seat);
        drop(nodes);
        if let Some(before) = &before {
            before.link.end("a newer connection took its place");
        }
        Ok(before)
    }

    /// A link has ended. A node that nobody told of is forgotten with it.
    pub(super) fn unseat(&self, link: &Arc<Link>) {
        let mut nodes = self.nodes();
        let Some(node) = nodes.by_lane.get_mut(&lane_of(link)) else { return };
        if node.seat.as_ref().is_some_and(|seat| Arc::ptr_eq(&seat.link, link)) {
            node.seat = None;
        }
        if node.seat.is_none() && node.addr.is_none() {
            nodes.by_lane.remove(&lane_of(link));
        }
    }
}

fn lane_of(link: &Link) -> (NodeId, u16) {
    (link.node(), link.lane())
}

fn lanes_of(node: NodeId) -> RangeInclusive<(NodeId, u16)> {
    (node, 0)..=(node, u16::MAX)
}

impl Node {
    fn dismiss(self, why: &str) {
        if let Some(dialler) = self.dialler {
            dialler.notify_one();
        }
        if let Some(seat) = self.seat {
            seat.link.end(why);
        }
    }
}
