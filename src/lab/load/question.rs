//! A question asked before or after a run, whose answer is waited for.

use super::{Address, Load, LoadError};
use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

/// What came as an answer, up to where `is_whole` finds its end. An answer that
/// is cut short, by whoever gives it or at so many bytes, is what it is.
///
/// # Errors
/// When the server cannot be reached, or does not answer in time.
pub(super) fn ask(
    server: &Address,
    load: &Load,
    question: &str,
    bytes_max: usize,
    is_whole: fn(&str) -> bool,
) -> Result<String, LoadError> {
    let mut plug = server.connect(load.timeout)?;
    let until = Instant::now() + load.timeout;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    // A server that ends the connection does not tell, and may serve all else.
    if plug.limit(load.timeout).and_then(|()| plug.write_all(question.as_bytes())).is_err() {
        return Ok(String::new());
    }
    while answer.len() < bytes_max && !is_whole(&String::from_utf8_lossy(&answer)) {
        match plug.read(&mut part) {
            Ok(0) => break,
            // One that drips is no better than one that is silent.
            Ok(_) if Instant::now() > until => return Err(silent(load)),
            Ok(bytes) => answer.extend_from_slice(&part[..bytes]),
            Err(error) if is_timeout(&error) => return Err(silent(load)),
            Err(_) => break,
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn silent(load: &Load) -> LoadError {
    LoadError::Silent { timeout: load.timeout, answered: 0 }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether memcached's statistics are there, or something else is.
pub(super) fn is_statistics(answer: &str) -> bool {
    let Some((whole, _)) = answer.rsplit_once('\n') else { return false };
    // Only the last line can end it: what comes before was looked at before.
    whole.lines().next_back().is_some_and(|line| !line.starts_with("STAT "))
}

/// Whether one of Redis's texts is there, with its length before it, or something
/// else is.
pub(super) fn is_bulk(answer: &str) -> bool {
    let Some((head, text)) = answer.split_once("\r\n") else { return false };
    let length = head.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
    length.is_none_or(|length| text.len() >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_end_somewhere() {
        assert!(!is_statistics("") && !is_statistics("STAT pid 1\r\nSTAT up"));
        assert!(!is_statistics("STAT pid 1\r\n") && !is_statistics("STAT pid 1\r\nEN"));
        assert!(is_statistics("STAT pid 1\r\nEND\r\n") && is_statistics("ERROR\r\n"));
    }

    #[test]
    fn texts_are_as_long_as_they_say() {
        assert!(!is_bulk("") && !is_bulk("$5\r\nabcd") && !is_bulk("-ERR no"));
        assert!(is_bulk("$5\r\nabcde\r\n") && is_bulk("-ERR no\r\n") && is_bulk("$x\r\n"));
    }
}
