//! Whether all owners of a slot have the same.

use crate::world::{Up, World, id};
use ringcached::ring::NodeId;
use ringcached::store::WalkFrom;
use std::collections::{BTreeMap, BTreeSet};

/// Version and value of each key of a node.
type Items = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

impl World {
    /// What differs between the owners of a key, key by key, and slots whose
    /// digests differ.
    pub(crate) fn unequal_copies(&self) -> Vec<String> {
        let up: BTreeMap<NodeId, (usize, &Up)> = (0..self.served)
            .filter_map(|number| Some((id(number), (number, self.nodes[number].up.as_ref()?))))
            .collect();
        let items: BTreeMap<NodeId, Items> =
            up.iter().map(|(&node, &(number, up))| (node, self.items(number, up))).collect();
        let Some((_, any)) = up.values().next() else { return Vec::new() };
        let mut reader = any.shared.view.reader();
        let view = reader.view();
        let keys: BTreeSet<&Vec<u8>> = items.values().flat_map(BTreeMap::keys).collect();
        let mut unequal = Vec::new();
        for key in keys {
            let hash = view.hash(key);
            let owners = view.readers(hash).iter().map(|owner| view.node(owner));
            let there: Vec<_> =
                owners.filter_map(|node| Some((up.get(&node)?.0, items[&node].get(key)))).collect();
            if there.windows(2).any(|pair| pair[0].1 != pair[1].1) {
                let key = String::from_utf8_lossy(key);
                unequal.push(format!("copies of {key} differ: {there:?}"));
            }
        }
        // What is flushed counts until it is cleared away, by each node for itself.
        for (number, up) in up.values() {
            while !up.shared.store.crawl(self.now_at(*number), 1000).finished {}
        }
        for (slot, owners) in view.reading().slots().enumerate() {
            let owners = owners.iter().map(|owner| view.node(owner));
            let digests: Vec<_> = owners
                .filter_map(|node| Some((up.get(&node)?.0, up[&node].1.shared.store.digest(slot))))
                .collect();
            if digests.windows(2).any(|pair| pair[0].1 != pair[1].1) {
                unequal.push(format!("digests of slot {slot} differ: {digests:?}"));
            }
        }
        unequal
    }

    fn items(&self, number: usize, up: &Up) -> Items {
        let now = self.now_at(number);
        let mut items = Items::new();
        let mut from = Some(WalkFrom::default());
        while let Some(place) = from {
            from = up.shared.store.walk(place, now, |key, found| {
                let mut value = Vec::new();
                found.append_value(&mut value);
                items.insert(key.bytes().to_vec(), (found.meta().version.0, value));
            });
        }
        items
    }
}
