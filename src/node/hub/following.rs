//! Which rings this node goes by: what it is told, when it may follow, and when it has
//! done what a step asks for.

use super::stepping_back::StepBack;
use super::{Effect, Hub, Said};
use crate::cluster::{Agreed, Member, Phase, Rings, Step, Told};
use crate::limits::PURGES_MAX;
use crate::net::peers::Link;
use crate::node::peers::{Settling, Slots};
use crate::ring::{NodeId, RingError};
use crate::store::FullWalk;
use crate::wire::{self, Follow, Kept, Message};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The rings that this node goes by, and those that it is to go by.
#[derive(Default)]
pub(super) struct Following {
    pub(super) agreed: Option<Agreed>,
    told: Option<Pending>,
    /// Who is to be told that this node goes by its rings, and has done what they ask for.
    askers: BTreeMap<NodeId, Asker>,
    /// What was begun before it went by them.
    settling: Option<Settling>,
    /// It lets go of what it owns no more, once others have what is theirs of that.
    purging: Option<(Slots, FullWalk)>,
}

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Following")
            .field("rings", &self.rings())
            .field("told", &self.told)
            .field("settling", &self.settling)
            .field("purging", &self.purging.is_some())
            .finish_non_exhaustive()
    }
}

/// Rings that this node goes by once it may.
#[derive(Debug)]
struct Pending {
    rings: Rings,
    /// It missed steps in between: it is not to execute by what it knew.
    is_beyond: bool,
}

#[derive(Debug)]
struct Asker {
    link: Arc<Link>,
    call: u32,
    stamp: (u64, NodeId, u64),
}

/// Which telling of which step.
pub(super) fn stamp(rings: &Rings) -> (u64, NodeId, u64) {
    (rings.turn, rings.by, rings.number)
}

impl Following {
    pub(super) fn rings(&self) -> Option<&Rings> {
        self.agreed.as_ref().map(Agreed::rings)
    }

    /// The fingerprint of the ring that is read; zero where none is known.
    pub(super) fn ring(&self) -> u64 {
        self.agreed.as_ref().map_or(0, Agreed::read_fingerprint)
    }

    /// Whether it goes by what it was told last.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.told.is_none()
    }

    /// Whether nothing is under way.
    pub(super) fn rests(&self) -> bool {
        let is_settled = self.rings().is_none_or(|rings| rings.step == Step::Settled);
        is_settled
            && self.told.is_none()
            && self.askers.is_empty()
            && self.settling.is_none()
            && self.purging.is_none()
    }

    /// It goes by these from now on, once it may.
    pub(super) fn follow_later(&mut self, rings: Rings, is_beyond: bool) {
        // Steps that were missed once are missed.
        let is_beyond = is_beyond || self.told.as_ref().is_some_and(|told| told.is_beyond);
        self.told = Some(Pending { rings, is_beyond });
    }

    /// The same rings, as this planner tells them.
    pub(super) fn is_told_by(&mut self, turn: u64, by: NodeId) {
        self.agreed = self.agreed.take().map(|agreed| agreed.told_by(turn, by));
    }
}

impl Hub {
    /// Another node tells which rings it goes by.
    pub(super) fn told_rings(&mut self, link: &Arc<Link>, call: Option<u32>, theirs: Rings) {
        let following = &mut self.following;
        let told = following.told.as_ref().map(|told| &told.rings);
        let mine = told.or(following.rings());
        let is = mine.map_or(Told::Next, |mine| mine.told(&theirs));
        let Some(call) = call else {
            // It is for a planner who is behind.
            return self.outbid(theirs);
        };
        let node = link.node();
        if is == Told::Older {
            let rings = mine.map(wire::rings_bytes).unwrap_or_default();
            let kept = Message::Kept(Kept { call, accepted: false });
            let _ = link.send(|frame| kept.encode(frame));
            let follow = Message::Follow(Follow { call: None, rings: &rings });
            let _ = link.send(|frame| follow.encode(frame));
            return;
        }
        let stamp = stamp(&theirs);
        following.askers.insert(node, Asker { link: Arc::clone(link), call, stamp });
        if is == Told::Same && following.told.is_none() {
            following.is_told_by(theirs.turn, theirs.by);
        } else {
            following.follow_later(theirs, is == Told::Beyond);
        }
    }

    /// Goes by the rings that it was told, as soon as nobody executes by what it knew
    /// before.
    pub(super) fn go_on_following(&mut self) -> Result<(), RingError> {
        if let Some(told) = &self.following.told {
            let is_to_join = told.is_beyond && self.card.phase != Phase::Joining;
            if is_to_join {
                self.step_back(StepBack::Missed);
            } else if self.may_follow(&told.rings)
                && let Some(told) = self.following.told.take()
            {
                self.adopt(told.rings)?;
                if told.is_beyond {
                    // What it was written meanwhile others own now.
                    self.all_came();
                }
            }
        }
        let cluster = &self.cluster;
        self.following.settling.take_if(|settling| settling.is_over(cluster));
        self.go_on_purging();
        self.answer_askers();
        Ok(())
    }

    /// Whether nobody may still execute for somebody's slots by what he was promised, or is
    /// still to tell what he knows of the last writes of one who died.
    fn may_follow(&self, rings: &Rings) -> bool {
        self.promises.may_take_over(self.shared.elapsed())
            && self.burying.is_empty()
            && self.succession.rests()
            && rings.knows_all(self.card.node, &self.members)
    }

    fn adopt(&mut self, rings: Rings) -> Result<(), RingError> {
        let layout = &self.config.layout;
        let ring = self.following.ring();
        let agreed = match &self.following.agreed {
            Some(known) => known.follow(layout, rings)?,
            None => Agreed::new(layout, rings)?,
        };
        let rings = agreed.rings();
        let (me, step, to_bring) = (self.card.node, rings.step, agreed.to_bring(self.card.node));
        let becomes = match step {
            Step::HandOver | Step::Follow => Phase::Warm,
            Step::Settled if rings.reads(me) => Phase::Serving,
            // The change has begun anew, or is given up.
            Step::Settled | Step::Write | Step::Fill => Phase::Joining,
        };
        self.effects.push_back(Effect::TellStep(step, rings.number));
        self.following.agreed = Some(agreed);
        self.plan_anew();
        if self.card.phase == Phase::Warm && becomes != Phase::Warm {
            self.card.phase = becomes;
            self.say();
        }
        self.publish()?;
        self.following.settling = Some(Settling::begin(&self.cluster, None));
        for (node, slots) in to_bring {
            self.repair.bring(node, slots);
        }
        if ring != self.following.ring() {
            // Whoever catches up owns other slots now.
            for node in self.live_others() {
                if self.is_joining(node) && self.owns(node) {
                    self.came(node);
                }
            }
        }
        // What it is to own again is not to go while that comes.
        if step == Step::Settled && ring != 0 || self.following.purging.is_some() {
            self.purge();
        }
        Ok(())
    }

    /// Whether a node is on the ring that is read.
    pub(super) fn owns(&self, node: NodeId) -> bool {
        self.following.rings().is_some_and(|rings| rings.reads(node))
    }

    /// Whether this node has done what the present step asks for.
    pub(super) fn has_followed(&self) -> bool {
        let following = &self.following;
        let Some(rings) = following.rings() else { return false };
        if following.told.is_some() || following.settling.is_some() {
            return false;
        }
        let me = self.card.node;
        let is_new = rings.new.iter().any(|node| node.id == me) && !rings.reads(me);
        // Nobody executes for what it is to own before all know that it may, and it can.
        let may_execute = || {
            let holds = self.cluster.promised.holds_for_all(self.shared.elapsed());
            self.card.phase != Phase::Joining && holds
        };
        match rings.step {
            Step::Settled => following.purging.is_none(),
            Step::Write | Step::Follow => true,
            Step::Fill => self.all_are_even(),
            Step::HandOver => self.all_are_even() && (!is_new || may_execute()),
        }
    }

    /// Whether all who are to own something have all of it that this node has, as far as
    /// it knows, or refuse the rest.
    fn all_are_even(&self) -> bool {
        let Some(rings) = self.following.rings() else { return true };
        rings.new.iter().all(|node| {
            let is_live = self.members.find(node.id).is_some_and(Member::is_live);
            node.id == self.card.node || !is_live || self.repair.is_even(node.id)
        })
    }

    fn answer_askers(&mut self) {
        if self.following.askers.is_empty() || !self.has_followed() {
            return;
        }
        let mine = self.following.rings().map(stamp);
        for (_, asker) in std::mem::take(&mut self.following.askers) {
            if Some(asker.stamp) == mine {
                let kept = Message::Kept(Kept { call: asker.call, accepted: true });
                let _ = asker.link.send(|frame| kept.encode(frame));
            }
        }
    }

    /// Begins to let go of all that this node owns no more: if it is to own it again, what
    /// was deleted meanwhile is not to be found.
    pub(super) fn purge(&mut self) {
        let slots = self.repair.own_slots(self.shared.store.slots());
        self.following.purging = Some((slots, FullWalk::default()));
    }

    fn go_on_purging(&mut self) {
        if self.following.purging.is_none() || !self.all_are_even() {
            return;
        }
        let Some((slots, walk)) = &mut self.following.purging else { return };
        for _ in 0..PURGES_MAX {
            if !self.shared.store.purge(walk, |slot| slots.contains(slot)).more {
                self.following.purging = None;
                return;
            }
        }
    }

    /// What a node says of itself, for whoever is to be told that it has all.
    pub(super) fn said(&self, node: NodeId) -> Said {
        self.members.current_card(node).map(Said::of).unwrap_or_default()
    }
}
