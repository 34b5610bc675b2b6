//! Which rings this node goes by: what it is told, when it may follow, and when it has
//! done what a step asks for.

use super::planning::HAND_OVER;
use super::stepping_back::StepBack;
use super::{Effect, Hub, Said};
use crate::cluster::{
    Agreed, Card, Founded, Listed, Made, Making, Member, Phase, Rings, Step, Told,
};
use crate::limits::PURGES_MAX;
use crate::net::peers::Link;
use crate::node::peers::{Settling, Slots};
use crate::ring::{Layout, Node, NodeId, RingError};
use crate::store::FullWalk;
use crate::wire::{self, Follow, Followed, Kept, Message};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, mem};

/// The rings that this node goes by, and those that it is to go by.
#[derive(Default)]
pub(super) struct Following {
    agreed: Option<Agreed>,
    /// Those of this node alone, for as long as it knows of none.
    alone: Option<Agreed>,
    /// Their tables in the view.
    listed: Listed,
    told: Option<Pending>,
    elsewhere: Elsewhere,
    /// Who is to be told that this node goes by its rings, and has done what they ask for.
    askers: BTreeMap<NodeId, Asker>,
    /// Since when it goes by them.
    pub(super) since: Duration,
    /// What was begun before.
    settling: Option<Settling>,
    /// The plan of this change is flawed: nothing is brought, and it goes no further.
    pub(super) is_refused: bool,
    /// What it is to bring others in this change.
    bringing: Vec<(NodeId, Slots)>,
    /// It lets go of what it owns no more.
    purging: Option<Purging>,
}

/// What another thread works out that this node has to know before it goes by other rings: one
/// thing at a time.
#[derive(Default)]
enum Elsewhere {
    /// Nothing.
    #[default]
    Idle,
    /// This, once a thread takes it.
    Waits(Box<Making>),
    /// What a thread has taken.
    UnderWay,
    /// What it took came to nothing: what is next the hub works out itself.
    CameToNothing,
}

impl Elsewhere {
    fn take(&mut self) -> Option<Making> {
        match mem::replace(self, Self::UnderWay) {
            Self::Waits(making) => Some(*making),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// A pass over the memory that keeps these slots, once others have what is theirs.
#[derive(Debug)]
struct Purging {
    slots: Slots,
    walk: FullWalk,
    /// It may have what nobody else has: also those who are dead are to have it first.
    has_more: bool,
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
    /// What it has to know for that.
    made: Option<Made>,
}

#[derive(Debug)]
struct Asker {
    link: Arc<Link>,
    /// None, where this node has answered that it has not done it yet.
    call: Option<u32>,
    stamp: (u64, NodeId, u64),
    /// Since when.
    at: Duration,
}

/// A planner that asks whether this node has done what a step asks for is told after this that it
/// has not: a call that is not answered for longer would count as silence.
const ASKER: Duration = Duration::from_millis(15);

/// Which telling of which step.
pub(super) fn stamp(rings: &Rings) -> (u64, NodeId, u64) {
    (rings.turn, rings.by, rings.number)
}

impl Following {
    pub(super) fn rings(&self) -> Option<&Rings> {
        self.agreed.as_ref().map(Agreed::rings)
    }

    /// The rings for the view, and what there is of it already. Whoever knows of none yet owns
    /// nothing that anybody else knows of.
    pub(super) fn for_view(
        &mut self,
        layout: &Layout,
        card: &Card,
    ) -> Result<(&Agreed, &mut Listed), RingError> {
        let agreed = match &self.agreed {
            Some(agreed) => agreed,
            None => {
                let found = Founded { generation: card.generation, by: card.node };
                let rings = Rings::found(found, vec![card.ring_node()]);
                let alone = Agreed::after(self.alone.as_ref(), layout, rings)?;
                self.alone.insert(alone)
            }
        };
        Ok((agreed, &mut self.listed))
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
        let made = self.told.take().and_then(|told| told.made);
        let made = made.filter(|made| made.rings.means(&rings));
        self.told = Some(Pending { rings, is_beyond, made });
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
        let (stamp, at) = (stamp(&theirs), self.shared.elapsed());
        let asker = Asker { link: Arc::clone(link), call: Some(call), stamp, at };
        following.askers.insert(node, asker);
        if is == Told::Same && following.told.is_none() {
            following.is_told_by(theirs.turn, theirs.by);
        } else {
            following.follow_later(theirs, is == Told::Beyond);
        }
    }

    /// Goes by the rings that it was told, as soon as nobody executes by what it knew
    /// before.
    pub(super) fn go_on_following(&mut self) -> Result<(), RingError> {
        self.follow_what_it_was_told()?;
        let cluster = &self.cluster;
        self.following.settling.take_if(|settling| settling.is_over(cluster));
        self.go_on_purging();
        self.answer_askers();
        Ok(())
    }

    fn follow_what_it_was_told(&mut self) -> Result<(), RingError> {
        let Some(told) = &self.following.told else { return Ok(()) };
        let is_to_join = told.is_beyond && self.card.phase != Phase::Joining;
        let knows_all = told.rings.knows_all(self.card.node, &self.members);
        if is_to_join {
            self.step_back(StepBack::Missed);
            return Ok(());
        }
        let founds_beside_others = self.following.agreed.is_none() && self.somebody_knows();
        let is_vain = !knows_all || founds_beside_others;
        if told.rings.by == self.card.node && !told.is_beyond && is_vain {
            // It was told to nobody yet, and is to be made anew.
            self.following.told = None;
            return Ok(());
        }
        let may_follow = self.may_follow(&told.rings);
        self.work_out();
        let told = self.following.told.take_if(|told| may_follow && told.made.is_some());
        let Some(Pending { rings, is_beyond, made: Some(made) }) = told else { return Ok(()) };
        self.adopt(&rings, made)?;
        if is_beyond {
            // What it was written meanwhile others own now.
            self.all_came();
            self.purge(true);
        }
        Ok(())
    }

    /// Has all worked out that this node has to know before it goes by what it was told; what
    /// takes long elsewhere.
    fn work_out(&mut self) {
        let following = &mut self.following;
        let Some(told) = following.told.as_mut().filter(|told| told.made.is_none()) else { return };
        let known = following.agreed.as_ref().or(following.alone.as_ref());
        let making = || Making {
            me: self.card.node,
            layout: self.config.layout,
            known: known.cloned(),
            rings: told.rings.clone(),
            plan: self.config.plan,
        };
        // Whatever is next is waited for there.
        let hands_over = following.agreed.as_ref().is_some_and(|it| it.rings().step.hands_over());
        match following.elsewhere {
            Elsewhere::CameToNothing => {
                told.made = Some(making().make());
                following.elsewhere = Elsewhere::Idle;
            }
            _ if hands_over || Making::is_short(known, &told.rings) => {
                told.made = Some(making().make());
            }
            Elsewhere::Idle => following.elsewhere = Elsewhere::Waits(making().into()),
            Elsewhere::Waits(_) | Elsewhere::UnderWay => {}
        }
    }

    /// What is to be worked out, by whichever thread has the time: one thing at a time.
    pub fn poll_making(&mut self) -> Option<Making> {
        self.following.elsewhere.take()
    }

    /// That was worked out; or it could not be, elsewhere.
    ///
    /// # Errors
    /// As [`Hub::handle_event`].
    pub fn handle_made(&mut self, made: Option<Made>) -> Result<(), RingError> {
        let following = &mut self.following;
        following.elsewhere = match made {
            Some(_) => Elsewhere::Idle,
            None => Elsewhere::CameToNothing,
        };
        // It may have been told something else meanwhile, and has that worked out next.
        if let (Some(told), Some(made)) = (&mut following.told, made)
            && told.rings.means(&made.rings)
        {
            told.made = Some(made);
        }
        self.go_on_following()
    }

    /// Whether nobody may still execute for somebody's slots by what he was promised, or is
    /// still to tell what he knows of the last writes of one who died.
    fn may_follow(&self, rings: &Rings) -> bool {
        self.promises.may_take_over(self.shared.elapsed())
            && self.burying.is_empty()
            && self.succession.rests()
            // Who knows of no owners executes for nothing before all have filled it.
            && (self.following.agreed.is_none()
                || rings.knows_all(self.card.node, &self.members))
    }

    fn adopt(&mut self, rings: &Rings, made: Made) -> Result<(), RingError> {
        self.give_up_beginning();
        let ring = self.following.ring();
        // Another planner may have told the same meanwhile.
        let agreed = made.agreed?.told_by(rings.turn, rings.by);
        self.following.is_refused = made.to_bring.is_err();
        let to_bring = made.to_bring.unwrap_or_else(|flaw| {
            self.effects.push_back(Effect::TellFlaw(rings.number, flaw));
            Vec::new()
        });
        let (me, step) = (self.card.node, rings.step);
        let becomes = match step {
            Step::HandOver | Step::Follow => Phase::Warm,
            Step::Settled if rings.reads(me) => Phase::Serving,
            // The change has begun anew, or is given up.
            Step::Settled | Step::Write | Step::Fill => Phase::Joining,
        };
        self.effects.push_back(Effect::TellStep(step, rings.number));
        (self.following.agreed, self.following.alone) = (Some(agreed), None);
        self.plan_anew();
        if self.card.phase == Phase::Warm && becomes != Phase::Warm {
            self.card.phase = becomes;
            self.say();
        }
        self.publish()?;
        self.following.settling = Some(Settling::begin(&self.cluster, None));
        self.following.since = self.shared.elapsed();
        if matches!(step, Step::Settled | Step::Write | Step::Fill) {
            self.following.bringing.clear();
        }
        if step == Step::Settled {
            self.forget_marks();
        }
        for (node, list) in to_bring {
            let mut slots = Slots::none(self.shared.store.slots());
            for &slot in &list {
                slots.insert(slot);
            }
            self.following.bringing.push((node, slots));
            self.repair.bring(node, list);
        }
        if ring != self.following.ring() {
            // Whoever catches up owns other slots now.
            for node in self.live_others() {
                if self.is_joining(node) && self.owns(node) {
                    self.came(node);
                }
            }
        }
        if ring == 0 && self.repair.has_items() {
            // It has kept what others may not have.
            self.all_came();
        }
        // What it is to own again is not to go while that comes.
        if step == Step::Settled && ring != 0 || self.following.purging.is_some() {
            self.purge(false);
        }
        Ok(())
    }

    /// Nobody waits any more for what was written for nodes that owned slots when nobody knew them
    /// any more.
    fn forget_marks(&self) {
        let Some(rings) = self.following.rings() else { return };
        for node in self.cluster.dirty.marked() {
            if !rings.has(node) && self.members.find(node).is_none() {
                self.cluster.dirty.forget(node);
            }
        }
    }

    /// Whether nobody executes for some keys until owners have changed, or not all know yet who
    /// does, so that whoever asks for them waits. Where that takes long it is not for this node.
    #[must_use]
    pub fn hurries(&self) -> bool {
        let following = &self.following;
        let told = following.told.as_ref().map(|told| &told.rings);
        let mut rings = following.rings().into_iter().chain(told);
        rings.any(|rings| rings.step.hands_over())
            && self.shared.elapsed() < following.since + HAND_OVER
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
        match rings.step {
            Step::Settled => following.purging.is_none(),
            Step::Follow => true,
            Step::Write => self.is_as_told(rings),
            Step::Fill => {
                let has_brought = !self.following.is_refused && self.has_brought();
                has_brought && self.is_as_told(rings) && self.can_execute(rings)
            }
            Step::HandOver => {
                let is_known = !self.gets_only(rings) || self.card.phase != Phase::Joining;
                self.is_as_told(rings) && self.has_brought() && is_known
            }
        }
    }

    /// Whether those who take part live, this one too, in the lives in which they do.
    fn is_as_told(&self, rings: &Rings) -> bool {
        rings.acting.iter().all(|acting| {
            let member = self.members.find(acting.node).filter(|member| member.is_live());
            match acting.node == self.card.node {
                true => self.card.generation == acting.generation,
                false => member.is_some_and(|member| member.generation == acting.generation),
            }
        })
    }

    /// Whether all have what this node is to bring them, as far as it knows, or refuse it.
    fn has_brought(&self) -> bool {
        let mut bringing = self.following.bringing.iter();
        // Also who stays may execute for what it did not before.
        let lacks = |node: &Node| {
            self.members.find(node.id).is_some_and(Member::is_live)
                && self.cluster.dirty.lacks(node.id)
        };
        bringing.all(|(node, slots)| self.repair.is_even_in(*node, slots))
            && !self.following.rings().is_some_and(|rings| rings.new.iter().any(lacks))
    }

    /// Whether this node owns nothing before the change.
    fn gets_only(&self, rings: &Rings) -> bool {
        let me = self.card.node;
        rings.new.iter().any(|node| node.id == me) && rings.old.iter().all(|node| node.id != me)
    }

    /// Whether it could execute for what it gets at once: all others would hear of it, and
    /// those who execute have promised it.
    fn can_execute(&self, rings: &Rings) -> bool {
        let me = self.card.node;
        let mut others = rings.acting.iter().filter(|acting| acting.node != me);
        !self.gets_only(rings)
            || others.all(|acting| self.cluster.is_linked(acting.node))
                && self.cluster.promised.holds_for_all(self.shared.elapsed())
    }

    fn answer_askers(&mut self) {
        if self.following.askers.is_empty() {
            return;
        }
        let (mine, at) = (self.following.rings().map(stamp), self.shared.elapsed());
        let has_followed = self.has_followed();
        self.following.askers.retain(|_, asker| {
            let is_it = Some(asker.stamp) == mine;
            if !has_followed && (asker.call.is_some() && at < asker.at + ASKER) {
                return true;
            }
            let is_told = asker.call.is_none();
            // Once more when it has done it, so that it is asked again then.
            if is_it && has_followed == is_told {
                let (turn, by, number) = asker.stamp;
                let followed = Message::Followed(Followed { turn, by: by.0, number });
                let _ = asker.link.send(|frame| followed.encode(frame));
            }
            if let Some(call) = asker.call.take() {
                let kept = Message::Kept(Kept { call, accepted: is_it && has_followed });
                let _ = asker.link.send(|frame| kept.encode(frame));
            }
            is_it && !has_followed
        });
    }

    /// Begins to let go of all that this node owns no more: if it is to own it again, what
    /// was deleted meanwhile is not to be found.
    pub(super) fn purge(&mut self, has_more: bool) {
        let has_more = has_more || self.following.purging.as_ref().is_some_and(|it| it.has_more);
        let slots = self.repair.own_slots(self.shared.store.slots());
        self.following.purging = Some(Purging { slots, walk: FullWalk::default(), has_more });
    }

    fn go_on_purging(&mut self) {
        let (Some(rings), Some(purging)) = (self.following.rings(), &self.following.purging) else {
            return;
        };
        let is_even = |node: &Node| {
            let member = self.members.find(node.id);
            let member = member.filter(|member| member.belongs());
            let is_meant = member.is_some_and(|member| purging.has_more || member.is_live());
            node.id == self.card.node || !is_meant || self.repair.is_even(node.id)
        };
        if !rings.new.iter().all(is_even) {
            return;
        }
        let Some(Purging { slots, walk, .. }) = &mut self.following.purging else { return };
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

#[cfg(test)]
mod tests {
    use super::super::stepping_back::tests::serving;
    use super::*;
    use crate::item::Now;
    use crate::node::peers::Waiting;
    use crate::node::standing::{START_MS, node_of};
    use std::sync::atomic::AtomicU64;
    use std::task::Waker;

    const ME: NodeId = NodeId(1);

    fn hub() -> Hub {
        serving(&node_of(&[ME], &Arc::new(AtomicU64::new(START_MS))))
    }

    /// In this step from this node alone to it and another one, told by that one.
    fn rings(hub: &Hub, step: Step, other: u64) -> Rings {
        let known = hub.following.rings().unwrap();
        let new = [ME, NodeId(other)].map(Node::new).into();
        Rings { step, new, number: known.number + 1, by: NodeId(other), ..known.clone() }
    }

    fn goes_by(hub: &Hub) -> (Step, Option<NodeId>) {
        let rings = hub.following.rings().unwrap();
        (rings.step, rings.new.iter().map(|node| node.id).find(|&node| node != ME))
    }

    #[test]
    fn what_was_worked_out_of_other_rings_is_not_gone_by() {
        let mut hub = hub();
        let (first, second) = (rings(&hub, Step::Write, 2), rings(&hub, Step::Write, 3));
        hub.following.follow_later(first, false);
        hub.go_on_following().unwrap();
        let first = hub.poll_making().unwrap().make();
        hub.following.follow_later(second, false);
        hub.go_on_following().unwrap();
        assert!(hub.poll_making().is_none(), "one thing at a time");
        hub.handle_made(Some(first)).unwrap();
        assert_eq!(goes_by(&hub), (Step::Settled, None));
        let second = hub.poll_making().unwrap().make();
        hub.handle_made(Some(second)).unwrap();
        assert_eq!(goes_by(&hub), (Step::Write, Some(NodeId(3))));
        assert!(hub.poll_making().is_none());
    }

    #[test]
    fn what_is_told_again_is_not_worked_out_again() {
        let mut hub = hub();
        let told = rings(&hub, Step::Write, 2);
        hub.following.follow_later(told.clone(), false);
        hub.go_on_following().unwrap();
        let made = hub.poll_making().unwrap().make();
        hub.following.follow_later(Rings { turn: told.turn + 1, ..told.clone() }, false);
        hub.handle_made(Some(made)).unwrap();
        assert_eq!(goes_by(&hub), (Step::Write, Some(NodeId(2))));
        assert_eq!(hub.following.rings().unwrap().turn, told.turn + 1);
        assert!(hub.poll_making().is_none());
    }

    #[test]
    fn what_could_not_be_worked_out_elsewhere_the_hub_works_out() {
        let mut hub = hub();
        hub.following.follow_later(rings(&hub, Step::Write, 2), false);
        hub.go_on_following().unwrap();
        assert!(hub.poll_making().is_some());
        hub.handle_made(None).unwrap();
        assert_eq!(goes_by(&hub), (Step::Write, Some(NodeId(2))));
    }

    #[test]
    fn nothing_is_worked_out_elsewhere_while_nobody_executes() {
        let mut hub = hub();
        for step in [Step::Write, Step::HandOver] {
            hub.following.follow_later(rings(&hub, step, 2), false);
            hub.go_on_following().unwrap();
            if let Some(making) = hub.poll_making() {
                hub.handle_made(Some(making.make())).unwrap();
            }
        }
        assert_eq!(goes_by(&hub), (Step::HandOver, Some(NodeId(2))));
        hub.following.follow_later(rings(&hub, Step::Write, 3), false);
        hub.go_on_following().unwrap();
        assert_eq!(goes_by(&hub), (Step::Write, Some(NodeId(3))));
    }

    #[test]
    fn a_new_view_ends_the_pauses_of_those_who_look_for_who_executes() {
        let mut hub = hub();
        let pause = Arc::new(Waiting::pause());
        hub.cluster.alarms.wake_at(&pause, Now::from_unix_ms(START_MS + 60_000));
        assert!(!pause.is_over(Waker::noop()));
        hub.publish().unwrap();
        assert!(pause.is_over(Waker::noop()));
    }
}
