//! Who fetches a fresh value: one reader wins, the others know.

use crate::client::{Client, transcript};

#[test]
fn missing_items_have_one_winner() {
    let mut client = Client::new();
    client.begin_second();
    transcript(
        &mut client,
        &[
            ("mg k N30 v t\r\n", "VA 0 t30 W\r\n\r\n"),
            ("mg k N30 v t\r\n", "VA 0 t30 Z\r\n\r\n"),
            ("mg k v\r\n", "VA 0 Z\r\n\r\n"),
            ("ms k 1\r\n1\r\n", "HD\r\n"),
            ("mg k N30 v\r\n", "VA 1\r\n1\r\n"),
            ("mg m N30 E77 c h\r\n", "HD c77 h0 W\r\n"),
            ("mg m h\r\n", "HD h1 Z\r\n"),
            ("md m I\r\nmg m h\r\n", "HD\r\nHD h1 X W\r\n"),
        ],
    );
}

/// A number that needs more bytes than it has makes a new item, as memcached has it.
#[test]
fn numbers_that_grow_are_fresh() {
    for grow in ["incr n 990", "ma n D990"] {
        let grown = if grow.starts_with('i') { "1001\r\n" } else { "HD\r\n" };
        transcript(
            &mut Client::new(),
            &[
                ("set n 0 0 2\r\n10\r\nmd n I T100\r\n", "STORED\r\nHD\r\n"),
                ("incr n 1\r\nmg n v\r\n", "11\r\nVA 2 X W\r\n11\r\n"),
                (&format!("{grow}\r\n"), grown),
                ("mg n v\r\nmg n v\r\n", "VA 4\r\n1001\r\nVA 4\r\n1001\r\n"),
            ],
        );
    }
}

#[test]
fn stale_items_have_one_winner() {
    let mut client = Client::new();
    client.begin_second();
    transcript(
        &mut client,
        &[
            ("ms k 1 T100 E10\r\n1\r\n", "HD\r\n"),
            ("md k I T30 E20\r\n", "HD\r\n"),
            ("mg k v t c\r\n", "VA 1 t30 c20 X W\r\n1\r\n"),
            ("mg k v c\r\n", "VA 1 c20 Z X\r\n1\r\n"),
            ("ms k 1 C30 I\r\n2\r\n", "EX\r\n"),
            ("ms k 1 C15 I E25\r\n2\r\n", "HD\r\n"),
            ("mg k v c\r\n", "VA 1 c25 Z X\r\n2\r\n"),
            ("ms k 1 C25\r\n3\r\n", "HD\r\n"),
            ("mg k v\r\n", "VA 1\r\n3\r\n"),
        ],
    );
}
