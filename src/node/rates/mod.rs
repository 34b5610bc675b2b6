//! How many requests a second a client, and all of them together, may make of this
//! node. What other nodes send on is not counted: it was where it came in.

mod rate;

use crate::limits::RATED_CLIENTS_MAX;
use crate::net::Peer;
use rate::{FullAt, Rate};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// After so long nobody is needed who went away: his bucket is full again.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// The limits of a node, and who has used how much of them.
#[derive(Debug)]
pub(super) struct Rates {
    node: Option<Bucket>,
    client: Option<Rate>,
    clients: Mutex<Clients>,
}

/// A bucket that several threads take from.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    full_at: AtomicU64,
}

/// Whose connections count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Client {
    /// All that come by a path.
    Unix,
    V4(u32),
    /// The first 64 bits: of the rest a machine may choose what it likes.
    V6(u64),
}

#[derive(Debug, Default)]
struct Clients {
    known: BTreeMap<Client, Arc<Bucket>>,
    /// Of all for whom there is no room.
    rest: Option<Arc<Bucket>>,
    next_sweep: Duration,
}

/// What the requests of one connection are counted by.
#[derive(Debug)]
pub(super) struct Allowance {
    rates: Arc<Rates>,
    client: Option<Arc<Bucket>>,
}

impl Rates {
    /// None where there are no limits.
    pub(super) fn new(node: Option<NonZeroU32>, client: Option<NonZeroU32>) -> Option<Arc<Self>> {
        if node.is_none() && client.is_none() {
            return None;
        }
        Some(Arc::new(Self {
            node: node.map(|requests| Bucket::new(Rate::per_s(requests))),
            client: client.map(Rate::per_s),
            clients: Mutex::default(),
        }))
    }

    /// What a connection may ask. All of one client have it together.
    pub(super) fn allowance(self: &Arc<Self>, peer: &Peer, now: Duration) -> Allowance {
        let client = self.client.map(|rate| {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.bucket(Client::of(peer), rate, now)
        });
        Allowance { rates: Arc::clone(self), client }
    }
}

impl Allowance {
    /// Whether there may be so many requests more now.
    pub(super) fn admits(&self, requests: u32, now: Duration) -> bool {
        if requests == 0 {
            return true;
        }
        let now_ns = nanos(now);
        if self.client.as_ref().is_some_and(|client| !client.take(requests, now_ns)) {
            return false;
        }
        let admitted = self.rates.node.as_ref().is_none_or(|node| node.take(requests, now_ns));
        if !admitted && let Some(client) = &self.client {
            client.give_back(requests);
        }
        admitted
    }
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        Self { rate, full_at: AtomicU64::new(0) }
    }

    fn take(&self, requests: u32, now_ns: u64) -> bool {
        let left = |full_at| Some(self.rate.take(FullAt(full_at), requests, now_ns)?.0);
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    fn give_back(&self, requests: u32) {
        let left = |full_at| Some(self.rate.give_back(FullAt(full_at), requests).0);
        // It always says what is left.
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    fn is_full(&self, now_ns: u64) -> bool {
        self.full_at.load(Ordering::Relaxed) <= now_ns
    }
}

impl Client {
    fn of(peer: &Peer) -> Self {
        let address = match peer {
            Peer::Unix => return Self::Unix,
            Peer::V4(address) => IpAddr::V4(*address.ip()),
            Peer::V6(address) => IpAddr::V6(*address.ip()).to_canonical(),
        };
        match address {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl Clients {
    fn bucket(&mut self, client: Client, rate: Rate, now: Duration) -> Arc<Bucket> {
        if let Some(bucket) = self.known.get(&client) {
            return Arc::clone(bucket);
        }
        if self.known.len() >= RATED_CLIENTS_MAX && now >= self.next_sweep {
            self.next_sweep = now + SWEEP_PAUSE;
            let now_ns = nanos(now);
            // A bucket that is full is as good as a new one.
            self.known.retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_full(now_ns));
        }
        let bucket = || Arc::new(Bucket::new(rate));
        let bucket = match self.known.len() {
            RATED_CLIENTS_MAX.. => self.rest.get_or_insert_with(bucket),
            _ => self.known.entry(client).or_insert_with(bucket),
        };
        Arc::clone(bucket)
    }
}

fn nanos(since_start: Duration) -> u64 {
    since_start.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    fn rates(node: u32, client: u32) -> Arc<Rates> {
        Rates::new(NonZeroU32::new(node), NonZeroU32::new(client)).unwrap()
    }

    fn peer(address: &str) -> Peer {
        Peer::from(SocketAddr::new(address.parse().unwrap(), 7))
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// So many pass at once.
    fn passed(allowance: &Allowance, ms: u64) -> usize {
        (0..1000).take_while(|_| allowance.admits(1, at(ms))).count()
    }

    #[test]
    fn connections_of_one_client_count_together() {
        let rates = rates(0, 10);
        for (one, same, other) in [
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
            ("::ffff:10.0.0.3", "10.0.0.3", "::ffff:10.0.0.4"),
        ] {
            let of = |address: &str| rates.allowance(&peer(address), at(0));
            assert_eq!(passed(&of(one), 0), 10, "{one}");
            assert_eq!(passed(&of(same), 0), 0, "{same}");
            assert_eq!(passed(&of(other), 0), 10, "{other}");
            assert_eq!(passed(&of(same), 500), 5, "{same}");
        }
        let unix = rates.allowance(&Peer::Unix, at(0));
        assert_eq!(passed(&unix, 0), 10);
    }

    #[test]
    fn all_clients_count_for_the_node() {
        let rates = rates(15, 10);
        let one = rates.allowance(&peer("10.0.0.1"), at(0));
        let other = rates.allowance(&peer("10.0.0.2"), at(0));
        assert_eq!((passed(&one, 0), passed(&other, 0)), (10, 5));
        // What the node refuses is not taken from the client.
        assert_eq!(passed(&other, 200), 3);
        assert_eq!(passed(&other, 500), 4);
        let rates = self::rates(15, 0);
        let unlimited = rates.allowance(&peer("10.0.0.1"), at(0));
        assert_eq!(passed(&unlimited, 0), 15);
    }

    #[test]
    fn whoever_comes_back_is_known() {
        let rates = rates(0, 10);
        assert_eq!(passed(&rates.allowance(&peer("10.0.0.1"), at(0)), 0), 10);
        assert_eq!(passed(&rates.allowance(&peer("10.0.0.1"), at(1)), 1), 0);
    }

    #[test]
    fn what_costs_nothing_is_admitted_always() {
        let allowance = rates(1, 1).allowance(&Peer::Unix, at(0));
        assert!(allowance.admits(100, at(0)) && allowance.admits(0, at(0)));
        assert!(!allowance.admits(1, at(0)));
    }

    #[test]
    fn many_clients_take_bounded_memory() {
        let rates = rates(0, 1);
        let of = |number: u32, ms| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(number));
            rates.allowance(&Peer::from(SocketAddr::new(address, 7)), at(ms))
        };
        let known = || rates.clients.lock().unwrap().known.len();
        let stays = of(1, 0);
        for number in 0..RATED_CLIENTS_MAX as u32 {
            assert!(of(number, 0).admits(1, at(0)));
        }
        assert_eq!(known(), RATED_CLIENTS_MAX);
        // Whoever comes now is one of many, until those before are as good as new.
        let (one, other) = (of(1 << 30, 500), of(2 << 30, 500));
        assert!(one.admits(1, at(500)) && !other.admits(1, at(500)));
        assert_eq!(known(), RATED_CLIENTS_MAX);
        assert!(of(2 << 30, 1500).admits(1, at(1500)));
        assert_eq!(known(), 2);
        assert!(Arc::ptr_eq(stays.client.as_ref().unwrap(), of(1, 1500).client.as_ref().unwrap()));
    }
}
