//! Where each item lives: the hash of its key to a place in a segment.

use super::arena::Place;
use crate::ring::KeyHash;
use dashmap::DashMap;
use dashmap::mapref::one::{Ref, RefMut};
use std::hash::{BuildHasher, Hash, Hasher};

/// Bytes that one item costs here at least, on average over the fill of the
/// tables: an entry and its control byte, over a fill that runs from 7/16 to 7/8
/// as a shard doubles. The shards double one after another (see [`Scatter`]), so
/// the average is what is there at any time. Where items come and go all the
/// time it is 25 (see [`rebuilt_buckets`]), which is why they are weighed too.
pub(super) const BYTES_PER_ITEM: usize = 20;

/// Items a shard is made for. Doubling a shard of so many stops its readers
/// for about a tenth of a millisecond.
const ITEMS_PER_SHARD: u64 = 8 << 10;
const SHARDS_MIN: u64 = 16;
const SHARDS_MAX: u64 = 1 << 14;
/// What an item takes at least, to guess how many there may be.
const ITEM_BYTES_TYPICAL: u64 = 150;

/// The index. Bytes instead of words, so that an entry takes 11 bytes and not
/// 16.
#[derive(Debug)]
pub(super) struct Index(DashMap<Hashed, [u8; 5], Scatter>);

/// The low 48 bits of a hash, as bytes. Two keys that share them evict each
/// other: among a hundred million items one write in three million does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hashed([u8; 6]);

impl From<KeyHash> for Hashed {
    #[inline]
    fn from(hash: KeyHash) -> Self {
        let [a @ .., _, _] = hash.0.to_le_bytes();
        Self(a)
    }
}

impl Hash for Hashed {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, rest @ ..] = self.0;
        let [second, third, fourth, fifth, sixth] = rest;
        state.write_u64(u64::from_le_bytes([low, second, third, fourth, fifth, sixth, 0, 0]));
    }
}

/// The place of an item, which stays the item's place while this is held.
pub(super) struct Held<'a>(Ref<'a, Hashed, [u8; 5]>);

impl Held<'_> {
    #[inline]
    pub(super) fn place(&self) -> Place {
        Place::from_bytes(*self.0.value())
    }
}

/// The place of an item, whose record nobody else reads while this is held.
pub(super) struct HeldAlone<'a>(
    #[expect(dead_code, reason = "it is held and not read")] RefMut<'a, Hashed, [u8; 5]>,
);

impl Index {
    /// An index for a store of so many bytes.
    pub(super) fn new(memory: u64) -> Self {
        let items = memory / ITEM_BYTES_TYPICAL;
        let shards = (items / ITEMS_PER_SHARD).clamp(SHARDS_MIN, SHARDS_MAX).next_power_of_two();
        Self(DashMap::with_hasher_and_shard_amount(Scatter, shards as usize))
    }

    #[inline]
    pub(super) fn hold(&self, hash: KeyHash) -> Option<Held<'_>> {
        self.0.get(&hash.into()).map(Held)
    }

    /// Holds off all readers of the shard that a hash is in.
    #[inline]
    pub(super) fn hold_alone(&self, hash: KeyHash) -> Option<HeldAlone<'_>> {
        self.0.get_mut(&hash.into()).map(HeldAlone)
    }

    #[inline]
    pub(super) fn place(&self, hash: KeyHash) -> Option<Place> {
        self.hold(hash).map(|held| held.place())
    }

    /// Lets a hash lead to a place, and says where it led before.
    pub(super) fn put(&self, hash: KeyHash, place: Place) -> Option<Place> {
        self.0.insert(hash.into(), place.to_bytes()).map(Place::from_bytes)
    }

    pub(super) fn remove(&self, hash: KeyHash) {
        self.0.remove(&hash.into());
    }

    /// Bytes that its tables take now.
    pub(super) fn bytes(&self) -> usize {
        // Each place of a table has its control byte, and a few more follow.
        let entry = size_of::<(Hashed, [u8; 5])>() + 1;
        let table = |places: usize| if places > 1 { places * entry + 16 } else { 0 };
        self.0.shards().iter().map(|shard| table(shard.read().buckets())).sum()
    }

    /// Looks at so many tables, from one on, and rebuilds those that need it: see
    /// [`rebuilt_buckets`]. Says where to go on. Readers of a table wait meanwhile,
    /// as they do when it doubles.
    pub(super) fn keep_up(&self, from: usize, tables: usize) -> usize {
        let shards = self.0.shards();
        let mut rebuilt = 0;
        for (at, shard) in shards.iter().enumerate().skip(from).take(tables) {
            let needs = |buckets, len, capacity| rebuilt_buckets(buckets, len, capacity - len);
            let table = shard.read();
            if needs(table.buckets(), table.len(), table.capacity()).is_none() {
                continue;
            }
            drop(table);
            let mut table = shard.write();
            if let Some(buckets) = needs(table.buckets(), table.len(), table.capacity()) {
                let old = std::mem::take(&mut *table);
                table.reserve(full(buckets), hash_of);
                old.into_iter().for_each(|entry| {
                    table.insert(hash_of(&entry), entry, hash_of);
                });
                rebuilt += 1;
            }
            if rebuilt == TABLES_REBUILT {
                return (at + 1) % shards.len();
            }
        }
        if from + tables < shards.len() { from + tables } else { 0 }
    }
}

/// Tables that are rebuilt at once, at most: a tenth of a millisecond each.
const TABLES_REBUILT: usize = 8;

/// A table of fewer places is not worth a look.
const BUCKETS_LOOKED_AT: usize = 64;

fn hash_of<V>(entry: &(Hashed, V)) -> u64 {
    Scatter.hash_one(entry.0)
}

/// Entries that a table of so many places holds.
fn full(buckets: usize) -> usize {
    buckets / 8 * 7
}

/// Places that a table should have which has so many, so many entries, and room
/// for so many more; none where it should stay as it is.
///
/// An entry that is removed leaves a mark where those around it are taken, and
/// marks use up the room. A table without room doubles, unless it is half empty.
/// So one whose entries come and go would end up twice as large as it must be.
/// It is rebuilt before that, as large as it is, if then a fifth of it is free:
/// with less it would be rebuilt all the time. And one that is two fifths full,
/// or less, is rebuilt smaller.
fn rebuilt_buckets(buckets: usize, items: usize, free: usize) -> Option<usize> {
    if buckets < BUCKETS_LOOKED_AT {
        return None;
    }
    let mut fitting = buckets;
    while fitting >= BUCKETS_LOOKED_AT && items * 5 <= full(fitting) * 2 {
        fitting /= 2;
    }
    let crowded = free <= full(buckets) / 16 && items * 5 <= full(buckets) * 4;
    (fitting < buckets || crowded).then_some(fitting)
}

/// Places a hash in the map. What comes in is a good hash already; what goes
/// out differs in two ways.
///
/// It takes the low bits, because on one node of many the top bits, which are
/// the ring's slots, are not uniform. And it fills the shards unevenly, the
/// last ones twice as full as the first: shards that fill alike double alike,
/// all within a moment, and that is a pause and a hill of memory.
#[derive(Clone, Copy, Debug, Default)]
struct Scatter;

impl BuildHasher for Scatter {
    type Hasher = Scattered;

    #[inline]
    fn build_hasher(&self) -> Scattered {
        Scattered(0)
    }
}

#[derive(Debug)]
struct Scattered(u64);

impl Hasher for Scattered {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed, and they are one word");
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The map takes the shard from the bits below the topmost 7, the tag
        // from those 7, and the bucket from the lowest.
        let tag = (hash & 0x7f) << 57;
        let shard = skewed(mixed >> 32) << 25;
        self.0 = tag | shard | (mixed & 0x01ff_ffff) ^ (hash >> 7 & 0x01ff_ffff);
    }
}

/// Spreads 32 uniform bits so that their density falls to a half from one end
/// to the other: a parabola close to the logarithm that would be exact.
#[inline]
fn skewed(uniform: u64) -> u64 {
    const WHOLE: u64 = 1 << 32;
    // 1.34 u - 0.34 u^2
    let bent = (uniform * uniform) >> 32;
    ((uniform * 343 - bent * 87) >> 8).min(WHOLE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn skewed_shards_fill_one_to_two() {
        let mut fills = BTreeMap::new();
        for uniform in 0..1_u64 << 16 {
            *fills.entry(skewed(uniform << 16) >> 28).or_insert(0_u32) += 1;
        }
        assert_eq!(fills.len(), 16, "every shard is used");
        let ratio = f64::from(fills[&15]) / f64::from(fills[&0]);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
        assert!(fills.values().is_sorted(), "{fills:?}");
    }

    #[test]
    fn an_entry_takes_eleven_bytes() {
        assert_eq!(size_of::<(Hashed, [u8; 5])>(), 11);
    }

    #[test]
    fn tables_are_weighed() {
        let index = Index::new(1 << 20);
        assert_eq!(index.bytes(), 0);
        let hash = |n: u32| KeyHash::new(0, &n.to_le_bytes());
        for n in 0..50_000 {
            index.put(hash(n), Place::new(n, 0));
        }
        let each = index.bytes() / 50_000;
        assert!((14..28).contains(&each), "{each} bytes an item");
        (0..50_000).for_each(|n| index.remove(hash(n)));
        assert_eq!(looked_over(&index), 1, "all tables are looked at");
        assert!(index.bytes() < 16 * 64 * 16, "{}", index.bytes());
    }

    /// Looks at all tables, a few at a time; says how often all were passed.
    fn looked_over(index: &Index) -> usize {
        let mut from = 0;
        for _ in 0..100 {
            from = index.keep_up(from, 3);
            if from == 0 {
                return 1;
            }
        }
        0
    }

    #[test]
    fn tables_do_not_double_as_items_come_and_go() {
        let hash = |n: u32| KeyHash::new(0, &n.to_le_bytes());
        let bytes_each = |items: u32, looks: bool| {
            let index = Index::new(1 << 20);
            (0..items).for_each(|n| assert!(index.put(hash(n), Place::new(n, 0)).is_none()));
            for n in items..20 * items {
                index.put(hash(n), Place::new(n, 0));
                index.remove(hash(n - items));
                if looks && n % 500 == 0 {
                    index.keep_up(n as usize / 500 % 2 * 8, 8);
                }
            }
            (19 * items..20 * items).for_each(|n| assert!(index.place(hash(n)).is_some()));
            index.bytes() as f64 / f64::from(items)
        };
        let sizes = [50_000_u32, 60_000, 70_000, 80_000, 90_000];
        let mean = |looks| sizes.map(|items| bytes_each(items, looks)).iter().sum::<f64>() / 5.0;
        let (with, without) = (mean(true), mean(false));
        println!("{with:.1} bytes an item, {without:.1} unless looked at");
        assert!(
            with < 28.0 && without > 34.0,
            "{with:.1} bytes an item, {without:.1} unless looked at"
        );
    }

    #[test]
    fn places_are_found_until_removed() {
        let index = Index::new(1 << 20);
        let places: Vec<(KeyHash, Place)> = (0..5000_u32)
            .map(|n| (KeyHash::new(0, &n.to_le_bytes()), Place::new(n, n & 0xffff)))
            .collect();
        assert!(places.iter().all(|&(hash, place)| index.put(hash, place).is_none()));
        assert!(places.iter().all(|&(hash, place)| index.place(hash) == Some(place)));
        for &(hash, _) in &places {
            index.remove(hash);
        }
        assert!(places.iter().all(|&(hash, _)| index.place(hash).is_none()));
    }
}
