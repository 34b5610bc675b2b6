//! Where the two may answer differently, and why. Nothing else may differ.

/// What was sent, and what each answered.
pub(crate) struct Case<'a> {
    pub(crate) request: &'a [u8],
    pub(crate) theirs: &'a [u8],
    pub(crate) ours: &'a [u8],
}

/// What is the same afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Everything.
    Alike,
    /// Items, or what the connection takes for the next request: the sequence
    /// cannot go on.
    Apart,
}

/// One thing in which they differ.
pub(crate) struct Difference {
    pub(crate) why: &'static str,
    pub(crate) after: After,
    pub(crate) is: fn(&Case<'_>) -> bool,
}

const BAD_LINE: &[u8] = b"CLIENT_ERROR bad command line format\r\n";

/// All that is known.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        why: "1.6.18 takes the value behind a refused storage line for commands",
        after: After::Apart,
        is: |case| {
            case.has_value()
                && (case.ours.is_empty() || case.ours.starts_with(BAD_LINE))
                && (case.theirs.is_empty() || case.theirs.starts_with(BAD_LINE))
        },
    },
    Difference {
        why: "1.6.18 says ERROR to a line that is too short",
        after: After::Alike,
        is: |case| lines(case.theirs).eq(lines(case.ours)) && case.theirs.ends_with(b"ERROR\r\n"),
    },
    Difference {
        why: "a line above 2048 bytes closes here however it comes, in memcached if it comes in parts",
        after: After::Alike,
        is: |case| case.line().len() >= 2048 && case.ours.is_empty(),
    },
    Difference {
        why: "memcached finds no number above 2^63 where any minus is in memory behind it",
        after: After::Apart,
        is: |case| {
            case.theirs.starts_with(b"CLIENT_ERROR cannot increment")
                && !case.ours.starts_with(b"CLIENT_ERROR")
        },
    },
    Difference {
        why: "memcached keeps no spaces behind a number that is held elsewhere, text",
        after: After::Apart,
        is: |case| {
            let is_head = |line: &[u8]| line.starts_with(b"VALUE ") || line.starts_with(b"VA ");
            let mut pairs = lines(case.theirs).zip(lines(case.ours));
            let padded =
                |(theirs, ours): (&[u8], &[u8])| !is_head(theirs) && theirs.len() < ours.len();
            lines(case.theirs).zip(lines(case.ours)).any(padded)
                && lines(case.theirs).count() == lines(case.ours).count()
                && pairs.all(|(theirs, ours)| {
                    (is_head(theirs) && is_head(ours)) || theirs.trim_ascii() == ours.trim_ascii()
                })
        },
    },
    Difference {
        why: "memcached keeps no spaces behind a number that is held elsewhere, binary",
        after: After::Apart,
        is: |case| {
            let (Some(theirs), Some(ours)) = (found(case.theirs), found(case.ours)) else {
                return false;
            };
            case.request[0] == 0x80
                && theirs.len() < ours.len()
                && theirs.trim_ascii_end() == ours.trim_ascii_end()
        },
    },
    Difference {
        why: "memcached's me counts the seconds left in 31 bits",
        after: After::Alike,
        is: |case| case.is_of("me ") && case.theirs.starts_with(b"ME "),
    },
    Difference {
        why: "1.6.18 answers gat without a key like one that finds nothing",
        after: After::Alike,
        is: |case| case.is_of("gat") && case.words() == 2 && case.theirs == b"END\r\n",
    },
    Difference {
        why: "1.6.18 refuses words behind a whole line; 1.6.45 passes over them",
        after: After::Apart,
        is: |case| case.theirs.starts_with(b"ERROR\r\n") && case.words() > 3,
    },
    Difference {
        why: "1.6.18 refuses words behind the key of a delete; 1.6.45 passes over them",
        after: After::Apart,
        is: |case| case.request.starts_with(b"delete ") && case.theirs.starts_with(b"CLIENT_ERROR"),
    },
    Difference {
        why: "1.6.45 takes no spaces before a command",
        after: After::Apart,
        is: |case| case.request.starts_with(b" ") && case.ours == b"ERROR\r\n",
    },
    Difference {
        why: "1.6.18 has fewer flags, and says so of an unknown one",
        after: After::Apart,
        is: |case| case.is_meta() && case.theirs.ends_with(b"flag\r\n"),
    },
    Difference {
        why: "1.6.18 takes modes of a meta set in upper case only",
        after: After::Apart,
        is: |case| case.theirs.starts_with(b"CLIENT_ERROR invalid mode for ms M token\r\n"),
    },
    Difference {
        why: "memcached answers a refused meta set when its value has come",
        after: After::Alike,
        is: |case| {
            case.is_of("ms ") && case.theirs.is_empty() && case.ours.starts_with(b"CLIENT_ERROR")
        },
    },
    Difference {
        why: "1.6.18 words the refusal to shut down differently",
        after: After::Alike,
        is: |case| case.theirs == b"ERROR: shutdown not enabled\r\n",
    },
    Difference {
        why: "memcached answers a count with q that has made the item",
        after: After::Apart,
        is: |case| {
            case.is_of("ma") && case.has_flag(b'q') && case.has_flag(b'N') && case.ours.is_empty()
        },
    },
    Difference {
        why: "reads with u count as reads here",
        after: After::Alike,
        is: |case| {
            case.is_of("mg")
                && case.has_flag(b'h')
                && replaced(case.theirs, b" h0") == replaced(case.ours, b" h1")
        },
    },
    Difference {
        why: "the seconds left of what is over are none here, and 2^32 less some in memcached",
        after: After::Alike,
        is: |case| case.is_meta() && case.theirs.windows(9).any(|window| window == b" t4294967"),
    },
    Difference {
        why: "R behind T goes by the expiry before it here, by the new one in memcached",
        after: After::Apart,
        is: |case| case.is_of("mg") && case.has_flag(b'R') && case.has_flag(b'T'),
    },
    Difference {
        why: "1.6.18 makes nothing where there is nothing to append to",
        after: After::Apart,
        is: |case| case.is_of("ms") && case.theirs.starts_with(b"NS") && case.has_flag(b'N'),
    },
    Difference {
        why: "1.6.18 does not tell the length that a meta set stored",
        after: After::Alike,
        is: |case| case.is_of("ms") && case.has_flag(b's'),
    },
    Difference {
        why: "memcached tells a key as it was first written, here it is told as in the request",
        after: After::Alike,
        is: |case| {
            let first = case.theirs.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let base64 = case.has_flag(b'b') || first.windows(2).any(|words| words == b" b");
            case.is_meta() && case.has_flag(b'k') && base64
        },
    },
    Difference {
        why: "lengths of which memcached keeps the lower 32 bits are refused here",
        after: After::Apart,
        is: |case| {
            case.ours.starts_with(BAD_LINE)
                && case.theirs.starts_with(b"CLIENT_ERROR bad data chunk\r\n")
        },
    },
    Difference {
        why: "where lengths contradict each other memcached waits for what they claim",
        after: After::Alike,
        is: |case| {
            case.request[0] == 0x80 && case.theirs.is_empty() && case.ours.starts_with(b"\x81")
        },
    },
    Difference {
        why: "memcached lets the lengths of some requests contradict each other",
        after: After::Apart,
        is: |case| case.request[0] == 0x80 && case.ours.ends_with(b"Invalid arguments"),
    },
    Difference {
        why: "memcached counts in no large value, and says so before it compares tokens",
        after: After::Alike,
        is: |case| case.request[0] == 0x80 && case.theirs.get(7) == Some(&6),
    },
];

impl Case<'_> {
    fn line(&self) -> &[u8] {
        self.request.split(|&byte| byte == b'\n').next().unwrap_or_default()
    }

    fn words(&self) -> usize {
        self.line().split(|&byte| byte == b' ').filter(|word| !word.is_empty()).count()
    }

    fn is_of(&self, verb: &str) -> bool {
        self.request.starts_with(verb.as_bytes())
    }

    fn is_meta(&self) -> bool {
        ["mg ", "ms ", "md ", "ma "].iter().any(|verb| self.is_of(verb))
    }

    fn has_flag(&self, letter: u8) -> bool {
        let mut words = self.line().split(|&byte| byte == b' ').skip(2);
        words.any(|word| word.first() == Some(&letter))
    }

    /// Whether a value follows the line.
    fn has_value(&self) -> bool {
        let verbs = ["set ", "add ", "replace ", "append ", "prepend ", "cas ", "ms "];
        verbs.iter().any(|verb| self.is_of(verb))
    }
}

/// The lines of an answer, as 1.6.45 words them.
fn lines(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer.split_inclusive(|&byte| byte == b'\n').map(|line| match line {
        b"ERROR\r\n" => BAD_LINE,
        line => line,
    })
}

/// The body of a binary answer that found something.
fn found(answer: &[u8]) -> Option<&[u8]> {
    let is_found = answer.first() == Some(&0x81) && answer.get(6..8) == Some(&[0, 0]);
    answer.get(24..).filter(|_| is_found)
}

/// Without the first of these.
fn replaced(bytes: &[u8], part: &[u8]) -> Vec<u8> {
    let at = bytes.windows(part.len()).position(|window| window == part);
    at.map_or_else(Vec::new, |at| [&bytes[..at], &bytes[at + part.len()..]].concat())
}

impl Difference {
    /// The one that explains this.
    pub(crate) fn of(case: &Case<'_>) -> Option<usize> {
        DIFFERENCES.iter().position(|difference| (difference.is)(case))
    }
}
