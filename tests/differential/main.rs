//! Random commands, right and wrong, to memcached and to a node: the answers are
//! the same, but for a list of known differences.
//!
//! `DIFFERENTIAL_SEEDS=from..to` sends other sequences than usual.

mod binary;
mod differences;
mod hunt;
mod link;
mod meta;
mod normal;
mod random;
mod servers;
mod step;
mod text;

use differences::DIFFERENCES;
use hunt::Hunt;
use servers::{Memcached, Node};
use std::ops::Range;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("DIFFERENTIAL_SEEDS") else { return 0..400 };
    let (from, to) = text.split_once("..").expect("from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn answers_are_memcacheds() {
    let Some(memcached) = Memcached::start() else {
        return println!("skipped: memcached is not installed");
    };
    let node = Node::start();
    let mut hunt = Hunt::new(memcached.address, node.address());
    let failures: Vec<String> = seeds().filter_map(|seed| hunt.seed(seed).err()).collect();
    println!("{} requests beside {}", hunt.steps, memcached.version);
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
