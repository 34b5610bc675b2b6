//! How fast a cluster gossips, for three kinds of network.

use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

/// How fast a cluster gossips. All nodes of a cluster should agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipConfig {
    /// One member is probed in each of these.
    pub probe_period: Duration,
    /// An answer is waited for so long, then others are asked to ask.
    pub probe_rtt: Duration,
    /// One that does not answer may defend itself for so long.
    pub suspicion: Duration,
    /// News is spread this often, while there is some.
    pub gossip_period: Duration,
    /// The cards are compared with those of a random member this often.
    pub exchange_period: Duration,
    /// Seeds and members that are down are looked for this often.
    pub search_period: Duration,
    /// The same, while no other member is known.
    pub search_alone_period: Duration,
    /// A timer that is later than this means that this node was not running: its
    /// clock stood still, and nobody was silent.
    pub lag_max: Duration,
    /// A member that has been down for so long is no longer looked for.
    pub down_kept: Duration,
}

/// What is down is looked for until a day has gone: a partition of a night heals
/// by itself.
const DOWN_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is not tuned: so many are asked to ask, and so many are gossiped to.
const FANOUT: NonZeroUsize = NonZeroUsize::new(3).unwrap();

impl GossipConfig {
    /// All nodes on one machine.
    #[must_use]
    pub fn local() -> Self {
        Self {
            probe_period: Duration::from_millis(200),
            probe_rtt: Duration::from_millis(60),
            suspicion: Duration::from_secs(1),
            gossip_period: Duration::from_millis(50),
            exchange_period: Duration::from_millis(500),
            search_period: Duration::from_secs(2),
            search_alone_period: Duration::from_millis(200),
            lag_max: Duration::from_millis(100),
            down_kept: DOWN_KEPT,
        }
    }

    /// All nodes in one place. A process that stands still for two seconds has
    /// 0.35 left to defend itself: the probe's period before it is suspected counts
    /// too. Until anybody probes one that has died, a period passes on average, and
    /// 4.6 in one case of a hundred, however many nodes there are.
    #[must_use]
    pub fn lan() -> Self {
        Self {
            probe_period: Duration::from_millis(350),
            probe_rtt: Duration::from_millis(160),
            suspicion: Duration::from_secs(2),
            gossip_period: Duration::from_millis(100),
            exchange_period: Duration::from_secs(1),
            search_period: Duration::from_secs(5),
            search_alone_period: Duration::from_millis(500),
            lag_max: Duration::from_millis(100),
            down_kept: DOWN_KEPT,
        }
    }

    /// Nodes on several continents.
    #[must_use]
    pub fn wan() -> Self {
        Self {
            probe_period: Duration::from_millis(1500),
            probe_rtt: Duration::from_millis(600),
            suspicion: Duration::from_secs(6),
            gossip_period: Duration::from_millis(300),
            exchange_period: Duration::from_secs(3),
            search_period: Duration::from_secs(15),
            search_alone_period: Duration::from_millis(1500),
            lag_max: Duration::from_millis(300),
            down_kept: DOWN_KEPT,
        }
    }

    /// A node that is dead is held for dead within this, as a rule.
    #[must_use]
    pub fn notice(&self) -> Duration {
        // Its turn to be probed may just be over, and the news takes its time.
        self.suspicion + 4 * self.probe_period
    }

    /// What the failure detector is told, in a cluster of so many. Looking for
    /// the lost is done here and not by it: it stops all its timers when it knows
    /// nobody who lives.
    pub(super) fn swim(&self, members: usize, packet_bytes_max: usize) -> foca::Config {
        foca::Config {
            probe_period: self.probe_period,
            probe_rtt: self.probe_rtt,
            num_indirect_probes: FANOUT,
            max_transmissions: transmissions(members),
            suspect_to_down_after: self.suspicion,
            remove_down_after: None,
            max_packet_size: NonZeroUsize::new(packet_bytes_max).unwrap_or(NonZeroUsize::MIN),
            notify_down_members: true,
            periodic_announce: None,
            periodic_announce_to_down_members: None,
            periodic_gossip: Some(foca::PeriodicParams {
                frequency: self.gossip_period,
                num_members: FANOUT,
            }),
        }
    }
}

/// How often each member passes on a piece of news. Who is told at random so many
/// times, on average, is not told at all with a chance of e to the power of minus
/// as many. With the number's natural logarithm and eight more one death in 3,000
/// leaves anybody out, and with a twentieth of all packets lost one in 1,500,
/// whatever the number. (Four times its digits, as memberlist has it, left
/// somebody out at one death in thirty among 99.)
pub(super) fn transmissions(members: usize) -> NonZeroU8 {
    let others = members.max(1) as f64;
    NonZeroU8::MIN.saturating_add(7 + others.ln().ceil() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_ends_before_the_next_begins() {
        for config in [GossipConfig::local(), GossipConfig::lan(), GossipConfig::wan()] {
            assert!(2 * config.probe_rtt < config.probe_period);
            assert!(config.suspicion >= 2 * config.probe_period);
        }
    }

    #[test]
    fn news_is_passed_on_more_often_among_more() {
        let counts = [0, 1, 2, 9, 99, 999, 65_535].map(|members| transmissions(members).get());
        assert_eq!(counts, [8, 8, 9, 11, 13, 15, 20]);
    }
}
