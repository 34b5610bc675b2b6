//! Names and values on their way out, by lines or in binary.

use crate::memcache::binary::{self, Header};
use std::fmt::Display;
use std::io::Write;

/// Where statistics are written.
#[derive(Debug)]
pub(in crate::node) struct Report<'a> {
    out: &'a mut Vec<u8>,
    to: Option<&'a Header>,
}

impl<'a> Report<'a> {
    pub(in crate::node) fn lines(out: &'a mut Vec<u8>) -> Self {
        Self { out, to: None }
    }

    /// One answer to this request for each value.
    pub(in crate::node) fn packets(out: &'a mut Vec<u8>, to: &'a Header) -> Self {
        Self { out, to: Some(to) }
    }

    pub(super) fn stat(&mut self, name: impl Display, value: impl Display) {
        match self.to {
            // Writing to memory does not fail.
            None => drop(write!(self.out, "STAT {name} {value}\r\n")),
            Some(to) => {
                let (name, value) = (name.to_string(), value.to_string());
                binary::reply::statistic(self.out, to, name.as_bytes(), value.as_bytes());
            }
        }
    }

    /// The same for things that are on or off.
    pub(super) fn yes_no(&mut self, name: impl Display, yes: bool) {
        self.stat(name, if yes { "yes" } else { "no" });
    }

    /// Several that are what they are where there is no such thing.
    pub(super) fn all(&mut self, constants: &[(&str, &str)]) {
        for (name, value) in constants {
            self.stat(name, value);
        }
    }
}
