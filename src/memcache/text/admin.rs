//! Commands about the server.

use super::Refusal;
use super::parse::noreply;
use crate::memcache::Tokens;
use crate::memcache::number::{exptime, unsigned};

/// A command about the server and not about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin<'a> {
    /// `flush_all`
    FlushAll {
        /// The client's seconds to wait; none where it said no number.
        delay: Option<i32>,
        /// Without an answer.
        noreply: bool,
    },
    /// `version`
    Version,
    /// `verbosity`
    Verbosity {
        /// How much to log.
        level: u64,
        /// Without an answer.
        noreply: bool,
    },
    /// `quit`
    Quit,
    /// `shutdown`, and how.
    Shutdown(Option<&'a [u8]>),
    /// `cache_memlimit`
    MemoryLimit {
        /// Of 2^20 bytes.
        mebibytes: u32,
        /// Without an answer.
        noreply: bool,
    },
    /// `stats`, and of what.
    Stats(Tokens<'a>),
    /// `slabs`
    Slabs(Tokens<'a>),
    /// `lru`
    Lru(Tokens<'a>),
    /// `lru_crawler`
    Crawler(Tokens<'a>),
    /// `watch`, and what.
    Watch(Tokens<'a>),
    /// `refresh_certs`
    RefreshCertificates,
    /// `config get cluster`
    ConfigCluster,
}

impl<'a> Admin<'a> {
    /// What such a line asks for.
    pub(super) fn parse(name: &[u8], mut words: Tokens<'a>) -> Result<Self, Refusal> {
        match name {
            b"version" => Ok(Self::Version),
            b"stats" => Ok(Self::Stats(words)),
            b"flush_all" => Ok(flush_all(words)),
            b"verbosity" => verbosity(words),
            b"quit" => Ok(Self::Quit),
            b"shutdown" => Ok(Self::Shutdown(words.next())),
            b"cache_memlimit" => memory_limit(words),
            b"slabs" => Ok(Self::Slabs(words)),
            b"lru" => Ok(Self::Lru(words)),
            b"lru_crawler" => Ok(Self::Crawler(words)),
            b"watch" => Ok(Self::Watch(words)),
            b"refresh_certs" => Ok(Self::RefreshCertificates),
            b"config" if words.by_ref().eq([&b"get"[..], b"cluster"]) => Ok(Self::ConfigCluster),
            _ => Err(Refusal::Unknown),
        }
    }
}

/// Only the last word may say that no answer is wanted: before it stands a time.
fn flush_all(mut words: Tokens<'_>) -> Admin<'_> {
    let noreply = noreply(words);
    let has_time = words.count() > usize::from(noreply);
    let delay = if has_time { words.next().and_then(exptime) } else { Some(0) };
    Admin::FlushAll { delay, noreply }
}

fn verbosity(mut words: Tokens<'_>) -> Result<Admin<'_>, Refusal> {
    let noreply = noreply(words);
    let level = words.next().and_then(unsigned).ok_or(Refusal::BadLine)?;
    Ok(Admin::Verbosity { level, noreply })
}

fn memory_limit(mut words: Tokens<'_>) -> Result<Admin<'_>, Refusal> {
    let noreply = noreply(words);
    let mebibytes = words.next().and_then(unsigned).and_then(|number| number.try_into().ok());
    let mebibytes = mebibytes.ok_or(Refusal::Unknown)?;
    Ok(Admin::MemoryLimit { mebibytes, noreply })
}

#[cfg(test)]
mod tests {
    use super::super::{Command, parse};
    use super::*;

    #[test]
    fn servers_are_told_what_to_do() {
        let cases: [(&[u8], Admin<'_>); 14] = [
            (b"flush_all", Admin::FlushAll { delay: Some(0), noreply: false }),
            (b"flush_all noreply", Admin::FlushAll { delay: Some(0), noreply: true }),
            (b"flush_all -1 noreply", Admin::FlushAll { delay: Some(-1), noreply: true }),
            (b"flush_all abc", Admin::FlushAll { delay: None, noreply: false }),
            (b"flush_all abc noreply", Admin::FlushAll { delay: None, noreply: true }),
            (b"flush_all noreply 5", Admin::FlushAll { delay: None, noreply: false }),
            (b"flush_all noreply noreply", Admin::FlushAll { delay: None, noreply: true }),
            (b"version foo", Admin::Version),
            (b"verbosity 2", Admin::Verbosity { level: 2, noreply: false }),
            (b"quit now", Admin::Quit),
            (b"shutdown graceful", Admin::Shutdown(Some(b"graceful"))),
            (b"cache_memlimit 64", Admin::MemoryLimit { mebibytes: 64, noreply: false }),
            (b"config  get cluster", Admin::ConfigCluster),
            (b"stats", Admin::Stats(Tokens::new(b""))),
        ];
        for (line, admin) in cases {
            assert_eq!(parse(line), Ok(Command::Admin(admin)), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_no_server_knows_is_refused() {
        let cases: [(&[u8], Refusal); 7] = [
            (b"verbosity", Refusal::BadLine),
            (b"verbosity x", Refusal::BadLine),
            (b"cache_memlimit", Refusal::Unknown),
            (b"cache_memlimit x", Refusal::Unknown),
            (b"cache_memlimit 4294967296", Refusal::Unknown),
            (b"config set cluster", Refusal::Unknown),
            (b"config get", Refusal::Unknown),
        ];
        for (line, refusal) in cases {
            assert_eq!(parse(line), Err(refusal), "{}", line.escape_ascii());
        }
    }
}
