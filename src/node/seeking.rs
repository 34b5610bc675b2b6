//! A node that has just started and looks for the others: for how long, and what it
//! says meanwhile.
//!
//! Whoever serves alone takes writes that the others know nothing of, and writes over
//! what they have. So a node that may have been one of a cluster before is not the first
//! of another one until its cluster has had the time to find it, or its seeds to answer.

use super::others::ClusterConfig;
use crate::limits::{JOIN_PATIENCE_S, JOIN_TOLD_S};
use crate::net::gossip::{Seed, SeedsFound};
use std::net::SocketAddr;
use std::time::Duration;

/// Periods of the failure detector within which a cluster finds a node at an address
/// that it knows: it probes each node about once in each of them.
const PROBES: u32 = 4;

/// Whoever answers at all does so within this, as a rule.
const TOLD_FIRST: Duration = Duration::from_secs(1);

const TOLD_AGAIN: Duration = Duration::from_secs(JOIN_TOLD_S);

/// How long a node looks for others.
#[derive(Clone, Debug)]
pub(super) struct Seeking {
    seeds: Vec<Seed>,
    /// For one who serves.
    pub(super) look: Duration,
    /// For anybody.
    pub(super) search: Duration,
    told_next: Duration,
    /// It has found somebody, or is all there is.
    found: bool,
}

impl Seeking {
    pub(super) fn new(config: &ClusterConfig) -> Self {
        let seeds = config.join.clone();
        // Nobody knows an address that was drawn just now.
        let may_be_known = config.listen.port() != 0 || !seeds.is_empty();
        let look = if may_be_known { PROBES * config.gossip.probe_period } else { Duration::ZERO };
        let search = if seeds.is_empty() { look } else { Duration::from_secs(JOIN_PATIENCE_S) };
        let found = seeds.is_empty();
        Self { seeds, look, search, told_next: TOLD_FIRST, found }
    }

    /// There is nobody else to wait for.
    pub(super) fn found(&mut self) {
        self.found = true;
    }

    /// What a node is to say that has not heard of anybody for so long since its start.
    pub(super) fn line(&mut self, since: Duration) -> Option<String> {
        if self.seeds.is_empty() || since < self.told_next {
            return None;
        }
        self.told_next = since + TOLD_AGAIN;
        Some(format!(
            "joining seeds={} cause=\"none of them answers; another secret or cluster name, \
             here or there, looks the same\" serves_alone_in_s={}",
            self.listed(),
            self.search.saturating_sub(since).as_secs()
        ))
    }

    /// What it is to say when it serves and has not found anybody.
    pub(super) fn farewell(&mut self) -> Option<String> {
        let is_first = !std::mem::replace(&mut self.found, true);
        is_first.then(|| {
            format!(
                "WARNING: this node serves alone, as the first of a new cluster: none of its \
                 seeds ({}) has answered for {} s. If they have a cluster, end this node before \
                 clients write to it",
                self.listed(),
                self.search.as_secs()
            )
        })
    }

    fn listed(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(Seed::to_string).collect();
        seeds.join(",")
    }
}

/// Whether all seeds are the node itself that is there: then nobody is to answer. A name
/// without an address may yet have one.
pub(super) fn is_only(found: &SeedsFound, me: SocketAddr) -> bool {
    found.complete
        && !found.addresses.is_empty()
        && found.addresses.iter().all(|&address| address == me)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn seeking() -> Seeking {
        let seeds = vec![Seed::At(at(7)), Seed::Named("cache:8".into())];
        let (look, search) = (Duration::from_secs(2), Duration::from_secs(30));
        Seeking { seeds, look, search, told_next: TOLD_FIRST, found: false }
    }

    #[test]
    fn it_says_now_and_then_who_does_not_answer() {
        let mut seeking = seeking();
        let seconds = (0..=12).filter_map(|s| Some((s, seeking.line(Duration::from_secs(s))?)));
        let lines: Vec<(u64, String)> = seconds.collect();
        assert_eq!(lines.iter().map(|&(s, _)| s).collect::<Vec<_>>(), [1, 6, 11]);
        let (_, line) = &lines[1];
        assert!(line.starts_with("joining seeds=127.0.0.1:7,cache:8 "), "{line}");
        assert!(line.contains("secret") && line.ends_with("serves_alone_in_s=24"), "{line}");
        let farewell = seeking.farewell().unwrap();
        assert!(farewell.contains("127.0.0.1:7,cache:8) has answered for 30 s"), "{farewell}");
        assert_eq!(seeking.farewell(), None, "once");
    }

    #[test]
    fn a_node_without_seeds_has_nobody_to_name() {
        let mut seeking = Seeking { seeds: Vec::new(), ..seeking() };
        assert_eq!(seeking.line(Duration::from_secs(9)), None);
        seeking.found();
        assert_eq!(seeking.farewell(), None);
    }

    #[test]
    fn only_itself_is_nobody_to_wait_for() {
        let found = |ports: &[u16], complete| SeedsFound {
            addresses: ports.iter().copied().map(at).collect(),
            complete,
        };
        let is_only = |found| is_only(&found, at(7));
        assert!(is_only(found(&[7], true)));
        assert!(!is_only(found(&[7], false)), "another name may have an address soon");
        assert!(!is_only(found(&[], true)) && !is_only(found(&[7, 8], true)));
    }
}
