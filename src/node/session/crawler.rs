//! `lru_crawler`: lists of all items, piece by piece, and its tuning; and the list
//! of `stats cachedump`.

use super::text::answer;
use super::tuning::{self, number};
use super::watching::Encoded;
use super::{Pending, Session, Step};
use crate::item::{Expiry, Key, Now};
use crate::limits::{CACHEDUMP_BYTES_MAX, OUTPUT_BYTES_HIGH};
use crate::memcache::text::{Refusal, reply};
use crate::memcache::{KeyText, Tokens};
use crate::net::Output;
use crate::store::{Found, WalkFrom};
use std::io::Write;

/// Classes that memcached may have: all items here are of the first.
const CLASS_MAX: i64 = 63;

/// A list of all items that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dump {
    form: Form,
    /// Where to go on; none when there is nothing more to list.
    from: Option<WalkFrom>,
    /// So many items may still be listed.
    items_left: usize,
    /// So many bytes may they take, or the last of them a few more.
    bytes_left: usize,
}

/// How items are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A line of all that is known.
    Metadump,
    /// The request that would read it.
    Mgdump,
    /// Its key, length and expiry, of some of them.
    Cachedump,
}

impl Session {
    pub(super) fn crawler(
        &mut self,
        mut words: Tokens<'_>,
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let text: &[u8] = match (words.next(), words.next()) {
            // It always runs, so it cannot be started.
            (Some(b"enable"), None) => b"ERROR failed to start lru crawler thread\r\n",
            (Some(b"disable"), None) => reply::OK,
            (Some(b"sleep"), Some(micros)) => tuning::sleep(micros),
            (Some(b"tocrawl"), Some(items)) => tuning::to_crawl(items),
            (Some(b"crawl"), Some(classes)) => match Classes::parse(classes) {
                Some(_) => reply::OK,
                None => Refusal::BadClass.reply(),
            },
            (Some(b"metadump"), Some(classes)) => {
                return self.start_dump(Form::Metadump, classes, used, now, out);
            }
            (Some(b"mgdump"), Some(classes)) => {
                return self.start_dump(Form::Mgdump, classes, used, now, out);
            }
            _ => Refusal::Unknown.reply(),
        };
        answer(false, text, out);
        Step::Done(used)
    }

    fn start_dump(
        &mut self,
        form: Form,
        classes: &[u8],
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        if !self.shared().settings.dump_enabled {
            let text: &[u8] = match form == Form::Mgdump {
                true => b"ERROR mgdump not allowed\r\n",
                false => b"ERROR metadump not allowed\r\n",
            };
            answer(false, text, out);
            return Step::Done(used);
        }
        let Some(classes) = Classes::parse(classes) else {
            answer(false, Refusal::BadClass.reply(), out);
            return Step::Done(used);
        };
        answer(false, reply::OK, out);
        let from = (classes == Classes::WithItems).then(WalkFrom::default);
        let (items_left, bytes_left) = (usize::MAX, usize::MAX);
        self.begin_dump(Dump { form, from, items_left, bytes_left }, used, now, out)
    }

    /// Lists keys, up to a number of them; zero is all that fit.
    pub(super) fn start_cachedump(
        &mut self,
        limit: u32,
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        let items_left = if limit == 0 { usize::MAX } else { limit as usize };
        let from = Some(WalkFrom::default());
        let (form, bytes_left) = (Form::Cachedump, CACHEDUMP_BYTES_MAX);
        self.begin_dump(Dump { form, from, items_left, bytes_left }, used, now, out)
    }

    fn begin_dump(&mut self, dump: Dump, used: usize, now: Now, out: &mut Output) -> Step {
        self.pending = Some(Box::new(Pending::Dump(dump)));
        self.dump(now, out);
        Step::Full(used)
    }

    /// Lists some more items. Whatever comes next has another turn: many lists may be
    /// asked for at once, and each goes through all of the memory.
    pub(super) fn dump(&mut self, now: Now, out: &mut Output) -> Step {
        let Some(Pending::Dump(dump)) = self.pending.as_deref() else { return Step::Partial };
        let mut listed = *dump;
        for _ in 0..PIECES_MAX {
            let Some(place) = listed.from.filter(|_| !listed.is_full()) else {
                self.pending = None;
                answer(false, listed.form.end(), out);
                return Step::Full(0);
            };
            if out.len() >= OUTPUT_BYTES_HIGH {
                break;
            }
            let bytes = out.bytes();
            let store = &self.shared().store;
            listed.from = {
                let list = &mut listed;
                store.walk(place, now, |key, found| list.line(bytes, key, found))
            };
        }
        self.pending = Some(Box::new(Pending::Dump(listed)));
        Step::Full(0)
    }
}

impl Dump {
    fn is_full(&self) -> bool {
        self.items_left == 0 || self.bytes_left == 0
    }

    fn line(&mut self, out: &mut Vec<u8>, key: Key<'_>, found: &Found<'_>) {
        if self.is_full() {
            return;
        }
        let before = out.len();
        match self.form {
            Form::Metadump => metadump_line(out, key, found),
            Form::Mgdump => mgdump_line(out, key),
            Form::Cachedump => cachedump_line(out, key, found),
        }
        self.items_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(out.len() - before);
    }
}

/// Pieces of the memory looked at before others have their turn: there may be
/// nothing in them to show.
const PIECES_MAX: usize = 64;

impl Form {
    /// What comes after the last item.
    fn end(self) -> &'static [u8] {
        match self {
            Self::Metadump | Self::Cachedump => reply::END,
            Self::Mgdump => b"EN\r\n",
        }
    }
}

fn cachedump_line(out: &mut Vec<u8>, key: Key<'_>, found: &Found<'_>) {
    let expiry = match found.meta().expiry {
        Expiry::Never => 0,
        Expiry::At(second) => second,
    };
    out.extend_from_slice(b"ITEM ");
    out.extend_from_slice(key.bytes());
    // Writing to memory does not fail.
    let _ = write!(out, " [{} b; {expiry} s]\r\n", found.value_len());
}

fn metadump_line(out: &mut Vec<u8>, key: Key<'_>, found: &Found<'_>) {
    let (meta, key, size) = (found.meta(), Encoded(key.bytes()), found.memory());
    let exp = match meta.expiry {
        Expiry::Never => -1,
        Expiry::At(second) => i64::from(second),
    };
    let fetched = if meta.fetched { "yes" } else { "no" };
    let (accessed, cas, flags) = (meta.accessed_s, meta.cas, meta.flags);
    // Writing to memory does not fail.
    let _ = writeln!(
        out,
        "key={key} exp={exp} la={accessed} cas={cas} fetch={fetched} cls=1 size={size} \
         flags={flags}"
    );
}

fn mgdump_line(out: &mut Vec<u8>, key: Key<'_>) {
    let encoded = match KeyText::is_plain(key.bytes()) {
        true => None,
        false => KeyText::encode(key.bytes()),
    };
    out.extend_from_slice(b"mg ");
    match encoded {
        None => out.extend_from_slice(key.bytes()),
        Some(text) => {
            out.extend_from_slice(text.bytes());
            out.extend_from_slice(b" b");
        }
    }
    out.extend_from_slice(reply::CRLF);
}

/// Which classes of items a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Classes {
    /// The one that all items are in is among them.
    WithItems,
    /// Only classes that are empty here.
    Empty,
}

impl Classes {
    fn parse(word: &[u8]) -> Option<Self> {
        if word == b"all" || word == b"hash" {
            return Some(Self::WithItems);
        }
        let mut classes = Self::Empty;
        for class in word.split(|&byte| byte == b',') {
            match number(class)? {
                1 => classes = Self::WithItems,
                2..=CLASS_MAX => {}
                _ => return None,
            }
        }
        Some(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_named_in_many_ways() {
        for word in ["all", "hash", "1", "2,1"] {
            assert_eq!(Classes::parse(word.as_bytes()), Some(Classes::WithItems), "{word}");
        }
        assert_eq!(Classes::parse(b"2,3"), Some(Classes::Empty));
        for word in ["foo", "0", "64", "1,", "-1"] {
            assert_eq!(Classes::parse(word.as_bytes()), None, "{word}");
        }
    }
}
