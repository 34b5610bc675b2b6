//! One request to an admin port, and its answer. Whoever asks waits for it: a client of this
//! size needs no runtime.

use crate::cli::{CliError, reach};
use crate::limits::{ADMIN_ANSWER_BYTES_MAX, ADMIN_REQUEST_MS};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::time::Duration;

/// How long it may say nothing: it gives up a request before.
const READ_PATIENCE: Duration = Duration::from_millis(ADMIN_REQUEST_MS + 2000);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What a node answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// Asks the node at this address.
pub(super) fn ask(
    address: &str,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> Result<Answer, CliError> {
    let mut stream = reach::connect(address, READ_PATIENCE)?;
    let failed = |why: io::Error| reach::failed(address, &why);
    // A name may mean anything: the node takes only an address.
    let host = stream.peer_addr().map_err(failed)?;
    let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let request = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\n{token}\r\n", method.name());
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(ADMIN_ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(failed)?;
    parse(&answer).ok_or_else(|| {
        CliError::Failed(match answer.is_empty() {
            true => format!("{address} ends the connection without an answer"),
            false => format!("{address} answers something else than an admin port does"),
        })
    })
}

/// A whole answer; none where it is none, or was cut.
fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]);
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let status = words.next().filter(|word| word.starts_with("HTTP/1.")).and(words.next())?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let mut lengths = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = lengths.next()?.1.trim().parse().ok()?;
    if body.len() != length {
        return None;
    }
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).ok()? };
    Some(Answer { status: status.parse().ok()?, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_answers_are_read_and_others_refused() {
        let whole = b"HTTP/1.1 409 Conflict\r\nX: y\r\nContent-Length: 8\r\n\r\n{\"a\": 1}";
        let answer = parse(whole).unwrap();
        assert_eq!((answer.status, &answer.body["a"]), (409, &1.into()));
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut]).is_none(), "{cut}");
        }
        for other in ["", "ERROR\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "SSH-2.0-x 200\r\n\r\n"] {
            assert!(parse(other.as_bytes()).is_none(), "{other}");
        }
    }
}
