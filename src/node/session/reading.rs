//! Reads that the primary need not answer: the nearest copy does, or more than half
//! of the owners do.

use super::compared::{Compared, Enough, Tally, Uneven};
use super::elsewhere::Place;
use super::road::Beside;
use super::waits::{Again, Kind, Source};
use super::{Road, Role, Session};
use crate::cluster::{Near, ReadFrom, View, majority, nearest};
use crate::item::{Key, Now, Version};
use crate::limits::UNEVEN_MS;
use crate::memcache::meta::Request;
use crate::net::Output;
use crate::node::peers::Cluster;
use crate::ring::{KeyHash, NodeId};
use crate::wire::Executor;
use std::time::Duration;

impl Road {
    /// Who answers a read that changes nothing and has nothing to wait for.
    fn place_of_read(&self, hash: KeyHash, looks: bool, now: Now) -> Place {
        let place = self.place(hash, looks);
        let Some(cluster) = &self.shared().cluster else { return place };
        match self.shared().settings.read_from {
            ReadFrom::Primary => place,
            // Nobody has anything newer than the primary.
            ReadFrom::Nearest if place == Place::Here => place,
            ReadFrom::Nearest => match self.nearest(cluster, hash, now) {
                Some(node) if node == cluster.me => Place::Copy,
                Some(node) if place != Place::There(node) => Place::Near(node),
                Some(_) | None => place,
            },
            ReadFrom::Quorum => {
                let mut reader = self.view.borrow_mut();
                // One that is left is the primary.
                if live(reader.view(), hash) > 1 { Place::Majority } else { place }
            }
        }
    }

    /// The owner whose copy is nearest.
    fn nearest(&self, cluster: &Cluster, hash: KeyHash, now: Now) -> Option<NodeId> {
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let is_held_back = cluster.held_back.has(view.slot(hash));
        let owners = owners(cluster, view, hash, now);
        // What others have and this node has not got yet may be missed.
        let owners = owners.filter(|owner| !(owner.is_here && is_held_back));
        nearest(owners, 1).first().copied()
    }

    /// More than half of the owners that are live, the nearest of them; none where
    /// too few have all, or answer.
    fn majority(&self, hash: KeyHash, now: Now) -> Option<Vec<NodeId>> {
        let cluster = self.shared().cluster.as_ref()?;
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let enough = majority(live(view, hash));
        let some = nearest(owners(cluster, view, hash, now), enough);
        (some.len() == enough).then_some(some)
    }

    /// Whether this node is to be read from under a key, as far as the view knows.
    pub(super) fn answers(&self, key: Key<'_>) -> bool {
        let Some(me) = self.me() else { return true };
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        view.answers(view.hash(key.bytes()), me)
    }

    /// Some of so many owners may have acknowledged together what this node has not got: those
    /// that serve, and those that died while it may yet be sent what they wrote last.
    pub(super) fn owners_of(&self, key: Key<'_>) -> u8 {
        let Some(cluster) = &self.shared().cluster else { return 1 };
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let hash = view.hash(key.bytes());
        let owners = view.readers(hash);
        let count = match cluster.lacking.has(view.slot(hash)) {
            true => owners.iter().count(),
            false => owners.iter().filter(|&owner| view.executes(owner)).count(),
        };
        count as u8
    }

    pub(in crate::node) fn slot(&self, hash: KeyHash) -> u32 {
        self.view.borrow_mut().view().slot(hash)
    }

    /// A read found one owner behind another. Of what is young a copy is under way, or
    /// whoever wrote it will mark it. And who has nothing at all is not behind: where
    /// memory is full it may have evicted what the other still has, and would do so
    /// again, and again after the next read.
    fn note_uneven(&self, uneven: &Uneven, now: Now) {
        let Some(cluster) = &self.shared().cluster else { return };
        let is_young = Version(uneven.newest).unix_ms() + UNEVEN_MS > now.unix_ms();
        let has_nothing = uneven.older <= self.flush_floor(now).0;
        if is_young || has_nothing || !cluster.dirty.is_news(uneven.slot, now) {
            return;
        }
        if self.is_me(uneven.owner) {
            self.mark_behind(uneven.slot, uneven.behind);
        } else {
            cluster.tell_behind(uneven.owner, uneven.slot, uneven.behind);
        }
    }

    /// Another owner has something older than this one: it is sent what is in the slot.
    /// Whoever does not own it has nothing to send, and nobody else to be sent anything.
    pub(in crate::node) fn mark_behind(&self, slot: u32, behind: NodeId) {
        let Some(cluster) = &self.shared().cluster else { return };
        let mut reader = self.view.borrow_mut();
        let view = reader.view();
        let Some(owners) = view.readers_of_slot(slot) else { return };
        let owns = |node| owners.iter().any(|owner| view.node(owner) == node);
        if behind != cluster.me && owns(cluster.me) && owns(behind) {
            cluster.dirty.hear_missed(behind, slot);
            self.counters().read_repairs.add(1);
        }
    }
}

/// How many owners of a key are live.
fn live(view: &View, hash: KeyHash) -> usize {
    view.readers(hash).iter().filter(|&owner| view.is_live(owner)).count()
}

/// The owners of a key that have all and can be asked.
fn owners<'a>(
    cluster: &'a Cluster,
    view: &'a View,
    hash: KeyHash,
    now: Now,
) -> impl Iterator<Item = Near> + 'a {
    let zone = view.index_of(cluster.me).map(|me| view.zone(me));
    let owners = view.readers(hash).into_iter().filter(|&owner| view.executes(owner));
    owners.filter_map(move |owner| {
        let (node, is_in_zone) = (view.node(owner), zone == Some(view.zone(owner)));
        let near = Near {
            node,
            is_here: node == cluster.me,
            is_in_zone,
            is_silent: false,
            round_trip: Duration::ZERO,
        };
        if near.is_here {
            return cluster.keeps_up(now).then_some(near);
        }
        let peer = cluster.peer(node).filter(|peer| peer.is_linked())?;
        let (is_silent, round_trip) = (peer.is_silent(now), peer.round_trip());
        Some(Near { is_silent, round_trip, ..near })
    })
}

impl Session {
    /// Who answers a request. What was written before it in the same turn is not
    /// overtaken: it goes where that went.
    pub(super) fn place(&self, hash: KeyHash, kind: Kind, looks: bool, now: Now) -> Place {
        match kind.plain && self.role == Role::Client && !self.road.parts().wrote() {
            true => self.road.place_of_read(hash, looks, now),
            false => self.road.place(hash, looks),
        }
    }

    /// Whether this session reads for others what this node has, whoever is primary.
    pub(super) fn reads_copies(&self) -> bool {
        matches!(self.role, Role::Peer(Executor::Owner | Executor::Copy))
    }

    /// Answers from this node's own copy; false where there is something to win.
    pub(super) fn meta_get_copy(
        &mut self,
        request: &Request<'_>,
        now: Now,
        out: &mut Output,
    ) -> bool {
        let role = std::mem::replace(&mut self.role, Role::Peer(Executor::Copy));
        self.meta_get(request, now, out);
        self.role = role;
        !self.take_refused()
    }

    /// Asks more than half of the owners of a key. It is for the primary to answer
    /// where they cannot.
    pub(super) fn ask_majority(&mut self, hash: KeyHash, again: Again, now: Now) -> Source {
        let Some(owners) = self.road.majority(hash, now) else {
            return Source::Again(Box::new(again));
        };
        let write_ack = self.road.write_ack();
        let enough = Enough { answers: owners.len() as u8, write_ack, out_of_reach: 0 };
        let mut compared = Compared::new(self.road.slot(hash), enough, true, again);
        // This node, if it is one of them, is the first: nobody has been asked yet.
        match self.ask_each(&owners, Executor::Copy, &mut compared, now) {
            true => Source::Compared(Box::new(compared)),
            false => Source::Again(Box::new(compared.again)),
        }
    }

    /// Asks the owners of a key beside its primary, this node among them.
    pub(super) fn ask_owners(
        &mut self,
        hash: KeyHash,
        primary: Option<NodeId>,
        again: &Again,
        now: Now,
    ) -> Option<Source> {
        let Beside { owners, least, joining } = self.road.whole_beside(hash, primary, now);
        if owners.is_empty() {
            return None;
        }
        // Whoever joins answers nothing for as long as it is sent what it lacks, which is too long to
        // wait for.
        let answers = least.saturating_sub(joining).max(1);
        let cut_off = owners.iter().filter(|&&owner| self.road.is_cut_off(owner));
        let out_of_reach = cut_off.count() as u8;
        let write_ack = self.road.write_ack();
        let enough = Enough { answers, write_ack, out_of_reach };
        self.counters().reads_hedged.add(u64::from(!again.few));
        let again = Again { at_once: false, few: false, ..again.clone() };
        let mut compared = Compared::new(self.road.slot(hash), enough, false, again);
        self.ask_each(&owners, Executor::Owner, &mut compared, now);
        let mut tally = Tally::default();
        let source = compared.settled(true, false, &mut tally);
        self.account_reads(&mut tally, now);
        Some(source)
    }

    /// Asks each of these owners for what is to be compared; false where it is to be as many
    /// as these, and this node cannot answer.
    fn ask_each(
        &mut self,
        owners: &[NodeId],
        executor: Executor,
        compared: &mut Compared,
        now: Now,
    ) -> bool {
        let (protocol, reads) = (compared.again.protocol, compared.again.kind.reads);
        for &owner in owners {
            let bytes = &compared.again.bytes;
            if !self.road.is_me(owner) {
                let at = self.road.turn().ask(owner, executor, protocol, reads, &[bytes]);
                compared.open.push(at);
                continue;
            }
            let mut reply = Output::default();
            match self.execute_as(executor, protocol, bytes, now, &mut reply) {
                Some(owned) => {
                    let reply = reply.take();
                    self.road.turn().holds(reply.len());
                    compared.add(owner, owned, reply);
                }
                None if compared.is_majority => return false,
                None => {}
            }
        }
        true
    }

    /// Counts what came of reads, and has done what is to be done about it.
    pub(super) fn account_reads(&self, tally: &mut Tally, now: Now) {
        self.counters().reads_from_copies.add(std::mem::take(&mut tally.from_copies));
        self.counters().reads_by_quorum.add(std::mem::take(&mut tally.by_quorum));
        for uneven in tally.uneven.drain(..) {
            self.road.note_uneven(&uneven, now);
        }
    }
}
