//! What a write is told that too few copies have.

use crate::node::Client;
use crate::nodes;
use std::io::{BufRead, Read, Write};

fn first_line(client: &mut Client, request: &str) -> String {
    client.0.get_mut().write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    client.0.read_line(&mut line).unwrap();
    line
}

/// A set of the binary protocol with a noop behind it; quietly, or not.
fn packets(opcode: u8, key: &str, value: &str) -> Vec<u8> {
    let length = (8 + key.len() + value.len()) as u32;
    let mut packets = vec![0x80, opcode, 0, key.len() as u8, 8, 0, 0, 0];
    packets.extend(length.to_be_bytes());
    packets.extend([0, 0, 0, 7]);
    packets.extend([0; 16]);
    packets.extend(key.bytes().chain(value.bytes()));
    packets.extend([0x80, 0x0a].into_iter().chain([0; 22]));
    packets
}

#[test]
fn quiet_writes_that_are_not_acknowledged_say_so() {
    // The other owner takes no value as long as these.
    let mut both = vec![nodes::another(&[], "quiet", 0, "")];
    both.push(nodes::another(&both, "quiet", 1, "-I 2k"));
    nodes::all_serve(&both);
    let mut client = both[0].connect();
    let (value, error) = ("v".repeat(5000), "SERVER_ERROR write not acknowledged\r\n");
    let mut seen = 0;
    for number in 0..40 {
        let key = format!("key-{number}");
        if first_line(&mut client, &format!("ms {key} 5000\r\n{value}\r\n")) != error {
            // It is the other one that executes for this key.
            continue;
        }
        seen += 1;
        let quiet = format!("ms {key} 5000 q\r\n{value}\r\nmn\r\n");
        client.ask(&quiet, &format!("{error}MN\r\n"));
        let deaf = format!("set {key} 0 0 5000 noreply\r\n{value}\r\nmn\r\n");
        client.ask(&deaf, "MN\r\n");
        for opcode in [0x01, 0x11] {
            let mut binary = both[0].connect();
            binary.0.get_mut().write_all(&packets(opcode, &key, &value)).unwrap();
            let mut head = [0; 24];
            binary.0.read_exact(&mut head).unwrap();
            assert_eq!((head[1], &head[6..8], head[15]), (opcode, &[0, 0x86][..], 7));
        }
    }
    assert!(seen > 5, "{seen}");
}
