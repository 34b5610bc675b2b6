//! What memcached 1.6.45 was recorded to answer, and that it is answered here.

use crate::client::{self, Client};
use serde::Deserialize;

#[derive(Deserialize)]
struct Exchange {
    name: String,
    request: String,
    reply: String,
}

/// Where this server answers otherwise, what it answers, and why.
const DIFFERENCES: [(&str, &str); 1] = [
    // memcached keeps with an item how its key was first written. Here a key is
    // its bytes, and the answer writes it as the request does.
    ("mg b64", "HD\r\nVA 1 kZm9v b\r\nx\r\nVALUE foo 0 1\r\nx\r\nEND\r\nVA 1 kfoo\r\nx\r\n"),
];

fn exchanges() -> Vec<Exchange> {
    let file = include_str!("../golden/memcached-1.6.45.jsonl");
    let mut exchanges: Vec<Exchange> =
        file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for exchange in &mut exchanges {
        let mut differences = DIFFERENCES.iter().chain(&client::DIFFERENCES);
        let other = differences.find(|(name, _)| *name == exchange.name);
        if let Some((_, reply)) = other {
            exchange.reply = (*reply).to_owned();
        }
    }
    exchanges
}

/// Bytes as they were recorded: each character is one, and `⟦x*5⟧` stands for
/// five of x.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟦') {
        let (repeated, after) = after.split_once('⟧').unwrap();
        let (part, times) = repeated.split_once('*').unwrap();
        bytes.extend(latin_1(before));
        bytes.extend(latin_1(part).repeat(times.parse().unwrap()));
        rest = after;
    }
    bytes.extend(latin_1(rest));
    bytes
}

fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect()
}

/// Whether this was answered, where `<N>` stands for any number.
fn answers(mut answer: &[u8], expected: &[u8]) -> bool {
    let text = expected.to_vec();
    let mut rest = &text[..];
    while let Some(at) = rest.windows(3).position(|window| window == b"<N>") {
        let Some(after) = answer.strip_prefix(&rest[..at]) else { return false };
        let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        (answer, rest) = (&after[digits..], &rest[at + 3..]);
    }
    answer == rest
}

fn client(exchange: &Exchange) -> Client {
    let mut client = Client::new();
    // Seconds left are told in some.
    if exchange.reply.contains(" t") {
        client.begin_second();
    }
    assert_eq!(client.ask("set a 0 0 1\r\n1\r\n"), "STORED\r\n");
    client
}

fn check(exchange: &Exchange, piece: usize) {
    let mut client = client(exchange);
    let answer = client.send_split(&bytes(&exchange.request), piece);
    let (reply, closes) = match exchange.reply.strip_suffix("<EOF>") {
        Some(reply) => (reply, true),
        None => (&exchange.reply[..], false),
    };
    let shown = answer[..answer.len().min(500)].escape_ascii();
    assert!(answers(&answer, &bytes(reply)), "{} by {piece}: {shown}", exchange.name);
    assert_eq!(client.closed, closes, "{} by {piece}", exchange.name);
}

#[test]
fn answers_are_as_recorded() {
    for exchange in &exchanges() {
        check(exchange, usize::MAX);
    }
}

#[test]
fn answers_are_as_recorded_split_at_every_byte() {
    for exchange in exchanges() {
        let piece = if exchange.request.contains("*10") { 4093 } else { 1 };
        check(&exchange, piece);
    }
}

#[test]
fn answers_are_as_recorded_beside_others() {
    for exchange in exchanges().iter().filter(|exchange| !exchange.reply.ends_with("<EOF>")) {
        let mut client = client(exchange);
        let request = [b"mn\r\n", &bytes(&exchange.request)[..], b"mn\r\n"].concat();
        let answer = client.send(&request);
        let reply = [b"MN\r\n", &bytes(&exchange.reply)[..], b"MN\r\n"].concat();
        assert!(answers(&answer, &reply), "{}: {}", exchange.name, answer.escape_ascii());
    }
}

#[test]
fn differences_are_still_there() {
    let file = include_str!("../golden/memcached-1.6.45.jsonl");
    for (name, reply) in DIFFERENCES.into_iter().chain(client::DIFFERENCES) {
        let mut lines = file.lines().map(|line| serde_json::from_str::<Exchange>(line).unwrap());
        let exchange = lines.find(|exchange| exchange.name == name).unwrap();
        assert_ne!(exchange.reply, reply, "{name} is no difference");
    }
}
