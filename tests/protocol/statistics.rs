//! Statistics: memcached's names, all of them, in its order.

use crate::client::{Client, transcript};

/// The names under a heading of the recorded file.
fn recorded(heading: &str) -> Vec<String> {
    let file = include_str!("../golden/stats-1.6.45.txt");
    let section = file.split("## ").find(|section| section.starts_with(&format!("{heading}\n")));
    names(section.unwrap())
}

fn names(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("STAT "));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn value(client: &mut Client, topic: &str, name: &str) -> String {
    let text = client.ask(&format!("stats {topic}\r\n"));
    let start = format!("STAT {name} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
}

#[test]
fn names_are_memcacheds_in_its_order() {
    let mut client = Client::new();
    client.ask("set a 0 0 1\r\n1\r\n");
    for (request, heading) in [
        ("stats\r\n", "stats"),
        ("stats settings\r\n", "stats_settings"),
        ("stats items\r\n", "stats_items"),
    ] {
        assert_eq!(names(&client.ask(request)), recorded(heading), "{request}");
    }
    let mut slabs = recorded("stats_slabs");
    slabs.retain(|name| name.starts_with("1:") || !name.contains(':'));
    assert_eq!(names(&client.ask("stats slabs\r\n")), slabs);
}

#[test]
fn requests_are_counted() {
    let mut client = Client::new();
    client.ask("set n 0 0 1\r\n1\r\nget n none\r\ngat 0 n none\r\nincr n 1\r\ndecr none 1\r\n");
    client.ask(
        "delete n\r\ndelete n\r\ncas n 0 0 1 1\r\n1\r\nms n 1\r\n1\r\nmg n\r\nma n\r\nme n\r\n",
    );
    let expected = [
        ("cmd_get", "3"),
        ("get_hits", "2"),
        ("get_misses", "1"),
        ("cmd_set", "3"),
        ("cmd_touch", "2"),
        ("touch_hits", "1"),
        ("touch_misses", "1"),
        ("cmd_meta", "1"),
        ("incr_hits", "2"),
        ("decr_misses", "1"),
        ("delete_hits", "1"),
        ("delete_misses", "1"),
        ("cas_misses", "1"),
    ];
    for (name, count) in expected {
        assert_eq!(value(&mut client, "", name), count, "{name}");
    }
    assert_eq!(client.ask("stats reset\r\n"), "RESET\r\n");
    assert_eq!(value(&mut client, "", "cmd_get"), "0");
}

#[test]
fn bytes_are_counted() {
    let mut client = Client::new();
    client.ask("mn\r\n");
    let large = format!("set k 0 0 100000\r\n{}\r\n", "v".repeat(100_000));
    client.ask(&large);
    let read = 4 + large.len();
    assert_eq!(value(&mut client, "", "bytes_read"), read.to_string());
}

#[test]
fn prefixes_are_counted_if_wanted() {
    let usage = "CLIENT_ERROR usage: stats detail on|off|dump\r\n";
    transcript(
        &mut Client::new(),
        &[
            ("get a:b\r\nstats detail dump\r\n", "END\r\nEND\r\n"),
            ("stats detail on\r\n", "OK\r\n"),
            (
                "get a:b a\r\nset x:y 0 0 1\r\n1\r\nget x:y\r\ndelete x:y\r\n",
                "END\r\nSTORED\r\nVALUE x:y 0 1\r\n1\r\nEND\r\nDELETED\r\n",
            ),
            ("mg m:y\r\nms m:y 1\r\n1\r\nmd m:y\r\n", "EN\r\nHD\r\nHD\r\n"),
            ("set x:y 0 0 1\r\n1xx", "CLIENT_ERROR bad data chunk\r\n"),
            (
                "stats detail dump\r\n",
                "PREFIX a get 1 hit 0 set 0 del 0\r\nPREFIX x get 1 hit 1 set 2 del 1\r\nEND\r\n",
            ),
            ("stats detail off\r\n", "OK\r\n"),
            ("stats detail\r\n", usage),
            ("stats detail foo\r\n", usage),
        ],
    );
}

#[test]
fn topics_are_known_or_not() {
    let mut client = Client::new();
    client.ask("set a 0 100 1\r\n1\r\n");
    transcript(
        &mut client,
        &[
            ("stats sizes\r\n", "STAT sizes_status disabled\r\nEND\r\n"),
            ("stats conns\r\n", "END\r\n"),
            ("stats extstore\r\n", "END\r\n"),
            ("stats foo\r\n", "ERROR\r\n"),
            ("stats cachedump 1 0\r\n", "ITEM a [1 b; 1800000100 s]\r\nEND\r\n"),
            ("stats cachedump 2 0\r\n", "END\r\n"),
            ("stats cachedump 0 1\r\n", "END\r\n"),
            ("stats cachedump 64 1\r\n", "CLIENT_ERROR Illegal slab id\r\n"),
            ("stats cachedump -1 1\r\n", "CLIENT_ERROR bad command line format\r\n"),
            ("stats cachedump 99 0\r\n", "CLIENT_ERROR Illegal slab id\r\n"),
            ("stats cachedump\r\n", "CLIENT_ERROR bad command line\r\n"),
            ("stats cachedump 1 a\r\n", "CLIENT_ERROR bad command line format\r\n"),
        ],
    );
}

/// What each request adds to the counts, as memcached does.
#[test]
fn every_request_counts_as_in_memcached() {
    let mut client = Client::new();
    client.ask("set g 0 0 2\r\n10\r\nset s 0 0 1\r\n1\r\n");
    let cases: [(&str, &[(&str, u64)]); 28] = [
        ("gat 100 g\r\n", &[("cmd_touch", 1), ("touch_hits", 1)]),
        ("gat 0 none g\r\n", &[("cmd_touch", 2), ("touch_hits", 1), ("touch_misses", 1)]),
        ("touch g 0\r\n", &[("cmd_touch", 1), ("touch_hits", 1)]),
        ("mg g v\r\n", &[("cmd_get", 1), ("get_hits", 1)]),
        ("mg g T0 v\r\n", &[("cmd_touch", 1), ("touch_hits", 1)]),
        ("mg none T5\r\n", &[("cmd_get", 1), ("get_misses", 1)]),
        ("mg made N5\r\n", &[("cmd_get", 1), ("get_hits", 1), ("total_items", 1)]),
        ("mg made2 N5 T6\r\n", &[("cmd_touch", 1), ("touch_hits", 1), ("total_items", 1)]),
        ("me g\r\n", &[("cmd_meta", 1)]),
        ("ma counted N0\r\n", &[("total_items", 1)]),
        ("ma counted\r\n", &[("incr_hits", 1)]),
        ("ma none MD\r\n", &[("decr_misses", 1)]),
        ("incr g 5\r\n", &[("incr_hits", 1)]),
        ("incr g 500\r\n", &[("incr_hits", 1), ("total_items", 1)]),
        ("decr g 500\r\n", &[("decr_hits", 1)]),
        ("md g C1\r\n", &[("delete_misses", 1)]),
        ("md g I\r\n", &[]),
        ("md g x\r\n", &[("delete_hits", 1), ("total_items", 1)]),
        ("md g x I\r\n", &[("total_items", 1)]),
        ("md g\r\n", &[("delete_hits", 1)]),
        ("md g\r\n", &[("delete_misses", 1)]),
        ("set s 0 0 1\r\n123\r\n", &[("cmd_set", 1)]),
        ("ms s 1\r\n1xx", &[("cmd_set", 1)]),
        ("ms s 1 MA\r\n1\r\n", &[("cmd_set", 1), ("total_items", 1)]),
        ("add s 0 0 1\r\n1\r\n", &[("cmd_set", 1)]),
        ("set s 0 0 2000000\r\n", &[("store_too_large", 1)]),
        ("flush_all abc\r\n", &[("cmd_flush", 1)]),
        ("flush_all\r\n", &[("cmd_flush", 1)]),
    ];
    for (request, added) in cases {
        let before = counts(&mut client);
        client.ask(request);
        if request.contains(" 2000000") {
            client.send(&vec![b'v'; 2_000_002]);
        }
        let after = counts(&mut client);
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
        let changed: Vec<(&str, u64)> =
            changed.map(|((name, before), (_, after))| (&name[..], after - before)).collect();
        let mut added = added.to_vec();
        added.sort_unstable();
        assert_eq!(changed, added, "{request}");
    }
}

/// In the order of their names.
fn counts(client: &mut Client) -> Vec<(String, u64)> {
    let prefixes = ["cmd_", "total_items", "store_", "get_", "delete_", "incr_", "decr_", "touch_"];
    let text = client.ask("stats\r\n");
    let stats = text.lines().filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
    let counts = stats.filter(|(name, _)| prefixes.iter().any(|start| name.starts_with(start)));
    let mut counts: Vec<(String, u64)> =
        counts.map(|(name, count)| (name.to_owned(), count.parse().unwrap())).collect();
    counts.sort();
    counts
}
