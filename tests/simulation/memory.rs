//! What a node has in its memory, over a restart: as a warm file keeps it.

use crate::world::World;
use ringcached::cluster::Phase;
use ringcached::item::{Copied, CopiedBody, Expiry, Key, Now, Standing, Version};
use ringcached::ring::KeyHash;
use ringcached::store::{FullWalk, Store};

/// What a node has in its memory.
#[derive(Default)]
pub(crate) struct Memory {
    floor: Version,
    items: Vec<Item>,
}

struct Item {
    key: Vec<u8>,
    version: Version,
    expiry: Expiry,
    /// None for a tombstone.
    body: Option<(u32, u64, Standing, Vec<u8>)>,
}

impl World {
    /// What a node has now; nothing, if it has not caught up and would write no file.
    pub(crate) fn memory_of(&self, number: usize) -> Memory {
        let mut memory = Memory::default();
        let now = self.now_at(number);
        let up = self.nodes[number].up.as_ref();
        let Some(up) = up.filter(|up| up.hub.card().phase == Phase::Serving) else {
            return memory;
        };
        let store = &up.shared.store;
        memory.floor = store.flush_floor(now);
        let mut walk = FullWalk::default();
        while store.walk_all(&mut walk, now, |key, found| {
            let meta = found.meta();
            let body = (!found.is_tombstone()).then(|| {
                let mut value = Vec::new();
                found.append_value(&mut value);
                (meta.flags, meta.cas, meta.standing, value)
            });
            let (key, version, expiry) = (key.bytes().to_vec(), meta.version, meta.expiry);
            memory.items.push(Item { key, version, expiry, body });
            true
        }) {}
        memory
    }
}

impl Memory {
    pub(crate) fn put_into(&self, store: &Store, seed: u64, now: Now) {
        store.raise_floor(self.floor);
        for Item { key, version, expiry, body } in &self.items {
            let body = body.as_ref().map(|(flags, cas, standing, value)| CopiedBody {
                flags: *flags,
                cas: *cas,
                standing: *standing,
                value,
            });
            let copied = Copied { version: *version, expiry: *expiry, body };
            let _ = store.merge(KeyHash::new(seed, key), Key::new(key).unwrap(), now, &copied);
        }
    }
}
