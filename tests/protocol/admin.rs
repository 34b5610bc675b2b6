//! Commands about the server, dumps and watchers.

use crate::client::{Client, START_S, transcript};
use ringcached::limits::{CACHEDUMP_BYTES_MAX, OUTPUT_BYTES_HIGH};
use ringcached::node::{Ending, Settings};
use std::sync::mpsc;

#[test]
fn servers_answer_for_themselves() {
    transcript(
        &mut Client::new(),
        &[
            ("version\r\n", "VERSION 1.6.45\r\n"),
            ("verbosity 1\r\n", "OK\r\n"),
            ("cache_memlimit 64\r\n", "OK\r\n"),
            ("cache_memlimit 67108864\r\n", "MEMLIMIT_ADJUST_FAILED more than any machine has\r\n"),
            (
                "cache_memlimit 1000000001\r\n",
                "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n",
            ),
            ("refresh_certs\r\n", "Error TLS not enabled\r\n"),
            ("config get cluster\r\n", "ERROR\r\n"),
            ("config set cluster 0 3\r\n", "ERROR\r\n"),
            ("slabs reassign 1 1\r\n", "SAME src and dst class are identical\r\n"),
            ("lru tune 10 25 0.1 2.0\r\n", "OK\r\n"),
            ("lru_crawler disable\r\n", "OK\r\n"),
            ("lru_crawler crawl 1\r\n", "OK\r\n"),
            ("lru_crawler crawl foo\r\n", "BADCLASS invalid class id\r\n"),
            ("lru_crawler sleep a\r\n", "CLIENT_ERROR bad command line format\r\n"),
            ("lru_crawler sleep 99999999\r\n", "CLIENT_ERROR sleep must be one second or less\r\n"),
            ("lru_crawler tocrawl -5\r\n", "CLIENT_ERROR bad command line format\r\n"),
            ("lru_crawler\r\n", "ERROR\r\n"),
        ],
    );
}

#[test]
fn quitting_closes() {
    let mut client = Client::new();
    assert_eq!(client.ask("mn\r\nquit now\r\nmn\r\n"), "MN\r\n");
    assert!(client.closed);
}

#[test]
fn flushes_make_all_unreadable() {
    let mut client = Client::new();
    client.ask("set k 0 0 1\r\n1\r\n");
    transcript(&mut client, &[("flush_all\r\nget k\r\n", "OK\r\nEND\r\n")]);
    client.ask("set k 0 0 1\r\n1\r\n");
    transcript(&mut client, &[("flush_all 1\r\nget k\r\n", "OK\r\nEND\r\n")]);
    client.ask("set k 0 0 1\r\n1\r\n");
    let no_time = "CLIENT_ERROR invalid exptime argument\r\n";
    transcript(
        &mut client,
        &[
            ("flush_all noreply 5\r\n", no_time),
            ("flush_all x\r\n", no_time),
            ("flush_all noreply noreply\r\n", ""),
            ("get k\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n"),
            ("flush_all noreply\r\nget k\r\n", "END\r\n"),
        ],
    );
    let mut client = Client::with(|settings| settings.flush_enabled = false);
    assert_eq!(client.ask("flush_all\r\n"), "CLIENT_ERROR flush_all not allowed\r\n");
}

#[test]
fn shutdown_is_obeyed_if_allowed() {
    let settings = Settings { shutdown_enabled: true, ..Settings::default() };
    let (told, heard) = mpsc::channel();
    let mut client = Client::of(settings, |shared| {
        shared.on_shutdown = Box::new({
            let told = std::sync::Mutex::new(told);
            move |ending| told.lock().unwrap().send(ending).unwrap()
        });
    });
    assert_eq!(client.ask("shutdown foo\r\n"), "CLIENT_ERROR invalid shutdown mode\r\n");
    assert_eq!(client.ask("shutdown graceful\r\n"), "");
    assert!(client.closed);
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [Ending::Graceful]);
}

#[test]
fn items_are_listed() {
    let mut client = Client::new();
    client.ask("ms a:1 1 F7 T100 E5\r\n1\r\nms YSBi 1 b E6\r\n1\r\n");
    let (la, exp) = (START_S, START_S + 100);
    transcript(
        &mut client,
        &[
            (
                "lru_crawler metadump all\r\n",
                &format!(
                    "OK\r\nkey=a%3A1 exp={exp} la={la} cas=5 fetch=no cls=1 size=60 flags=7\n\
                     key=a%20b exp=-1 la={la} cas=6 fetch=no cls=1 size=52 flags=0\nEND\r\n"
                ),
            ),
            ("lru_crawler mgdump hash\r\n", "OK\r\nmg a:1\r\nmg YSBi b\r\nEN\r\n"),
            ("lru_crawler metadump 2\r\nmn\r\n", "OK\r\nEND\r\nMN\r\n"),
            ("lru_crawler metadump foo\r\n", "BADCLASS invalid class id\r\n"),
            ("lru_crawler metadump\r\n", "ERROR\r\n"),
        ],
    );
    let mut client = Client::with(|settings| settings.dump_enabled = false);
    assert_eq!(client.ask("lru_crawler metadump all\r\n"), "ERROR metadump not allowed\r\n");
}

#[test]
fn each_list_has_a_turn_of_its_own() {
    let mut client = Client::new();
    client.ask("set a 0 0 1\r\n1\r\n");
    for (request, reply) in [
        ("stats cachedump 1 1\r\n", "ITEM a [1 b; 0 s]\r\nEND\r\n"),
        ("lru_crawler mgdump all\r\n", "OK\r\nmg a\r\nEN\r\n"),
    ] {
        let before = client.turns;
        assert_eq!(client.ask(&request.repeat(100)), reply.repeat(100));
        assert!(client.turns >= before + 100, "{} turns", client.turns - before);
    }
}

#[test]
fn cachedump_lists_so_many_and_no_more() {
    let mut client = Client::new();
    for number in 0..10_000 {
        client.ask(&format!("set {number:0250} 0 0 1 noreply\r\n1\r\n"));
    }
    let some = client.ask("stats cachedump 1 700\r\n");
    assert_eq!(some.matches("ITEM ").count(), 700);
    let before = client.turns;
    let most = client.ask("stats cachedump 1 0\r\nmn\r\n");
    assert!(most.ends_with("s]\r\nEND\r\nMN\r\n"));
    assert!((CACHEDUMP_BYTES_MAX..CACHEDUMP_BYTES_MAX + 300).contains(&most.len()));
    assert!(client.turns - before >= CACHEDUMP_BYTES_MAX / (2 * OUTPUT_BYTES_HIGH));
}

#[test]
fn watchers_are_told() {
    let mut client = Client::new();
    let mut watcher = client.another();
    assert_eq!(watcher.ask("watch fetchers mutations deletions\r\n"), "OK\r\n");
    client.ask("get a\r\nset a 3 10 2\r\n12\r\nmg a\r\nappend a 0 0 1\r\n3\r\n");
    client.ask("ms a 1 MP T99\r\n0\r\ngat 0 a\r\nmd a\r\nmd a\r\nappend a 0 7 1\r\n3\r\n");
    let news = watcher.news();
    let lines: Vec<&str> = news.lines().map(|line| line.split_once("gid=").unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "1 type=item_get key=a status=not_found clsid=0 cfd=7 size=0",
            "2 type=item_store key=a status=stored cmd=set ttl=10 clsid=1 cfd=7 size=2",
            "3 type=item_get key=a status=found clsid=1 cfd=7 size=2",
            "4 type=item_store key=a status=stored cmd=append ttl=10 clsid=1 cfd=7 size=3",
            "5 type=item_store key=a status=stored cmd=prepend ttl=10 clsid=1 cfd=7 size=4",
            "6 type=item_get key=a status=found clsid=1 cfd=7 size=4",
            "7 type=deleted key=a cmd=delete clsid=1 cfd=7 size=0",
            "8 type=item_store key=a status=not_stored cmd=append ttl=7 clsid=1 cfd=7 size=1",
        ]
    );
    assert_eq!(watcher.ask("get a\r\n"), "", "a watcher only watches");
    drop(watcher);
    assert_eq!(client.shared.watch.count().watchers, 0);
    assert_eq!(client.ask("watch bogus\r\n"), "ERROR\r\n");
    let mut client = Client::with(|settings| settings.watch_enabled = false);
    assert_eq!(client.ask("watch\r\n"), "CLIENT_ERROR watch commands not allowed\r\n");
}
