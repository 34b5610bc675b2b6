//! Reads that need not be the primary's, asked of real nodes.

use super::node::Node;
use super::nodes::nodes;

fn stat(node: &Node, topic: &str, name: &str) -> String {
    let start = format!("STAT {name} ");
    let lines = node.connect().lines(&format!("stats {topic}\r\n"));
    lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
}

/// With `--write-ack all` every owner has what was acknowledged.
#[test]
fn every_node_reads_from_whom_it_was_told() {
    let counters = [("nearest", "reads_from_copies"), ("quorum", "reads_by_quorum")];
    for (who, counter) in counters {
        let flags = format!("--read-from {who} --write-ack all --zone east");
        let nodes = nodes(&format!("read-{who}"), 3, &flags);
        let mut writer = nodes[0].connect();
        let (mut line, mut values) = ("get".to_owned(), String::new());
        for number in 0..60 {
            writer.ask(&format!("set key-{number} 0 0 1\r\nx\r\n"), "STORED\r\n");
            line += &format!(" key-{number}");
            values += &format!("VALUE key-{number} 0 1\r\nx\r\n");
        }
        for node in &nodes {
            let mut client = node.connect();
            client.ask(&format!("{line}\r\n"), &format!("{values}END\r\n"));
            for number in 0..60 {
                let value = format!("VALUE key-{number} 0 1\r\nx\r\nEND\r\n");
                client.ask(&format!("get key-{number}\r\n"), &value);
                client.ask(&format!("mg key-{number} v\r\n"), "VA 1\r\nx\r\n");
            }
            client.ask("delete key-7\r\nget key-7\r\n", "DELETED\r\nEND\r\n");
            client.ask("set key-7 0 0 1\r\nx\r\n", "STORED\r\n");
            assert_eq!(stat(node, "settings", "read_from"), who);
            let counted: u64 = stat(node, "cluster", counter).parse().unwrap();
            // Of a third of the keys this node owns a copy and is not primary.
            assert!(counted > 20, "{counted} {counter}");
            assert_eq!(stat(node, "cluster", "read_repairs"), "0");
        }
    }
}
