//! The answer to a request as another node said it: it stays in the message that it came
//! in until it goes out.

use super::waits::{Kind, Source};
use crate::memcache::text::reply;
use crate::node::peers::{AskedAt, Replies};
use std::sync::Arc;

/// What another node said to a request, beside what it said to others.
#[derive(Debug)]
pub(super) struct Said {
    replies: Arc<Replies>,
    request: u16,
    one_of_many: bool,
}

impl Said {
    pub(super) fn text(&self) -> &[u8] {
        let reply = self.replies.said(self.request);
        if self.one_of_many { without_end(reply) } else { reply }
    }
}

/// What is said to a request in these replies.
pub(super) fn said(replies: &Arc<Replies>, at: AskedAt, kind: Kind) -> Source {
    let replies = Arc::clone(replies);
    Source::Said(Said { replies, request: at.request, one_of_many: kind.one_of_many })
}

/// An answer as it is, or without its end.
pub(super) fn whole_or_one(mut reply: Vec<u8>, kind: Kind) -> Vec<u8> {
    if kind.one_of_many {
        reply.truncate(without_end(&reply).len());
    }
    reply
}

/// The answer of one of many keys. Whatever else it is, an error among them, is a miss.
fn without_end(reply: &[u8]) -> &[u8] {
    reply.strip_suffix(reply::END).unwrap_or_default()
}
