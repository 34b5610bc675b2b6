//! An algorithm built for one cluster, and what can be counted on it.

use super::conditions::Conditions;
use super::keys::Keys;
use super::placement::{Algorithm, Placement, Setup};
use super::timing;
use crate::limits::COPIES_MAX;
use crate::ring::{Movement, Tally, fair_shares};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How every node fared: held over fair, in the order of nodes.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// As primary.
    pub primaries: Vec<f64>,
    /// As any owner.
    pub copies: Vec<f64>,
    /// The most that one survivor's load grows when a node dies and the second
    /// owners take over; `None` without second owners.
    pub survivor_gain: Option<f64>,
}

/// One placement, with what it is counted by: its slots, or sampled keys.
pub(super) struct Built<'a> {
    pub(super) placement: Box<dyn Placement>,
    pub(super) setup: Setup,
    /// How long it took to build.
    pub(super) time: Duration,
    pub(super) copies: u8,
    /// `None` where slots are counted.
    keys: Option<Cow<'a, Keys>>,
}

/// The time one pass over the sampled keys may take. An algorithm that is too
/// slow for all keys is sampled with fewer.
const SAMPLE_BUDGET: Duration = Duration::from_millis(400);

impl<'a> Built<'a> {
    pub(super) fn new(
        algorithm: &Algorithm,
        setup: Setup,
        conditions: &'a Conditions,
    ) -> Result<Self, String> {
        let start = Instant::now();
        let placement = (algorithm.build)(&setup)?;
        let time = start.elapsed();
        let nodes = u8::try_from(setup.nodes.len()).unwrap_or(u8::MAX);
        let copies = if algorithm.replicated { setup.layout.copies.min(nodes) } else { 1 };
        let counts_slots = conditions.count_slots && placement.slots().is_some();
        let keys = (!counts_slots).then(|| sample(&*placement, &conditions.keys));
        Ok(Self { placement, setup, time, copies, keys })
    }

    /// The same keys on a changed cluster.
    pub(super) fn rebuilt(&self, algorithm: &Algorithm, setup: Setup) -> Result<Built<'_>, String> {
        let placement = (algorithm.build)(&setup)?;
        let nodes = u8::try_from(setup.nodes.len()).unwrap_or(u8::MAX);
        let keys = self.keys.as_deref().map(Cow::Borrowed);
        Ok(Built { placement, copies: self.copies.min(nodes), setup, time: Duration::ZERO, keys })
    }

    /// How many keys are sampled; `None` where slots are counted.
    pub(super) fn sampled(&self) -> Option<usize> {
        self.keys.as_ref().map(|keys| keys.len())
    }

    /// Held over fair for every node.
    pub(super) fn spread(&self) -> Spread {
        let nodes = self.setup.nodes.len();
        let (mut primaries, mut copies) = (vec![0_u32; nodes], vec![0_u32; nodes]);
        let mut heirs: BTreeMap<(u16, u16), u32> = BTreeMap::new();
        let mut buffer = [0; COPIES_MAX as usize];
        for place in 0..self.places() {
            let owners = self.owners_at(place, &mut buffer);
            primaries[owners[0] as usize] += 1;
            for &owner in owners {
                copies[owner as usize] += 1;
            }
            if let [primary, heir, ..] = *owners {
                *heirs.entry((primary, heir)).or_default() += 1;
            }
        }
        let gain = |((_, heir), count): (&(u16, u16), &u32)| {
            f64::from(*count) / f64::from(primaries[*heir as usize].max(1))
        };
        let survivor_gain = heirs.iter().map(|(pair, count)| gain((pair, count))).reduce(f64::max);
        let places = self.places() as f64;
        let fair = fair_shares(&self.setup.nodes, self.copies);
        let ratio = |(&held, fair): (&u32, f64)| f64::from(held) / places / fair;
        Spread {
            primaries: primaries.iter().zip(fair.iter().map(|f| f.primaries)).map(ratio).collect(),
            copies: copies.iter().zip(fair.iter().map(|f| f.copies)).map(ratio).collect(),
            survivor_gain,
        }
    }

    /// What moves from here to another placement of the same keys.
    pub(super) fn movement_to(&self, other: &Built) -> Movement {
        let mut tally =
            Tally::new((&self.setup.nodes, self.copies), (&other.setup.nodes, other.copies));
        let (mut from, mut to) = ([0; COPIES_MAX as usize], [0; COPIES_MAX as usize]);
        for place in 0..self.places() {
            tally.compare(self.owners_at(place, &mut from), other.owners_at(place, &mut to));
        }
        tally.movement()
    }

    /// Slots, or sampled keys.
    fn places(&self) -> usize {
        self.sampled().unwrap_or_else(|| self.placement.slots().unwrap_or(0) as usize)
    }

    /// The owners of one of them.
    fn owners_at<'b>(&self, place: usize, buffer: &'b mut [u16]) -> &'b [u16] {
        let owners = &mut buffer[..self.copies as usize];
        let found = match self.keys.as_ref().and_then(|keys| keys.at(place)) {
            Some(key) => self.placement.owners(key, owners),
            None => self.placement.slot_owners(place as u32, owners),
        };
        &buffer[..found]
    }
}

fn sample<'a>(placement: &dyn Placement, keys: &'a Keys) -> Cow<'a, Keys> {
    match timing::affordable(placement, keys, SAMPLE_BUDGET) {
        count if count >= keys.len() => Cow::Borrowed(keys),
        count => Cow::Owned(keys.first(count)),
    }
}
