//! Classic commands.

use crate::client::{Client, transcript};

#[test]
fn values_come_back() {
    transcript(
        &mut Client::new(),
        &[
            ("set k 5 0 3\r\nabc\r\n", "STORED\r\n"),
            ("get k none k\r\n", "VALUE k 5 3\r\nabc\r\nVALUE k 5 3\r\nabc\r\nEND\r\n"),
            ("replace k 6 0 1\nx\r\n", "STORED\r\n"),
            ("get   k  \n", "VALUE k 6 1\r\nx\r\nEND\r\n"),
            ("replace none 0 0 1\r\nx\r\n", "NOT_STORED\r\n"),
            ("add k 0 0 1\r\nx\r\n", "NOT_STORED\r\n"),
            ("delete k\r\nget k\r\n", "DELETED\r\nEND\r\n"),
            ("delete k\r\n", "NOT_FOUND\r\n"),
        ],
    );
}

#[test]
fn tokens_guard_writes() {
    let mut client = Client::new();
    client.ask("set k 0 0 1\r\n1\r\n");
    let shown = client.ask("gets k\r\n");
    let cas = shown.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    transcript(
        &mut client,
        &[
            ("cas k 0 0 1 1\r\n2\r\n", "EXISTS\r\n"),
            ("cas none 0 0 1 1\r\n2\r\n", "NOT_FOUND\r\n"),
            (&format!("cas k 0 0 1 {cas}\r\n2\r\n"), "STORED\r\n"),
            (&format!("cas k 0 0 1 {cas}\r\n3\r\n"), "EXISTS\r\n"),
            ("get k\r\n", "VALUE k 0 1\r\n2\r\nEND\r\n"),
        ],
    );
}

#[test]
fn numbers_are_counted() {
    let mut client = Client::new();
    client.begin_second();
    transcript(
        &mut client,
        &[
            ("set n 7 100 2\r\n10\r\n", "STORED\r\n"),
            ("incr n 5\r\n", "15\r\n"),
            ("decr n 20\r\n", "0\r\n"),
            ("get n\r\n", "VALUE n 7 2\r\n0 \r\nEND\r\n"),
            ("incr n 18446744073709551615\r\n", "18446744073709551615\r\n"),
            ("incr n 1\r\n", "0\r\n"),
            ("mg n s t\r\n", "HD s20 t100\r\n"),
            ("incr n 18446744073709551616\r\n", "CLIENT_ERROR invalid numeric delta argument\r\n"),
            ("incr n 1 noreply\r\nget none\r\n", "END\r\n"),
            ("incr none 1\r\n", "NOT_FOUND\r\n"),
        ],
    );
}

#[test]
fn quiet_requests_are_quiet() {
    transcript(
        &mut Client::new(),
        &[
            ("set k 0 0 1 noreply\r\n1\r\n", ""),
            ("add k 0 0 1 noreply\r\n1\r\n", ""),
            ("cas k 0 0 1 1 noreply\r\n1\r\n", ""),
            ("append k 0 0 1 noreply\r\n2\r\n", ""),
            ("touch k 0 noreply\r\ndelete none noreply\r\n", ""),
            ("get k\r\n", "VALUE k 0 2\r\n12\r\nEND\r\n"),
            ("delete k noreply\r\nflush_all noreply\r\nverbosity 1 noreply\r\n", ""),
            ("set k 0 0 abc noreply\r\n", "CLIENT_ERROR bad command line format\r\n"),
        ],
    );
}

#[test]
fn broken_lines_harm_no_neighbour() {
    transcript(
        &mut Client::new(),
        &[
            ("\r\n", "CLIENT_ERROR bad command line format\r\n"),
            ("ab\r\n", "ERROR\r\n"),
            ("GET a\r\n", "ERROR\r\n"),
            (" get a\r\n", "ERROR\r\n"),
            ("bogus a b c\r\nversion\r\n", "ERROR\r\nVERSION 1.6.45\r\n"),
            ("set k x 0 4\r\nquit\r\nmn\r\n", "CLIENT_ERROR bad command line format\r\nMN\r\n"),
        ],
    );
}

#[test]
fn long_keys_spoil_their_line_only() {
    let mut client = Client::new();
    client.ask("set a 0 0 1\r\n1\r\n");
    let line = format!("get a {}\r\nget a\r\n", "k".repeat(251));
    let reply = "CLIENT_ERROR bad command line format\r\nVALUE a 0 1\r\n1\r\nEND\r\n";
    assert_eq!(client.ask(&line), reply);
}

#[test]
fn browsers_are_not_talked_to() {
    let mut client = Client::new();
    assert_eq!(client.ask("POST / HTTP/1.1\r\nset k 0 0 1\r\n1\r\n"), "");
    assert!(client.closed);
}

#[test]
fn refused_lines_are_quiet_where_asked() {
    transcript(
        &mut Client::new(),
        &[
            ("incr k abc noreply\r\ntouch k 1x noreply\r\nflush_all x noreply\r\n", ""),
            ("set k abc 0 1 noreply\r\n1\r\n", ""),
            ("set k 0 0 abc noreply\r\n", "CLIENT_ERROR bad command line format\r\n"),
            ("delete noreply\r\n", "NOT_FOUND\r\n"),
            ("get k\r\n", "END\r\n"),
        ],
    );
}
