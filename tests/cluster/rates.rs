//! Limits on requests, where nodes send them on.

use super::nodes::another;

#[test]
fn requests_count_where_they_come_in() {
    let mut nodes = vec![another(&[], "rates", 0, "")];
    let limited = another(&nodes, "rates", 1, "--rate-limit 5");
    nodes.push(limited);
    let mut client = nodes[0].connect();
    for key in 0..100 {
        let request = format!("set key-{key} 0 0 1\r\nx\r\nget key-{key}\r\n");
        client.ask(&request, &format!("STORED\r\nVALUE key-{key} 0 1\r\nx\r\nEND\r\n"));
    }
    let mut client = nodes[1].connect();
    let refused = "SERVER_ERROR too many requests a second\r\n";
    client.ask("get a b c d e\r\nget f g h i j\r\n", &format!("END\r\n{refused}"));
}
