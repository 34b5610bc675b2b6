//! The bytes of every word, and what becomes of bytes that are none.

use proptest::prelude::*;
use ringcached::limits::{ASK_REQUESTS_MAX, FRAME_BYTES_MAX, KEEP_ITEMS_MAX, KEY_BYTES_MAX};
use ringcached::wire::{
    Ask, Behind, Body, Bring, Compare, Compared, DecodeError, Executor, Filled, Flush, Follow,
    Followed, Frames, Hello, Item, Keep, Kept, List, ListState, Listed, Message, Promise, Protocol,
    Relay, Relayed, Reply, Request, Say, Told, append_frame,
};
use std::time::{Duration, Instant};

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// The body of the one frame that a message is.
fn body(message: &Message<'_>) -> Vec<u8> {
    encoded(message).split_off(4)
}

const ITEM: Item<'_> = Item {
    key: b"user:1",
    version: 0x0102_0304_0506_0708,
    expiry_s: 1_800_000_000,
    body: Some(Body { cas: 300, flags: 70_000, stale: true, won: false, value: b"v\r\n" }),
};

const TOMBSTONE: Item<'_> = Item { key: b"k", version: 5, expiry_s: 0, body: None };

/// A message of each kind, and its bytes as they are for ever.
fn golden() -> Vec<(Message<'static>, &'static str)> {
    let requests = vec![
        Request { protocol: Protocol::Text, bytes: b"get a\r\n" },
        Request { protocol: Protocol::Binary, bytes: b"\x80\x00" },
    ];
    let primary = Executor::Primary;
    let few = Ask { call: 7, executor: primary, requests };
    let none = Ask { call: 251, executor: Executor::Owner, requests: vec![] };
    let copy = Ask { call: 1, executor: Executor::Copy, requests: vec![] };
    let owned = Reply::Owned { version: 300, owners: 3, bytes: b"EN\r\n" };
    let done = Reply::Done(b"END\r\n");
    let replies = vec![done, owned, Reply::NotMine, Reply::Busy, Reply::Unacknowledged];
    vec![
        (Message::Ask(few), r"\x11\x00\x00\x00\x00\x07\x00\x02\x00\x07get a\r\n\x01\x02\x80\x00"),
        (Message::Ask(none), r"\x06\x00\x00\x00\x00\xfb\xfb\x00\x01\x00"),
        (Message::Ask(copy), r"\x04\x00\x00\x00\x00\x01\x02\x00"),
        (
            Message::Told(Told { call: 7, replies }),
            r"\x17\x00\x00\x00\x01\x07\x05\x00\x05END\r\n\x01\xfb,\x01\x03\x04EN\r\n\x02\x03\x04",
        ),
        (
            Message::Keep(Keep { call: 70_000, floor: 9, items: vec![ITEM, TOMBSTONE] }),
            r"1\x00\x00\x00\x02\xfcp\x11\x01\x00\t\x02\x06user:1\xfd\x08\x07\x06\x05\x04\x03\x02\x01\xfc\x00\xd2Ik\x01\xfb,\x01\xfcp\x11\x01\x00\x01\x00\x03v\r\n\x01k\x05\x00\x00",
        ),
        (Message::Kept(Kept { call: 1, accepted: true }), r"\x03\x00\x00\x00\x03\x01\x01"),
        (
            Message::Promise(Promise { call: 2, term_ms: 4000, open_since_ms: 300 }),
            r"\x08\x00\x00\x00\x04\x02\xfb\xa0\x0f\xfb,\x01",
        ),
        (Message::Say(Say { call: 4, card: b"card" }), r"\x07\x00\x00\x00\x05\x04\x04card"),
        (
            Message::Filled(Filled {
                floor: 9,
                generation: 300,
                sequence: 7,
                ring: 8,
                own_sequence: 5,
                live: b"nodes",
            }),
            r"\x0e\x00\x00\x00\x06\t\xfb,\x01\x07\x08\x05\x05nodes",
        ),
        (Message::Flush(Flush { call: 3, floor: 300 }), r"\x05\x00\x00\x00\x07\x03\xfb,\x01"),
        (
            Message::Relayed(Relayed { floor: 9, node: 7, generation: 300, is_all: true }),
            r"\x07\x00\x00\x00\x08\t\x07\xfb,\x01\x01",
        ),
        (Message::Behind(Behind { slot: 300, node: 7 }), r"\x05\x00\x00\x00\t\xfb,\x01\x07"),
        (Message::Relay(Relay { node: 7, generation: 300 }), r"\x05\x00\x00\x00\n\x07\xfb,\x01"),
        (
            Message::Follow(Follow { call: Some(7), rings: b"rings" }),
            r"\t\x00\x00\x00\x0b\x01\x07\x05rings",
        ),
        (
            Message::Followed(Followed { turn: 2, by: 300, number: 7 }),
            r"\x06\x00\x00\x00\x0c\x02\xfb,\x01\x07",
        ),
        (Message::Follow(Follow { call: None, rings: b"" }), r"\x03\x00\x00\x00\x0b\x00\x00"),
    ]
}

fn all_golden() -> impl Iterator<Item = (Message<'static>, &'static str)> {
    golden().into_iter().chain(golden_of_copies())
}

fn listed(state: ListState, items: &'static [u8]) -> Message<'static> {
    Message::Listed(Listed { number: 7, state, items })
}

/// Those by which nodes compare what they keep.
fn golden_of_copies() -> Vec<(Message<'static>, &'static str)> {
    vec![
        (Message::Compare(Compare { call: 7, slots: b"slot" }), r"\x07\x00\x00\x00\r\x07\x04slot"),
        (
            Message::Compared(Compared { call: 7, evicts: true, digests: b"a digest" }),
            r"\x0c\x00\x00\x00\x0e\x07\x01\x08a digest",
        ),
        (
            Message::List(List { number: 300, slots: b"slot" }),
            r"\t\x00\x00\x00\x0f\xfb,\x01\x04slot",
        ),
        (listed(ListState::TooMuch, b""), r"\x04\x00\x00\x00\x10\x07\x00\x00"),
        (listed(ListState::All, b"an item"), r"\x0b\x00\x00\x00\x10\x07\x01\x07an item"),
        (listed(ListState::Evicts, b""), r"\x04\x00\x00\x00\x10\x07\x02\x00"),
        (listed(ListState::Busy, b""), r"\x04\x00\x00\x00\x10\x07\x03\x00"),
        (listed(ListState::UnderWay, b""), r"\x04\x00\x00\x00\x10\x07\x04\x00"),
        (Message::Bring(Bring { node: 7, hashes: b"a hash" }), r"\t\x00\x00\x00\x11\x07\x06a hash"),
    ]
}

/// Nodes of different builds have to understand each other: other bytes are
/// another protocol version.
#[test]
fn the_bytes_of_words_never_change() {
    for (message, expected) in all_golden() {
        let bytes = encoded(&message);
        assert_eq!(bytes.escape_ascii().to_string(), expected, "{message:?}");
        assert_eq!(Message::decode(&bytes[4..]), Ok(message));
    }
}

#[test]
fn bytes_behind_a_message_are_refused() {
    for (message, _) in all_golden() {
        let mut bytes = body(&message);
        bytes.push(0);
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Trailing), "{message:?}");
    }
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for (message, _) in all_golden() {
        let bytes = body(&message);
        for end in 0..bytes.len() {
            assert_eq!(Message::decode(&bytes[..end]), Err(DecodeError::Malformed), "{message:?}");
        }
    }
}

#[test]
fn lists_and_keys_have_a_maximum() {
    let request = Request { protocol: Protocol::Text, bytes: b"" };
    let ask = |count| {
        let requests = vec![request; count];
        let ask = Ask { call: 0, executor: Executor::Owner, requests };
        body(&Message::Ask(ask))
    };
    let told = |count| body(&Message::Told(Told { call: 0, replies: vec![Reply::Busy; count] }));
    let keep =
        |count| body(&Message::Keep(Keep { call: 0, floor: 0, items: vec![TOMBSTONE; count] }));
    let holds = |of: &dyn Fn(usize) -> Vec<u8>, most| {
        assert!(Message::decode(&of(most)).is_ok());
        assert_eq!(Message::decode(&of(most + 1)), Err(DecodeError::TooMuch));
    };
    holds(&ask, ASK_REQUESTS_MAX);
    holds(&told, ASK_REQUESTS_MAX);
    holds(&keep, KEEP_ITEMS_MAX);
    let keyed = |bytes: usize| {
        let key = vec![b'k'; bytes];
        let item = Item { key: &key, ..ITEM };
        let keep = body(&Message::Keep(Keep { call: 0, floor: 0, items: vec![item] }));
        Message::decode(&keep).err()
    };
    assert_eq!(keyed(KEY_BYTES_MAX), None);
    assert_eq!(keyed(KEY_BYTES_MAX + 1), Some(DecodeError::TooMuch));
}

/// A list that claims thousands of elements and has none takes the memory of few.
#[test]
fn a_claimed_list_is_not_believed() {
    let mut bytes = body(&Message::Keep(Keep { call: 0, floor: 0, items: vec![] }));
    bytes.pop();
    bytes.extend_from_slice(&[251, 0, 16]);
    assert_eq!(Message::decode(&bytes), Err(DecodeError::Malformed));
    bytes.splice(bytes.len() - 3.., [253, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(Message::decode(&bytes), Err(DecodeError::TooMuch));
}

/// The largest item there may be fits a frame.
#[test]
fn frames_hold_the_largest_item() {
    let key = [b'k'; KEY_BYTES_MAX];
    let body = Body { cas: u64::MAX, flags: u32::MAX, stale: true, won: true, value: b"" };
    let item = Item { key: &key, version: u64::MAX, expiry_s: u32::MAX, body: Some(body) };
    let message = Message::Keep(Keep { call: u32::MAX, floor: u64::MAX, items: vec![item] });
    assert!(encoded(&message).len() + 8 + (1 << 30) <= FRAME_BYTES_MAX);
}

/// Memory that a message holds beside the frame it borrows from.
fn held(message: &Message<'_>) -> usize {
    match message {
        Message::Ask(ask) => ask.requests.capacity() * size_of::<Request<'_>>(),
        Message::Told(told) => told.replies.capacity() * size_of::<Reply<'_>>(),
        Message::Keep(keep) => keep.items.capacity() * size_of::<Item<'_>>(),
        Message::Kept(_)
        | Message::Promise(_)
        | Message::Say(_)
        | Message::Filled(_)
        | Message::Flush(_)
        | Message::Relayed(_)
        | Message::Behind(_)
        | Message::Relay(_)
        | Message::Follow(_)
        | Message::Followed(_)
        | Message::Compare(_)
        | Message::Compared(_)
        | Message::List(_)
        | Message::Listed(_)
        | Message::Bring(_) => 0,
    }
}

/// Any bytes are refused or read, and what is read holds bounded memory.
fn judge(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        let elements = 2 * (bytes.len() + 16) * size_of::<Option<Item<'_>>>();
        assert!(held(&message) <= elements, "{} of {} bytes", held(&message), bytes.len());
        assert!(held(&message) <= 2 * KEEP_ITEMS_MAX * size_of::<Option<Item<'_>>>());
        let again = body(&message);
        assert_eq!(Message::decode(&again), Ok(message), "{}", bytes.escape_ascii());
    }
    let mut frames = Frames::new(64 << 10);
    frames.push(bytes);
    while let Ok(Some(_)) = frames.next_frame() {}
    assert!(frames.bytes_held() <= (8 << 10).max(4 * bytes.len()));
}

/// A generator whose state is its seed: every failure can be had again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % most.max(1)
    }

    fn mutated(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.below(256) as u8),
                2 => bytes.splice(at.., corpus[self.below(corpus.len())].clone()).for_each(drop),
                3 => bytes.splice(at..at, [253, 255, 255, 255, 255]).for_each(drop),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = self.0 as u8),
            }
        }
        bytes
    }
}

/// `FUZZ_SECONDS` says how long to go on, `FUZZ_SEED` where to start.
#[test]
fn broken_messages_are_refused_or_read() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
    };
    let corpus: Vec<Vec<u8>> = all_golden().map(|(message, _)| body(&message)).collect();
    let time = Duration::from_secs(number("FUZZ_SECONDS", 2));
    let (started, first) = (Instant::now(), number("FUZZ_SEED", 1));
    let mut seed = first;
    while started.elapsed() < time {
        let bytes = Dice(seed).mutated(&corpus);
        let outcome = std::panic::catch_unwind(|| judge(&bytes));
        assert!(outcome.is_ok(), "FUZZ_SEED={seed}: {}", bytes.escape_ascii());
        seed += 1;
    }
    println!("{} inputs", seed - first);
}

/// Bytes, and a few bits and a number to go with them.
type Text = (Vec<u8>, u8, u64);

/// What a message is made of, with owned bytes.
#[derive(Clone, Debug)]
struct Parts {
    kind: u8,
    call: u32,
    term_ms: u32,
    flag: bool,
    texts: Vec<Text>,
}

impl Parts {
    fn item((text, tag, number): &Text) -> Item<'_> {
        let (stale, won) = (*tag & 2 > 0, *tag & 4 > 0);
        let (cas, flags, value) = (number / 3, *number as u32, &text[..]);
        let body = (*tag & 1 > 0).then_some(Body { cas, flags, stale, won, value });
        let key = &text[..text.len().min(KEY_BYTES_MAX)];
        Item { key, version: *number, expiry_s: (*number >> 7) as u32, body }
    }

    fn request((text, tag, _): &Text) -> Request<'_> {
        let protocol = if tag & 1 > 0 { Protocol::Text } else { Protocol::Binary };
        Request { protocol, bytes: text }
    }

    fn reply((text, tag, number): &Text) -> Reply<'_> {
        match tag % 5 {
            0 => Reply::Done(text),
            4 => Reply::Owned { version: *number, owners: *tag, bytes: text },
            1 => Reply::NotMine,
            2 => Reply::Busy,
            _ => Reply::Unacknowledged,
        }
    }

    fn first(&self) -> &[u8] {
        self.texts.first().map_or(b"", |(text, ..)| text)
    }

    fn message(&self) -> Message<'_> {
        let call = self.call;
        let texts = self.texts.iter();
        match self.kind % 11 {
            0 => {
                let executors = [Executor::Primary, Executor::Owner, Executor::Copy];
                let executor = executors[self.term_ms as usize % executors.len()];
                let requests = texts.map(Self::request).collect();
                Message::Ask(Ask { call, executor, requests })
            }
            1 => Message::Told(Told { call, replies: texts.map(Self::reply).collect() }),
            2 => Message::Keep(Keep { call, floor: 300, items: texts.map(Self::item).collect() }),
            3 => Message::Kept(Kept { call, accepted: self.flag }),
            4 => Message::Behind(Behind { slot: call, node: self.term_ms.into() }),
            7 => Message::List(List { number: call.into(), slots: self.first() }),
            8 => {
                let state = if self.flag { ListState::All } else { ListState::UnderWay };
                Message::Listed(Listed { number: call.into(), state, items: self.first() })
            }
            9 => Message::Bring(Bring { node: call.into(), hashes: self.first() }),
            5 => Message::Compare(Compare { call, slots: self.first() }),
            6 => {
                let (evicts, digests) = (self.flag, self.first());
                Message::Compared(Compared { call, evicts, digests })
            }
            _ => Message::Promise(Promise { call, term_ms: self.term_ms, open_since_ms: 7 }),
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let text = (prop::collection::vec(any::<u8>(), 0..300), any::<u8>(), any::<u64>());
    let texts = prop::collection::vec(text, 0..20);
    (any::<u8>(), any::<u32>(), any::<u32>(), any::<bool>(), texts)
        .prop_map(|(kind, call, term_ms, flag, texts)| Parts { kind, call, term_ms, flag, texts })
}

proptest! {
    #[test]
    fn messages_are_read_as_they_were_written(parts in parts()) {
        let message = parts.message();
        let mut frames = Frames::new(FRAME_BYTES_MAX);
        frames.push(&encoded(&message));
        let frame = frames.next_frame().unwrap().unwrap();
        prop_assert_eq!(Message::decode(frame), Ok(message));
    }

    #[test]
    fn frames_come_as_they_were_sent_however_split(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 0..8),
        pieces in prop::collection::vec(1_usize..5000, 1..20),
    ) {
        let mut stream = Vec::new();
        for body in &bodies {
            append_frame(&mut stream, |into| into.extend_from_slice(body));
        }
        let (mut frames, mut seen, mut rest) = (Frames::new(9000), Vec::new(), &stream[..]);
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            frames.push(now);
            while let Some(frame) = frames.next_frame().unwrap() {
                seen.push(frame.to_vec());
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(seen, bodies);
    }

    #[test]
    fn any_bytes_are_no_hello_or_one(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Hello::decode(&bytes);
        bytes.splice(0..0, *b"ringcach\x01\x00\x01\x00");
        let _ = Hello::decode(&bytes);
    }

    #[test]
    fn any_bytes_are_refused_or_read_whole(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        judge(&bytes);
    }
}
