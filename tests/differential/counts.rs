//! What requests add to the statistics of both servers.

use crate::link::{LONG_PATIENCE, Link};
use crate::servers::{Memcached, Node};
use crate::step::Speech;

/// Each in a sequence of its own, of which the last request is looked at.
const REQUESTS: [&[&str]; 37] = [
    &["get c:a"],
    &["set c:b 0 0 1\r\n1", "get c:b c:a"],
    &["gat 100 c:b"],
    &["gat 0 c:a c:b"],
    &["gats 0 c:a"],
    &["touch c:b 0"],
    &["touch c:a 0"],
    &["mg c:b v"],
    &["mg c:a v"],
    &["mg c:b T0 v"],
    &["mg c:a T5"],
    &["mg c:c N5"],
    &["mg c:d N5 T6"],
    &["mg c:d R30"],
    &["me c:b"],
    &["ma c:e N0"],
    &["ma c:e"],
    &["ma c:a MD"],
    &["set c:f 0 0 2\r\n10", "incr c:f 5"],
    &["incr c:f 500"],
    &["decr c:f 500"],
    &["set c:f 0 0 1\r\nx", "incr c:f 1"],
    &["md c:f C1"],
    &["md c:f I"],
    &["md c:f"],
    &["md c:f"],
    &["delete c:e"],
    &["delete c:e"],
    &["set c:b 0 0 1\r\n1xx"],
    &["ms c:b 1\r\n1xx"],
    &["ms c:b 1 MA\r\n1"],
    &["add c:b 0 0 1\r\n1"],
    &["append c:a 0 0 1\r\n1"],
    &["cas c:b 0 0 1 1\r\n1"],
    &["cas c:a 0 0 1 1\r\n1"],
    &["flush_all x"],
    &["flush_all"],
];

const COUNTS: [&str; 21] = [
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "cmd_meta",
    "get_hits",
    "get_misses",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
    "store_too_large",
    "store_no_memory",
    "total_items",
];

#[test]
fn requests_count_as_in_memcached() {
    let Some(memcached) = Memcached::start() else {
        return println!("skipped: memcached is not installed");
    };
    let node = Node::start();
    let mut theirs = Link::new(memcached.address, LONG_PATIENCE);
    let mut ours = Link::new(node.address(), LONG_PATIENCE);
    for link in [&mut theirs, &mut ours] {
        ask(link, "stats detail on");
    }
    for requests in REQUESTS {
        let (last, before) = requests.split_last().unwrap();
        let added = [&mut theirs, &mut ours].map(|link| {
            for request in before {
                ask(link, request);
            }
            let before = counts(link);
            ask(link, last);
            let after = counts(link);
            let added = before.iter().zip(after).zip(COUNTS);
            added.map(|((before, after), name)| (name, after - before)).collect::<Vec<_>>()
        });
        assert_eq!(added[1], added[0], "{last}");
    }
    assert_eq!(ask(&mut ours, "stats detail dump"), ask(&mut theirs, "stats detail dump"));
}

fn ask(link: &mut Link, request: &str) -> String {
    let answer = link.ask(Speech::Text, format!("{request}\r\n").as_bytes(), false);
    String::from_utf8(answer.bytes).unwrap()
}

fn counts(link: &mut Link) -> Vec<u64> {
    let text = ask(link, "stats");
    let count = |name: &str| {
        let start = format!("STAT {name} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
    };
    COUNTS.iter().map(|name| count(name)).collect()
}
