//! Answers that are too much for one message between nodes: they come piece by piece.

use crate::client::Client;

const KEYS: u32 = 120;
/// All of them are twelve megabytes, half of them at each owner.
const BYTES: usize = 100_000;

fn value(number: u32) -> String {
    format!("{number:05}").repeat(BYTES / 5)
}

fn shown(number: u32, value: &str) -> String {
    format!("VALUE large-{number} 0 {}\r\n{value}\r\n", value.len())
}

fn each(line: impl Fn(u32) -> String) -> String {
    (0..KEYS).map(line).collect()
}

/// Equal texts, without showing megabytes where they are not.
#[track_caller]
fn assert_same(came: &str, expected: &str) {
    let at = came.bytes().zip(expected.bytes()).position(|(one, other)| one != other);
    assert!(came == expected, "{} of {} bytes, other from {at:?}", came.len(), expected.len());
}

/// One with all values written.
fn client() -> Client {
    let mut client = Client::new();
    for number in 0..KEYS {
        let set = format!("set large-{number} 0 0 {BYTES}\r\n{}\r\n", value(number));
        assert_eq!(client.ask(&set), "STORED\r\n");
    }
    client
}

#[test]
fn many_large_values_are_all_there_and_in_order() {
    let mut client = client();
    let whole = each(|number| shown(number, &value(number))) + "END\r\n";
    let line = format!("get{}\r\n", each(|number| format!(" large-{number}")));
    for _ in 0..3 {
        assert_same(&client.ask(&line), &whole);
    }
}

#[test]
fn what_is_written_behind_a_read_is_not_seen_by_it() {
    let mut client = client();
    let gets = each(|number| format!("get large-{number}\r\n"));
    let sets = each(|number| format!("set large-{number} 0 0 3\r\nnew\r\n"));
    let before = each(|number| shown(number, &value(number)) + "END\r\n");
    let after = each(|number| shown(number, "new") + "END\r\n");
    let stored = "STORED\r\n".repeat(KEYS as usize);
    assert_same(&client.ask(&format!("{gets}{sets}{gets}")), &format!("{before}{stored}{after}"));
}

#[test]
fn a_large_stale_value_has_one_winner() {
    let mut client = client();
    let stale = each(|number| format!("md large-{number} I T100 q\r\n"));
    assert_eq!(client.ask(&stale), "");
    let ask = each(|number| format!("mg large-{number} v R60\r\n"));
    let told = |flags: &str| each(|number| format!("VA {BYTES}{flags}\r\n{}\r\n", value(number)));
    assert_same(&client.ask(&ask), &told(" X W"));
    assert_same(&client.ask(&ask), &told(" Z X"));
}
