//! What becomes of items as time goes by: with a clock that the test moves.

use crate::client::{Client, transcript};

#[test]
fn items_expire() {
    let mut client = Client::new();
    client.ask("set k 0 10 1\r\n1\r\n");
    client.wait_s(9);
    transcript(&mut client, &[("touch k 10\r\n", "TOUCHED\r\n")]);
    client.wait_s(9);
    transcript(
        &mut client,
        &[
            ("gat 10 k none\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n"),
            ("touch none 1\r\n", "NOT_FOUND\r\n"),
        ],
    );
    client.wait_s(9);
    transcript(&mut client, &[("get k\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n")]);
    client.wait_s(1);
    transcript(&mut client, &[("get k\r\n", "END\r\n")]);
}

#[test]
fn flags_are_told_in_the_order_asked() {
    let mut client = Client::new();
    client.ask("ms k 3 F7 T100 E9\r\nabc\r\n");
    client.wait_s(5);
    transcript(
        &mut client,
        &[
            ("mg k s v q k t f c O9 h l\r\n", "VA 3 s3 kk t95 f7 c9 O9 h0 l5\r\nabc\r\n"),
            ("mg k h l\r\n", "HD h1 l0\r\n"),
            ("mg k T30 t\r\n", "HD t30\r\n"),
            ("mg none k O1 v\r\n", "EN kk O1\r\n".replace("kk", "knone").as_str()),
            ("mg none k O1 v q\r\nmn\r\n", "MN\r\n"),
            ("mg k\r\n", "HD\r\n"),
        ],
    );
}

#[test]
fn items_near_their_end_have_one_winner() {
    let mut client = Client::new();
    client.ask("ms k 1 T100\r\n1\r\nms forever 1\r\n1\r\n");
    transcript(&mut client, &[("mg k R30\r\n", "HD\r\n"), ("mg forever R30\r\n", "HD\r\n")]);
    client.wait_s(80);
    transcript(
        &mut client,
        &[
            ("mg k\r\n", "HD\r\n"),
            ("mg k R30 t\r\n", "HD t20 W\r\n"),
            ("mg k R30 t\r\n", "HD t20 Z\r\n"),
            ("ms k 1 T100\r\n2\r\n", "HD\r\n"),
            ("mg k R30 t\r\n", "HD t100\r\n"),
        ],
    );
}
