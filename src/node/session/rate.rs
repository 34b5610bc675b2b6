//! Requests beyond what a client, or all of them together, may make.

use super::text::answer;
use super::{Role, Session, Step};
use crate::item::Now;
use crate::memcache::binary::{HEADER_BYTES, Request, Status, Verb, reply as binary};
use crate::memcache::meta;
use crate::memcache::text::{self, Admin, Command};
use crate::net::Output;
use crate::node::rates::Allowance;

/// What a client reads that asks too much.
const TOO_MANY: &[u8] = b"SERVER_ERROR too many requests a second\r\n";

/// How much a connection may ask.
#[derive(Debug)]
pub(super) struct Limit {
    allowance: Allowance,
    /// The request at the start of the input has been counted.
    counted: bool,
}

impl Limit {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, counted: false }
    }
}

impl Session {
    /// Whether requests are counted: those of other nodes were where they came in.
    #[inline]
    pub(super) fn is_limited(&self) -> bool {
        self.limit.is_some() && self.role == Role::Client
    }

    /// Obeys a line, unless it is one too many.
    pub(super) fn limited_line(
        &mut self,
        line: &[u8],
        input: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        if !self.admits(requests_of_line(line)) {
            let hushed = text::is_hushed(line) || is_quiet_read(line);
            answer(hushed, TOO_MANY, out);
            self.unwanted = text::claimed_body(line).unwrap_or(0);
            return Step::Done(used);
        }
        let step = self.any_line(line, input, used, now, out);
        self.keep_count(step);
        step
    }

    /// The same with a request of the binary protocol.
    pub(super) fn limited_binary(
        &mut self,
        request: &Request<'_>,
        input: &[u8],
        now: Now,
        out: &mut Output,
    ) -> Step {
        let requests = u32::from(!matches!(request.verb, Verb::Noop | Verb::Quit));
        if !self.admits(requests) {
            // A quiet read is a miss then; who writes is told, quiet or not.
            if !(request.quiet && matches!(request.verb, Verb::Get { .. })) {
                binary::status(out.bytes(), &request.header, Status::Busy);
            }
            self.unwanted = request.header.body_len;
            return Step::Done(HEADER_BYTES);
        }
        let step = self.binary_request(request, input, now, out);
        self.keep_count(step);
        step
    }

    /// Whether so many requests more may be made; a request that is at the start of
    /// the input once more has been counted.
    fn admits(&self, requests: u32) -> bool {
        let Some(limit) = &self.limit else { return true };
        if limit.counted || limit.allowance.admits(requests, self.shared().elapsed()) {
            return true;
        }
        self.counters().rate_limited.add(1);
        false
    }

    /// Remembers whether the request stays at the start of the input.
    fn keep_count(&mut self, step: Step) {
        if let Some(limit) = &mut self.limit {
            limit.counted = matches!(step, Step::Partial | Step::Full(0));
        }
    }
}

/// As how many requests a line counts. What ends a batch or a connection is always
/// done: the client waits for it. And a line that cannot be obeyed is refused as it is.
fn requests_of_line(line: &[u8]) -> u32 {
    match text::parse(line) {
        Ok(Command::Read(read)) => read.keys.count() as u32,
        Ok(Command::MetaNoop | Command::Admin(Admin::Quit)) | Err(_) => 0,
        Ok(_) => 1,
    }
}

/// Whether no answer is as good as a miss.
fn is_quiet_read(line: &[u8]) -> bool {
    match text::parse(line) {
        Ok(Command::Meta(meta::Command::Get(request))) => request.flags.quiet(),
        _ => false,
    }
}
