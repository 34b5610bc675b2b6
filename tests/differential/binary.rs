//! Binary requests, right and wrong.

use crate::random::Random;
use crate::step::{Part, Speech, Step};
use crate::text::{key, value};

/// One request.
pub(crate) fn step(random: &mut Random) -> Step {
    let opcode = random.pick(&OPCODES);
    let (extras, has_key, has_value) = shape(opcode, random);
    let key = if has_key { key(random).into_bytes() } else { Vec::new() };
    let value = if has_value { value(random) } else { Vec::new() };
    let body = [&extras[..], &key, &value].concat();
    let mut header = vec![0x80, opcode, 0, 0, extras.len() as u8, 0, 0, 0];
    header[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
    header.extend((body.len() as u32).to_be_bytes());
    header.extend((random.below(1000) as u32).to_be_bytes());
    let compares = random.once_in(5);
    let token = match compares {
        true => Part::Word(random.below(3)),
        false => Part::Bytes(vec![0; 8]),
    };
    if random.once_in(40) {
        return broken(random, header, body);
    }
    Step::of(Speech::Binary, vec![Part::Bytes(header), token, Part::Bytes(body)])
}

/// Without `verbosity`, after which 1.6.18 waits for ever.
const OPCODES: [u8; 51] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x11,
    0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22,
    0x23, 0x24, 0x25, 0x30, 0x60, 0xff, 0x00, 0x00, 0x01, 0x01, 0x01, 0x02, 0x03, 0x05, 0x06, 0x0c,
    0x0e, 0x1d, 0x04,
];

/// Extras, and whether there are a key and a value.
fn shape(opcode: u8, random: &mut Random) -> (Vec<u8>, bool, bool) {
    let seconds = random.pick(&[0_u32, 0, 1000, 2_592_000, 2_592_001, 4_000_000_000, u32::MAX]);
    let seconds = seconds.to_be_bytes();
    match opcode {
        0x01..=0x03 | 0x11..=0x13 => {
            let flags = random.pick(&[0_u32, 7, u32::MAX]).to_be_bytes();
            ([flags, seconds].concat(), true, true)
        }
        0x05 | 0x06 | 0x15 | 0x16 => {
            let delta = random.pick(&[0_u64, 1, 9, u64::MAX]).to_be_bytes();
            let initial = random.pick(&[0_u64, 5, u64::MAX]).to_be_bytes();
            ([&delta[..], &initial, &seconds].concat(), true, false)
        }
        0x1c..=0x1e | 0x23 | 0x24 => (seconds.to_vec(), true, false),
        0x08 | 0x18 => (if random.once_in(2) { vec![0; 4] } else { Vec::new() }, false, false),
        0x0e | 0x0f | 0x19 | 0x1a | 0x21 | 0x22 => (Vec::new(), true, true),
        0x00 | 0x04 | 0x09 | 0x0c | 0x0d | 0x14 => (Vec::new(), true, false),
        _ => (Vec::new(), false, false),
    }
}

/// A header that does not fit its body, or no header at all.
fn broken(random: &mut Random, mut header: Vec<u8>, body: Vec<u8>) -> Step {
    let at = random.pick(&[0, 2, 3, 4, 5, 6, 8, 9, 10, 11]);
    header[at] = random.pick(&[0, 1, 8, 0x7f, 0xff]);
    header.extend([0; 8]);
    Step::of(Speech::Binary, vec![Part::Bytes(header), Part::Bytes(body)]).ending()
}
