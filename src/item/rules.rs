//! What an operation does to an item. A decision is a value: the store carries
//! it out, a test compares it.

use super::{Count, CountKind, Decimal, Delete, Expiry, Get, Lease, Meta, Now, Op, Standing};
use super::{Store, StoreMode};

/// The item that is there, as far as a decision depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Old {
    /// All but its key and value.
    pub meta: Meta,
    /// Bytes of its value.
    pub value_len: usize,
    /// The number that its value says. Looked at by [`Op::Count`] only.
    pub number: Option<u64>,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The item is there, or has just been made for the reader who won it.
    Found {
        /// This reader has been told to fetch a fresh value.
        won: bool,
        /// Another reader had been told before.
        lost: bool,
    },
    /// There is no such item.
    NotFound,
    /// The value was written.
    Stored,
    /// The terms of the write are not met.
    NotStored,
    /// The item has another token than the one compared.
    Exists,
    /// The item is gone, or declared stale.
    Deleted,
    /// The number is now this.
    Counted {
        /// What it is.
        number: u64,
        /// Nothing was there: it is where counting starts.
        made: bool,
    },
    /// The value says no number.
    NotNumeric,
    /// The value is larger than a value may be; nothing was stored.
    TooLarge,
    /// There is no room for it, whatever is evicted; nothing was stored.
    NoRoom,
}

/// What is to be done with the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    /// Nothing.
    Leave,
    /// A new item takes its place.
    Write(Draft<'a>),
    /// It stays, version and all, with another expiry and standing.
    Amend {
        /// From now on.
        expiry: Expiry,
        /// From now on.
        standing: Standing,
    },
    /// It goes.
    Remove,
}

/// An item to be written. Its version is given by the clock of who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft<'a> {
    /// The client's own bits.
    pub flags: u32,
    /// When it goes.
    pub expiry: Expiry,
    /// A token chosen by the client.
    pub cas: Option<u64>,
    /// How it stands with those who may have to recompute it.
    pub standing: Standing,
    /// Its value.
    pub value: NewValue<'a>,
}

/// The value of an item to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewValue<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The old value and then these.
    Appended(&'a [u8]),
    /// These and then the old value.
    Prepended(&'a [u8]),
    /// The old value.
    Kept,
    /// A number, filled up with spaces on the right to so many bytes.
    Number {
        /// Which number.
        number: u64,
        /// Bytes of the value, if its digits are fewer.
        width: usize,
    },
}

impl NewValue<'_> {
    /// Bytes of the new value, where the old one has so many.
    #[must_use]
    pub fn len(&self, old_len: usize) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Appended(part) | Self::Prepended(part) => old_len + part.len(),
            Self::Kept => old_len,
            Self::Number { number, width } => Decimal::new(*number).text().len().max(*width),
        }
    }
}

/// What is to be done, and what to say once it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling<'a> {
    /// To be done.
    pub effect: Effect<'a>,
    /// To be said.
    pub outcome: Outcome,
}

impl<'a> Ruling<'a> {
    fn leave(outcome: Outcome) -> Self {
        Self { effect: Effect::Leave, outcome }
    }

    fn write(draft: Draft<'a>, outcome: Outcome) -> Self {
        Self { effect: Effect::Write(draft), outcome }
    }
}

/// Whether a read that found this, or nothing, is done with it: no expiry to
/// change, no winner to name, no item to make.
#[inline]
#[must_use]
pub fn reads_only(get: &Get, found: Option<&Meta>, now: Now) -> bool {
    match (found, get.lease) {
        _ if get.touch.is_some() && found.is_some() => false,
        (_, None) => true,
        (None, Some(lease)) => lease.vivify.is_none(),
        (Some(meta), Some(lease)) => !wins(lease.recache_s, meta, now),
    }
}

fn wins(recache_s: Option<i64>, meta: &Meta, now: Now) -> bool {
    let soon = |limit: i64| meta.expiry.left_s(now).is_some_and(|left| i64::from(left) < limit);
    !meta.standing.won && (meta.standing.stale || recache_s.is_some_and(soon))
}

/// What an operation does to the item that is there, or to its absence.
#[must_use]
pub fn decide<'a>(op: &Op<'a>, old: Option<&Old>, now: Now) -> Ruling<'a> {
    match op {
        Op::Get(get) => read(get, old, now),
        Op::Store(store) => write(store, old),
        Op::Delete(delete) => take_away(delete, old),
        Op::Count(count) => add_up(count, old),
        Op::Touch(expiry) => read(&Get { touch: Some(*expiry), lease: None }, old, now),
    }
}

fn read<'a>(get: &Get, old: Option<&Old>, now: Now) -> Ruling<'a> {
    let Some(Old { meta, .. }) = old else { return read_nothing(get) };
    let won = get.lease.is_some_and(|lease| wins(lease.recache_s, meta, now));
    let outcome = Outcome::Found { won, lost: meta.standing.won };
    if get.touch.is_none() && !won {
        return Ruling::leave(outcome);
    }
    let standing = Standing { won: meta.standing.won || won, ..meta.standing };
    let expiry = get.touch.unwrap_or(meta.expiry);
    Ruling { effect: Effect::Amend { expiry, standing }, outcome }
}

fn read_nothing<'a>(get: &Get) -> Ruling<'a> {
    match get.lease {
        Some(Lease { vivify: Some(expiry), cas, .. }) => {
            let standing = Standing { stale: false, won: true };
            let draft = Draft { flags: 0, expiry, cas, standing, value: NewValue::Bytes(b"") };
            Ruling::write(draft, Outcome::Found { won: true, lost: false })
        }
        _ => Ruling::leave(Outcome::NotFound),
    }
}

/// How the token that a write compares stands to the item's.
#[derive(PartialEq, Eq)]
enum Compared {
    Free,
    Same,
    Older,
    Other,
}

fn compare(compare: Option<u64>, meta: &Meta) -> Compared {
    match compare {
        None => Compared::Free,
        Some(token) if token == meta.cas => Compared::Same,
        Some(token) if token < meta.cas => Compared::Older,
        Some(_) => Compared::Other,
    }
}

fn write<'a>(store: &Store<'a>, old: Option<&Old>) -> Ruling<'a> {
    match old {
        Some(old) => write_over(store, old),
        None => write_new(store),
    }
}

fn write_new<'a>(store: &Store<'a>) -> Ruling<'a> {
    let draft = fresh(store);
    match store.mode {
        StoreMode::Add => Ruling::write(draft, Outcome::Stored),
        StoreMode::Set if store.compare.is_none() => Ruling::write(draft, Outcome::Stored),
        StoreMode::Set => Ruling::leave(Outcome::NotFound),
        StoreMode::Replace if store.compare.is_some() => Ruling::leave(Outcome::NotFound),
        StoreMode::Replace => Ruling::leave(Outcome::NotStored),
        StoreMode::Append | StoreMode::Prepend => match store.vivify {
            Some(expiry) => Ruling::write(Draft { expiry, ..draft }, Outcome::Stored),
            None => Ruling::leave(Outcome::NotStored),
        },
    }
}

fn fresh<'a>(store: &Store<'a>) -> Draft<'a> {
    Draft {
        flags: store.flags,
        expiry: store.expiry,
        cas: store.cas,
        standing: Standing::default(),
        value: NewValue::Bytes(store.value),
    }
}

fn write_over<'a>(store: &Store<'a>, old: &Old) -> Ruling<'a> {
    let compared = compare(store.compare, &old.meta);
    match store.mode {
        StoreMode::Add => Ruling::leave(Outcome::NotStored),
        StoreMode::Set | StoreMode::Replace => match compared {
            Compared::Free | Compared::Same => Ruling::write(fresh(store), Outcome::Stored),
            Compared::Older if store.invalidate => {
                Ruling::write(stale(store, &old.meta), Outcome::Stored)
            }
            Compared::Older | Compared::Other => Ruling::leave(Outcome::Exists),
        },
        StoreMode::Append => extend(store, old, &compared, NewValue::Appended(store.value)),
        StoreMode::Prepend => extend(store, old, &compared, NewValue::Prepended(store.value)),
    }
}

/// A value from before the item's own: better than nothing until a fresh one
/// comes, so it keeps the item's expiry and winner.
fn stale<'a>(store: &Store<'a>, old: &Meta) -> Draft<'a> {
    let standing = Standing { stale: true, won: old.standing.won };
    Draft { expiry: old.expiry, standing, ..fresh(store) }
}

fn extend<'a>(
    store: &Store<'a>,
    old: &Old,
    compared: &Compared,
    value: NewValue<'a>,
) -> Ruling<'a> {
    if !matches!(compared, Compared::Free | Compared::Same) {
        return Ruling::leave(Outcome::Exists);
    }
    Ruling::write(kept(&old.meta, store.cas, value), Outcome::Stored)
}

/// An item with all that the old one had, but a value and a token of its own.
fn kept<'a>(old: &Meta, cas: Option<u64>, value: NewValue<'a>) -> Draft<'a> {
    let standing = Standing::default();
    Draft { flags: old.flags, expiry: old.expiry, cas, standing, value }
}

fn take_away<'a>(delete: &Delete, old: Option<&Old>) -> Ruling<'a> {
    let Some(Old { meta, .. }) = old else { return Ruling::leave(Outcome::NotFound) };
    if !matches!(compare(delete.compare, meta), Compared::Free | Compared::Same) {
        return Ruling::leave(Outcome::Exists);
    }
    if !delete.invalidate && !delete.drop_value {
        return Ruling { effect: Effect::Remove, outcome: Outcome::Deleted };
    }
    let value = if delete.drop_value { NewValue::Bytes(b"") } else { NewValue::Kept };
    let flags = if delete.drop_value { delete.flags } else { meta.flags };
    // An item without its value forgets its expiry too.
    let expiry = if delete.drop_value { Expiry::Never } else { meta.expiry };
    let expiry = delete.expiry.unwrap_or(expiry);
    let standing = Standing { stale: delete.invalidate, won: false };
    Ruling::write(Draft { flags, expiry, cas: delete.cas, standing, value }, Outcome::Deleted)
}

fn add_up<'a>(count: &Count, old: Option<&Old>) -> Ruling<'a> {
    let Some(old) = old else { return count_from(count) };
    // As memcached has it: an empty value is refused before its token is looked at.
    if old.value_len == 0 {
        return Ruling::leave(Outcome::NotNumeric);
    }
    if !matches!(compare(count.compare, &old.meta), Compared::Free | Compared::Same) {
        return Ruling::leave(Outcome::Exists);
    }
    let Some(number) = old.number else { return Ruling::leave(Outcome::NotNumeric) };
    let number = match count.kind {
        CountKind::Increment => number.wrapping_add(count.delta),
        CountKind::Decrement => number.saturating_sub(count.delta),
    };
    // The value never shrinks: who reads it sees spaces after the digits.
    let value = NewValue::Number { number, width: old.value_len };
    let draft = kept(&old.meta, count.cas, value);
    let expiry = count.touch.unwrap_or(draft.expiry);
    // A number without room in the item makes a new one, which nobody has declared
    // stale and nobody has won.
    let standing = match value.len(old.value_len) > old.value_len {
        true => Standing::default(),
        false => old.meta.standing,
    };
    let outcome = Outcome::Counted { number, made: false };
    Ruling::write(Draft { expiry, standing, ..draft }, outcome)
}

fn count_from<'a>(count: &Count) -> Ruling<'a> {
    let Some((number, expiry)) = count.vivify else { return Ruling::leave(Outcome::NotFound) };
    let value = NewValue::Number { number, width: 0 };
    let standing = Standing::default();
    let draft = Draft { flags: 0, expiry, cas: count.cas, standing, value };
    Ruling::write(draft, Outcome::Counted { number, made: true })
}
