//! The binary protocol. The answers were recorded from memcached 1.6.18, whose
//! binary protocol is that of later ones.

use crate::client::Client;

pub(crate) fn request(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    request_with(opcode, extras, key, value, 0)
}

fn request_with(opcode: u8, extras: &[u8], key: &[u8], value: &[u8], cas: u64) -> Vec<u8> {
    let mut bytes = vec![0x80, opcode];
    bytes.extend((key.len() as u16).to_be_bytes());
    bytes.extend([extras.len() as u8, 0, 0, 0]);
    bytes.extend(((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    bytes.extend(0xdead_beef_u32.to_be_bytes());
    bytes.extend(cas.to_be_bytes());
    [&bytes, extras, key, value].concat()
}

pub(crate) fn status_of(answer: &[u8]) -> u16 {
    u16::from_be_bytes([answer[6], answer[7]])
}

fn cas_of(answer: &[u8]) -> u64 {
    u64::from_be_bytes(answer[16..24].try_into().unwrap())
}

/// The status, and what is after the header.
fn ask(client: &mut Client, bytes: &[u8]) -> (u16, Vec<u8>) {
    let answer = client.send(bytes);
    assert_eq!((answer[0], &answer[1..2], &answer[12..16]), (0x81, &bytes[1..2], &bytes[12..16]));
    let len = u32::from_be_bytes(answer[8..12].try_into().unwrap());
    assert_eq!(answer.len(), 24 + len as usize, "one answer");
    (status_of(&answer), answer[24..].to_vec())
}

fn text(status: u16, text: &str) -> (u16, Vec<u8>) {
    (status, text.as_bytes().to_vec())
}

const FLAGS_7: &[u8] = &[0, 0, 0, 7, 0, 0, 0, 0];
const IN_100_S: &[u8] = &[0, 0, 0, 100];
const NOOP: u8 = 0x0a;

fn counting(delta: u64, initial: u64, exptime: u32) -> Vec<u8> {
    let (delta, initial) = (delta.to_be_bytes(), initial.to_be_bytes());
    [&delta[..], &initial, &exptime.to_be_bytes()].concat()
}

fn client() -> Client {
    let mut client = Client::new();
    assert_eq!(status_of(&client.send(&request(0x01, FLAGS_7, b"a", b"1"))), 0);
    client
}

#[test]
fn single_requests_are_answered_as_recorded() {
    let cases: [Exchange; 32] = [
        (request(0x01, FLAGS_7, b"b", b"v"), text(0, "")),
        (request(0x00, b"", b"a", b""), text(0, "\0\0\0\u{7}1")),
        (request(0x0c, b"", b"a", b""), text(0, "\0\0\0\u{7}a1")),
        (request(0x00, b"", b"zz", b""), text(1, "Not found")),
        (request(0x0c, b"", b"zz", b""), text(1, "zz")),
        (request(0x02, FLAGS_7, b"a", b"1"), text(2, "Data exists for key.")),
        (request(0x03, FLAGS_7, b"zz", b"1"), text(1, "Not found")),
        (request(0x0e, b"", b"zz", b"1"), text(5, "Not stored.")),
        (request_with(0x01, FLAGS_7, b"a", b"1", 999), text(2, "Data exists for key.")),
        (request_with(0x01, FLAGS_7, b"zz", b"1", 999), text(1, "Not found")),
        (request_with(0x0e, b"", b"a", b"1", 999), text(2, "Data exists for key.")),
        (request(0x04, b"", b"zz", b""), text(1, "Not found")),
        (request_with(0x04, b"", b"a", b"", 999), text(2, "Data exists for key.")),
        (request(0x04, b"", b"a", b""), text(0, "")),
        (request(0x05, &counting(1, 5, 0), b"a", b""), text(0, "\0\0\0\0\0\0\0\u{2}")),
        (request(0x06, &counting(1, 5, 0), b"a", b""), text(0, "\0\0\0\0\0\0\0\0")),
        (request(0x05, &counting(1, 5, u32::MAX), b"zq", b""), text(1, "Not found")),
        (request(0x05, &counting(1, 5, 0), b"zq", b""), text(0, "\0\0\0\0\0\0\0\u{5}")),
        (request_with(0x05, &counting(1, 5, 0), b"a", b"", 999), text(2, "Data exists for key.")),
        (request(0x1c, IN_100_S, b"a", b""), text(0, "\0\0\0\u{7}")),
        (request(0x1c, IN_100_S, b"zz", b""), text(1, "Not found")),
        (request(0x1d, IN_100_S, b"a", b""), text(0, "\0\0\0\u{7}1")),
        (request(0x1d, IN_100_S, b"zz", b""), text(1, "Not found")),
        (request(0x23, IN_100_S, b"a", b""), text(0, "\0\0\0\u{7}a1")),
        (request(0x23, IN_100_S, b"zz", b""), text(1, "zz")),
        (request(NOOP, b"", b"", b""), text(0, "")),
        (request(0x08, IN_100_S, b"", b""), text(0, "")),
        (request(0x0b, b"", b"", b""), text(0, "1.6.45")),
        (request(0x55, b"", b"abc", b"xx"), text(0x81, "Unknown command")),
        (request(0x30, b"", b"a", b""), text(0x81, "Unknown command")),
        (request(0x20, b"", b"", b""), text(0x81, "Unknown command")),
        (request(0x21, b"", b"PLAIN", b"\0a\0b"), text(0x81, "Unknown command")),
    ];
    for (bytes, answer) in cases {
        let mut client = client();
        assert_eq!(ask(&mut client, &bytes), answer, "opcode {:#x}", bytes[1]);
        assert!(!client.closed);
        assert_eq!(ask(&mut client, &request(NOOP, b"", b"", b"")), text(0, ""), "still in step");
    }
}

#[test]
fn quiet_forms_say_only_what_is_unusual() {
    let silent = [
        request(0x09, b"", b"zz", b""),
        request(0x0d, b"", b"zz", b""),
        request(0x11, FLAGS_7, b"n", b"1"),
        request(0x12, FLAGS_7, b"m", b"1"),
        request(0x13, FLAGS_7, b"m", b"2"),
        request(0x15, &counting(1, 5, 0), b"n", b""),
        request(0x16, &counting(1, 5, 0), b"n", b""),
        request(0x19, b"", b"m", b"3"),
        request(0x1a, b"", b"m", b"1"),
        request(0x1e, IN_100_S, b"zz", b""),
        request(0x24, IN_100_S, b"zz", b""),
        request(0x14, b"", b"n", b""),
        request(0x18, b"", b"", b""),
    ];
    let mut client = client();
    for bytes in silent {
        assert_eq!(client.send(&bytes), b"", "opcode {:#x}", bytes[1]);
    }
    let loud = [
        (request(0x14, b"", b"zz", b""), 1),
        (request(0x13, FLAGS_7, b"zz", b"1"), 1),
        (request(0x19, b"", b"zz", b"1"), 5),
    ];
    for (bytes, status) in loud {
        assert_eq!(ask(&mut client, &bytes).0, status, "opcode {:#x}", bytes[1]);
    }
}

#[test]
fn broken_requests_close() {
    let cases = [
        (request(0x00, b"1234", b"a", b""), 4),
        (request(0x00, b"", b"", b""), 4),
        (request(0x00, b"", &[b'k'; 251], b""), 4),
        (request(0x01, b"", b"a", b"x"), 4),
        (request(NOOP, b"", b"abc", b""), 4),
    ];
    for (bytes, status) in cases {
        let mut client = client();
        assert_eq!(ask(&mut client, &bytes).0, status);
        assert!(client.closed);
    }
    let mut client = client();
    assert_eq!(client.send(b"get a\r\n"), b"", "no change of protocol");
    assert!(client.closed);
}

#[test]
fn tokens_guard_writes() {
    let mut client = client();
    let cas = cas_of(&client.send(&request(0x01, FLAGS_7, b"a", b"2")));
    assert_eq!(cas_of(&client.send(&request(0x00, b"", b"a", b""))), cas);
    let answer = client.send(&request_with(0x01, FLAGS_7, b"a", b"3", cas));
    assert_eq!(status_of(&answer), 0);
    assert!(cas_of(&answer) > cas);
    assert_eq!(status_of(&client.send(&request_with(0x01, FLAGS_7, b"a", b"4", cas))), 2);
}

#[test]
fn large_values_come_apart() {
    let mut client = client();
    let value = vec![b'v'; 300_000];
    let answer = client.send_split(&request(0x01, FLAGS_7, b"big", &value), 10_007);
    assert_eq!((answer.len(), status_of(&answer)), (24, 0));
    let (status, body) = ask(&mut client, &request(0x00, b"", b"big", b""));
    assert_eq!(status, 0);
    assert!(body[4..] == value);
}

#[test]
fn quitting_closes() {
    let mut client = client();
    assert_eq!(ask(&mut client, &request(0x07, b"", b"", b"")), text(0, ""));
    assert!(client.closed);
    let mut client = self::client();
    assert_eq!(client.send(&request(0x17, b"", b"", b"")), b"");
    assert!(client.closed);
}

#[test]
fn statistics_end_with_an_empty_one() {
    let mut client = client();
    let answer = client.send(&request(0x10, b"", b"", b""));
    assert!(answer.windows(7).any(|window| window == b"cmd_set"));
    assert_eq!(answer[answer.len() - 24..][8..12], [0; 4]);
    assert_eq!(ask(&mut client, &request(0x10, b"", b"foo", b"")), text(1, "Not found"));
    assert_eq!(ask(&mut client, &request(0x10, b"", b"reset", b"")), text(0, ""));
}

#[test]
fn a_token_makes_every_store_a_comparison() {
    let mut client = Client::new();
    for opcode in [0x01, 0x02, 0x03] {
        let answer = client.send(&request_with(opcode, &[0; 8], b"none", b"1", 5));
        assert_eq!(answer[7], 1, "{opcode}: nothing to compare with");
    }
}

#[test]
fn the_greatest_expiry_is_to_come() {
    let mut client = Client::new();
    client.send(&request(0x01, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], b"k", b"1"));
    assert_eq!(client.send(&request(0x00, &[], b"k", b""))[7], 0);
}

/// A request, and the status and body of its answer.
type Exchange = (Vec<u8>, (u16, Vec<u8>));
