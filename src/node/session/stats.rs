//! `stats`, by lines and in binary.

use super::tuning::count;
use super::{Session, Step};
use crate::item::Now;
use crate::memcache::Tokens;
use crate::memcache::binary::{self, Request, Status};
use crate::memcache::text::{Refusal, reply};
use crate::net::Output;
use crate::node::statistics::{self, Report};

impl Session {
    pub(super) fn stats(
        &mut self,
        mut words: Tokens<'_>,
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let topic = words.next();
        let text: &[u8] = match topic {
            Some(b"reset") => {
                self.shared().reset_counts();
                reply::RESET
            }
            Some(b"detail") => self.detail(words.next(), out),
            Some(b"cachedump") => return self.cachedump(words, used, now, out),
            _ => {
                let mut report = Report::lines(out.bytes());
                match statistics::report(self.shared(), topic.unwrap_or(b""), now, &mut report) {
                    true => reply::END,
                    false => Refusal::Unknown.reply(),
                }
            }
        };
        out.bytes().extend_from_slice(text);
        Step::Done(used)
    }

    /// Statistics by prefix; what is left to be said is returned.
    fn detail(&mut self, order: Option<&[u8]>, out: &mut Output) -> &'static [u8] {
        let prefixes = &self.shared().prefixes;
        match order {
            Some(b"on") => prefixes.enable(true),
            Some(b"off") => prefixes.enable(false),
            Some(b"dump") => {
                statistics::prefixes(prefixes, out.bytes());
                return reply::END;
            }
            _ => return Refusal::StatsDetail.reply(),
        }
        reply::OK
    }

    fn cachedump(&mut self, words: Tokens<'_>, used: usize, now: Now, out: &mut Output) -> Step {
        match self.cachedump_limit(words) {
            Ok(limit) => self.start_cachedump(limit, used, now, out),
            Err(text) => {
                out.bytes().extend_from_slice(text);
                Step::Done(used)
            }
        }
    }

    /// How many items to list; or what to say instead.
    fn cachedump_limit(&self, mut words: Tokens<'_>) -> Result<u32, &'static [u8]> {
        let (Some(class), Some(limit)) = (words.next(), words.next()) else {
            return Err(Refusal::StatsCachedump.reply());
        };
        let (Some(class), Some(limit)) = (count(class), count(limit)) else {
            return Err(Refusal::BadLine.reply());
        };
        if !self.shared().settings.dump_enabled {
            return Err(b"CLIENT_ERROR stats cachedump not allowed\r\n");
        }
        match class {
            1 => Ok(limit),
            0 | 2..=63 => Err(reply::END),
            _ => Err(b"CLIENT_ERROR Illegal slab id\r\n"),
        }
    }

    pub(super) fn binary_stats(&mut self, request: &Request<'_>, now: Now, out: &mut Output) {
        let header = &request.header;
        let mut words = Tokens::new(request.key);
        let known = match words.next() {
            Some(b"reset") => {
                self.shared().reset_counts();
                true
            }
            Some(b"detail") => match words.next() {
                Some(b"dump") => {
                    let mut text = Vec::new();
                    statistics::prefixes(&self.shared().prefixes, &mut text);
                    text.extend_from_slice(reply::END);
                    binary::reply::statistic(out.bytes(), header, b"detailed", &text);
                    true
                }
                order @ Some(b"on" | b"off") => {
                    self.shared().prefixes.enable(order == Some(b"on"));
                    true
                }
                _ => false,
            },
            topic => {
                let mut report = Report::packets(out.bytes(), header);
                statistics::report(self.shared(), topic.unwrap_or(b""), now, &mut report)
            }
        };
        match known {
            true => binary::reply::statistic(out.bytes(), header, b"", b""),
            false => binary::reply::status(out.bytes(), header, Status::NotFound),
        }
    }
}
