//! What goes wrong in a run.

use crate::leaving::Leaving;
use crate::memory::Memory;
use crate::strangers::Strange;
use crate::world::World;
use ringcached::cluster::Step;

/// What goes wrong in a run, all of it drawn by the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// Packets of gossip that are lost, in hundredths.
    pub(crate) loss: u64,
    /// Packets of gossip that come twice, the second time late, in hundredths.
    pub(crate) duplicates: u64,
    /// The first node's clock is so far ahead.
    pub(crate) skew_ms: u64,
    pub(crate) trouble: Kind,
}

/// What happens in the middle of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nothing,
    /// A node is killed, and stays so.
    Kill,
    /// A node is killed, and started again without its memory.
    Restart,
    /// The same, before anyone has noticed.
    QuickRestart,
    /// A node is ended, and started again with its memory.
    WarmRestart,
    /// A node is told to stop, and started again without its memory.
    Stop,
    /// Restarted without its memory, and not told where others are; at once, or late.
    ForgetfulRestart,
    /// The same, again and again.
    Flap,
    /// A node stands still for so long that the others hold it for dead, and goes on.
    Pause,
    /// Two nodes do not reach each other.
    Cut,
    /// One node does not reach another, which reaches it.
    CutOneWay,
    /// Two halves do not reach each other.
    Partition,
    /// One more node joins.
    Join,
    /// Two more join at about the same time.
    JoinTwo,
    /// One more joins, and one that was there is killed meanwhile.
    JoinAndKill,
    /// The same, and it is started again, without its memory.
    JoinAndRestart,
    /// One more joins, is killed, and started again.
    JoinerRestarts,
    /// One more joins, and one stands still meanwhile.
    JoinAndPause,
    /// One more joins, and one that was there leaves.
    JoinAndLeave,
    /// A node leaves, and one more joins meanwhile.
    LeaveAndJoin,
    /// Two nodes leave at about the same time.
    LeaveTwo,
    /// A node leaves, and is killed in one of the steps of that.
    LeaverDies,
    /// A node leaves.
    Leave,
    /// A node is killed for longer than it keeps its slots.
    GiveAway,
    /// A node is cut off for longer than that.
    LongPartition,
    /// One more node, whose ring is made otherwise, tries to join.
    Stranger,
    /// One more node, whose certificate is another authority's, tries to join.
    Unlinked,
}

impl Faults {
    pub(crate) const NONE: Self =
        Self { loss: 0, duplicates: 0, skew_ms: 0, trouble: Kind::Nothing };
    pub(crate) const LOSS: Self = Self { loss: 20, ..Self::NONE };
    pub(crate) const DUPLICATES: Self = Self { loss: 5, duplicates: 30, ..Self::NONE };
    pub(crate) const SKEW: Self = Self { loss: 5, skew_ms: 3_600_000, ..Self::NONE };

    /// This trouble, and some loss.
    pub(crate) const fn of(trouble: Kind) -> Self {
        Self { loss: 5, trouble, ..Self::NONE }
    }

    /// Whether requests may be refused.
    pub(crate) fn may_refuse(&self) -> bool {
        let refuses_nobody = [
            Kind::Nothing,
            Kind::Join,
            Kind::JoinTwo,
            Kind::Leave,
            Kind::JoinAndLeave,
            Kind::LeaveAndJoin,
            Kind::LeaveTwo,
            Kind::Stop,
            Kind::Stranger,
            Kind::Unlinked,
        ];
        self.skew_ms > 0 || !refuses_nobody.contains(&self.trouble)
    }
}

/// What goes wrong, and when.
pub(crate) struct Trouble {
    kind: Kind,
    node: usize,
    other: usize,
    at_ms: u64,
    back_ms: u64,
    flaps: u64,
    /// Whoever leaves is killed in this step.
    dies_in: Option<Step>,
    memory: Memory,
    /// So much longer than usual is the run.
    pub(crate) extra_ms: u64,
}

/// A node that flaps comes and goes so often.
const FLAPS: u64 = 5;
const FLAP_MS: u64 = 6000;

/// A node that is killed while one joins is started again after so long.
const RESTART_MS: u64 = 20;

/// A node that stops has ended after so long.
const STOP_MS: u64 = 2000;

/// A node that is down keeps its slots for so long.
pub(crate) const GRACE_MS: u64 = 30_000;

impl Trouble {
    pub(crate) fn new(world: &mut World, kind: Kind, started: u64) -> Self {
        let nodes = world.nodes.len();
        let node = world.random.below(nodes);
        let at_ms = started + 500 + world.random.below(1500) as u64;
        let away_most = match kind {
            Kind::QuickRestart => 300,
            Kind::Flap => FLAP_MS as usize - 1000,
            // Most changes of owners are over by then.
            Kind::JoinAndKill
            | Kind::JoinAndRestart
            | Kind::JoinerRestarts
            | Kind::JoinAndPause
            | Kind::JoinTwo
            | Kind::JoinAndLeave
            | Kind::LeaveAndJoin
            | Kind::LeaveTwo => 500,
            _ => 12_000,
        };
        let mut away = 10 + world.random.below(away_most) as u64;
        if matches!(kind, Kind::GiveAway | Kind::LongPartition) {
            away += GRACE_MS;
        }
        if kind == Kind::Stop {
            // Its clients are answered first.
            away += STOP_MS;
        }
        let other = (node + 1 + world.random.below(nodes - 1)) % nodes;
        let extra_ms = match kind {
            Kind::Nothing => 0,
            Kind::Flap => FLAPS * FLAP_MS + 8000,
            _ => away + 8000,
        };
        let steps = [Step::Write, Step::Fill, Step::HandOver, Step::Follow, Step::Settled];
        let dies_in = (kind == Kind::LeaverDies).then(|| steps[world.random.below(steps.len())]);
        let (back_ms, flaps, memory) = (at_ms + away, FLAPS - 1, Memory::default());
        Self { kind, node, other, at_ms, back_ms, flaps, dies_in, memory, extra_ms }
    }

    pub(crate) fn step(&mut self, world: &mut World) {
        if world.now_ms() == self.at_ms {
            self.begin(world);
        }
        if world.now_ms() == self.back_ms {
            self.end(world);
        }
        if self.dies_in.is_some() && world.now_ms() > self.at_ms {
            let leaver = &world.nodes[self.node];
            // It begins at `settled` too.
            let is_there = match leaver.leaves {
                Some(Leaving::HandsOver) => leaver.step != Some(Step::Settled),
                other => other.is_some(),
            };
            if is_there && leaver.step == self.dies_in {
                self.dies_in = None;
                world.kill(self.node);
            }
        }
        if world.now_ms() == self.back_ms + RESTART_MS {
            match self.kind {
                Kind::JoinAndRestart => world.start(self.node, true),
                Kind::JoinerRestarts => world.start(world.nodes.len() - 1, true),
                _ => {}
            }
        }
        let again = self.at_ms + FLAP_MS;
        if self.kind == Kind::Flap && self.flaps > 0 && world.now_ms() + 1 == again {
            (self.at_ms, self.back_ms) = (again, self.back_ms + FLAP_MS);
            self.flaps -= 1;
        }
    }

    fn begin(&mut self, world: &mut World) {
        match self.kind {
            Kind::Nothing => {}
            Kind::Kill
            | Kind::Restart
            | Kind::QuickRestart
            | Kind::ForgetfulRestart
            | Kind::GiveAway
            | Kind::Flap => world.kill(self.node),
            Kind::WarmRestart => {
                self.memory = world.memory_of(self.node);
                world.kill(self.node);
            }
            Kind::Stop => world.stop(self.node),
            Kind::Pause => world.pause(self.node, self.back_ms - self.at_ms),
            Kind::Cut => {
                world.cut(self.node, self.other);
                world.cut(self.other, self.node);
            }
            Kind::CutOneWay => world.cut(self.node, self.other),
            Kind::Partition | Kind::LongPartition => world.part(|number| number == self.node),
            Kind::Join
            | Kind::JoinTwo
            | Kind::JoinAndKill
            | Kind::JoinAndRestart
            | Kind::JoinerRestarts
            | Kind::JoinAndPause
            | Kind::JoinAndLeave => world.let_one_join(),
            Kind::Leave | Kind::LeaveAndJoin | Kind::LeaveTwo | Kind::LeaverDies => {
                world.drain(self.node);
            }
            Kind::Stranger => world.let_stranger_join(),
            Kind::Unlinked => world.let_join(Strange::Authority),
        }
    }

    fn end(&self, world: &mut World) {
        match self.kind {
            Kind::Restart | Kind::QuickRestart | Kind::Flap => world.start(self.node, true),
            Kind::Stop => {
                assert!(world.nodes[self.node].up.is_none(), "it has not ended");
                world.start(self.node, true);
            }
            Kind::WarmRestart => world.start_with(self.node, true, &self.memory),
            Kind::ForgetfulRestart => world.start(self.node, false),
            Kind::Cut | Kind::CutOneWay | Kind::Partition | Kind::LongPartition => world.heal(),
            Kind::Stranger | Kind::Unlinked => world.end_strangers(),
            Kind::JoinTwo | Kind::LeaveAndJoin => world.let_one_join(),
            Kind::LeaveTwo => world.drain(self.other),
            Kind::JoinAndKill | Kind::JoinAndRestart => world.kill(self.node),
            Kind::JoinAndLeave => world.drain(self.node),
            Kind::JoinerRestarts => world.kill(world.nodes.len() - 1),
            Kind::JoinAndPause => world.pause(self.node, 6000),
            Kind::Nothing
            | Kind::Kill
            | Kind::Pause
            | Kind::Join
            | Kind::Leave
            | Kind::LeaverDies
            | Kind::GiveAway => {}
        }
    }
}
