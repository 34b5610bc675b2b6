//! Copies that differ while nobody knows of it become alike, and nothing comes back by that.

use crate::client::Client;
use crate::digests::stat;
use crate::run::{Plan, ask, pass, rest};
use crate::world::{World, id};
use crate::{FIVE, THREE};
use ringcached::item::{Copied, CopiedBody, Expiry, Key, Standing, Version};

/// All is compared within this, twice.
const ROUNDS_MS: u64 = 2 * 240_000 + 30_000;

/// Keys that are all of these first owners, and their owners.
fn keys(world: &World, count: usize) -> Vec<(String, Vec<usize>)> {
    let mut reader = world.nodes[0].up.as_ref().unwrap().shared.view.reader();
    let view = reader.view();
    let number = |owner| (0..world.nodes.len()).find(|&node| id(node) == view.node(owner));
    let owners = |key: &String| -> Vec<usize> {
        view.readers(view.hash(key.as_bytes())).iter().filter_map(number).collect()
    };
    let keys = (0..count).map(|number| format!("key-{number}"));
    keys.map(|key| (key.clone(), owners(&key))).collect()
}

/// Puts something into one memory that nobody else hears of; none for the stamp of a delete.
fn put(world: &World, node: usize, key: &str, age_ms: u64, value: Option<&[u8]>) {
    put_until(world, node, key, (age_ms, Expiry::Never), value);
}

fn put_until(
    world: &World,
    node: usize,
    key: &str,
    (age_ms, expiry): (u64, Expiry),
    value: Option<&[u8]>,
) {
    let (now, up) = (world.now_at(node), world.nodes[node].up.as_ref().unwrap());
    let version = Version((now.unix_ms() - age_ms) << 21);
    let (flags, cas, standing) = (0, version.0, Standing::default());
    let body = value.map(|value| CopiedBody { flags, cas, standing, value });
    let hash = up.shared.view.reader().view().hash(key.as_bytes());
    let copied = Copied { version, expiry, body };
    let _ = up.shared.store.merge(hash, Key::new(key.as_bytes()).unwrap(), now, &copied);
}

fn sum(world: &mut World, name: &str) -> u64 {
    (0..world.nodes.len()).map(|node| stat(world, node, name)).sum()
}

fn world(seed: u64, plan: &Plan) -> World {
    let mut world = World::new(seed, plan);
    rest(&mut world, seed, "at the start");
    world
}

#[test]
fn copies_that_differ_become_alike() {
    for (seed, plan) in [(1, THREE), (2, THREE), (3, FIVE), (4, FIVE)] {
        let mut world = world(seed, &plan);
        let (old, new) = (Some(&b"old"[..]), Some(&b"new"[..]));
        let keys = keys(&world, 60);
        for (number, (key, owners)) in keys.iter().enumerate() {
            let (first, other) = (owners[0], owners[1]);
            match number % 6 {
                0 => put(&world, first, key, 20_000, new),
                // It was written anew after a delete.
                1 => {
                    put(&world, first, key, 30_000, None);
                    put(&world, other, key, 20_000, new);
                }
                2 | 3 => {
                    put(&world, [first, other][number % 2], key, 30_000, old);
                    put(&world, [other, first][number % 2], key, 20_000, new);
                }
                _ => {
                    put(&world, [first, other][number % 2], key, 30_000, old);
                    put(&world, [other, first][number % 2], key, 20_000, None);
                }
            }
        }
        assert!(!world.unequal_copies().is_empty());
        pass(&mut world, ROUNDS_MS);
        assert_eq!(world.unequal_copies(), Vec::<String>::new(), "seed {seed}");
        for (number, (key, _)) in keys.iter().enumerate() {
            let there = format!("VALUE {key} 0 3\r\nnew\r\nEND\r\n");
            let expected = if number % 6 < 4 { &there } else { "END\r\n" };
            let get = format!("get {key}\r\n");
            let asked = number % plan.nodes;
            assert_eq!(ask(&mut world, &mut Client::new(asked), &get), expected, "seed {seed}");
        }
        let mended = sum(&mut world, "items_mended");
        assert!((60..=60 * u64::from(plan.copies)).contains(&mended), "{mended}");
        pass(&mut world, ROUNDS_MS);
        assert_eq!(sum(&mut world, "items_mended"), mended, "all is alike");
    }
}

/// Nobody remembers by then whether it was deleted; nor does a primary remember the delete of
/// something that it has not got.
#[test]
fn what_may_have_been_deleted_is_brought_to_nobody_who_lacks_it() {
    for (copy, age_ms) in [(0, 700_000), (1, 700_000), (1, 20_000)] {
        let mut world = world(1, &THREE);
        let keys = keys(&world, 20);
        for (key, owners) in &keys {
            put(&world, owners[copy], key, age_ms, Some(b"old"));
        }
        pass(&mut world, ROUNDS_MS);
        assert_eq!(sum(&mut world, "items_mended"), 0);
        let unequal = world.unequal_copies();
        let unequal = unequal.iter().filter(|what| what.starts_with("copies"));
        assert_eq!(unequal.count(), keys.len());
    }
}

/// Three owners, one of which knows of a delete that the two others missed: one has nothing, and
/// the other what was deleted.
#[test]
fn what_one_owner_knows_to_be_deleted_comes_back_at_none() {
    for first in 0..3 {
        let mut world = world(1, &FIVE);
        let keys = keys(&world, 20);
        for (key, owners) in &keys {
            put(&world, owners[first], key, 30_000, Some(b"old"));
            put(&world, owners[(first + 1) % 3], key, 20_000, None);
        }
        pass(&mut world, ROUNDS_MS);
        assert_eq!(world.unequal_copies(), Vec::<String>::new());
        for (key, _) in &keys {
            let get = format!("get {key}\r\n");
            assert_eq!(ask(&mut world, &mut Client::new(0), &get), "END\r\n");
        }
    }
}

/// One node has no room for all that it was sent.
#[test]
fn what_a_full_node_has_evicted_is_not_brought_again() {
    let mut world = world(1, &THREE);
    let value = vec![b'x'; 200_000];
    for (key, owners) in keys(&world, 560) {
        // The full one is the last.
        if owners.contains(&2) {
            for &node in &owners {
                put(&world, node, &key, 20_000, Some(&value));
            }
        }
    }
    let evicted =
        |node: usize| world.nodes[node].up.as_ref().unwrap().shared.store.figures().evicted;
    assert!(evicted(2) > 0 && !world.unequal_copies().is_empty());
    let (compared, moved) = (sum(&mut world, "slots_compared"), sum(&mut world, "moved_items"));
    pass(&mut world, ROUNDS_MS);
    assert!(sum(&mut world, "slots_compared") > compared);
    assert_eq!(sum(&mut world, "items_mended"), 0);
    assert_eq!(sum(&mut world, "moved_items"), moved);
}

/// Slots whose owners have other digests. Nothing is cleared away for it.
fn unlike(world: &World, keys: &[(String, Vec<usize>)]) -> usize {
    let digest = |node: usize, key: &str| {
        let up = world.nodes[node].up.as_ref().unwrap();
        let mut reader = up.shared.view.reader();
        let view = reader.view();
        up.shared.store.digest(view.slot(view.hash(key.as_bytes())) as usize)
    };
    let is_unlike = |(key, owners): &&(String, Vec<usize>)| {
        let digests: Vec<_> = owners.iter().map(|&owner| digest(owner, key)).collect();
        digests.windows(2).any(|pair| pair[0] != pair[1])
    };
    keys.iter().filter(is_unlike).count()
}

/// Each node clears away by itself what is over, and until then its digests tell of it.
#[test]
fn what_is_over_does_not_hide_what_differs() {
    let mut world = world(1, &THREE);
    let keys = keys(&world, 200);
    let (over, missed) = keys.split_at(190);
    for (number, (key, owners)) in over.iter().enumerate() {
        let expiry = Expiry::At((world.now_at(0).unix_ms() / 1000 + 5) as u32);
        put_until(&world, owners[number % 2], key, (20_000, expiry), Some(b"old"));
    }
    pass(&mut world, 6000);
    for (key, owners) in missed {
        put(&world, owners[0], key, 20_000, Some(b"new"));
    }
    assert_eq!(unlike(&world, &keys), keys.len());
    pass(&mut world, ROUNDS_MS);
    assert_eq!(sum(&mut world, "items_mended"), missed.len() as u64);
    assert_eq!(unlike(&world, &keys), 0);
}
