//! What another node said to the requests of one call.

use crate::wire::{Reply, Told};
use std::ops::Range;

/// The replies of one message, in the order of the requests. The message is read once,
/// when it comes; whoever asked looks at each reply where it is, and copies it once.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::node) struct Replies {
    /// What is to be said to clients, one after the other.
    bytes: Vec<u8>,
    all: Vec<One>,
}

/// One of them; what it says is in those bytes.
#[derive(Debug, PartialEq, Eq)]
enum One {
    Done(Range<usize>),
    Owned { version: u64, owners: u8, bytes: Range<usize> },
    NotMine,
    Busy,
    Unacknowledged,
}

impl Replies {
    /// Of a message in a frame of so many bytes: they have no more.
    pub(super) fn of(told: &Told<'_>, frame_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(frame_bytes);
        let mut put = |said: &[u8]| {
            let from = bytes.len();
            bytes.extend_from_slice(said);
            from..bytes.len()
        };
        let one = |reply: &Reply<'_>| match *reply {
            Reply::Done(said) => One::Done(put(said)),
            Reply::Owned { version, owners, bytes } => {
                One::Owned { version, owners, bytes: put(bytes) }
            }
            Reply::NotMine => One::NotMine,
            Reply::Busy => One::Busy,
            Reply::Unacknowledged => One::Unacknowledged,
        };
        let all = told.replies.iter().map(one).collect();
        Self { bytes, all }
    }

    /// The reply to this request of the call, if there is one.
    pub(in crate::node) fn get(&self, request: u16) -> Option<Reply<'_>> {
        Some(match self.all.get(usize::from(request))? {
            One::Done(said) => Reply::Done(&self.bytes[said.clone()]),
            One::Owned { version, owners, bytes } => {
                let bytes = &self.bytes[bytes.clone()];
                Reply::Owned { version: *version, owners: *owners, bytes }
            }
            One::NotMine => Reply::NotMine,
            One::Busy => Reply::Busy,
            One::Unacknowledged => Reply::Unacknowledged,
        })
    }

    /// What the reply says to the client; nothing, where it says none.
    pub(in crate::node) fn said(&self, request: u16) -> &[u8] {
        match self.get(request) {
            Some(Reply::Done(bytes) | Reply::Owned { bytes, .. }) => bytes,
            _ => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_its_reply() {
        let owned = Reply::Owned { version: 7, owners: 3, bytes: b"VALUE" };
        let replies = vec![Reply::Done(b"STORED\r\n"), Reply::NotMine, owned, Reply::Busy];
        let replies = Replies::of(&Told { call: 1, replies }, 64);
        assert_eq!(replies.get(0), Some(Reply::Done(b"STORED\r\n")));
        assert_eq!(replies.get(1), Some(Reply::NotMine));
        assert_eq!(replies.get(2), Some(owned));
        assert_eq!(replies.get(3), Some(Reply::Busy));
        assert_eq!(replies.get(4), None, "it told of no more");
        let said = [0, 1, 2, 3, 4].map(|request| replies.said(request));
        assert_eq!(said, [&b"STORED\r\n"[..], b"", b"VALUE", b"", b""]);
    }
}
