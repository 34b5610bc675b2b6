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
        is: |case| case.theirs == b"ERROR\r\n" && case.ours == BAD_LINE && case.is_too_short(),
    },
    Difference {
        why: "1.6.18 says ERROR to a line of less than four bytes behind another, or behind a value",
        after: After::Alike,
        is: |case| {
            let (theirs, ours) = (lines(case.theirs), lines(case.ours));
            let differ = |pair: &(&&[u8], &&[u8])| pair.0 != pair.1;
            let differing = || theirs.iter().zip(&ours).filter(differ);
            theirs.len() == ours.len()
                && differing().all(|(&theirs, &ours)| theirs == b"ERROR\r\n" && ours == BAD_LINE)
                && (1..=case.tiny_lines()).contains(&differing().count())
        },
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
            let lines = |answer| lines(answer).into_iter();
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
        is: |case| {
            case.is_of("me ")
                && alike(case, |word| {
                    ["exp=", "cas=", "la=", "cls=", "size="].iter().any(|name| starts(word, name))
                })
        },
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
        is: |case| {
            let usage: &[u8] =
                b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";
            let answers: [&[u8]; 4] = [b"DELETED\r\n", b"NOT_FOUND\r\n", b"", BAD_LINE];
            case.is_of("delete ")
                && case.words() > 2
                && case.theirs == usage
                && answers.contains(&case.ours)
        },
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
        why: "1.6.18 takes modes of one letter only; in 1.6.45 the first one counts",
        after: After::Apart,
        is: |case| {
            let is_odd = |word: &[u8]| word.first() == Some(&b'M') && word.len() != 2;
            case.theirs == b"CLIENT_ERROR incorrect length for M token\r\n"
                && case.flags().any(is_odd)
        },
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
                && first_words(case.theirs).any(|word| word == b"h0")
                && first_words(case.ours).any(|word| word == b"h1")
                && alike(case, |word| matches!(word, b"h0" | b"h1"))
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
        is: |case| {
            let at = |letter| case.flags().position(|word| word.first() == Some(&letter));
            let behind = at(b'T').zip(at(b'R')).is_some_and(|(t, r)| t < r);
            case.is_of("mg") && behind && alike(case, |word| word == b"W")
        },
    },
    Difference {
        why: "1.6.18 makes nothing where there is nothing to append to",
        after: After::Apart,
        is: |case| case.is_of("ms") && case.theirs.starts_with(b"NS") && case.has_flag(b'N'),
    },
    Difference {
        why: "1.6.18 does not tell the length that a meta set stored",
        after: After::Alike,
        is: |case| {
            let told = case.has_flag(b's') && alike(case, |word| starts(word, "s"));
            case.is_of("ms") && told && first_words(case.theirs).all(|word| !starts(word, "s"))
        },
    },
    Difference {
        why: "memcached tells a key as it was first written, here it is told as in the request",
        after: After::Alike,
        is: |case| {
            let first = case.theirs.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let base64 = case.has_flag(b'b') || first.windows(2).any(|words| words == b" b");
            // One of the keys has a space and an `s` in it.
            let is_of_key = |word: &[u8]| matches!(word, b"b" | b"s") || starts(word, "k");
            case.is_meta() && case.has_flag(b'k') && base64 && alike(case, is_of_key)
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
            case.contradicts_itself()
                && case.theirs.is_empty()
                && case.ours.starts_with(b"\x81")
                && case.ours.get(6..8) != Some(&[0, 0])
        },
    },
    Difference {
        why: "memcached lets the lengths of some requests contradict each other",
        after: After::Apart,
        is: |case| case.contradicts_itself() && case.ours.ends_with(b"Invalid arguments"),
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
        let words = self.line().trim_ascii_end().split(|&byte| byte == b' ');
        words.filter(|word| !word.is_empty()).count()
    }

    fn is_of(&self, verb: &str) -> bool {
        self.request.starts_with(verb.as_bytes())
    }

    fn is_meta(&self) -> bool {
        ["mg ", "ms ", "md ", "ma "].iter().any(|verb| self.is_of(verb))
    }

    /// The words behind the key.
    fn flags(&self) -> impl Iterator<Item = &[u8]> {
        let line = self.line().trim_ascii_end();
        line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).skip(2)
    }

    fn has_flag(&self, letter: u8) -> bool {
        self.flags().any(|word| word.first() == Some(&letter))
    }

    /// Whether the line has fewer words than its command needs.
    fn is_too_short(&self) -> bool {
        let verb = self.line().trim_ascii_end().split(|&byte| byte == b' ').next();
        let needed = match verb.unwrap_or_default() {
            b"get" | b"gets" | b"delete" | b"mg" | b"md" | b"ma" | b"me" | b"verbosity" => 2,
            b"incr" | b"decr" | b"touch" | b"gat" | b"gats" | b"ms" => 3,
            b"set" | b"add" | b"replace" | b"append" | b"prepend" => 5,
            b"cas" => 6,
            _ => 0,
        };
        self.line().len() < 3 || self.words() < needed
    }

    /// How many lines of less than four bytes are taken for commands: whatever is behind
    /// a value of the length that its line tells is.
    fn tiny_lines(&self) -> usize {
        let place = if self.is_of("ms ") { 2 } else { 4 };
        let mut words = self.line().trim_ascii_end().split(|&byte| byte == b' ');
        let len = words.nth(place).filter(|_| self.has_value());
        let len = len.and_then(|len| std::str::from_utf8(len).ok()?.parse::<usize>().ok());
        let commands = len.map_or(0, |len| self.line().len() + 1 + len + 2);
        let rest = self.request.get(commands..).unwrap_or_default();
        lines(rest).iter().filter(|line| line.len() < 4).count()
    }

    /// Whether the lengths in a binary header are not those of what follows it.
    fn contradicts_itself(&self) -> bool {
        let Some(header) = self.request.first_chunk::<24>() else { return false };
        let key = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let body = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        header[0] == 0x80
            && (key + usize::from(header[4]) > body || 24 + body != self.request.len())
    }

    /// Whether a value follows the line.
    fn has_value(&self) -> bool {
        let verbs = ["set ", "add ", "replace ", "append ", "prepend ", "cas ", "ms "];
        verbs.iter().any(|verb| self.is_of(verb))
    }
}

/// Line by line.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|&byte| byte == b'\n').collect()
}

fn starts(word: &[u8], with: &str) -> bool {
    word.starts_with(with.as_bytes())
}

/// The words of an answer's first line.
fn first_words(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    let line = answer.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.trim_ascii_end().split(|&byte| byte == b' ')
}

/// Whether both answers are the same without some words of their first lines. Tokens
/// are each server's own, and seconds pass.
fn alike(case: &Case<'_>, without: impl Fn(&[u8]) -> bool) -> bool {
    let value =
        |answer: &[u8]| answer.splitn(2, |&byte| byte == b'\n').nth(1).unwrap_or_default().to_vec();
    let head = |answer| -> Vec<Vec<u8>> {
        let words = first_words(answer).filter(|word| !without(word));
        let own = |word: &[u8]| {
            let is_number = word.len() > 1 && word[1..].iter().all(u8::is_ascii_digit);
            is_number && b"ctl".contains(&word[0])
        };
        words.map(|word| if own(word) { word[..1].to_vec() } else { word.to_vec() }).collect()
    };
    head(case.theirs) == head(case.ours) && value(case.theirs) == value(case.ours)
}

/// The body of a binary answer that found something.
fn found(answer: &[u8]) -> Option<&[u8]> {
    let is_found = answer.first() == Some(&0x81) && answer.get(6..8) == Some(&[0, 0]);
    answer.get(24..).filter(|_| is_found)
}

impl Difference {
    /// The one that explains this.
    pub(crate) fn of(case: &Case<'_>) -> Option<usize> {
        DIFFERENCES.iter().position(|difference| (difference.is)(case))
    }
}
