//! The program when the system gives it no more descriptors.
#![cfg(target_os = "linux")]

use crate::node::{Client, Node, wait_until};
use ringcached::limits::ACCEPT_REST_MS;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs;
use std::time::{Duration, Instant};

fn count(client: &mut Client, name: &str) -> u64 {
    let lines = client.lines("stats\r\n");
    let found = lines.iter().find_map(|line| line.strip_prefix(&format!("STAT {name} ")));
    found.unwrap().parse().unwrap()
}

#[test]
fn lack_of_descriptors_passes() {
    let node = Node::start("descriptors", "-t 2");
    let mut served = node.connect();
    served.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let pid = node.child.id();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
    let limit = Rlimit { current: Some(open + 2), maximum: Some(open + 2) };
    prlimit(Pid::from_raw(pid as i32), Resource::Nofile, limit).unwrap();

    let mut clients: Vec<Client> = (0..8).map(|_| node.connect()).collect();
    // It waits longer from try to try: were it to spin, it would be here at once. A descriptor
    // that becomes free in between lets one more in, and it begins anew.
    loop {
        let (let_in, started) = (count(&mut served, "total_connections"), Instant::now());
        let before = count(&mut served, "listen_disabled_num");
        let tries = before + 5;
        wait_until("it has tried", || count(&mut served, "listen_disabled_num") >= tries);
        let elapsed = started.elapsed();
        if count(&mut served, "total_connections") == let_in {
            let rests = (0..4).map(|index| ACCEPT_REST_MS.start() << index).sum();
            assert!(elapsed >= Duration::from_millis(rests), "{elapsed:?}");
            break;
        }
    }
    served.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    assert!(count(&mut served, "curr_connections") < 9, "some stand before the door");

    // Who goes makes room for the next.
    for mut client in clients.drain(..) {
        client.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    }
    wait_until("all have gone", || count(&mut served, "curr_connections") == 1);
    assert_eq!(count(&mut served, "total_connections"), 9);
    assert_eq!(count(&mut served, "rejected_connections"), 0);
}
