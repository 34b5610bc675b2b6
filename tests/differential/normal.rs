//! Answers without what may differ: tokens become the order in which they were
//! first seen, seconds need only be about the same, and sizes are left out.

use crate::link::{Answer, End};
use crate::step::Speech;
use std::fmt;

/// A piece of an answer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// The so-manieth token of this server.
    Token(usize),
    /// Seconds, by a clock that ticks at another moment.
    Seconds(u64),
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{}", bytes.escape_ascii()),
            Self::Token(number) => write!(f, "<token {number}>"),
            Self::Seconds(seconds) => write!(f, "<{seconds} s>"),
        }
    }
}

/// An answer without what may differ.
#[derive(Clone, Debug)]
pub(crate) struct Normal {
    pieces: Vec<Piece>,
    end: End,
}

impl Normal {
    /// `tokens` are those that this server has shown, in order.
    pub(crate) fn new(answer: &Answer, speech: Speech, tokens: &mut Vec<u64>) -> Self {
        let mut reader = Reader { tokens, pieces: Vec::new() };
        match speech {
            Speech::Text => reader.text(&answer.bytes),
            Speech::Binary => reader.binary(&answer.bytes),
        }
        Self { pieces: reader.pieces, end: answer.end }
    }

    pub(crate) fn agrees(&self, other: &Self) -> bool {
        self.end == other.end
            && self.pieces.len() == other.pieces.len()
            && self.pieces.iter().zip(&other.pieces).all(|pair| match pair {
                (Piece::Seconds(one), Piece::Seconds(two)) => one.abs_diff(*two) <= 2,
                (one, two) => one == two,
            })
    }
}

struct Reader<'a> {
    tokens: &'a mut Vec<u64>,
    pieces: Vec<Piece>,
}

impl Reader<'_> {
    fn text(&mut self, mut rest: &[u8]) {
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(at + 1);
            let words: Vec<&[u8]> = line.trim_ascii_end().split(|&byte| byte == b' ').collect();
            self.line(&words);
            self.bytes(&line[line.trim_ascii_end().len()..]);
            let value = value_len(&words).map_or(0, |len| len + 2).min(after.len());
            self.bytes(&after[..value]);
            rest = &after[value..];
        }
        self.bytes(rest);
    }

    fn line(&mut self, words: &[&[u8]]) {
        for (place, word) in words.iter().enumerate() {
            match (words[0], word) {
                (b"VALUE", token) if place == 4 => self.token(b"", token),
                (b"HD" | b"VA", [letter @ b'c', token @ ..]) => self.token(&[*letter], token),
                (b"HD" | b"VA", [letter @ (b't' | b'l'), seconds @ ..]) => {
                    self.seconds(&[*letter], seconds);
                }
                (b"ME", word) if place > 1 => self.debug_word(word),
                (_, word) => self.bytes(word),
            }
        }
    }

    fn debug_word(&mut self, word: &[u8]) {
        let at = word.iter().position(|&byte| byte == b'=').map_or(word.len(), |at| at + 1);
        let (name, value) = word.split_at(at);
        match name {
            b"cas=" => self.token(name, value),
            b"exp=" | b"la=" => self.seconds(name, value),
            b"cls=" | b"size=" => {}
            _ => self.bytes(word),
        }
    }

    /// Frames: a header, and what it says follows. What came as text is no frame.
    fn binary(&mut self, mut rest: &[u8]) {
        while let Some(header) = rest.first_chunk::<24>().filter(|header| header[0] == 0x81) {
            let body = u32::from_be_bytes(*header[8..].first_chunk().unwrap()) as usize;
            let end = (24 + body).min(rest.len());
            self.bytes(&header[..16]);
            self.token_of(u64::from_be_bytes(*header[16..].first_chunk().unwrap()));
            self.bytes(&rest[24..end]);
            rest = &rest[end..];
        }
        self.bytes(rest);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.pieces.push(Piece::Bytes(bytes.to_vec()));
    }

    fn token(&mut self, name: &[u8], word: &[u8]) {
        self.bytes(name);
        match number(word) {
            Some(token) => self.token_of(token),
            None => self.bytes(word),
        }
    }

    /// Zero is no token.
    fn token_of(&mut self, token: u64) {
        if token == 0 {
            return self.bytes(b"0");
        }
        let known = self.tokens.iter().position(|&known| known == token);
        let number = known.unwrap_or_else(|| {
            self.tokens.push(token);
            self.tokens.len() - 1
        });
        self.pieces.push(Piece::Token(number));
    }

    fn seconds(&mut self, name: &[u8], word: &[u8]) {
        self.bytes(name);
        match number(word) {
            Some(seconds) => self.pieces.push(Piece::Seconds(seconds)),
            None => self.bytes(word),
        }
    }
}

fn value_len(words: &[&[u8]]) -> Option<usize> {
    let place = match words[0] {
        b"VALUE" => 3,
        b"VA" => 1,
        _ => return None,
    };
    number(words.get(place)?).map(|len| len as usize)
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
