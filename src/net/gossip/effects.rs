//! What the failure detector wants done: datagrams to send, timers to plan,
//! members to look at again.

use super::config::GossipConfig;
use super::health::Health;
use super::limits::TRANSMITS_MAX;
use super::timers::Timers;
use crate::ring::NodeId;
use crate::wire::gossip::{Identity, Parcel, parcel_bytes};
use foca::{Notification, Timer};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// What is to be done at some time.
#[derive(Debug)]
pub(super) enum Task {
    /// What the failure detector asked for.
    Swim(Timer<Identity>),
    /// To hold a suspect for dead, which was given so many times the usual.
    Condemn(Timer<Identity>, u32),
    /// To tell a suspect that it is one.
    Doubt(Identity, u16),
    /// To compare cards with a random member.
    Exchange,
    /// To ask for cards that are missing.
    CatchUp,
    /// To look for members.
    Search,
    /// To go on under a new generation.
    Renew,
    /// To say once more that this node leaves.
    Farewell(u8),
}

/// What is to be done, now or later.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) now: Duration,
    pub(super) health: Health,
    pub(super) timers: Timers<Task>,
    pub(super) transmits: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Members of which something has changed.
    pub(super) touched: Vec<NodeId>,
    /// The others hold this node for dead.
    pub(super) defunct: bool,
}

impl Effects {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            now,
            health: Health::default(),
            timers: Timers::new(),
            transmits: VecDeque::new(),
            touched: Vec::new(),
            defunct: false,
        }
    }

    /// Sends a parcel. Beyond the bound it is lost, as on the network.
    pub(super) fn send(&mut self, to: SocketAddr, parcel: &Parcel<'_>) {
        if self.transmits.len() < TRANSMITS_MAX {
            self.transmits.push_back((to, parcel_bytes(parcel)));
        }
    }

    pub(super) fn plan(&mut self, after: Duration, task: Task) {
        self.timers.plan(self.now + after, task);
    }

    /// Gives a suspect more time, if this node trusts its ears less than when the
    /// suspicion began. Returns the order to hold it for dead if that is due.
    pub(super) fn condemn(
        &mut self,
        order: Timer<Identity>,
        granted: u32,
        config: &GossipConfig,
    ) -> Option<Timer<Identity>> {
        let stretch = self.health.stretch();
        if stretch <= granted {
            return Some(order);
        }
        self.plan(config.suspicion * (stretch - granted), Task::Condemn(order, stretch));
        None
    }
}

impl foca::Runtime<Identity> for Effects {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        match notification {
            Notification::MemberUp(member)
            | Notification::MemberDown(member)
            | Notification::Rename(_, member) => self.touched.push(member.node()),
            Notification::Defunct => self.defunct = true,
            Notification::Active | Notification::Idle | Notification::Rejoin(_) => {}
        }
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.send(to.address, &Parcel::Swim(data));
    }

    fn submit_after(&mut self, timer: Timer<Identity>, after: Duration) {
        let stretch = self.health.stretch();
        match timer {
            Timer::ChangeSuspectToDown { member_id, incarnation, .. } => {
                self.touched.push(member_id.node());
                self.plan(Duration::ZERO, Task::Doubt(member_id, incarnation));
                self.plan(after * stretch, Task::Condemn(timer, stretch));
            }
            Timer::ProbeRandomMember(_) | Timer::SendIndirectProbe { .. } => {
                self.plan(after * stretch, Task::Swim(timer));
            }
            _ => self.plan(after, Task::Swim(timer)),
        }
    }
}
