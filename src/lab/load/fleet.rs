//! The servers of a run, and which of them each connection asks for which keys:
//! one for all, or the nodes of a cluster by its ring.

use super::items::Items;
use super::ring::{Seen, Unseen};
use super::slots::Slots;
use super::{Address, Load, LoadError, Protocol, Route, question};
use crate::limits::{LOAD_RING_KEYS_MAX, NODES_MAX};
use crate::wire::CARD_BYTES_MAX;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The servers of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fleet {
    servers: Vec<Address>,
    /// By server, the numbers of the keys that it is asked for. None: all.
    shares: Option<Vec<Arc<[u32]>>>,
}

/// The keys of one connection. Others may ask for the same.
#[derive(Clone, Debug)]
pub(super) struct Part {
    numbers: Option<Arc<[u32]>>,
    count: u64,
    /// Which of those that ask for them it is, and how many they are.
    pub(super) turn: u64,
    pub(super) of: u64,
}

/// Bytes that an answer about a ring may have: a few lines for each node.
const ANSWER_BYTES_MAX: usize = 4 * CARD_BYTES_MAX * NODES_MAX;

/// How long to wait where a ring changes while it is told.
const CHANGE: Duration = Duration::from_millis(50);

impl Fleet {
    /// Asks the load's server for its ring, if the load is to go by it.
    pub(super) fn of(load: &Load, items: &Items) -> Result<Self, LoadError> {
        let Some(route) = load.ring else {
            return Ok(Self { servers: vec![load.server.clone()], shares: None });
        };
        let no_ring =
            |why: String| LoadError::Refused(format!("{} tells of no ring: {why}", load.server));
        match load.protocol {
            Protocol::Text | Protocol::Meta => {
                let seen = see(load)?.map_err(no_ring)?;
                let servers = seen.servers().cloned().collect();
                Self::sorted(servers, route, items, |key| seen.primary(key))
            }
            Protocol::Redis => {
                let (server, whole) = (&load.server, question::is_bulk);
                let asked = "CLUSTER NODES\r\n";
                let answer = question::ask(server, load, asked, ANSWER_BYTES_MAX, whole)?;
                let slots = Slots::read(&answer).map_err(no_ring)?;
                let servers = slots.servers().cloned().collect();
                Self::sorted(servers, route, items, |key| slots.primary(key))
            }
        }
    }

    fn sorted(
        servers: Vec<Address>,
        route: Route,
        items: &Items,
        primary: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<Self, LoadError> {
        if servers.is_empty() {
            return Err(LoadError::Refused("no node of the ring serves".to_owned()));
        }
        if route == Route::Any {
            return Ok(Self { servers, shares: None });
        }
        let mut shares = vec![Vec::new(); servers.len()];
        let mut key = Vec::new();
        // As many as fit, which was looked at before.
        for number in 0..items.count() as u32 {
            key.clear();
            items.write_key(u64::from(number), &mut key);
            let Some(primary) = primary(&key) else { continue };
            for (server, share) in shares.iter_mut().enumerate() {
                if (server == primary) == (route == Route::Primary) {
                    share.push(number);
                }
            }
        }
        if let Some(server) = shares.iter().position(Vec::is_empty) {
            return Err(LoadError::Senseless(format!(
                "there is none of the keys to ask {} for; take more of them",
                servers[server]
            )));
        }
        Ok(Self { servers, shares: Some(shares.into_iter().map(Into::into).collect()) })
    }

    pub(super) fn servers(&self) -> &[Address] {
        &self.servers
    }

    /// Whom a connection asks: the nodes have theirs in turn.
    pub(super) fn server(&self, connection: usize) -> &Address {
        &self.servers[connection % self.servers.len()]
    }

    /// What it asks for, where there are so many.
    pub(super) fn part(&self, items: &Items, connection: usize, connections: usize) -> Part {
        let (number, all) = (connection as u64, connections as u64);
        let Some(shares) = &self.shares else {
            return Part { numbers: None, count: items.count(), turn: number, of: all };
        };
        let servers = self.servers.len();
        let numbers = Arc::clone(&shares[connection % servers]);
        let of = (connections - connection % servers).div_ceil(servers);
        let (turn, of) = ((connection / servers) as u64, of as u64);
        Part { count: numbers.len() as u64, numbers: Some(numbers), turn, of }
    }
}

impl Part {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The number of one of its keys.
    pub(super) fn number(&self, index: u64) -> u64 {
        self.numbers.as_ref().map_or(index, |numbers| u64::from(numbers[index as usize]))
    }

    /// How many of its keys are this connection's, where each is one's.
    pub(super) fn own_count(&self) -> u64 {
        self.count / self.of + u64::from(self.turn < self.count % self.of)
    }
}

/// The ring that the server tells of, or why it tells of none.
fn see(load: &Load) -> Result<Result<Seen, String>, LoadError> {
    let until = Instant::now() + load.timeout;
    loop {
        let (asked, whole) = ("stats ring\r\n", question::is_statistics);
        let answer = question::ask(&load.server, load, asked, ANSWER_BYTES_MAX, whole)?;
        match Seen::read(&answer) {
            Ok(seen) => return Ok(Ok(seen)),
            Err(Unseen::NoRing(why)) => return Ok(Err(why)),
            Err(Unseen::Changing) if Instant::now() > until => {
                return Ok(Err("it changes all the time".to_owned()));
            }
            Err(Unseen::Changing) => thread::sleep(CHANGE),
        }
    }
}

/// Whether the numbers of the keys can be listed by server.
pub(super) fn check(load: &Load) -> Result<(), LoadError> {
    let senseless = |why: &str| Err(LoadError::Senseless(why.to_owned()));
    match load.ring {
        Some(route) if load.protocol == Protocol::Redis && route != Route::Primary => {
            senseless("a node of a Redis Cluster answers for its own keys only: --ring=primary")
        }
        Some(Route::Primary | Route::Other) if load.mix.scan > 0.0 => {
            senseless("a scan has no end, so its keys cannot be listed by node")
        }
        Some(Route::Primary | Route::Other) if load.data.keys > LOAD_RING_KEYS_MAX => {
            Err(LoadError::Senseless(format!("{LOAD_RING_KEYS_MAX} keys can be listed by node")))
        }
        _ if load.wait.is_some() && load.protocol != Protocol::Redis => {
            senseless("only Redis has WAIT")
        }
        // What is within braces alone would say the slot.
        Some(_) if load.data.prefix.contains('{') => senseless("no braces in keys, with --ring"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn fleet(route: Route) -> (Fleet, Items) {
        let items = Items::new(&sample().data);
        let servers = [1, 2, 3].map(|port| format!("127.0.0.1:{port}").parse().unwrap());
        let primary = |key: &[u8]| Some(usize::from(key[key.len() - 1] % 3));
        (Fleet::sorted(servers.into(), route, &items, primary).unwrap(), items)
    }

    /// All numbers that so many connections ask for, each in its turn.
    fn asked(fleet: &Fleet, items: &Items, connections: usize) -> Vec<u64> {
        let own = |connection| {
            let part = fleet.part(items, connection, connections);
            let number = move |step| part.number(part.turn + step * part.of);
            (0..fleet.part(items, connection, connections).own_count()).map(number)
        };
        let mut numbers: Vec<u64> = (0..connections).flat_map(own).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn connections_share_all_keys() {
        for connections in [3, 4, 5, 15] {
            for route in [Route::Primary, Route::Any] {
                let (fleet, items) = fleet(route);
                let all: Vec<u64> = (0..items.count()).collect();
                assert_eq!(asked(&fleet, &items, connections), all, "{route:?} {connections}");
            }
        }
    }

    #[test]
    fn keys_go_where_the_route_says() {
        for (route, own, others) in [(Route::Primary, true, false), (Route::Other, false, true)] {
            let (fleet, items) = fleet(route);
            let part = fleet.part(&items, 1, 3);
            let mut numbers = (0..part.count()).map(|index| part.number(index));
            let is_own = |number: u64| number % 10 % 3 == 1;
            // The digit zero is 48, which three divides.
            assert!(numbers.all(|number| if is_own(number) { own } else { others }));
        }
    }

    #[test]
    fn a_node_without_keys_is_refused() {
        let items = Items::new(&sample().data);
        let servers: Vec<Address> = vec!["127.0.0.1:1".parse().unwrap(); 2];
        let none = Fleet::sorted(servers, Route::Primary, &items, |_| Some(0));
        assert!(matches!(none, Err(LoadError::Senseless(_))));
    }
}
