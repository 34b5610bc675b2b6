//! Small changes to real requests, the same for the same seed.

use ringcached::lab::Random;

/// Words that mean something where they end up.
const WORDS: [&[u8]; 34] = [
    b"get ",
    b"gets ",
    b"gat 0 ",
    b"set ",
    b"cas ",
    b"append ",
    b"incr ",
    b"touch ",
    b"delete ",
    b"mg ",
    b"ms ",
    b"md ",
    b"ma ",
    b"me ",
    b"mn\r\n",
    b"flush_all",
    b" noreply",
    b"\r\n",
    b"\n",
    b" ",
    b"\0",
    b" 0 0 1\r\nx\r\n",
    b" -1",
    b" 4294967296",
    b" 18446744073709551615",
    b" b",
    b" v c t k q",
    b" N0 R9 T-1",
    b" I C1 E5",
    b" MA",
    b"\x80",
    b"\x81",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
];

/// Draws changes.
pub(crate) struct Mutator(Random);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// One to three requests after each other, with a few faults.
    pub(crate) fn mutated(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let count = 1 + self.below(3);
        let mut bytes: Vec<u8> =
            (0..count).flat_map(|_| corpus[self.below(corpus.len())].clone()).collect();
        for _ in 0..self.below(6) {
            self.harm(&mut bytes);
        }
        bytes
    }

    fn harm(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(9)).min(bytes.len());
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.0.word() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            4 => bytes.truncate(at),
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }

    /// The bytes in pieces, as a network may bring them.
    pub(crate) fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + self.below(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}
