//! Who a client is: the first `set` of a text connection, or SASL.

use super::body::without_end;
use super::{Session, Step};
use crate::limits::CREDENTIALS_BYTES_MAX;
use crate::memcache::Tokens;
use crate::memcache::binary::{Request, Status, reply as binary};
use crate::memcache::text::{claimed_body, reply};
use crate::net::Output;

impl Session {
    /// Until a client has said who it is, a line is only looked at for that: a
    /// `set` of any key whose value is name and password.
    pub(super) fn introduction(
        &mut self,
        line: &[u8],
        input: &[u8],
        used: usize,
        out: &mut Output,
    ) -> Step {
        let name = Tokens::new(line).next();
        if matches!(name, Some(b"mn" | b"quit")) {
            return Step::Close(used);
        }
        let Some(len) = claimed_body(line).filter(|_| name == Some(b"set")) else {
            out.bytes().extend_from_slice(reply::UNAUTHENTICATED);
            self.unwanted = claimed_body(line).unwrap_or(0);
            return Step::Done(used);
        };
        if len > CREDENTIALS_BYTES_MAX {
            self.count_introduction(false);
            out.bytes().extend_from_slice(reply::BAD_AUTHENTICATION);
            self.unwanted = len;
            return Step::Done(used);
        }
        let Some(body) = input.get(used..used + len) else { return Step::Partial };
        out.bytes().extend_from_slice(self.check(body));
        Step::Done(used + len)
    }

    fn check(&mut self, body: &[u8]) -> &'static [u8] {
        let value = without_end(body).and_then(|value| {
            let space = value.iter().position(|&byte| byte == b' ')?;
            Some((&value[..space], &value[space + 1..]))
        });
        let known = value.map(|(name, password)| self.knows(name, password));
        self.count_introduction(known == Some(true));
        match known {
            Some(true) => reply::STORED,
            Some(false) => reply::AUTHENTICATION_FAILURE,
            None => reply::BAD_AUTHENTICATION,
        }
    }

    /// SASL PLAIN: whom to act for, name and password, with a zero before the
    /// last two.
    pub(super) fn sasl(&mut self, request: &Request<'_>, value: &[u8], out: &mut Output) {
        let mut parts = value.splitn(3, |&byte| byte == 0).skip(1);
        let known = match (request.key, parts.next(), parts.next()) {
            (b"PLAIN", Some(name), Some(password)) => self.knows(name, password),
            _ => false,
        };
        self.count_introduction(known);
        match known {
            true => binary::value(out.bytes(), &request.header, 0, b"Authenticated"),
            false => binary::status(out.bytes(), &request.header, Status::Unauthenticated),
        }
    }

    fn knows(&self, name: &[u8], password: &[u8]) -> bool {
        self.shared().settings.users.as_ref().is_some_and(|users| users.know(name, password))
    }

    /// Whoever fails to say who it is has not said so before either.
    fn count_introduction(&mut self, known: bool) {
        self.authenticated = known;
        self.counters().auth_cmds.add(1);
        self.counters().auth_errors.add(u64::from(!known));
    }
}
