//! Random commands, right and wrong, to memcached and to a node: the answers are
//! the same, but for a list of known differences.
//!
//! `DIFFERENTIAL_SEEDS=from..to` sends other sequences than usual.

mod binary;
mod counts;
mod differences;
mod hunt;
mod link;
mod meta;
#[allow(dead_code, reason = "the tests of one node say more to it")]
#[path = "../serve/node.rs"]
mod node;
#[allow(dead_code, reason = "other tests start other clusters")]
#[path = "../cluster/nodes.rs"]
mod nodes;
mod normal;
mod random;
mod servers;
mod step;
mod text;

use differences::DIFFERENCES;
use hunt::{Hunt, Keys};
use servers::{Memcached, Node};
use std::net::SocketAddr;
use std::ops::Range;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("DIFFERENTIAL_SEEDS") else { return 0..400 };
    let (from, to) = text.split_once("..").expect("from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn answers_are_memcacheds() {
    let node = Node::start();
    are_memcacheds(Keys::Here, node.address(), seeds());
}

/// Nearly every key is another's. A part of the sequences is enough: what is answered
/// is told by the same code as above.
#[test]
fn answers_through_another_node_are_memcacheds() {
    let nodes = nodes::beside_owners("differential", "-m 8");
    let seeds = seeds();
    let some = seeds.start..seeds.start + (seeds.end - seeds.start).div_ceil(4);
    are_memcacheds(Keys::Elsewhere, nodes[2].address(), some);
}

fn are_memcacheds(keys: Keys, server: SocketAddr, seeds: Range<u64>) {
    let Some(memcached) = Memcached::start() else {
        return println!("skipped: memcached is not installed");
    };
    let mut hunt = Hunt::new(memcached.address, server, keys);
    let failures: Vec<String> = seeds.filter_map(|seed| hunt.seed(seed).err()).collect();
    println!("keys {keys:?}: {} requests beside {}", hunt.steps, memcached.version);
    for (difference, met) in DIFFERENCES.iter().zip(&hunt.met) {
        println!("{met:6} {}", difference.why);
    }
    assert!(
        failures.is_empty(),
        "{} differ\n{}",
        failures.len(),
        failures[..failures.len().min(500)].join("\n")
    );
}
