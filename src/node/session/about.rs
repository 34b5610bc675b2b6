//! What a command is about, as far as other nodes are concerned: its one key, and
//! whether it changes something.

use crate::item::Key;
use crate::memcache::text::Command;
use crate::memcache::{KeyText, meta};

/// The key of a command for one key, and how many bytes its value has, if one
/// follows. Base64 is decoded into the place given.
pub(super) fn one_key<'a>(
    command: &Command<'a>,
    decoded: &'a mut Option<KeyText>,
) -> Option<(Key<'a>, Option<usize>)> {
    let (written, base64, len) = match *command {
        Command::Store(head) => return Some((head.key, Some(head.len))),
        Command::Delete { key, .. } | Command::Count { key, .. } | Command::Touch { key, .. } => {
            return Some((key, None));
        }
        Command::Meta(meta::Command::Set(head)) => {
            (head.request.key, head.request.flags.base64(), Some(head.len))
        }
        Command::Meta(meta::Command::Get(request) | meta::Command::Delete(request)) => {
            (request.key, request.flags.base64(), None)
        }
        Command::Meta(meta::Command::Count(head)) => {
            (head.request.key, head.request.flags.base64(), None)
        }
        Command::Meta(meta::Command::Debug { key, base64 }) => (key, base64, None),
        Command::Read(_) | Command::MetaNoop | Command::Admin(_) => return None,
    };
    let key = match base64 {
        false => written,
        true => {
            *decoded = KeyText::decode(written);
            decoded.as_ref()?.bytes()
        }
    };
    Some((Key::new(key).ok()?, len))
}

/// Whether a command changes nothing, as far as its words tell.
pub(super) fn reads(command: &Command<'_>) -> bool {
    match command {
        Command::Meta(meta::Command::Get(request)) => {
            let flags = &request.flags;
            flags.ttl.is_none() && flags.vivify.is_none() && flags.recache.is_none()
        }
        Command::Meta(meta::Command::Debug { .. }) => true,
        _ => false,
    }
}

pub(super) fn line_of(request: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', request).unwrap_or(request.len());
    let line = &request[..end];
    line.strip_suffix(b"\r").unwrap_or(line)
}
