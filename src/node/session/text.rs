//! Lines: which command, and whose turn.

use super::{Session, Step};
use crate::item::Now;
use crate::memcache::text::{self, Command, Refusal, reply};
use crate::memcache::{Line, Tokens, meta};
use crate::net::Output;

/// memcached takes no shorter line, its end included, for a command at all.
const LINE_BYTES_MIN: usize = 4;

impl Session {
    pub(super) fn text(&mut self, input: &[u8], now: Now, out: &mut Output) -> Step {
        match Line::find(input, std::mem::take(&mut self.searched) as usize) {
            Line::Whole { text, used } if self.is_limited() => {
                self.limited_line(text, input, used, now, out)
            }
            Line::Whole { text, used } => self.any_line(text, input, used, now, out),
            Line::Partial => {
                self.searched = input.len() as u32;
                Step::Partial
            }
            Line::Endless => Step::Close(0),
        }
    }

    #[inline]
    pub(super) fn any_line(
        &mut self,
        line: &[u8],
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        match self.authenticated {
            true => self.line(line, input, used, now, out),
            false => self.introduction(line, input, used, out),
        }
    }

    #[inline]
    fn line(&mut self, line: &[u8], input: &[u8], used: usize, now: Now, out: &mut Output) -> Step {
        if used < LINE_BYTES_MIN {
            return self.refuse(Refusal::BadLine, line, used, out);
        }
        // Apart, for a node alone is not to wait for what is only asked among others.
        match self.among_others {
            true => self.line_among_others(line, input, used, now, out),
            false => self.line_here(text::parse(line), line, input, used, now, out),
        }
    }

    #[inline(never)]
    fn line_among_others(
        &mut self,
        line: &[u8],
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let command = text::parse(line);
        if let Ok(command) = &command
            && let Some(step) = self.elsewhere(command, input, used, now, out)
        {
            return step;
        }
        self.line_here(command, line, input, used, now, out)
    }

    #[inline]
    fn line_here(
        &mut self,
        command: Result<Command<'_>, Refusal>,
        line: &[u8],
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        match command {
            Ok(Command::Read(read)) => self.read(&read, line, used, now, out),
            Ok(Command::Meta(meta::Command::Get(request))) => {
                self.meta_get(&request, now, out);
                Step::Done(used)
            }
            Ok(Command::Store(head)) => self.store(&head, input, used, now, out),
            Ok(command) => self.other(&command, input, used, now, out),
            Err(refusal) => self.refuse(refusal, line, used, out),
        }
    }

    fn other(
        &mut self,
        command: &Command<'_>,
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        match *command {
            Command::Delete { key, noreply } => self.delete(key, noreply, now, out),
            Command::Count { kind, key, delta, noreply } => {
                self.count(kind, key, delta, noreply, now, out);
            }
            Command::Touch { key, exptime, noreply } => {
                self.touch(key, exptime, noreply, now, out);
            }
            Command::Meta(meta::Command::Set(head)) => {
                return self.meta_set(&head, input, used, now, out);
            }
            Command::Meta(meta::Command::Delete(request)) => self.meta_delete(&request, now, out),
            Command::Meta(meta::Command::Count(head)) => self.meta_count(&head, now, out),
            Command::Meta(meta::Command::Debug { key, base64 }) => {
                self.meta_debug(key, base64, now, out);
            }
            Command::MetaNoop => out.bytes().extend_from_slice(meta::reply::NOOP),
            Command::Admin(admin) => return self.admin(&admin, used, now, out),
            Command::Read(_) | Command::Store(_) | Command::Meta(meta::Command::Get(_)) => {}
        }
        Step::Done(used)
    }

    /// Refuses a line, and passes over the value that it says follows.
    pub(super) fn refuse(
        &mut self,
        refusal: Refusal,
        line: &[u8],
        used: usize,
        out: &mut Output,
    ) -> Step {
        if refusal == Refusal::Unknown && speaks_http(line) {
            return Step::Close(used);
        }
        answer(text::is_hushed(line), refusal.reply(), out);
        self.unwanted = text::claimed_body(line).unwrap_or(0);
        Step::Done(used)
    }
}

/// A browser, or a page that makes one send forged requests, is not talked to.
fn speaks_http(line: &[u8]) -> bool {
    Tokens::new(line).last().is_some_and(|token| token.starts_with(b"HTTP/"))
}

/// Answers, unless no answer is wanted.
pub(super) fn answer(noreply: bool, text: &[u8], out: &mut Output) {
    if !noreply {
        out.bytes().extend_from_slice(text);
    }
}

/// Ends a value.
pub(super) fn end_line(out: &mut Output) {
    out.bytes().extend_from_slice(reply::CRLF);
}
