//! Meta commands.

use crate::client::{Client, transcript};

#[test]
fn sets_have_terms() {
    let mut client = Client::new();
    client.begin_second();
    transcript(
        &mut client,
        &[
            ("ms k 1 MR\r\n1\r\n", "NS\r\n"),
            ("ms k 1 MA\r\n1\r\n", "NS\r\n"),
            ("ms k 1 MA N60 k O3\r\n1\r\n", "HD kk O3\r\n"),
            ("ms k 1 ma\r\n2\r\n", "CLIENT_ERROR invalid flag\r\n"),
            ("ms k 1 MP s E8 c\r\n0\r\n", "HD s1 c8\r\n"),
            ("mg k v t\r\n", "VA 2 t60\r\n01\r\n"),
            ("ms k 1 ME\r\n9\r\n", "NS\r\n"),
            ("ms k 1 MS q\r\n9\r\nmn\r\n", "MN\r\n"),
            ("ms k 1 C1 q\r\n9\r\n", "EX\r\n"),
        ],
    );
}

#[test]
fn values_may_be_dropped() {
    transcript(
        &mut Client::new(),
        &[
            ("ms k 3 F7 T100\r\nabc\r\nmd k x F5\r\n", "HD\r\nHD\r\n"),
            ("mg k v f t\r\n", "VA 0 f5 t-1\r\n\r\n"),
            ("md k x\r\nmg k f\r\n", "HD\r\nHD f0\r\n"),
        ],
    );
}

#[test]
fn what_gets_too_large_is_not_appended() {
    let mut client = Client::new();
    let value = "v".repeat(600_000);
    let request = |head: &str| format!("{head} 600000\r\n{value}\r\n");
    assert_eq!(client.ask(&request("set k 0 0")), "STORED\r\n");
    assert_eq!(client.ask(&request("append k 0 0")), "NOT_STORED\r\n");
    assert_eq!(client.ask(&request("ms k").replace("600000\r", "600000 MP\r")), "NS\r\n");
    assert_eq!(client.ask("mg k s\r\n"), "HD s600000\r\n");
}

#[test]
fn keys_may_be_base64() {
    let error = "CLIENT_ERROR error decoding key\r\n";
    transcript(
        &mut Client::new(),
        &[
            ("ms YSBi 1 b k c E5\r\nx\r\n", "HD kYSBi b c5\r\n"),
            ("mg YSBi v k b\r\n", "VA 1 kYSBi b\r\nx\r\n"),
            ("ms Y!Bi 4 b\r\nquit\r\nmn\r\n", &format!("{error}MN\r\n")),
            ("md !! b\r\n", error),
            ("ma !! b\r\n", error),
            ("me !! b\r\n", error),
            ("me YSBi b\r\n", "ME YSBi exp=-1 la=0 cas=5 fetch=yes cls=1 size=52\r\n"),
            ("md YSBi b\r\n", "HD\r\n"),
        ],
    );
}

#[test]
fn counts_have_flags() {
    let mut client = Client::new();
    client.begin_second();
    transcript(
        &mut client,
        &[
            ("ma n N60 J13 t v k b\r\n", "CLIENT_ERROR error decoding key\r\n"),
            ("ma n N60 J13 t v k O1\r\n", "VA 2 t60 kn O1\r\n13\r\n"),
            ("ma n D7 v T30 t\r\n", "VA 2 t30\r\n20\r\n"),
            ("ma n MD D30 v E9 c\r\n", "VA 1 c9\r\n0\r\n"),
            ("ma n C1\r\n", "EX\r\n"),
            ("ma n C9 q\r\nmn\r\n", "MN\r\n"),
            ("get n\r\n", "VALUE n 0 2\r\n1 \r\nEND\r\n"),
        ],
    );
}

#[test]
fn deletes_have_flags() {
    transcript(
        &mut Client::new(),
        &[
            ("ms k 1 E5\r\n1\r\n", "HD\r\n"),
            ("md k C4 q\r\n", "EX\r\n"),
            ("md k C5 k O7\r\n", "HD kk O7\r\n"),
            ("md k C5 k O7\r\n", "NF kk O7\r\n"),
        ],
    );
}

#[test]
fn expiries_go_by_the_order_of_flags() {
    let mut client = Client::new();
    client.begin_second();
    client.ask("ms k 1 T100\r\n1\r\n");
    transcript(
        &mut client,
        &[
            ("mg k t T30\r\n", "HD t100\r\n"),
            ("mg k T50 t\r\n", "HD t50\r\n"),
            ("ma k t T20\r\n", "HD t50\r\n"),
            ("mg k t\r\n", "HD t20\r\n"),
            ("mg made t N30\r\n", "HD t-1 W\r\n"),
            ("mg made t\r\n", "HD t30 Z\r\n"),
            ("mg later N30 T40 t\r\n", "HD t40 W\r\n"),
            ("ma number N30 t T40\r\n", "HD t30\r\n"),
            ("mg number t\r\n", "HD t40\r\n"),
        ],
    );
}

#[test]
fn wrong_flags_are_named() {
    let mut client = Client::new();
    let many = " O1".repeat(21);
    transcript(
        &mut client,
        &[
            ("mg k D\r\n", "CLIENT_ERROR invalid numeric delta value\r\n"),
            ("mg k Jx\r\n", "CLIENT_ERROR invalid numeric initial value\r\n"),
            (&format!("mg k{many}\r\n"), "CLIENT_ERROR options flags are too long\r\n"),
        ],
    );
}
