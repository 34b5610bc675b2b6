//! An item as a visitor sees it, for as long as the store holds it.

use super::apart::SharedValue;
use super::record::Record;
use crate::item::Meta;

/// An item that is held for a visitor.
#[derive(Debug)]
pub struct Found<'a> {
    /// The record counts seconds from here.
    pub(super) first_s: u32,
    pub(super) record: Record<'a>,
    /// Its value, if it is kept apart.
    pub(super) apart: Option<SharedValue>,
}

impl Found<'_> {
    /// All but its key and value.
    #[inline]
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.record.meta(self.first_s)
    }

    /// Whether it is the stamp of a delete, and no item.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.record.is_tombstone()
    }

    /// Bytes of its value.
    #[inline]
    #[must_use]
    pub fn value_len(&self) -> usize {
        match &self.apart {
            Some(value) => value.as_ref().len(),
            None => self.record.value_len(),
        }
    }

    /// Bytes that it takes of this node's memory, all counted.
    #[must_use]
    pub fn memory(&self) -> usize {
        let apart = self.apart.as_ref().map_or(0, SharedValue::memory);
        self.record.words() * 4 + super::index::BYTES_PER_ITEM + apart
    }

    /// The value of a large item, to be sent without a copy. Small values are
    /// copied: see [`Found::append_value`].
    #[inline]
    #[must_use]
    pub fn shared_value(&self) -> Option<SharedValue> {
        self.apart.clone()
    }

    /// Copies the value to the end of `out`.
    #[inline]
    pub fn append_value(&self, out: &mut Vec<u8>) {
        match &self.apart {
            Some(value) => out.extend_from_slice(value.as_ref()),
            None => self.record.append_value(out),
        }
    }
}
