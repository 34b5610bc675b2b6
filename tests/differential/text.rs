//! Classic commands, right and wrong.

use crate::random::Random;
use crate::step::{PLACEHOLDER, Part, Speech, Step};

/// One request.
pub(crate) fn step(random: &mut Random) -> Step {
    match random.below(20) {
        0..=6 => store(random),
        7..=9 => read(random),
        10 => line(random, |random| format!("delete {}", key(random))),
        11 | 12 => line(random, |random| {
            let verb = random.pick(&["incr", "decr"]);
            format!("{verb} {} {}", key(random), mostly(random, &DELTAS, &BAD_NUMBERS))
        }),
        13 => line(random, |random| format!("touch {} {}", key(random), exptime(random))),
        14 | 15 => compare_and_swap(random),
        16 => large(random),
        17 => Step::text(format!("flush_all{}\r\n", random.pick(&["", " 0", " noreply", " x"]))),
        _ => odd(random),
    }
}

const DELTAS: [&str; 6] = ["1", "9", "90", "0", "18446744073709551615", "9223372036854775808"];
const BAD_NUMBERS: [&str; 9] =
    ["-1", "abc", "1x", "18446744073709551616", "99999999999999999999999", "+5", "", "0x1", "1.5"];
const FLAGS: [&str; 6] = ["0", "7", "65535", "4294967295", "00012", "1"];
const BAD_FLAGS: [&str; 5] = ["-1", "abc", "1x", "99999999999999999999999", "+5"];
/// Never so close that the clocks' phases matter.
const TIMES: [&str; 7] = ["0", "0", "0", "1000", "2592000", "-1", "4000000000"];
const ODD_TIMES: [&str; 8] = [
    "2592001",
    "4294967295",
    "-2147483648",
    "abc",
    "1x",
    "99999999999999999999",
    "1000000000",
    "+7",
];
const TEXT_STORES: [&str; 5] = ["set", "add", "replace", "append", "prepend"];

/// One of the first kind, and now and then of the second.
pub(crate) fn mostly(
    random: &mut Random,
    good: &[&'static str],
    bad: &[&'static str],
) -> &'static str {
    match random.once_in(20) {
        true => random.pick(bad),
        false => random.pick(good),
    }
}

pub(crate) fn exptime(random: &mut Random) -> &'static str {
    mostly(random, &TIMES, &ODD_TIMES)
}

/// One of few, so that requests meet; now and then as long as a key may be, or
/// longer.
pub(crate) fn key(random: &mut Random) -> String {
    let rest = match random.below(60) {
        0 => "x".repeat(250 - PLACEHOLDER.len()),
        1 => "x".repeat(251 - PLACEHOLDER.len()),
        2 => "y".repeat(300),
        3 => "\u{e9}\t\u{1}".to_owned(),
        other => ["a", "b", "c", "n"][other % 4].to_owned(),
    };
    format!("{PLACEHOLDER}{rest}")
}

/// Numbers more often than not: counting needs them.
pub(crate) fn value(random: &mut Random) -> Vec<u8> {
    match random.below(16) {
        0 => Vec::new(),
        1 => b"with\r\nline ends\r\n".to_vec(),
        2 => random.bytes(30),
        3 => b" 17".to_vec(),
        4 => b"17 ".to_vec(),
        5 => b"18446744073709551615".to_vec(),
        6 => b"18446744073709551616".to_vec(),
        7 => b"-5".to_vec(),
        8 => vec![b'v'; random.below(3000)],
        9 => b"0000000000000000000000000000012".to_vec(),
        10 => b"12x".to_vec(),
        _ => random.below(100_000).to_string().into_bytes(),
    }
}

fn noreply(random: &mut Random) -> &'static str {
    match random.below(24) {
        0..=3 => " noreply",
        4 => " noreplyx",
        5 => " more words",
        _ => "",
    }
}

fn line(random: &mut Random, text: impl Fn(&mut Random) -> String) -> Step {
    let text = text(random);
    let end = if random.once_in(20) { "\n" } else { "\r\n" };
    Step::text(format!("{text}{}{end}", noreply(random)))
}

fn store(random: &mut Random) -> Step {
    let verb = random.pick(&TEXT_STORES);
    let (key, flags) = (key(random), mostly(random, &FLAGS, &BAD_FLAGS));
    let head = format!("{verb} {key} {flags} {}", exptime(random));
    with_value(random, &head, Vec::new())
}

fn compare_and_swap(random: &mut Random) -> Step {
    let head = format!("cas {} 0 {}", key(random), exptime(random));
    let token = match random.below(12) {
        0 => Part::Bytes(random.pick(&BAD_NUMBERS).as_bytes().to_vec()),
        1 => Part::Bytes(b"18446744073709551615".to_vec()),
        _ => Part::Decimal(random.below(3)),
    };
    with_value(random, &head, vec![Part::Bytes(b" ".to_vec()), token])
}

/// The rest of a request whose value follows; now and then its length is wrong.
fn with_value(random: &mut Random, head: &str, behind: Vec<Part>) -> Step {
    let value = value(random);
    let noreply = noreply(random);
    let (len, tail, ends) = match random.below(50) {
        0 => (value.len() + 1 + random.below(9), "\r\n", true),
        1 => (value.len().saturating_sub(1 + random.below(3)), "\r\n", false),
        2 => (value.len(), "", true),
        3 => (value.len(), "\n", true),
        4 => (value.len(), "xy", false),
        5 => return Step::text(format!("{head} {}\r\n", random.pick(&BAD_NUMBERS))).ending(),
        6 => return Step::text(format!("{head}\r\n")),
        _ => (value.len(), "\r\n", false),
    };
    let mut parts = vec![Part::Bytes(format!("{head} {len}").into_bytes())];
    parts.extend(behind);
    parts.push(Part::Bytes(format!("{noreply}\r\n").into_bytes()));
    parts.push(Part::Bytes([&value, tail.as_bytes()].concat()));
    let step = Step::of(Speech::Text, parts);
    if ends { step.ending() } else { step }
}

fn read(random: &mut Random) -> Step {
    let verb = random.pick(&["get", "gets", "gets", "gat", "gats"]);
    let count = 1 + random.below(4);
    let times =
        if verb.starts_with("gat") { format!(" {}", exptime(random)) } else { String::new() };
    // memcached touches the keys before one that is too long, here none is.
    let longest = if verb.starts_with("gat") { 250 } else { usize::MAX };
    let keys = std::iter::repeat_with(|| key(random)).filter(|key| key.len() <= longest);
    let keys: Vec<String> = keys.take(count).collect();
    Step::text(format!("{verb}{times} {}\r\n", keys.join(" ")))
}

/// Values about as large as an item may be, and lengths that nobody can send.
fn large(random: &mut Random) -> Step {
    let key = key(random);
    match random.below(8) {
        0 => {
            let len = random.pick(&[1_048_577, 1_048_576, 1_100_000]);
            let head = match random.pick(&["set", "add", "replace", "append", "ms"]) {
                "ms" => format!("ms {key} {len} M{}\r\n", random.pick(&["S", "E", "A", "R"])),
                verb => format!("{verb} {key} 0 0 {len}\r\n"),
            };
            Step::text([head.as_bytes(), &vec![b'v'; len], b"\r\n"].concat())
        }
        1 => {
            let len = random.pick(&[70_000, 600_000, 1_000_000]);
            let head = format!("{} {key} 0 0 {len}\r\n", random.pick(&TEXT_STORES));
            Step::text([head.as_bytes(), &vec![b'v'; len], b"\r\n"].concat())
        }
        2 => {
            let len = random.pick(&["2147483647", "2147483648", "4294967296", "-1", "-2147483648"]);
            Step::text(format!("set {key} 0 0 {len}\r\nget {key}\r\n")).ending()
        }
        _ => Step::text(format!("get {key}\r\n")),
    }
}

/// What is no command, or not quite.
fn odd(random: &mut Random) -> Step {
    let name = key(random);
    let texts = [
        "\r\n".to_owned(),
        "\n".to_owned(),
        "x\r\n".to_owned(),
        "get\r\n".to_owned(),
        "gets \r\n".to_owned(),
        "gat 0\r\n".to_owned(),
        "gat\r\n".to_owned(),
        "set\r\n".to_owned(),
        format!("set {name}\r\n"),
        format!("GET {name}\r\n"),
        format!(" get {name}\r\n"),
        format!("get  {name}   {name} \r\n"),
        format!("get {name}\tx\r\n"),
        "delete\r\n".to_owned(),
        format!("delete {name} 0\r\n"),
        format!("delete {name} 0 noreply\r\n"),
        format!("delete {name} 10\r\n"),
        "incr\r\n".to_owned(),
        format!("incr {name}\r\n"),
        format!("touch {name}\r\n"),
        "touch\r\n".to_owned(),
        "verbosity 1\r\n".to_owned(),
        "verbosity\r\n".to_owned(),
        "verbosity 1 noreply\r\n".to_owned(),
        "verbosity x\r\n".to_owned(),
        "bogus words here\r\n".to_owned(),
        "cache_memlimit\r\n".to_owned(),
        "cache_memlimit x\r\n".to_owned(),
        "cache_memlimit 1\r\n".to_owned(),
        "stats bogus\r\n".to_owned(),
        "stats reset\r\n".to_owned(),
        "stats detail\r\n".to_owned(),
        "stats detail bogus\r\n".to_owned(),
        "slabs\r\n".to_owned(),
        "lru\r\n".to_owned(),
        "lru_crawler\r\n".to_owned(),
        "lru_crawler bogus\r\n".to_owned(),
        "watch bogus\r\n".to_owned(),
        "shutdown\r\n".to_owned(),
        "quit\r\n".to_owned(),
        "quit now\r\n".to_owned(),
        "GET / HTTP/1.1\r\n".to_owned(),
        format!("get {}\r\n", format!("{name} ").repeat(9)),
        format!("get {}\r\n", format!("{PLACEHOLDER}a ").repeat(400)),
        format!("incr {} 1\r\n", "z".repeat(2100)),
        format!("{}\r\n", "w".repeat(2040)),
        format!("set {name} 0 0 1 {}\r\nx\r\n", "w ".repeat(40)),
        format!("incr {name} 1 {}\r\n", "w ".repeat(40)),
    ];
    let text = texts[random.below(texts.len())].clone();
    match random.once_in(12) {
        true => Step::text([&random.bytes(20)[..], b"\r\n"].concat()),
        false => Step::text(text),
    }
}
