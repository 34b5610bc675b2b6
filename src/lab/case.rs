//! One row of the table: an algorithm on a cluster, over several seeds.

use super::built::{Built, Spread};
use super::conditions::Conditions;
use super::figure::{Figure, Summary};
use super::placement::{Algorithm, Setup};
use super::random::Random;
use super::scenario::Scenario;
use super::timing::Stopwatch;
use crate::ring::{Balance, Layout, Node, NodeId, ZoneId};
use std::collections::BTreeMap;

/// What a row is measured on.
#[derive(Clone, Debug)]
pub struct Case {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// How many nodes.
    pub nodes: usize,
    /// Their weights, over and over.
    pub weights: Vec<u32>,
    /// Their zones, over and over.
    pub zones: Vec<ZoneId>,
    /// Seed, slots, virtual nodes, bound and copies.
    pub layout: Layout,
}

/// The figures of one case.
#[derive(Clone, Debug)]
pub struct Row {
    /// What they were measured on.
    pub case: Case,
    /// Whether slots were counted or keys sampled.
    pub counted: &'static str,
    /// Those that this algorithm has.
    pub figures: BTreeMap<Figure, Summary>,
    /// The nodes of the first seed.
    pub spread: Spread,
}

impl Case {
    /// Measures it.
    ///
    /// # Errors
    /// Says why the algorithm cannot serve this cluster.
    pub fn measure(&self, conditions: &Conditions) -> Result<Row, String> {
        let mut numbers = Numbers::default();
        let mut first = None;
        for seed in 0..conditions.seeds {
            // Every algorithm meets the same nodes and the same changes.
            let mut random = Random::new(self.layout.seed.wrapping_add(seed));
            let setup = self.setup(seed, &mut random);
            let built = Built::new(&self.algorithm, setup, conditions)?;
            let spread = built.spread();
            numbers.add_built(&built);
            numbers.add_spread(&spread, built.copies);
            for &scenario in &conditions.scenarios {
                self.add_change(&built, scenario, &mut random, &mut numbers)?;
            }
            if first.is_none() {
                numbers.add_timing(&built, conditions);
                let counted = built.sampled().map_or("slots", |_| "keys");
                first = Some((counted, spread));
            }
        }
        let (counted, spread) = first.ok_or("no seed to measure with")?;
        Ok(Row { case: self.clone(), counted, figures: numbers.summed_up(), spread })
    }

    /// The cluster of one seed.
    fn setup(&self, seed: u64, random: &mut Random) -> Setup {
        let node = |index: usize| Node {
            id: NodeId(random.word()),
            zone: self.zones[index % self.zones.len()],
            weight: self.weights[index % self.weights.len()],
        };
        let layout = Layout { seed: self.layout.seed.wrapping_add(seed), ..self.layout };
        Setup { nodes: (0..self.nodes).map(node).collect(), layout }
    }

    fn add_change(
        &self,
        built: &Built,
        scenario: Scenario,
        random: &mut Random,
        numbers: &mut Numbers,
    ) -> Result<(), String> {
        let Some(setup) = scenario.apply(&built.setup, random) else { return Ok(()) };
        let movement = built.movement_to(&built.rebuilt(&self.algorithm, setup)?);
        let (moved, copies_moved, misplaced) = scenario.figures();
        numbers.push(moved, movement.primaries.ratio());
        if built.copies > 1 {
            numbers.push(copies_moved, movement.copies.ratio());
        }
        if let Some(misplaced) = misplaced {
            let part = movement.primaries.misplaced as f64 / movement.compared as f64;
            numbers.push(misplaced, part);
        }
        Ok(())
    }
}

/// Figures as they come in, several of a kind.
#[derive(Default)]
struct Numbers(BTreeMap<Figure, Vec<f64>>);

impl Numbers {
    fn push(&mut self, figure: Figure, number: f64) {
        self.0.entry(figure).or_default().push(number);
    }

    fn add_built(&mut self, built: &Built) {
        self.push(Figure::BuildMs, built.time.as_secs_f64() * 1e3);
        if let Some(bytes) = built.placement.bytes() {
            self.push(Figure::Bytes, bytes as f64);
        }
        if let Some(keys) = built.sampled() {
            self.push(Figure::Keys, keys as f64);
        }
    }

    fn add_spread(&mut self, spread: &Spread, copies: u8) {
        let primaries = Balance::of(spread.primaries.iter().copied());
        self.push(Figure::MinOverMean, primaries.min);
        self.push(Figure::MaxOverMean, primaries.max);
        self.push(Figure::Stddev, primaries.stddev);
        if copies > 1 {
            let copies = Balance::of(spread.copies.iter().copied());
            self.push(Figure::CopiesMinOverMean, copies.min);
            self.push(Figure::CopiesMaxOverMean, copies.max);
            self.push(Figure::CopiesStddev, copies.stddev);
        }
        if let Some(gain) = spread.survivor_gain {
            self.push(Figure::SurvivorGain, gain);
        }
    }

    fn add_timing(&mut self, built: &Built, conditions: &Conditions) {
        let (seed, copies) = (built.setup.layout.seed, built.copies as usize);
        let watch = Stopwatch::new(&*built.placement, &conditions.keys, seed, copies);
        for round in (0..conditions.rounds).map(|_| watch.round()) {
            self.push(Figure::HashNs, round.hash);
            self.push(Figure::LookupNs, round.lookup);
            self.push(Figure::OwnersNs, round.owners);
            self.push(Figure::LatencyNs, round.latency);
            self.push(Figure::OwnersOverHash, round.owners / round.hash);
        }
    }

    fn summed_up(self) -> BTreeMap<Figure, Summary> {
        self.0.into_iter().map(|(figure, numbers)| (figure, Summary::of(numbers))).collect()
    }
}
