//! `stats ring`, and `bench --ring` that goes by it: real nodes on ports that the
//! system chose, and servers of a few lines where a real one would do no wrong.

#[allow(dead_code, reason = "the tests of one node say more to it")]
#[path = "serve/node.rs"]
mod node;

use node::{Node, path, program, wait_until};
use ringcached::cluster::{Able, View};
use ringcached::ring::{Layout, NodeId, Ring, ZoneId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// So many nodes of which each knows that all serve.
fn cluster(name: &str, count: usize, flags: &str) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..count {
        let join = nodes.first().map_or(String::new(), |first| {
            format!("--join {}", first.ready["peer"].as_str().unwrap())
        });
        let name = format!("ring-{name}-{number}");
        let flags = format!("-t 1 --peer-listen 127.0.0.1:0 --node-id {name} {join} {flags}");
        nodes.push(Node::start(&name, &flags));
    }
    for node in &nodes {
        wait_until("all serve", || {
            let told = told(node);
            let serves = |id: &u64| told.nodes[id]["phase"] == "serving";
            told.nodes.len() == count && told.nodes.keys().all(serves)
        });
    }
    nodes
}

/// What a node says of its ring.
#[derive(Debug)]
struct Told {
    whole: BTreeMap<String, String>,
    nodes: BTreeMap<u64, BTreeMap<String, String>>,
}

fn told(node: &Node) -> Told {
    let mut told = Told { whole: BTreeMap::new(), nodes: BTreeMap::new() };
    for line in node.connect().lines("stats ring\r\n") {
        let said = line.strip_prefix("STAT ").unwrap_or_else(|| panic!("{line}"));
        let (name, value) = said.split_once(' ').unwrap();
        let (words, name) = match name.split_once(':') {
            None => (&mut told.whole, name),
            Some((id, name)) => {
                (told.nodes.entry(u64::from_str_radix(id, 16).unwrap()).or_default(), name)
            }
        };
        words.insert(name.to_owned(), value.to_owned());
    }
    told
}

impl Told {
    fn number<T: TryFrom<u64, Error: std::fmt::Debug>>(&self, name: &str) -> T {
        T::try_from(self.whole[name].parse::<u64>().unwrap()).unwrap()
    }

    /// The view, built of nothing else than what was told.
    fn view(&self) -> View {
        let layout = Layout {
            seed: self.number("seed"),
            slot_bits: self.number("slot_bits"),
            vnodes: self.number("vnodes"),
            bound: ringcached::ring::Bound::Permille(self.number("bound_permille")),
            copies: self.number("copies"),
        };
        let nodes = self.nodes.iter().map(|(&id, said)| ringcached::ring::Node {
            id: NodeId(id),
            zone: ZoneId::from_name(&said["zone"]),
            weight: said["weight"].parse().unwrap(),
        });
        let ring = Ring::new(&layout, &nodes.collect::<Vec<_>>()).unwrap();
        View::settled(&ring).with_able(|node| match &*self.nodes[&node.0]["able"] {
            "executes" => Able::Executes,
            "keeps" => Able::Keeps,
            _ => Able::Nothing,
        })
    }
}

/// How many reading requests a node has executed.
fn executed(node: &Node) -> u64 {
    let lines = node.connect().lines("stats\r\n");
    let count = lines.iter().find_map(|line| line.strip_prefix("STAT cmd_get "));
    count.unwrap().parse().unwrap()
}

fn bench(node: &Node, options: &str) -> (i32, String, String) {
    let done = program(&format!("bench --server {} {options}", node.address())).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

/// The figures of a bench that must succeed.
fn figures(node: &Node, options: &str) -> Value {
    let (code, stdout, stderr) = bench(node, &format!("-o json {options}"));
    assert_eq!(code, 0, "{stderr}");
    let figures: Value = serde_json::from_str(&stdout).unwrap();
    figures["runs"][0].clone()
}

#[test]
fn whoever_asks_can_build_the_ring() {
    let nodes = cluster("told", 3, "--zone east --copies 2");
    let first = told(&nodes[0]);
    for node in &nodes {
        wait_until("all know the same", || told(node).whole == first.whole);
        let told = told(node);
        assert_eq!((&*told.whole["cluster"], &*told.whole["nodes"]), ("yes", "3"));
        assert_eq!(told.view().fingerprint(), told.number::<u64>("view"));
        let said = told.nodes.values().find(|said| said["client"] == node.ready["client"]);
        let said = said.unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!((&*said["zone"], &*said["weight"], &*said["able"]), ("east", "1", "executes"));
    }
}

#[test]
fn a_dead_node_is_on_the_ring_and_does_nothing() {
    let mut nodes = cluster("dead", 3, "--profile local");
    let dead = nodes.pop().unwrap().ready["client"].as_str().unwrap().to_owned();
    let able = || told(&nodes[0]).nodes.into_values().find(|said| said["client"] == dead);
    wait_until("it is held for dead", || able().unwrap()["able"] == "nothing");
    let told = told(&nodes[0]);
    assert_eq!(told.view().fingerprint(), told.number::<u64>("view"));
    let line = "--ring --requests 300 --keys 1000 --preload --verify";
    assert_eq!(figures(&nodes[0], line)["servers"], 2);
}

#[test]
fn the_seed_is_for_those_who_may_read() {
    let users = path("ring-users");
    fs::write(&users, "ann:one\n").unwrap();
    let node =
        Node::start("ring-users", &format!("--peer-listen 127.0.0.1:0 -Y {}", users.display()));
    node.connect().ask("stats ring\r\n", "CLIENT_ERROR unauthenticated\r\n");
    // Nor is there anything to be told of a node alone.
    let alone = Node::start("ring-alone", "");
    alone.connect().ask("stats ring\r\n", "STAT cluster no\r\nEND\r\n");
    let (code, _, stderr) = bench(&alone, "--ring --requests 10");
    assert_eq!(code, 1);
    assert!(stderr.contains("tells of no ring: it is not of a cluster"), "{stderr}");
}

#[test]
fn keys_go_to_their_primaries_or_past_them() {
    let nodes = cluster("primary", 3, "--copies 2");
    let counts = || [0, 1, 2].map(|number| executed(&nodes[number]));
    for protocol in ["text", "meta"] {
        let line = format!("--protocol {protocol} --keys 3000 --reads 100% --verify");
        let asked = |more: &str| {
            let before = counts();
            let figures = figures(&nodes[1], &format!("{line} {more}"));
            assert_eq!((&figures["hit_ratio"], &figures["errors"]), (&1.0.into(), &0.into()));
            let after = counts();
            (figures, [0, 1, 2].map(|number| after[number] - before[number]))
        };
        let (all, _) = asked("--ring=any --preload --requests 99 --connections 4");
        assert_eq!((&all["servers"], &all["server_processes"]), (&3.into(), &3.into()));
        assert_eq!(all["ring"], "any");
        // The connections are spread evenly, so the requests are where the keys are.
        let (own, executed) = asked("--ring --requests 600 --connections 3 --pipeline 4");
        assert_eq!((executed, &own["ring"]), ([200, 200, 200], &"primary".into()));
        let (_, executed) = asked("--ring=primary --requests 600 --connections 1");
        assert_eq!(executed, [0, 600, 0]);
        let (_, executed) = asked("--ring=other --requests 600 --connections 1");
        assert_eq!((executed[1], executed[0] + executed[2]), (0, 600));
        let (_, executed) = asked("--ring --requests 60 --connections 3 --multiget 10");
        assert_eq!(executed, [200, 200, 200]);
    }
}

#[test]
fn costs_are_those_of_all_nodes() {
    let nodes = cluster("costs", 2, "");
    let line = "--ring --preload --keys 1000 --requests 2000 --reads 0%";
    let both = figures(&nodes[0], line);
    assert!(both["server_cpu_us_per_op"].as_f64().unwrap() > 0.0, "{both}");
    assert_eq!(both["server_pid"], Value::Null);
    let pids = nodes.iter().map(|node| node.child.id().to_string()).collect::<Vec<_>>().join(",");
    let named = figures(&nodes[0], &format!("--requests 10 --pid {pids}"));
    let memory = |run: &Value| run["server_rss_bytes"].as_u64().unwrap();
    let one = figures(&nodes[0], "--requests 10");
    assert_eq!(one["server_pid"], nodes[0].child.id());
    assert!(memory(&named) > memory(&one) + (1 << 20), "{named} {one}");
}

/// Waits for a bench that was started, and what it says on stderr.
fn ended(mut child: Child) -> (i32, String) {
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_node_that_dies_ends_the_run_and_is_named() {
    for (signal, code, why) in [("KILL", 1, "after"), ("STOP", 4, "no answer within 1s")] {
        // The others are not to wait for it with their own answers.
        let nodes = cluster(&format!("dies-{signal}"), 3, "--write-ack one");
        // Each has the promises of the others, without which it would fall silent too.
        figures(&nodes[0], "--ring --preload --keys 1000 --requests 1");
        let line = "--ring --duration 1h --keys 1000 --timeout 1s";
        let mut bench = program(&format!("bench --server {} {line}", nodes[0].address()));
        let before = executed(&nodes[2]);
        let bench = bench.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        wait_until("it asks", || executed(&nodes[2]) > before);
        nodes[2].signal(signal);
        let (ended, said) = ended(bench);
        assert_eq!(ended, code, "{said}");
        let node = nodes[2].address();
        assert!(said.contains(&format!("{node}: ")) && said.contains(why), "{said}");
    }
}

/// A server that answers each line with what is given for it, and how often it is
/// asked before.
fn server(answer: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, asked) = (Arc::new(answer), Arc::new(Mutex::new(BTreeMap::new())));
    let serve = move |stream: TcpStream| {
        let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
        thread::spawn(move || {
            let mut output = stream.try_clone().unwrap();
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let times = {
                    let mut asked = asked.lock().unwrap();
                    let times = asked.entry(line.clone()).or_insert(0_usize);
                    *times += 1;
                    *times - 1
                };
                if output.write_all(&answer(&line, times)).is_err() {
                    return;
                }
            }
        })
    };
    thread::spawn(move || {
        listener.incoming().map_while(Result::ok).for_each(|stream| drop(serve(stream)));
    });
    address
}

/// What a node says of a ring with it alone. With another seed than the one that is
/// told, the view is another.
fn alone(seed: u64, seed_of_view: u64) -> String {
    let layout = Layout { seed: seed_of_view, ..Layout::default() };
    let node = ringcached::ring::Node::new(NodeId(7));
    let view = View::settled(&Ring::new(&layout, &[node]).unwrap());
    let view = view.with_able(|_| Able::Executes);
    let Layout { slot_bits, vnodes, copies, .. } = layout;
    let id = NodeId(7);
    [
        "cluster yes".to_owned(),
        format!("view {}", view.fingerprint()),
        format!("seed {seed}"),
        format!("slot_bits {slot_bits}"),
        format!("vnodes {vnodes}"),
        "bound_permille 50".to_owned(),
        format!("copies {copies}"),
        format!("{id}:zone "),
        format!("{id}:weight 1"),
        format!("{id}:able executes"),
        format!("{id}:client HERE"),
    ]
    .map(|line| format!("STAT {line}\r\n"))
    .concat()
        + "END\r\n"
}

fn bench_at(address: std::net::SocketAddr, options: &str) -> (i32, String) {
    let done = program(&format!("bench --server {address} {options}")).output().unwrap();
    (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
}

/// A server whose ring is at itself, and is another one from this asking on.
fn changing(from: usize, other: fn() -> String) -> std::net::SocketAddr {
    let own = Arc::new(Mutex::new(None));
    let its = Arc::clone(&own);
    let address = server(move |line, times| match line {
        "stats ring" => {
            let ring = if times < from { alone(1, 1) } else { other() };
            let address = its.lock().unwrap().unwrap_or_else(|| panic!("it is not known yet"));
            ring.replace("HERE", &format!("{address}")).into_bytes()
        }
        _ => b"END\r\n".to_vec(),
    });
    *own.lock().unwrap() = Some(address);
    address
}

#[test]
fn a_ring_that_changes_meanwhile_is_told() {
    let line = "--ring --requests 100 --reads 100% --keys 100";
    // The same addresses and owners: nothing went wrong.
    let same = changing(1, || alone(1, 1));
    assert_eq!(bench_at(same, line).0, 0);
    let gone = changing(1, || "STAT cluster no\r\nEND\r\n".to_owned());
    let (code, said) = bench_at(gone, line);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("tells of no ring"), "{said}");
    let moved = changing(1, || alone(1, 1).replace("HERE", "127.0.0.1:9"));
    let (code, said) = bench_at(moved, line);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the ring changed meanwhile"), "{said}");
    // What a card says may be older than the view: it is asked for again.
    let torn = changing(0, || alone(2, 1));
    let (code, said) = bench_at(torn, &format!("{line} --timeout 300ms"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("it changes all the time"), "{said}");
}

#[test]
fn senseless_rings_are_refused() {
    let node = cluster("senseless", 1, "").remove(0);
    let lines = [
        "--ring=nowhere",
        "--ring --scan 5%",
        "--ring --protocol redis --ring=any",
        "--ring --key-prefix {a}",
        "--wait each",
        // One node is the primary of all there is.
        "--ring=other --keys 10",
        "--ring --keys 101M --key-bytes 20",
    ];
    for line in lines {
        let (code, stdout, stderr) = bench(&node, line);
        assert_eq!((code, &*stdout), (2, ""), "{line}: {stderr}");
    }
}
