//! What is fed: the parsers, and a session on a node without sockets.

use crate::client::Client;
use ringcached::memcache::{Line, binary, text};

/// All parsers, at every place where a request may begin.
pub(crate) fn parse(input: &[u8]) {
    for start in 0..input.len().min(64) {
        if let Line::Whole { text: line, used } = Line::find(&input[start..], 0) {
            assert!(used <= input.len() - start && line.len() < used);
            let _ = text::parse(line);
            let _ = text::claimed_body(line);
            let _ = text::is_hushed(line);
        }
        if let binary::Head::Whole(request) = binary::Head::find(&input[start..]) {
            assert!(request.header.head_len() <= input.len() - start);
        }
    }
}

/// The only connection to a node of its own, small enough to be one of many.
pub(crate) fn client() -> Client {
    Client::with(|settings| settings.memory_bytes = 4 << 20)
}
