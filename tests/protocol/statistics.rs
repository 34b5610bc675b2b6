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
    client.ask("delete n\r\ndelete n\r\ncas n 0 0 1 1\r\n1\r\nms n 1\r\n1\r\nmg n\r\nma n\r\n");
    let expected = [
        ("cmd_get", "5"),
        ("get_hits", "3"),
        ("get_misses", "2"),
        ("cmd_set", "3"),
        ("cmd_touch", "2"),
        ("touch_hits", "1"),
        ("cmd_meta", "3"),
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
            (
                "stats detail dump\r\n",
                "PREFIX a get 2 hit 0 set 0 del 0\r\nPREFIX x get 1 hit 1 set 1 del 1\r\nEND\r\n",
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
            ("stats cachedump 99 0\r\n", "CLIENT_ERROR Illegal slab id\r\n"),
            ("stats cachedump\r\n", "CLIENT_ERROR bad command line\r\n"),
            ("stats cachedump 1 a\r\n", "CLIENT_ERROR bad command line format\r\n"),
        ],
    );
}

#[test]
fn a_lease_is_counted_as_the_miss_it_is() {
    let mut client = Client::new();
    client.ask("mg k N30 v\r\nmg k N30 v\r\nmg k v\r\nmg m N30 c\r\n");
    client.wait_s(1);
    assert_eq!(
        client.ask("stats\r\n").lines().find(|l| l.contains("get_misses")),
        Some("STAT get_misses 2")
    );
}
