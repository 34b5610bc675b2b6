//! What happens to a cluster while it is watched.

use super::world::{World, ZONES};
use std::time::Duration;

/// Of how many nodes one dies, or joins, or is restarted at a time.
const TENTH: usize = 10;
const HUNDREDTH: usize = 100;

/// A restarted node says that it leaves, is gone for a moment, and the next ones
/// follow a little after it has come back.
const FAREWELL: Duration = Duration::from_millis(200);
const GONE: Duration = Duration::from_millis(1800);
const BACK: Duration = Duration::from_secs(1);

/// Something that happens to many nodes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upheaval {
    /// All nodes start at the same time, and know nobody.
    Start,
    /// A tenth as many as there are start at the same time.
    Join,
    /// A tenth of the nodes dies at the same time.
    Deaths,
    /// All nodes of one of three zones die at the same time.
    Zone,
    /// Nodes leave, are gone for two seconds and come back, one in a hundred at a
    /// time.
    Restart,
}

impl Upheaval {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Start, Self::Join, Self::Deaths, Self::Zone, Self::Restart];

    /// What `--upheaval` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Join => "join",
            Self::Deaths => "deaths",
            Self::Zone => "zone",
            Self::Restart => "restart",
        }
    }

    /// Lets it happen, but for the last of what takes its time. `watch` is called
    /// whenever some time has passed.
    pub(super) fn happen(
        self,
        world: &mut World,
        nodes: usize,
        restarted: usize,
        mut watch: impl FnMut(&mut World, Duration),
    ) {
        match self {
            Self::Start => (0..nodes).for_each(|_| world.add()),
            Self::Join => (0..nodes.div_ceil(TENTH)).for_each(|_| world.add()),
            Self::Deaths => {
                for node in some(world, nodes / TENTH) {
                    world.kill(node);
                }
            }
            Self::Zone => {
                let lost = (0..nodes).filter(|&node| World::zone_of(node) == ZONES - 1);
                lost.for_each(|node| world.kill(node));
            }
            Self::Restart => {
                let order = some(world, restarted.min(nodes));
                for (turn, these) in order.chunks(nodes.div_ceil(HUNDREDTH)).enumerate() {
                    if turn > 0 {
                        watch(world, BACK);
                    }
                    for &node in these {
                        world.leave(node);
                    }
                    watch(world, FAREWELL);
                    for &node in these {
                        world.kill(node);
                    }
                    watch(world, GONE);
                    for &node in these {
                        world.start(node);
                    }
                }
            }
        }
    }
}

/// So many nodes at random, of those that are no witnesses as long as there are any.
fn some(world: &mut World, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..world.len()).rev().collect();
    let others = all.len().saturating_sub(ZONES);
    for place in 0..others.min(count) {
        let other = place + world.random(others - place);
        all.swap(place, other);
    }
    all.truncate(count);
    all
}
