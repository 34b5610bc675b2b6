//! A node that stands still, before anybody holds it for dead.

use super::node::{Client, wait_until};
use super::nodes::nodes;

fn stat(client: &mut Client, name: &str) -> String {
    let lines = client.lines("stats cluster\r\n");
    let start = format!("STAT {name} ");
    lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
}

#[test]
fn reads_go_past_a_node_that_stands_still() {
    let nodes = nodes("breaker", 3, "--profile wan");
    let mut client = nodes[0].connect();
    for key in 0..30 {
        client.ask(&format!("set key-{key} 0 0 1\r\nx\r\n"), "STORED\r\n");
    }
    nodes[2].signal("STOP");
    wait_until("reads go past it", || {
        for key in 0..30 {
            client.ask(
                &format!("get key-{key}\r\n"),
                &format!("VALUE key-{key} 0 1\r\nx\r\nEND\r\n"),
            );
        }
        stat(&mut client, "reads_past_breakers") != "0"
    });
    nodes[0].hear("what=open cause=\"4 in a row were not answered\"");
    nodes[2].signal("CONT");
    let said = nodes[0].hear("what=closed cause=\"it ");
    assert!(said.contains("breaker node=cluster-breaker-2 id="), "{said}");
}
