//! Clusters of thousands of nodes to which much happens at once: the gossip, the
//! members and the rings of the server in virtual time, on one thread and from one
//! seed.
//!
//! ```text
//! Trial -> World (agents, packets) -> news -> Seen, Members -> Ring, Ring -> Diff
//!                                                     Outcome
//! ```
//!
//! Nothing is stored and no call is made: that is `tests/simulation`, with few nodes.

mod moved;
mod seen;
mod upheaval;
mod world;

pub use moved::ToMove;
pub use upheaval::Upheaval;

use crate::net::gossip::GossipConfig;
use crate::ring::{Layout, Node, RingError};
use moved::{have_one_view, ring_nodes};
use std::time::Duration;
use world::{Traffic, World};

/// What a cluster is given to come to rest, and for how long it is watched there.
const SETTLING: Duration = Duration::from_secs(1);
const AT_REST: Duration = Duration::from_secs(2);

/// When so much is known, what is left is known to nearly all.
const NEARLY_ALL: f64 = 0.999;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(100);

/// One cluster, and what happens to it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What happens.
    pub upheaval: Upheaval,
    /// How many nodes there are before, or in the end where there are none before.
    pub nodes: usize,
    /// Of the random choices: equal seeds give equal outcomes.
    pub seed: u64,
    /// How many of a hundred packets are lost.
    pub loss_percent: u32,
    /// How many nodes are restarted, where that is what happens.
    pub restarted: usize,
    /// How long one view is waited for.
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From the last of what happened until all who run had one view: none, if they
    /// did not within the time that was waited.
    pub one_view: Option<Duration>,
    /// From the same time until of a thousand things to learn, each counted once for each
    /// node that has to, all but one were known.
    pub nearly_all_known: Option<Duration>,
    /// How long it went on happening.
    pub happened: Duration,
    /// How often a node that ran was held for dead: once for each that did.
    pub false_deaths: u64,
    /// How many nodes were.
    pub falsely_dead: usize,
    /// What a node sent before.
    pub at_rest: Rate,
    /// What a node sent while it happened and until there was one view.
    pub meanwhile: Rate,
    /// The same, all in all.
    pub sent: Sent,
    /// How much was known at what time, and what was sent from the time before on.
    pub course: Vec<Moment>,
    /// What the ring makes of it, where there was one before.
    pub to_move: Option<ToMove>,
}

/// What one node sends in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Packets.
    pub packets: f64,
    /// Bytes in them, without what encryption and UDP put around.
    pub bytes: f64,
}

/// What one node sends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sent {
    /// Packets.
    pub packets: f64,
    /// Bytes in them.
    pub bytes: f64,
}

/// One look at a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// From when on it happened.
    pub after: Duration,
    /// The part of the nodes that had all right.
    pub agreeing: f64,
    /// How much the nodes had wrong, all together.
    pub mistaken: u64,
    /// What each sent since the moment before.
    pub rate: Rate,
}

impl Trial {
    /// Lets it happen, and watches.
    ///
    /// # Errors
    /// Refuses more nodes than a ring can have.
    pub fn run(&self) -> Result<Outcome, RingError> {
        let config = GossipConfig::lan();
        let mut world = match self.upheaval {
            Upheaval::Start => World::new(config, self.loss_percent, self.seed),
            _ => World::settled(self.nodes, config, self.loss_percent, self.seed),
        };
        world.run(SETTLING);
        let mut rest = Watch::new(&world);
        rest.run(&mut world, AT_REST);
        let before = ring_of_first(&world);

        let mut watch = Watch::new(&world);
        let upheaval = self.upheaval;
        upheaval.happen(&mut world, self.nodes, self.restarted, |world, length| {
            watch.run(world, length);
        });
        let happened = watch.passed(&world);
        watch.look(&world, world.sent);
        while !world.agrees() && watch.passed(&world) < happened + self.patience {
            watch.run(&mut world, LOOK);
        }

        let layout = self.layout();
        let agreed = world.agrees() && have_one_view(&layout, &world.witnesses());
        let to_move = match upheaval {
            Upheaval::Start => None,
            _ => Some(ToMove::new(&layout, &before, &ring_of_first(&world))?),
        };
        Ok(Outcome {
            one_view: agreed.then(|| watch.passed(&world).saturating_sub(happened)),
            nearly_all_known: nearly_all_known(&watch.course, happened),
            happened,
            false_deaths: world.false_deaths,
            falsely_dead: world.falsely_dead.len(),
            at_rest: rest.rate(),
            meanwhile: watch.rate(),
            sent: watch.each,
            course: watch.course,
            to_move,
        })
    }

    /// The ring that a cluster of this size would have.
    fn layout(&self) -> Layout {
        let slot_bits = Layout::slot_bits_for(self.nodes);
        Layout { seed: self.seed, slot_bits, ..Layout::default() }
    }
}

/// What the first node that runs would make its ring of.
fn ring_of_first(world: &World) -> Vec<Node> {
    let witnesses = world.witnesses();
    witnesses.first().map(|(own, members)| ring_nodes(own, members)).unwrap_or_default()
}

/// From when it had happened until nearly all of it was known.
fn nearly_all_known(course: &[Moment], happened: Duration) -> Option<Duration> {
    let most = course.iter().map(|moment| moment.mistaken).max().unwrap_or(0) as f64;
    let mut then = course.iter().filter(|moment| moment.after >= happened);
    let known = then.find(|moment| moment.mistaken as f64 <= (1.0 - NEARLY_ALL) * most)?;
    Some(known.after.saturating_sub(happened))
}

/// Looks at a cluster while time passes.
struct Watch {
    began: Duration,
    ended: Duration,
    each: Sent,
    course: Vec<Moment>,
}

impl Watch {
    fn new(world: &World) -> Self {
        Self { began: world.now, ended: world.now, each: Sent::default(), course: Vec::new() }
    }

    fn passed(&self, world: &World) -> Duration {
        world.now.saturating_sub(self.began)
    }

    fn run(&mut self, world: &mut World, length: Duration) {
        let end = world.now + length;
        while world.now < end {
            let before = world.sent;
            world.run(LOOK.min(end.saturating_sub(world.now)));
            self.look(world, before);
        }
    }

    fn look(&mut self, world: &World, before: Traffic) {
        let live = world.live().max(1) as f64;
        let sent = Sent {
            packets: (world.sent.packets - before.packets) as f64 / live,
            bytes: (world.sent.bytes - before.bytes) as f64 / live,
        };
        self.each.packets += sent.packets;
        self.each.bytes += sent.bytes;
        let length = world.now.saturating_sub(self.ended);
        self.ended = world.now;
        self.course.push(Moment {
            after: self.passed(world),
            agreeing: world.agreeing() as f64 / live,
            mistaken: world.mistaken(),
            rate: sent.in_a_second(length),
        });
    }

    fn rate(&self) -> Rate {
        self.each.in_a_second(self.ended.saturating_sub(self.began))
    }
}

impl Sent {
    fn in_a_second(self, of: Duration) -> Rate {
        match of.as_secs_f64() {
            0.0 => Rate::default(),
            length => Rate { packets: self.packets / length, bytes: self.bytes / length },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(upheaval: Upheaval, nodes: usize) -> Outcome {
        let patience = Duration::from_secs(60);
        let trial = Trial { upheaval, nodes, seed: 1, loss_percent: 5, restarted: nodes, patience };
        trial.run().unwrap()
    }

    /// Nobody is held for dead who runs, all come to one view, and the ring moves little
    /// more than it must.
    fn comes_to_one_view(upheaval: Upheaval, within: Duration) -> Outcome {
        let outcome = outcome(upheaval, 100);
        let Outcome { one_view, false_deaths, .. } = &outcome;
        println!("{}: {one_view:?}, {:?}", upheaval.name(), outcome.meanwhile);
        assert_eq!(*false_deaths, 0);
        assert!(one_view.is_some_and(|after| after < within), "{one_view:?}");
        if let Some(to_move) = &outcome.to_move {
            assert!(to_move.copies.ratio() <= 1.1, "{to_move:?}");
        }
        outcome
    }

    #[test]
    fn all_that_start_at_once_find_each_other() {
        let outcome = comes_to_one_view(Upheaval::Start, Duration::from_secs(3));
        assert_eq!(outcome.to_move, None);
    }

    #[test]
    fn a_tenth_more_at_once_are_taken_in() {
        let outcome = comes_to_one_view(Upheaval::Join, Duration::from_secs(3));
        assert!(outcome.to_move.unwrap().copies.moved > 0);
    }

    #[test]
    fn a_tenth_that_dies_at_once_is_missed_by_all() {
        let outcome = comes_to_one_view(Upheaval::Deaths, Duration::from_secs(15));
        assert!(outcome.to_move.unwrap().copies.moved > 0);
    }

    #[test]
    fn a_zone_that_is_lost_is_missed_by_all() {
        let outcome = comes_to_one_view(Upheaval::Zone, Duration::from_secs(40));
        assert!(outcome.to_move.unwrap().copies.moved > 0);
    }

    #[test]
    fn a_rolling_restart_moves_nothing() {
        let outcome = comes_to_one_view(Upheaval::Restart, Duration::from_secs(5));
        assert_eq!(outcome.to_move.unwrap().copies.moved, 0);
    }

    #[test]
    fn equal_seeds_give_equal_outcomes() {
        let outcomes = [outcome(Upheaval::Deaths, 20), outcome(Upheaval::Deaths, 20)];
        let told = outcomes.map(|outcome| (outcome.one_view, outcome.sent));
        assert_eq!(told[0], told[1]);
    }
}
