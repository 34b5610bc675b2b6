//! The bytes of a value that is to be written: as they came, or made of what is
//! there.

use super::arena::{Place, SEGMENT_WORDS};
use super::found::Found;
use super::record::Record;
use super::shared::Shared;
use super::stripe::found;
use crate::item::{Decimal, NewValue};

/// Bytes kept for composing values; a larger room is given back after use.
pub(super) const SCRATCH_BYTES_KEPT: usize = SEGMENT_WORDS;

/// The bytes of a new value, made in `scratch` where they are not at hand.
pub(super) fn compose<'a>(
    shared: &Shared,
    place: Option<Place>,
    value: NewValue<'a>,
    scratch: &'a mut Vec<u8>,
) -> &'a [u8] {
    let append_old = |scratch: &mut Vec<u8>| {
        let Some(place) = place else { return };
        if let Some(segment) = shared.arena.segment(place.segment) {
            found(shared, Record::at(&segment, place.word)).append_value(scratch);
        }
    };
    scratch.clear();
    match value {
        NewValue::Bytes(bytes) => return bytes,
        NewValue::Appended(part) => {
            append_old(scratch);
            scratch.extend_from_slice(part);
        }
        NewValue::Prepended(part) => {
            scratch.extend_from_slice(part);
            append_old(scratch);
        }
        NewValue::Kept => append_old(scratch),
        NewValue::Number { number, width } => {
            scratch.extend_from_slice(Decimal::new(number).text());
            let len = scratch.len().max(width);
            scratch.resize(len, b' ');
        }
    }
    scratch
}

/// The number that a value is, if it is one.
pub(super) fn number_of(found: &Found<'_>, scratch: &mut Vec<u8>) -> Option<u64> {
    if found.apart.is_some() {
        return None;
    }
    scratch.clear();
    found.append_value(scratch);
    Decimal::parse(scratch)
}
