//! The cluster's own ring, as the laboratory sees it: alone, behind the shared
//! view, and asked for many keys at once.

use super::keys::Keys;
use super::placement::{Algorithm, Family, Placement, Setup};
use crate::cluster::View;
use crate::node::SharedView;
use crate::ring::{Batch, Owners, Ring};
use std::cell::RefCell;
use std::hint::black_box;

pub(super) const ALL: &[Algorithm] = &[
    Algorithm { name: "ring", build: |setup| Ok(Box::new(OwnRing::new(setup)?)), ..OWN },
    Algorithm { name: "ring-view", build: viewed, ..OWN },
    Algorithm { name: "ring-batch", build: batched, ..OWN },
];

const OWN: Algorithm = Algorithm {
    name: "",
    origin: concat!("ringcached ", env!("CARGO_PKG_VERSION")),
    hash: "xxh3",
    family: Family::VnodeRing,
    weighted: true,
    replicated: true,
    bounded: true,
    build: |_| unreachable!("replaced in every entry"),
};

/// The ring as it is.
struct OwnRing {
    ring: Ring,
    /// The ring counts nodes by identity, the setup in its own order.
    places: Vec<u16>,
}

impl OwnRing {
    fn new(setup: &Setup) -> Result<Self, String> {
        let ring = Ring::new(&setup.layout, &setup.nodes).map_err(|error| error.to_string())?;
        let mut places = vec![0; setup.nodes.len()];
        for (place, node) in (0..).zip(&setup.nodes) {
            places[ring.index_of(node.id).expect("built from these nodes") as usize] = place;
        }
        Ok(Self { ring, places })
    }

    fn in_order_of_setup(&self, found: Owners, owners: &mut [u16]) -> usize {
        let found = found.iter().map(|owner| self.places[owner as usize]);
        owners.iter_mut().zip(found).map(|(owner, place)| *owner = place).count()
    }
}

impl Placement for OwnRing {
    fn primary(&self, key: &[u8]) -> u16 {
        self.places[self.ring.owners_of(key).primary() as usize]
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        self.in_order_of_setup(self.ring.owners_of(key), owners)
    }

    fn slots(&self) -> Option<u32> {
        Some(self.ring.layout().slots())
    }

    fn slot_owners(&self, slot: u32, owners: &mut [u16]) -> usize {
        self.in_order_of_setup(self.ring.slot_owners(slot), owners)
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.ring.bytes())
    }

    /// The server uses the ring's own indexes, so they are what is timed.
    fn look_up_all(&self, keys: &Keys) -> u64 {
        sum(keys, |key| u64::from(self.ring.owners_of(key).primary()))
    }

    fn look_up_all_owners(&self, keys: &Keys, _copies: usize) -> u64 {
        sum(keys, |key| u64::from(black_box(self.ring.owners_of(key)).primary()))
    }
}

/// The same ring, looked up in another way.
struct Reached<L> {
    own: OwnRing,
    look_up: L,
}

impl<L: Fn(&Ring, &Keys) -> u64> Placement for Reached<L> {
    fn primary(&self, key: &[u8]) -> u16 {
        self.own.primary(key)
    }

    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        self.own.owners(key, owners)
    }

    fn slots(&self) -> Option<u32> {
        self.own.slots()
    }

    fn slot_owners(&self, slot: u32, owners: &mut [u16]) -> usize {
        self.own.slot_owners(slot, owners)
    }

    fn bytes(&self) -> Option<usize> {
        self.own.bytes()
    }

    fn look_up_all(&self, keys: &Keys) -> u64 {
        (self.look_up)(&self.own.ring, keys)
    }

    /// All owners come with the primary.
    fn look_up_all_owners(&self, keys: &Keys, _copies: usize) -> u64 {
        self.look_up_all(keys)
    }
}

/// As a worker of the server reaches it.
fn viewed(setup: &Setup) -> Result<Box<dyn Placement>, String> {
    let own = OwnRing::new(setup)?;
    let reader = RefCell::new(SharedView::new(View::settled(&own.ring)).reader());
    let look_up = move |_: &Ring, keys: &Keys| {
        let mut reader = reader.borrow_mut();
        sum(keys, |key| {
            let view = reader.view();
            u64::from(black_box(view.readers(view.hash(key))).primary())
        })
    };
    Ok(Box::new(Reached { own, look_up }))
}

/// Keys of one multiget.
const BATCH: usize = 100;

/// Asked for a hundred keys at once, as a multiget does.
fn batched(setup: &Setup) -> Result<Box<dyn Placement>, String> {
    let own = OwnRing::new(setup)?;
    let batch: RefCell<Batch> = RefCell::default();
    let look_up = move |ring: &Ring, keys: &Keys| {
        let mut batch = batch.borrow_mut();
        let mut keys = keys.iter();
        let mut multiget = Vec::with_capacity(BATCH);
        let mut sum = 0;
        loop {
            multiget.clear();
            multiget.extend(keys.by_ref().take(BATCH));
            match black_box(batch.look_up(ring.table(), black_box(&multiget))).last() {
                Some(last) => sum += u64::from(last.owners.primary()),
                None => return sum,
            }
        }
    };
    Ok(Box::new(Reached { own, look_up }))
}

fn sum(keys: &Keys, mut look_up: impl FnMut(&[u8]) -> u64) -> u64 {
    keys.iter().fold(0, |sum, key| sum.wrapping_add(look_up(black_box(key))))
}
