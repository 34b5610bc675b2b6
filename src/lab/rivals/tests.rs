//! What every rival must hold to, whoever wrote it.

use super::all;
use crate::lab::keys::Keys;
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::ring::{Layout, Node, NodeId, ZoneId};
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_128;

fn setup(nodes: usize) -> Setup {
    let node = |i| Node::new(NodeId::from_name(&format!("node-{i}")));
    Setup {
        nodes: (0..nodes).map(node).collect(),
        layout: Layout { vnodes: 64, seed: 7, ..Layout::default() },
    }
}

fn keys(count: u32) -> Keys {
    let mut keys = Keys::default();
    for number in 0..count {
        keys.push(&xxh3_128(&number.to_le_bytes()).to_le_bytes());
    }
    keys
}

fn build(algorithm: &Algorithm, setup: &Setup) -> Box<dyn Placement> {
    (algorithm.build)(setup).unwrap_or_else(|refusal| panic!("{}: {refusal}", algorithm.name))
}

/// Who owns each key first, by identity.
fn primaries(algorithm: &Algorithm, setup: &Setup, keys: &Keys) -> Vec<NodeId> {
    let placement = build(algorithm, setup);
    keys.iter().map(|key| setup.nodes[usize::from(placement.primary(key))].id).collect()
}

/// The part of the keys that each node owns first, in units of the mean.
fn loads(algorithm: &Algorithm, setup: &Setup, keys: &Keys) -> Vec<f64> {
    let placement = build(algorithm, setup);
    let mut loads = vec![0.0; setup.nodes.len()];
    for key in keys.iter() {
        loads[usize::from(placement.primary(key))] += 1.0;
    }
    let mean = loads.iter().sum::<f64>() / f64::from(u32::try_from(loads.len()).unwrap());
    loads.iter().map(|load| load / mean).collect()
}

/// Keys that changed hands though their owner in `before` was not `left`.
fn moved(before: &[NodeId], after: &[NodeId], left: NodeId) -> usize {
    before.iter().zip(after).filter(|(old, new)| **old != left && old != new).count()
}

#[test]
fn names_are_unique() {
    let mut seen = HashSet::new();
    for algorithm in all() {
        assert!(seen.insert(algorithm.name), "{}", algorithm.name);
    }
}

#[test]
fn every_primary_is_a_node() {
    let keys = keys(2_000);
    for algorithm in all() {
        for nodes in [1, 3, 10, 100] {
            let placement = build(algorithm, &setup(nodes));
            for key in keys.iter() {
                let primary = usize::from(placement.primary(key));
                assert!(primary < nodes, "{}: {primary} of {nodes}", algorithm.name);
            }
        }
    }
}

#[test]
fn two_builds_agree() {
    let keys = keys(2_000);
    for algorithm in all() {
        for nodes in [1, 3, 10, 100] {
            let setup = setup(nodes);
            let first = primaries(algorithm, &setup, &keys);
            assert_eq!(first, primaries(algorithm, &setup, &keys), "{}", algorithm.name);
        }
    }
}

#[test]
fn every_node_gets_its_part() {
    let (setup, keys) = (setup(10), keys(50_000));
    for algorithm in all() {
        for load in loads(algorithm, &setup, &keys) {
            assert!((0.2..3.0).contains(&load), "{}: {load}", algorithm.name);
        }
    }
}

#[test]
fn owners_are_distinct_primary_first() {
    let keys = keys(2_000);
    for algorithm in all().filter(|algorithm| algorithm.replicated) {
        let placement = build(algorithm, &setup(10));
        for key in keys.iter() {
            let mut owners = [u16::MAX; 3];
            assert_eq!(placement.owners(key, &mut owners), 3, "{}", algorithm.name);
            assert_eq!(owners[0], placement.primary(key), "{}", algorithm.name);
            assert_eq!(HashSet::from(owners).len(), 3, "{}: {owners:?}", algorithm.name);
        }
    }
}

#[test]
fn owners_never_outnumber_nodes() {
    let keys = keys(200);
    for algorithm in all() {
        for nodes in [1, 2] {
            let placement = build(algorithm, &setup(nodes));
            let expected = if algorithm.replicated { nodes } else { 1 };
            for key in keys.iter() {
                let mut owners = [u16::MAX; 3];
                let found = placement.owners(key, &mut owners);
                assert_eq!(found, expected, "{}", algorithm.name);
                assert_eq!(owners[0], placement.primary(key), "{}", algorithm.name);
            }
        }
    }
}

#[test]
fn sum_is_that_of_primaries() {
    let keys = keys(2_000);
    for algorithm in all() {
        let placement = build(algorithm, &setup(10));
        let sum: u64 = keys.iter().map(|key| u64::from(placement.primary(key))).sum();
        assert_eq!(placement.look_up_all(&keys), sum, "{}", algorithm.name);
    }
}

#[test]
fn leaving_moves_only_its_keys() {
    let (before, keys) = (setup(10), keys(20_000));
    let mut after = before.clone();
    let left = after.nodes.swap_remove(3).id;
    let named = |algorithm: &&Algorithm| {
        matches!(algorithm.family, Family::VnodeRing | Family::Rendezvous | Family::MultiProbe)
    };
    for algorithm in all().filter(named) {
        let old = primaries(algorithm, &before, &keys);
        let new = primaries(algorithm, &after, &keys);
        assert_eq!(moved(&old, &new, left), 0, "{}", algorithm.name);
    }
}

#[test]
fn last_number_leaves_alone() {
    let (before, keys) = (setup(10), keys(20_000));
    let mut after = before.clone();
    let left = after.nodes.pop().unwrap().id;
    for algorithm in all().filter(|algorithm| algorithm.family == Family::Numbered) {
        let old = primaries(algorithm, &before, &keys);
        let new = primaries(algorithm, &after, &keys);
        assert_eq!(moved(&old, &new, left), 0, "{}", algorithm.name);
    }
}

#[test]
fn list_order_places_nothing() {
    let (forwards, keys) = (setup(10), keys(2_000));
    let mut backwards = forwards.clone();
    backwards.nodes.reverse();
    for algorithm in all().filter(|algorithm| algorithm.family != Family::Numbered) {
        let expected = primaries(algorithm, &forwards, &keys);
        assert_eq!(primaries(algorithm, &backwards, &keys), expected, "{}", algorithm.name);
    }
}

#[test]
fn another_seed_places_otherwise() {
    let (setup, keys) = (setup(10), keys(2_000));
    let mut reseeded = setup.clone();
    reseeded.layout.seed += 1;
    for algorithm in all() {
        let placed = primaries(algorithm, &setup, &keys);
        assert_ne!(primaries(algorithm, &reseeded, &keys), placed, "{}", algorithm.name);
    }
}

#[test]
fn weights_are_kept_or_refused() {
    let (mut setup, keys) = (setup(4), keys(50_000));
    setup.nodes[2].weight = 3;
    for algorithm in all() {
        if !algorithm.weighted {
            let refusal = (algorithm.build)(&setup).err().unwrap_or_default();
            assert!(refusal.contains("weights 1 and 3"), "{}: {refusal}", algorithm.name);
            continue;
        }
        // Three sixths of the keys, which is twice the mean.
        let load = loads(algorithm, &setup, &keys)[2];
        assert!((1.6..2.4).contains(&load), "{}: {load}", algorithm.name);
    }
}

#[test]
fn equal_weights_serve_all() {
    let mut setup = setup(3);
    setup.nodes.iter_mut().for_each(|node| node.weight = 2);
    for algorithm in all() {
        build(algorithm, &setup);
    }
}

#[test]
fn impossible_setups_are_refused() {
    let mut twice = setup(3);
    twice.nodes[2] = twice.nodes[0];
    let mut weightless = setup(3);
    weightless.nodes[1].weight = 0;
    for algorithm in all() {
        for setup in [setup(0), setup(1 << 16), twice.clone(), weightless.clone()] {
            assert!((algorithm.build)(&setup).is_err(), "{}", algorithm.name);
        }
    }
}

#[test]
fn too_many_points_are_refused() {
    let mut setup = setup(2000);
    setup.nodes.iter_mut().for_each(|node| node.weight = 1000);
    for algorithm in all().filter(|algorithm| algorithm.family == Family::VnodeRing) {
        let refusal = (algorithm.build)(&setup).err().unwrap_or_default();
        assert!(refusal.contains("virtual nodes in all"), "{}: {refusal}", algorithm.name);
    }
}

#[test]
fn both_own_rings_agree() {
    let (mut setup, keys) = (setup(10), keys(2_000));
    for (node, zone) in setup.nodes.iter_mut().zip([0, 1, 2].into_iter().cycle()) {
        node.zone = ZoneId(zone);
    }
    let [vec, btree] = ["vec-ring", "btree-ring"]
        .map(|name| build(all().find(|algorithm| algorithm.name == name).unwrap(), &setup));
    for key in keys.iter() {
        let (mut left, mut right) = ([0; 4], [0; 4]);
        assert_eq!(vec.primary(key), btree.primary(key));
        assert_eq!(vec.owners(key, &mut left), 4);
        assert_eq!(btree.owners(key, &mut right), 4);
        assert_eq!(left, right);
        // Three zones: all of them before any comes a second time.
        let [first, second, third, _] = left.map(|node| setup.nodes[usize::from(node)].zone);
        assert_eq!(HashSet::from([first, second, third]).len(), 3);
        assert_eq!(HashSet::from(left).len(), 4);
    }
}
