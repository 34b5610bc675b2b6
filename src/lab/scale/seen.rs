//! What one node knows of all others, in four bytes for each, and what is so.
//!
//! A shorter form of what [`Members`](crate::cluster::Members) keep: by the same
//! rules, without what no ring depends on.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What is known of one node: its generation, whether it is down in it, and else
/// whether its card of that generation is there. Zero: it was never heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fact(u32);

impl Fact {
    const DOWN: u32 = 1;
    const CARD: u32 = 2;

    fn new(generation: u64, what: u32) -> Self {
        Self((generation as u32) << 2 | what)
    }

    fn generation(self) -> u64 {
        u64::from(self.0 >> 2)
    }

    fn is_down(self) -> bool {
        self.0 & Self::DOWN != 0
    }

    /// Of this fact about that node, to be mixed with others.
    fn hash(self, node: usize) -> u64 {
        match self.0 {
            0 => 0,
            fact => xxh3_64_with_seed(&fact.to_le_bytes(), node as u64),
        }
    }
}

/// What one node knows of all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    facts: Vec<Fact>,
    mix: u64,
}

impl Seen {
    /// There is a card of a node, of this generation.
    pub(super) fn card(&mut self, node: usize, generation: u64) {
        let known = self.of(node);
        if generation > known.generation() || generation == known.generation() && !known.is_down() {
            self.put(node, Fact::new(generation, Fact::CARD));
        }
    }

    /// A node answers, or is suspected.
    pub(super) fn alive(&mut self, node: usize, generation: u64) {
        if generation > self.of(node).generation() {
            self.put(node, Fact::new(generation, 0));
        }
    }

    /// A node is held for dead, or has left.
    pub(super) fn down(&mut self, node: usize, generation: u64) {
        if generation >= self.of(node).generation() {
            self.put(node, Fact::new(generation, Fact::DOWN));
        }
    }

    /// Whether this is what is so of all others than `me`.
    pub(super) fn is(&self, truth: &Truth, me: usize) -> bool {
        self.mix ^ self.of(me).hash(me) == truth.mix ^ truth.facts[me].hash(me)
    }

    /// Of how many others it is not.
    pub(super) fn mistakes(&self, truth: &Truth, me: usize) -> u64 {
        let known = self.facts.iter().copied().chain(std::iter::repeat(Fact::default()));
        let wrong = known.zip(&truth.facts).enumerate();
        wrong.filter(|&(node, (known, fact))| known != *fact && node != me).count() as u64
    }

    fn of(&self, node: usize) -> Fact {
        self.facts.get(node).copied().unwrap_or_default()
    }

    fn put(&mut self, node: usize, fact: Fact) {
        if node >= self.facts.len() {
            self.facts.resize(node + 1, Fact::default());
        }
        self.mix ^= self.facts[node].hash(node) ^ fact.hash(node);
        self.facts[node] = fact;
    }
}

/// What is so of all nodes.
#[derive(Debug)]
pub(super) struct Truth {
    facts: Vec<Fact>,
    mix: u64,
}

impl Truth {
    /// Each with its generation, and whether it is there.
    pub(super) fn new(nodes: impl Iterator<Item = (u64, bool)>) -> Self {
        let fact = |(generation, is_live): (u64, bool)| match is_live {
            true => Fact::new(generation, Fact::CARD),
            false => Fact::new(generation, Fact::DOWN),
        };
        let facts: Vec<Fact> = nodes.map(fact).collect();
        let hashes = facts.iter().enumerate().map(|(node, fact)| fact.hash(node));
        let mix = hashes.fold(0, |mix, hash| mix ^ hash);
        Self { facts, mix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(of: &[(u64, bool)]) -> Seen {
        let mut seen = Seen::default();
        for (node, &(generation, is_live)) in of.iter().enumerate() {
            match is_live {
                true => seen.card(node, generation),
                false => seen.down(node, generation),
            }
        }
        seen
    }

    #[test]
    fn what_a_node_knows_of_itself_does_not_count() {
        let so = [(1, true), (2, false), (1, true)];
        let (truth, seen) = (Truth::new(so.into_iter()), seen(&so[..2]));
        assert!(seen.is(&truth, 2) && !seen.is(&truth, 1));
        assert_eq!((seen.mistakes(&truth, 2), seen.mistakes(&truth, 0)), (0, 1));
    }

    #[test]
    fn a_death_is_final_in_its_generation() {
        let truth = Truth::new([(3, true)].into_iter());
        let mut seen = seen(&[(3, false)]);
        seen.card(0, 3);
        seen.alive(0, 3);
        assert_eq!(seen.mistakes(&truth, 1), 1);
        seen.alive(0, 4);
        seen.down(0, 3);
        seen.card(0, 4);
        assert_eq!(seen.mistakes(&Truth::new([(4, true)].into_iter()), 1), 0);
    }

    #[test]
    fn one_without_a_card_is_not_known_yet() {
        let truth = Truth::new([(1, true)].into_iter());
        let mut seen = Seen::default();
        seen.alive(0, 1);
        assert_eq!(seen.mistakes(&truth, 1), 1);
        seen.card(0, 1);
        assert_eq!(seen.mistakes(&truth, 1), 0);
    }
}
