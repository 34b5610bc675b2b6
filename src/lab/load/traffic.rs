//! Which request comes next on a connection.

use super::fleet::Part;
use super::zipf::Zipf;
use super::{Load, Mix};
use crate::lab::Distribution;
use crate::lab::random::Random;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Set,
    /// Waits for replicas; it belongs to what was written before.
    Wait,
}

/// An endless sequence of requests.
#[derive(Debug)]
pub(super) struct Traffic {
    random: Random,
    reads: f64,
    multiget: usize,
    scan: f64,
    part: Part,
    order: Order,
    /// The next key of the scan, and how far apart those of one connection are.
    cold: u64,
    step: u64,
    /// Keys that were not found and are to be written.
    refills: Vec<u64>,
    refilling: bool,
}

#[derive(Debug)]
enum Order {
    Uniform { count: u64 },
    Sequential { next: u64, step: u64, count: u64 },
    Zipf { zipf: Zipf, scramble: Scramble },
}

impl Traffic {
    /// The traffic of one of the connections, which asks for these keys.
    pub(super) fn new(load: &Load, part: Part, connection: usize) -> Self {
        let Mix { reads, multiget, distribution, cache_aside, scan } = load.mix;
        let (count, first, step) = (part.count(), part.turn, part.of);
        let order = match distribution {
            Distribution::Uniform => Order::Uniform { count },
            Distribution::Sequential => Order::Sequential { next: first, step, count },
            Distribution::Zipf(exponent) => {
                Order::Zipf { zipf: Zipf::new(exponent, count), scramble: Scramble::new(count) }
            }
        };
        Self {
            // Apart from each other however close the seeds are.
            random: Random::new(Random::new(load.seed ^ ((connection as u64) << 32)).word()),
            reads,
            multiget,
            scan,
            part,
            order,
            cold: count + first,
            step,
            refills: Vec::new(),
            refilling: cache_aside,
        }
    }

    /// Every key of this connection's part, written once and in order.
    pub(super) fn preload(load: &Load, part: Part, connection: usize) -> Self {
        let mix = Mix {
            reads: 0.0,
            multiget: 1,
            distribution: Distribution::Sequential,
            cache_aside: false,
            scan: 0.0,
        };
        Self::new(&Load { mix, ..load.clone() }, part, connection)
    }

    /// Chooses a request and appends the numbers of its keys.
    pub(super) fn draw(&mut self, numbers: &mut Vec<u64>) -> Kind {
        if let Some(missed) = self.refills.pop() {
            numbers.push(missed);
            return Kind::Set;
        }
        if self.scan > 0.0 && self.random.fraction() < self.scan {
            numbers.push(self.cold);
            self.cold += self.step;
            return Kind::Get;
        }
        let is_read = self.reads >= 1.0 || self.random.fraction() < self.reads;
        let keys = if is_read { self.multiget } else { 1 };
        let Self { order, random, part, .. } = self;
        numbers.extend((0..keys).map(|_| part.number(order.draw(random))));
        if is_read { Kind::Get } else { Kind::Set }
    }

    /// Whether a request waits that is due at once, whatever the rate.
    pub(super) fn has_refill(&self) -> bool {
        !self.refills.is_empty()
    }

    /// Takes note of a key that was not found.
    pub(super) fn missed(&mut self, number: u64) {
        if self.refilling {
            self.refills.push(number);
        }
    }
}

impl Order {
    fn draw(&mut self, random: &mut Random) -> u64 {
        match self {
            Self::Uniform { count } => random.below(*count as usize) as u64,
            Self::Zipf { zipf, scramble } => scramble.number(zipf.draw(random)),
            Self::Sequential { next, step, count } => {
                let number = *next % *count;
                *next += *step;
                number
            }
        }
    }
}

/// A permutation of the numbers below a count. The hottest keys would otherwise
/// be the first, which a preload writes first and an LRU drops first.
#[derive(Clone, Copy, Debug)]
struct Scramble {
    factor: u64,
    count: u64,
}

impl Scramble {
    /// A factor near the golden section puts neighbours far apart; one that
    /// shares no divisor with the count reaches every number.
    fn new(count: u64) -> Self {
        let golden = (count as f64 * 0.618_033_988_75) as u64;
        // One more than the count always serves, if nothing before it does.
        let mut factors = golden.max(1)..=count + 1;
        let factor = factors.find(|&factor| divisor(factor, count) == 1);
        Self { factor: factor.unwrap_or(1), count }
    }

    fn number(self, rank: u64) -> u64 {
        (u128::from(rank) * u128::from(self.factor) % u128::from(self.count)) as u64
    }
}

/// The greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::super::fleet::Fleet;
    use super::super::items::Items;
    use super::super::sample;
    use super::*;

    fn part(load: &Load, connection: usize) -> Part {
        let items = Items::new(&load.data);
        Fleet::of(load, &items).unwrap().part(&items, connection, load.connections)
    }

    fn drawn(load: &Load, connection: usize, requests: usize) -> Vec<(Kind, Vec<u64>)> {
        let mut traffic = Traffic::new(load, part(load, connection), connection);
        let draw = |_| {
            let mut numbers = Vec::new();
            (traffic.draw(&mut numbers), numbers)
        };
        (0..requests).map(draw).collect()
    }

    #[test]
    fn scramble_reaches_every_number() {
        for count in [1, 2, 3, 10, 1000, 4096, 99_991] {
            let scramble = Scramble::new(count);
            let mut reached = vec![false; count as usize];
            (0..count).for_each(|rank| reached[scramble.number(rank) as usize] = true);
            assert!(reached.iter().all(|&reached| reached), "{count}");
        }
    }

    #[test]
    fn reads_keep_their_part() {
        let mut load = sample();
        for reads in [0.0, 0.5, 0.9, 1.0] {
            load.mix.reads = reads;
            let requests = drawn(&load, 0, 20_000);
            let gets = requests.iter().filter(|(kind, _)| *kind == Kind::Get).count();
            assert!((gets as f64 / 20_000.0 - reads).abs() < 0.01, "{reads}: {gets}");
        }
    }

    #[test]
    fn connections_draw_apart() {
        let load = sample();
        assert_eq!(drawn(&load, 1, 50), drawn(&load, 1, 50));
        assert_ne!(drawn(&load, 0, 50), drawn(&load, 1, 50));
    }

    #[test]
    fn preload_covers_all_keys() {
        let mut load = sample();
        (load.connections, load.data.keys) = (3, 10);
        let mut numbers = Vec::new();
        for (connection, keys) in [4, 3, 3].into_iter().enumerate() {
            let mut traffic = Traffic::preload(&load, part(&load, connection), connection);
            (0..keys).for_each(|_| assert_eq!(traffic.draw(&mut numbers), Kind::Set));
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..10));
    }

    #[test]
    fn scans_ask_once() {
        let mut load = sample();
        load.mix.scan = 0.25;
        let cold = |connection| {
            let requests = drawn(&load, connection, 10_000).into_iter();
            requests.map(|(_, numbers)| numbers[0]).filter(|&number| number >= load.data.keys)
        };
        let mut all: Vec<u64> = cold(0).chain(cold(1)).collect();
        let count = all.len();
        assert!((4700..5300).contains(&count), "{count}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn misses_are_written_next() {
        let mut load = sample();
        load.mix.cache_aside = true;
        let mut traffic = Traffic::new(&load, part(&load, 0), 0);
        traffic.missed(7);
        let mut numbers = Vec::new();
        assert_eq!((traffic.draw(&mut numbers), numbers), (Kind::Set, vec![7]));
        assert!(!traffic.has_refill());
    }
}
