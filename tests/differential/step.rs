//! One request of a sequence, before it is known to whom it goes and in which
//! run: keys have a placeholder in front, tokens are those of earlier answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Stands in front of every key. As long as what replaces it, also as base64.
pub(crate) const PLACEHOLDER: &str = "@@@@@@";

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Text,
    Binary,
}

/// A part of a request.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Bytes(Vec<u8>),
    /// The token that so many other tokens were seen after, in decimal.
    Decimal(usize),
    /// The same in eight bytes.
    Word(usize),
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) speech: Speech,
    parts: Vec<Part>,
    /// Whether nothing may follow, because the request claims to be longer than
    /// it is: the answer ends when the client has closed its side.
    pub(crate) ends: bool,
}

impl Step {
    pub(crate) fn text(line: impl AsRef<[u8]>) -> Self {
        Self::of(Speech::Text, vec![Part::Bytes(line.as_ref().to_vec())])
    }

    pub(crate) fn of(speech: Speech, parts: Vec<Part>) -> Self {
        Self { speech, parts, ends: false }
    }

    pub(crate) fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    /// The bytes to send: in the run of this name, to the server that has shown
    /// these tokens.
    pub(crate) fn bytes(&self, run: &str, tokens: &[u64]) -> Vec<u8> {
        let token = |back: usize| match tokens.len() {
            0 => 1,
            len => tokens[len - 1 - back % len],
        };
        let parts = self.parts.iter().map(|part| match part {
            // Before the parts are joined: a token may end in a byte of the placeholder.
            Part::Bytes(bytes) => named(bytes, run),
            Part::Decimal(back) => token(*back).to_string().into_bytes(),
            Part::Word(back) => token(*back).to_be_bytes().to_vec(),
        });
        parts.flatten().collect()
    }
}

fn named(bytes: &[u8], run: &str) -> Vec<u8> {
    let named = replaced(bytes, PLACEHOLDER, run);
    replaced(&named, &STANDARD.encode(PLACEHOLDER), &STANDARD.encode(run))
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths are part of requests");
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            at += from.len();
        } else {
            at += 1;
        }
    }
    bytes
}
