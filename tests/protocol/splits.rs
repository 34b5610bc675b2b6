//! Random requests: whatever comes, the answers do not depend on how it was
//! split, and nothing panics.

use crate::binary::request;
use crate::client::Client;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const KEYS: [&str; 5] = ["a", "b", "n", "a:b", "YQ=="];
const FLAGS: [&str; 28] = [
    "b", "c", "f", "h", "k", "l", "O12", "q", "s", "t", "u", "v", "x", "E5", "C5", "F7", "D3",
    "J9", "T30", "T-1", "N60", "R30", "I", "MA", "ME", "MD", "P", "!",
];
const LINES: [&str; 16] = [
    "\r\n",
    "mn\r\n",
    "version\r\n",
    "GET a\r\n",
    "get\r\n",
    "flush_all\r\n",
    "flush_all -1\r\n",
    "verbosity 1\r\n",
    "stats sizes\r\n",
    "lru_crawler metadump all\r\n",
    "lru_crawler mgdump all\r\n",
    "stats detail on\r\n",
    "stats detail dump\r\n",
    "cache_memlimit 1\r\n",
    "touch a 1x\r\n",
    "incr n -1\r\n",
];

fn keyed() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: [&str; 10] =
        ["get", "gets", "gat 5", "delete", "incr", "mg", "md", "ma", "me", "touch"];
    (select(&WORDS[..]), vec(select(&KEYS[..]), 1..4), vec(select(&FLAGS[..]), 0..4)).prop_map(
        |(word, keys, flags)| {
            match word {
                "mg" | "md" | "ma" | "me" => format!("{word} {} {}\r\n", keys[0], flags.join(" ")),
                "incr" | "touch" => format!("{word} {} 5\r\n", keys[0]),
                _ => format!("{word} {}\r\n", keys.join(" ")),
            }
            .into_bytes()
        },
    )
}

fn storing() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: [&str; 6] = ["set", "add", "replace", "append", "prepend", "ms"];
    let value = vec(select(&b"0123\r\n ax"[..]), 0..12);
    (select(&WORDS[..]), select(&KEYS[..]), value, vec(select(&FLAGS[..]), 0..3), 0..20_usize)
        .prop_map(|(word, key, value, flags, fault)| {
            // Now and then the length is wrong.
            let len = value.len() + usize::from(fault == 0);
            let head = match word {
                "ms" => format!("ms {key} {len} {}\r\n", flags.join(" ")),
                _ => format!("{word} {key} 7 0 {len}\r\n"),
            };
            [head.as_bytes(), &value, b"\r\n"].concat()
        })
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    let other = select(&LINES[..]).prop_map(|line| line.as_bytes().to_vec());
    let any = prop_oneof![3 => keyed(), 3 => storing(), 1 => other];
    vec(any, 1..12).prop_map(|requests| requests.concat())
}

fn packets() -> impl Strategy<Value = Vec<u8>> {
    let packet = (0..0x26_u8, select(&[0_usize, 4, 8, 20][..]), select(&KEYS[..]), 0..8_usize);
    let packet = packet.prop_map(|(opcode, extras, key, value)| {
        let (extras, key) = match opcode {
            1..=3 | 0x11..=0x13 => (8, key),
            5 | 6 | 0x15 | 0x16 => (20, key),
            0x1c..=0x1e | 0x23 | 0x24 => (4, key),
            7 | 8 | 0x0a | 0x0b | 0x10 | 0x17 | 0x18 => (0, ""),
            0x1f => (extras, key),
            _ => (0, key),
        };
        let stores = matches!(opcode, 1..=3 | 0x0e | 0x0f | 0x11..=0x13 | 0x19 | 0x1a);
        let value = vec![b'1'; if stores { value } else { 0 }];
        request(opcode, &vec![0; extras], key.as_bytes(), &value)
    });
    // Statistics tell times.
    let packet = packet.prop_filter("no clock", |bytes| bytes[1] != 0x10);
    vec(packet, 1..12).prop_map(|packets| packets.concat())
}

fn mutated(requests: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (requests, vec((any::<Index>(), any::<u8>(), 0..3_u8), 0..4)).prop_map(|(mut bytes, faults)| {
        for (place, byte, kind) in faults {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn client() -> Client {
    let mut client = Client::new();
    client.ask("set a 0 0 1\r\n1\r\nset n 0 0 2\r\n10\r\n");
    client.another()
}

fn is_same_however_split(bytes: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let mut whole = client();
    let answer = whole.send(bytes);
    let mut split = client();
    prop_assert_eq!(
        &split.send_split(bytes, 1).escape_ascii().to_string(),
        &answer.escape_ascii().to_string()
    );
    prop_assert_eq!(split.closed, whole.closed);
    let mut cut = client();
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let ends = places.iter().copied().chain([bytes.len()]);
    let mut from = 0;
    let mut pieces = Vec::new();
    for end in ends {
        pieces.extend(cut.send(&bytes[from..end]));
        from = end;
    }
    prop_assert_eq!(pieces.escape_ascii().to_string(), answer.escape_ascii().to_string());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_do_not_mind_splits(bytes in lines(), cuts in vec(any::<Index>(), 0..4)) {
        is_same_however_split(&bytes, &cuts)?;
    }

    #[test]
    fn broken_lines_do_not_mind_splits(bytes in mutated(lines()), cuts in vec(any::<Index>(), 0..4)) {
        is_same_however_split(&bytes, &cuts)?;
    }

    #[test]
    fn packets_do_not_mind_splits(bytes in mutated(packets()), cuts in vec(any::<Index>(), 0..4)) {
        is_same_however_split(&bytes, &cuts)?;
    }

    #[test]
    fn noise_does_not_mind_splits(bytes in vec(any::<u8>(), 0..300), cuts in vec(any::<Index>(), 0..4)) {
        is_same_however_split(&bytes, &cuts)?;
    }
}
