//! Where a value is: in the input, still to come, or to be read apart from it.

use super::{Pending, Session, Step};
use crate::item::{Delete, Key, Now, Op};
use crate::limits::WAITED_BODY_BYTES_MAX;
use crate::memcache::binary::Head;
use crate::memcache::{Protocol, meta, text};
use crate::net::Output;
use crate::store::{SharedValue, Store};

/// A value to be stored.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) bytes: &'a [u8],
    /// The memory that is all its own, where it came apart from the input.
    pub(super) whole: Option<&'a SharedValue>,
}

impl<'a> Value<'a> {
    /// One that stands in the input.
    pub(super) fn within(bytes: &'a [u8]) -> Self {
        Self { bytes, whole: None }
    }

    fn apart(value: &'a SharedValue) -> Self {
        Self { bytes: value.as_ref(), whole: Some(value) }
    }
}

impl Session {
    /// The value of so many bytes that comes after the first `head_len` bytes of
    /// the input; or what has to happen before it is there. A large one comes
    /// apart: the head is kept, and read again when the value is there.
    pub(super) fn value<'a>(
        &mut self,
        input: &'a [u8],
        head_len: usize,
        len: usize,
    ) -> Result<&'a [u8], Step> {
        if len > WAITED_BODY_BYTES_MAX {
            self.pending = Some(Box::new(Pending::Value(input[..head_len].to_vec())));
            return Err(Step::Value { used: head_len, len });
        }
        input.get(head_len..head_len + len).ok_or(Step::Partial)
    }

    /// Whether a value is larger than an item may be. Then it is passed over.
    pub(super) fn is_too_large(&self, key: Key<'_>, value_len: usize) -> bool {
        let large = Store::item_bytes(key, value_len) > self.shared().store.item_bytes_max();
        self.counters().store_too_large.add(u64::from(large));
        large
    }

    /// Takes away an item that was to be replaced, whatever it is, by a value that
    /// is too large: its own value is out of date.
    pub(super) fn drop_outdated(&mut self, key: Key<'_>, now: Now, out: &mut Output) {
        if !(self.among_others && self.drop_elsewhere(key, now, out)) {
            self.drop_here(key, now);
        }
    }

    /// The same of an item that this node executes for.
    pub(super) fn drop_here(&self, key: Key<'_>, now: Now) {
        self.road.apply(key, now, &Op::Delete(Delete::default()), |_, _| ());
    }

    /// A large value came, all of it. What came before it is not needed any more.
    pub(super) fn value_came(&mut self, mut body: Vec<u8>, now: Now, out: &mut Output) -> Vec<u8> {
        let Some(Pending::Value(head)) = self.pending.take().map(|pending| *pending) else {
            return Vec::new();
        };
        if self.among_others && self.elsewhere_apart(&head, &body, out) {
            self.shared().store.take_back(body);
            return head;
        }
        match self.protocol {
            Some(Protocol::Binary) => {
                if let Head::Whole(request) = Head::find(&head) {
                    let value = self.shared().store.share(body);
                    self.binary_store_with(&request, Value::apart(&value), now, out);
                }
            }
            _ => {
                let ends = without_end(&body).map(<[u8]>::len);
                body.truncate(ends.unwrap_or(0));
                let value = self.shared().store.share(body);
                let value = ends.map(|_| Value::apart(&value));
                match text::parse(trimmed(&head)) {
                    Ok(text::Command::Store(head)) => self.store_with(&head, value, now, out),
                    Ok(text::Command::Meta(meta::Command::Set(head))) => {
                        self.meta_set_with(&head, value, now, out);
                    }
                    _ => {}
                }
            }
        }
        head
    }
}

/// The value without the line's end behind it, if that is where it should be.
pub(super) fn without_end(body: &[u8]) -> Option<&[u8]> {
    body.strip_suffix(b"\r\n")
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
