//! Limits on how many requests a second there may be.

use crate::binary::{request, status_of};
use crate::client::{Client, transcript};
use ringcached::node::{Settings, Users};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const TOO_MANY: &str = "SERVER_ERROR too many requests a second\r\n";

const BUSY: u16 = 0x85;

/// A node that takes so many requests a second, and its clock.
struct Limited {
    client: Client,
    clock_ms: Arc<AtomicU64>,
}

impl Limited {
    fn to(requests: u32) -> Self {
        Self::with(requests, |_| {})
    }

    fn with(requests: u32, change: impl FnOnce(&mut Settings)) -> Self {
        let rate_limit = NonZeroU32::new(requests);
        let mut settings = Settings { threads: 1, rate_limit, ..Settings::default() };
        change(&mut settings);
        let clock_ms = Arc::new(AtomicU64::new(0));
        let hand = Arc::clone(&clock_ms);
        let elapsed = move || Duration::from_millis(hand.load(Ordering::Relaxed));
        let client = Client::of(settings, |shared| shared.elapsed = Box::new(elapsed));
        Self { client, clock_ms }
    }

    fn wait_ms(&self, ms: u64) {
        self.clock_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// What the node says of itself, once it may be asked again.
    fn refused(&mut self) -> String {
        self.wait_ms(60_000);
        let text = self.client.ask("stats\r\n");
        let line = text.lines().find_map(|line| line.strip_prefix("STAT rate_limited "));
        line.unwrap().to_owned()
    }
}

#[test]
fn each_key_is_one_and_refused_values_are_passed_over() {
    let mut node = Limited::to(5);
    transcript(
        &mut node.client,
        &[
            (
                "get a b c\r\nset k 0 0 1\r\nv\r\nget k\r\n",
                "END\r\nSTORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n",
            ),
            ("get k\r\n", TOO_MANY),
            ("set k 0 0 7\r\nquit\r\nx\r\nget k\r\n", &format!("{TOO_MANY}{TOO_MANY}")),
            // What ends a batch is answered, and what cannot be obeyed as ever.
            ("mn\r\nnonsense\r\n", "MN\r\nERROR\r\n"),
        ],
    );
    node.wait_ms(400);
    transcript(
        &mut node.client,
        &[
            ("get k k k\r\n", TOO_MANY),
            ("get k\r\nget k\r\nget k\r\n", &{
                let hit = "VALUE k 0 1\r\nv\r\nEND\r\n";
                format!("{hit}{hit}{TOO_MANY}")
            }),
        ],
    );
    assert_eq!(node.refused(), "5");
    node.client.ask("quit\r\n");
    assert!(node.client.closed);
}

#[test]
fn who_wants_no_answer_gets_none() {
    let mut node = Limited::to(1);
    transcript(
        &mut node.client,
        &[
            ("get k\r\n", "END\r\n"),
            ("set k 0 0 4 noreply\r\nmn\r\n\r\n", ""),
            ("delete k noreply\r\nincr k 1 noreply\r\n", ""),
            ("mg k v q\r\n", ""),
            // The protocol promises that errors are told.
            ("ms k 4 q\r\nmn\r\n\r\n", TOO_MANY),
            ("mg k v\r\nmn\r\n", &format!("{TOO_MANY}MN\r\n")),
        ],
    );
    assert_eq!(node.refused(), "6");
    assert_eq!(node.client.ask("stats reset\r\n"), TOO_MANY);
    node.wait_ms(1000);
    assert_eq!(node.client.ask("stats reset\r\n"), "RESET\r\n");
    assert_eq!(node.refused(), "0");
}

#[test]
fn binary_requests_are_refused_by_their_status() {
    let (get, set, quiet_get, quiet_set) = (0x00, 0x01, 0x09, 0x11);
    let mut node = Limited::to(1);
    let mut ask = |opcode, extras: &[u8], value: &[u8]| {
        let answer = node.client.send(&request(opcode, extras, b"k", value));
        (!answer.is_empty()).then(|| status_of(&answer))
    };
    // A request within a value, which is passed over.
    let inner = request(0x07, b"", b"", b"");
    assert_eq!(ask(get, b"", b""), Some(1));
    assert_eq!(ask(set, &[0; 8], &inner), Some(BUSY));
    assert_eq!(ask(get, b"", b""), Some(BUSY));
    assert_eq!(ask(quiet_get, b"", b""), None);
    assert_eq!(ask(quiet_set, &[0; 8], &inner), Some(BUSY));
    assert_eq!(status_of(&node.client.send(&request(0x0a, b"", b"", b""))), 0);
    assert!(!node.client.closed);
    assert_eq!(node.client.shared.sums().rate_limited, 4);
}

#[test]
fn a_request_in_pieces_is_one() {
    let mut node = Limited::to(2);
    let (set, stored) = (b"set k 0 0 3\r\nabc\r\n", b"STORED\r\n");
    assert_eq!(node.client.send_split(set, 1), stored);
    assert_eq!(node.client.send_split(set, 5), stored);
    assert_eq!(node.client.send_split(set, 1), TOO_MANY.as_bytes());
}

#[test]
fn a_line_that_is_answered_in_turns_is_one() {
    let mut node = Limited::to(9);
    let value = "v".repeat(200_000);
    assert_eq!(node.client.ask(&format!("set k 0 0 200000\r\n{value}\r\n")), "STORED\r\n");
    let hit = format!("VALUE k 0 200000\r\n{value}\r\n");
    assert_eq!(node.client.ask("get k k k k\r\n"), format!("{}END\r\n", hit.repeat(4)));
    assert!(node.client.turns > 3, "{}", node.client.turns);
    assert_eq!(node.client.ask("get a b c d e\r\nget a\r\n"), format!("{TOO_MANY}END\r\n"));
}

#[test]
fn large_values_that_are_refused_are_passed_over() {
    let mut node = Limited::to(1);
    assert_eq!(node.client.ask("get k\r\n"), "END\r\n");
    let set = format!("set k 0 0 200000\r\n{}\r\nmn\r\n", "v".repeat(200_000));
    let refused = format!("{TOO_MANY}MN\r\n");
    assert_eq!(node.client.ask(&set), refused);
    assert_eq!(node.client.send_split(set.as_bytes(), 9999), refused.as_bytes());
}

#[test]
fn introductions_count() {
    let users = Users::parse(b"ann:secret\n").unwrap();
    let mut node = Limited::with(1, |settings| settings.users = Some(users));
    let failed = "CLIENT_ERROR authentication failure\r\n";
    let (wrong, right) = ("set a 0 0 7\r\nann one\r\n", "set a 0 0 10\r\nann secret\r\n");
    transcript(&mut node.client, &[(wrong, failed), (right, TOO_MANY)]);
    node.wait_ms(1000);
    transcript(&mut node.client, &[(right, "STORED\r\n")]);
}

#[test]
fn connections_of_one_client_share_its_limit() {
    let limit = NonZeroU32::new(3);
    let mut node = Limited::with(0, |settings| settings.client_rate_limit = limit);
    let mut other = node.client.another();
    assert_eq!(node.client.ask("get a b\r\n"), "END\r\n");
    assert_eq!(other.ask("get a b\r\nget a\r\n"), format!("{TOO_MANY}END\r\n"));
    // Whoever comes anew is the same client.
    assert_eq!(node.client.another().ask("get a\r\n"), TOO_MANY);
}

#[test]
fn limits_are_told() {
    let mut node = Limited::with(7, |settings| settings.client_rate_limit = NonZeroU32::new(5));
    let settings = node.client.ask("stats settings\r\n");
    for line in ["STAT rate_limit 7\r\n", "STAT client_rate_limit 5\r\n"] {
        assert!(settings.contains(line), "{settings}");
    }
    let mut unlimited = Client::new();
    let all = unlimited.ask("stats\r\nstats settings\r\n");
    assert!(!all.contains("rate_limit"), "{all}");
}
