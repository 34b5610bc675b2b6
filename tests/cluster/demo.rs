//! `demo`: a cluster in one command.

use super::node::{PATIENCE, program, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A demo that runs; its nodes' addresses and processes.
struct Demo {
    child: Child,
    nodes: Vec<(String, String)>,
}

impl Demo {
    fn start(flags: &str) -> Self {
        let mut demo = program(&format!("demo {flags}"));
        let mut child = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let line = said.next().unwrap().unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!((words[1], words[3], words[5]), ("clients", "peers", "pid"), "{line}");
            nodes.push((words[2].to_owned(), words[6].to_owned()));
        }
        Self { child, nodes }
    }

    fn ask(&self, node: usize, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.nodes[node].0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{request}quit\r\n").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Waits for its end, and for that of all nodes; its exit code.
    fn end(mut self) -> Option<i32> {
        let mut code = None;
        wait_until("it ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        for (address, _) in &self.nodes {
            assert!(TcpStream::connect(address).is_err(), "{address} is still there");
        }
        code.unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A test that fails leaves nobody behind.
        for (_, pid) in &self.nodes {
            let _ = Command::new("kill").args(["-9", pid]).stderr(Stdio::null()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args(["-s", signal, pid]).status().unwrap().success());
}

#[test]
fn a_demo_is_one_cluster_until_it_is_told_to_end() {
    for signal in ["INT", "TERM"] {
        let demo = Demo::start("--nodes 3");
        assert_eq!(demo.ask(0, "set k 0 0 5\r\nhello\r\n"), "STORED\r\n");
        for node in 0..3 {
            assert_eq!(demo.ask(node, "get k\r\n"), "VALUE k 0 5\r\nhello\r\nEND\r\n");
        }
        kill(signal, &demo.child.id().to_string());
        assert_eq!(demo.end(), Some(0));
    }
}

#[test]
fn a_demo_ends_where_a_node_dies() {
    let demo = Demo::start("--nodes 3");
    kill("KILL", &demo.nodes[1].1);
    assert_eq!(demo.end(), Some(1));
}
