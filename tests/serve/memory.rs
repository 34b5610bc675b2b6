//! What the process takes in the end, by the system's account.

use crate::node::Node;
use std::fs;

const LIMIT_MB: u64 = 64;

/// The most that was ever resident, in kilobytes.
fn peak_kb(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How often it touched memory for the first time.
fn page_faults(node: &Node) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.child.id())).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.split(' ').nth(7).unwrap().parse().unwrap()
}

#[test]
fn large_values_of_changing_sizes_stay_within_the_limit() {
    let node = Node::start("large-values", &format!("-m {LIMIT_MB} -t 2"));
    let mut client = node.connect();
    let mut write = |count: usize, least: usize, step: usize| {
        for number in 0..count {
            let value = "x".repeat(least + number * 7919 % step);
            let set = format!("set k{number} 0 0 {}\r\n{value}\r\n", value.len());
            client.ask(&set, "STORED\r\n");
        }
    };
    // Twice what there is room for, of values that a heap would keep in pieces.
    write(1500, 66_000, 54_000);
    write(200, 400_000, 600_000);
    write(1500, 3_000, 2_000);
    let peak = peak_kb(&node);
    assert!(peak < LIMIT_MB * 1024 * 6 / 5, "{peak} kB are resident at -m {LIMIT_MB}");
}

#[test]
fn large_values_follow_each_other_in_the_same_memory() {
    const WRITES: usize = 400;
    let node = Node::start("large-values-again", &format!("-m {LIMIT_MB} -t 1"));
    let mut client = node.connect();
    let mut write = |count: usize, keys: usize| {
        for number in 0..count {
            let value = "x".repeat(100_000 + number * 7919 % 2_000);
            let set = format!("set k{} 0 0 {}\r\n{value}\r\n", number % keys, value.len());
            client.ask(&set, "STORED\r\n");
        }
    };
    write(20, 10);
    let before = page_faults(&node);
    write(WRITES, 10);
    // Each has 25 pages.
    let faults = page_faults(&node) - before;
    assert!(faults < 2 * WRITES as u64, "{faults} page faults for {WRITES} values overwritten");
    write(1000, 1000);
    let before = page_faults(&node);
    write(WRITES, 1000);
    let faults = page_faults(&node) - before;
    assert!(faults < 2 * WRITES as u64, "{faults} page faults for {WRITES} values at the limit");
}
