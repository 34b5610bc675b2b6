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
            ("mg m N30 E77 c\r\n", "HD c77 W\r\n"),
        ],
    );
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
