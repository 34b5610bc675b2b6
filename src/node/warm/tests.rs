use super::format::{CHUNK_HEAD_BYTES, ChunkHead, HEADER_BYTES, Seeds};
use super::read::{Reading, read};
use super::write::{NotWritten, Written, write};
use super::*;
use crate::cluster::View;
use crate::item::{Copied, CopiedBody, Expiry, Standing, Version};
use crate::limits::{WARM_CHUNK_BYTES, WARM_PIECE_BYTES};
use crate::net::Lobby;
use crate::node::SharedView;
use crate::ring::{KeyHash, Node, Ring};
use crate::store::{FullWalk, Merged, StoreConfig};
use std::collections::BTreeMap;
use std::env;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

const NOW: Now = Now::from_unix_ms(1_800_000_000_000);
const SEED: u64 = 11;
const ALONE: Owner = Owner { cluster: None, node: None };

fn later(seconds: u64) -> Now {
    Now::from_unix_ms(NOW.unix_ms() + 1000 * seconds)
}

fn store_of(seed: u64, item_bytes_max: usize) -> Store {
    let config =
        StoreConfig { memory: 64 << 20, item_bytes_max, seed, slot_bits: 8, node: 1, evicts: true };
    Store::new(&config, NOW)
}

fn empty() -> Store {
    store_of(SEED, 1 << 20)
}

fn put(store: &Store, seed: u64, key: &[u8], copied: &Copied<'_>) {
    let merged = store.merge(KeyHash::new(seed, key), Key::new(key).unwrap(), NOW, copied);
    assert_eq!(merged, Merged::Taken);
}

fn item(number: u64, value: &[u8]) -> Copied<'_> {
    let version = Version(Version::end_of(NOW).0 - 1000 + number);
    let body = CopiedBody { flags: 0, cas: version.0, standing: Standing::default(), value };
    Copied { version, expiry: Expiry::Never, body: Some(body) }
}

/// A memory with some of everything.
fn mixed() -> Store {
    let store = empty();
    put(&store, SEED, b"plain", &item(1, b"value"));
    let expires = Copied { expiry: Expiry::after(100, NOW), ..item(2, b"") };
    put(&store, SEED, b"expires", &expires);
    let large = vec![7; 200_000];
    put(&store, SEED, b"large", &item(3, &large));
    let standing = Standing { stale: true, won: true };
    let body = CopiedBody { flags: 70_000, cas: 42, standing, value: b"old" };
    put(&store, SEED, b"stale", &Copied { body: Some(body), ..item(4, b"") });
    put(&store, SEED, b"deleted", &Copied { body: None, ..item(5, b"") });
    let key = Key::new(b"plain").unwrap();
    store.get(KeyHash::new(SEED, b"plain"), key, NOW, |_| ()).unwrap();
    store
}

/// All that there is, as it is told to clients.
fn all(store: &Store, now: Now) -> BTreeMap<Vec<u8>, String> {
    let (mut walk, mut items) = (FullWalk::default(), BTreeMap::new());
    while store.walk_all(&mut walk, now, |key, found| {
        let (mut value, meta) = (Vec::new(), found.meta());
        found.append_value(&mut value);
        let value = (meta.flags, meta.version, meta.cas, meta.standing, meta.fetched, value);
        // A tombstone is kept for as long as one that has just been made.
        let expiry = (!found.is_tombstone()).then_some(meta.expiry);
        items.insert(key.bytes().to_vec(), format!("{expiry:?} {value:?}"));
        true
    }) {}
    items
}

fn header(store: &Store) -> Header {
    let (floor, flush_at) = (store.flush_floor(NOW), store.flush_to_come());
    Header { owner: ALONE, written: NOW, floor, flush_at }
}

fn written(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Written { bytes: count, .. } =
        write(store, &header(store), NOW, |_| true, || false, &mut bytes).unwrap();
    assert_eq!(count, bytes.len() as u64);
    bytes
}

fn wanted(now: Now) -> Wanted {
    Wanted { owner: ALONE, age_max: None, seed: SEED, now }
}

fn read_again(bytes: &[u8], now: Now, store: &Store) -> Result<ReadIn, Refused> {
    read(bytes, bytes.len() as u64, &wanted(now), store)
}

#[test]
fn all_comes_back_as_it_was() {
    let (before, after) = (mixed(), store_of(77, 1 << 20));
    let bytes = written(&before);
    // Keys of a node alone are hashed otherwise after each start.
    let wanted = Wanted { seed: 77, ..wanted(later(1)) };
    let read_in = read(&bytes[..], bytes.len() as u64, &wanted, &after).unwrap();
    let expected = ReadIn { items: 4, expired: 0, refused: 0, bytes: bytes.len() as u64 };
    assert_eq!(read_in, expected);
    assert_eq!(all(&after, later(1)), all(&before, NOW));
    assert_eq!(all(&after, later(1)).len(), 5, "a tombstone too");
    let (hash, key) = (KeyHash::new(77, b"deleted"), Key::new(b"deleted").unwrap());
    let merged = after.merge(hash, key, later(1), &item(4, b"back from the dead"));
    assert_eq!(merged, Merged::Older);
}

#[test]
fn many_chunks_come_back() {
    let (before, after) = (empty(), empty());
    for number in 0..30_000_u64 {
        let value = vec![number as u8; number as usize % 300];
        put(&before, SEED, format!("key-{number}").as_bytes(), &item(number % 1000, &value));
    }
    let bytes = written(&before);
    assert!(bytes.len() > 4 * WARM_CHUNK_BYTES, "{}", bytes.len());
    assert_eq!(read_again(&bytes, NOW, &after).unwrap().items, 30_000);
    assert_eq!(all(&after, NOW), all(&before, NOW));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let store = empty();
    put(&store, SEED, b"a", &item(1, b"one"));
    put(&store, SEED, b"b", &item(2, b"two"));
    let bytes = written(&store);
    for end in 0..bytes.len() {
        let why = read_again(&bytes[..end], NOW, &empty()).unwrap_err();
        assert!(matches!(why, Refused::Cut), "{end}: {why}");
        // As it would be if it became shorter while it is read.
        let why = read(&bytes[..end], bytes.len() as u64, &wanted(NOW), &empty()).unwrap_err();
        assert!(matches!(why, Refused::Cut), "{end}: {why}");
    }
    assert_eq!(read_again(&bytes, NOW, &empty()).unwrap().items, 2);
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(read_again(&longer, NOW, &empty()), Err(Refused::Damaged)));
}

#[test]
fn a_changed_byte_is_refused() {
    let store = empty();
    put(&store, SEED, b"a", &item(1, b"one"));
    let bytes = written(&store);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            assert!(read_again(&bytes, NOW, &empty()).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn what_is_foreign_old_or_ahead_is_refused() {
    let bytes = |owner, written| {
        let (store, mut bytes) = (empty(), Vec::new());
        let header = Header { owner, written, ..header(&store) };
        write(&store, &header, NOW, |_| true, || false, &mut bytes).unwrap();
        bytes
    };
    let mine = Owner { cluster: Some(1), node: Some(NodeId(1)) };
    let age_max = Some(Duration::from_secs(30));
    let refusal = |owner, written, now| {
        let bytes = bytes(owner, written);
        let wanted = Wanted { owner: mine, age_max, ..wanted(now) };
        let read_in = read(&bytes[..], bytes.len() as u64, &wanted, &empty());
        read_in.err().map(|why| why.to_string()).unwrap_or_default()
    };
    assert_eq!(refusal(mine, NOW, later(30)), "");
    let cluster = Owner { cluster: Some(2), ..mine };
    assert!(refusal(cluster, NOW, NOW).contains("another cluster"));
    assert!(refusal(Owner { cluster: None, ..mine }, NOW, NOW).contains("another cluster"));
    assert!(refusal(Owner { node: Some(NodeId(2)), ..mine }, NOW, NOW).contains("--node-id"));
    assert!(refusal(Owner { node: None, ..mine }, NOW, NOW).contains("--node-id"));
    let old = refusal(mine, NOW, later(31));
    assert!(old.contains("31 s ago") && old.contains("after 30 s"), "{old}");
    assert!(refusal(mine, later(11), NOW).contains("in the future"));
    assert_eq!(refusal(mine, later(9), NOW), "", "clocks differ a little");
}

/// Notes the most that was asked for at a time.
struct Watched<R>(R, usize);

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1.max(into.len());
        self.0.read(into)
    }
}

#[test]
fn lengths_that_lie_take_no_memory() {
    let (store, bytes) = (empty(), 3 << 30);
    let lie = ChunkHead { bytes, items: 1, sum: 0 }.bytes();
    // As long as the file is, and as a file is that has nothing in it.
    for left in [CHUNK_HEAD_BYTES as u64 + 100, 4 << 30] {
        let seeds = Seeds::of(&header(&store));
        let from = Watched(&lie[..], 0);
        let wanted = wanted(NOW);
        let mut reading = Reading::new(from, left, seeds, &wanted, &store);
        assert!(matches!(reading.chunk(), Err(Refused::Cut)));
        let (asked, taken) = (reading.from.1, reading.body.capacity());
        assert!(asked <= WARM_PIECE_BYTES && taken == 0, "{asked} bytes, {taken} taken");
    }
}

#[test]
fn an_item_that_is_too_large_now_is_passed_over() {
    let before = store_of(SEED, 8 << 20);
    put(&before, SEED, b"small", &item(1, b"value"));
    put(&before, SEED, b"large", &item(2, &vec![1; 5 << 20]));
    put(&before, SEED, b"beyond", &item(3, &vec![1; 1_200_000]));
    let after = empty();
    let read_in = read_again(&written(&before), NOW, &after).unwrap();
    assert_eq!((read_in.items, read_in.refused), (1, 2));
    assert_eq!(all(&after, NOW).into_keys().collect::<Vec<_>>(), [b"small"]);
}

#[test]
fn what_is_over_meanwhile_is_counted() {
    let after = empty();
    let read_in = read_again(&written(&mixed()), later(100), &after).unwrap();
    assert_eq!((read_in.items, read_in.expired), (3, 1));
}

#[test]
fn what_was_flushed_stays_gone() {
    let before = mixed();
    let floor = before.flush(NOW, NOW).unwrap();
    let after = empty();
    assert_eq!(read_again(&written(&before), NOW, &after).unwrap().items, 0);
    assert_eq!(after.flush_floor(NOW), floor);
    // Others may have it still.
    let (hash, key) = (KeyHash::new(SEED, b"plain"), Key::new(b"plain").unwrap());
    assert_eq!(after.merge(hash, key, NOW, &item(1, b"value")), Merged::Older);
}

#[test]
fn a_flush_to_come_comes_all_the_same() {
    let before = mixed();
    before.flush(later(10), NOW);
    let bytes = written(&before);
    let (soon, late) = (empty(), empty());
    read_again(&bytes, later(5), &soon).unwrap();
    assert_eq!(all(&soon, later(5)).len(), 5);
    soon.flush_floor(later(10));
    assert_eq!(all(&soon, later(10)).len(), 0);
    read_again(&bytes, later(20), &late).unwrap();
    assert_eq!(all(&late, later(20)).len(), 0);
}

#[test]
fn whoever_does_not_wait_gets_no_file() {
    let (store, mut bytes) = (mixed(), Vec::new());
    let outcome = write(&store, &header(&store), NOW, |_| true, || true, &mut bytes);
    assert!(matches!(outcome, Err(NotWritten::CutShort)));
    assert!(read_again(&bytes, NOW, &empty()).is_err());
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("ringcached-warm-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("memory")
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn begin(&self) -> io::Result<Begun> {
        let told = WarmFile { path: self.file(), node: None };
        let layout = Layout { seed: SEED, ..Layout::default() };
        Warm::begin(told, &layout, None, NOW, empty)
    }

    /// The memory of a node that ends, written.
    fn end(begun: Begun, store: &Store, parting: Parting) -> String {
        begun.read.unwrap().put_away().unwrap().write(store, parting, &Lobby::new(1).stopper)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The parting of the first of so many nodes.
fn parting(nodes: u64) -> Parting {
    let layout = Layout { seed: SEED, copies: 1, ..Layout::default() };
    let nodes: Vec<Node> = (1..=nodes).map(|id| Node::new(NodeId(id))).collect();
    let view = SharedView::new(View::settled(&Ring::new(&layout, &nodes).unwrap()));
    Parting { now: NOW, view: view.reader(), node: NodeId(1), has_all: true }
}

#[test]
fn a_file_is_read_once() {
    let folder = Folder::new("once");
    let first = folder.begin().unwrap();
    assert!(first.said.contains("there is none"), "{}", first.said);
    assert_eq!(folder.names(), ["memory.new"]);
    let said = Folder::end(first, &mixed(), parting(1));
    assert!(said.contains("written: 4 items, "), "{said}");
    assert_eq!(folder.names(), ["memory"]);
    assert_eq!(fs::metadata(folder.file()).unwrap().mode() & 0o777, 0o600);
    let second = folder.begin().unwrap();
    assert!(second.said.contains("read: 4 items, "), "{}", second.said);
    assert_eq!(all(&second.store, NOW), all(&mixed(), NOW));
    let second = second.read.unwrap().put_away().unwrap();
    assert_eq!(folder.names(), ["memory.new"], "gone before anybody is served");
    // It ends without a word.
    drop(second);
    assert!(folder.names().is_empty());
    assert!(folder.begin().unwrap().said.contains("there is none"));
}

/// Nobody has changed anything since.
#[test]
fn a_node_that_does_not_start_leaves_its_file() {
    let folder = Folder::new("no-start");
    let whole = written(&mixed());
    let mut damaged = whole.clone();
    damaged[HEADER_BYTES] ^= 1;
    for (bytes, said) in [(whole, "read: 4 items, "), (damaged, "refused: it is damaged")] {
        fs::write(folder.file(), &bytes).unwrap();
        for _ in 0..2 {
            let begun = folder.begin().unwrap();
            assert!(begun.said.contains(said), "{}", begun.said);
            drop(begun);
            assert_eq!(fs::read(folder.file()).unwrap(), bytes);
        }
    }
}

#[test]
fn what_is_refused_is_out_of_the_way() {
    let folder = Folder::new("refused");
    let mut bytes = written(&mixed());
    let end = bytes.len() - CHUNK_HEAD_BYTES - 1;
    bytes[end] ^= 1;
    fs::write(folder.file(), &bytes).unwrap();
    let begun = folder.begin().unwrap();
    let said = &begun.said;
    assert!(said.contains("refused: it is damaged") && said.contains("memory.refused"), "{said}");
    assert!(all(&begun.store, NOW).is_empty(), "not even what came before the damage");
    assert_eq!(folder.names(), ["memory", "memory.new"]);
    assert!(Folder::end(begun, &mixed(), parting(1)).contains("written"));
    assert_eq!(folder.names(), ["memory", "memory.refused"]);
    assert!(folder.begin().unwrap().said.contains("read: 4 items"));
}

#[test]
fn what_is_no_warm_file_is_left_alone() {
    let folder = Folder::new("strange");
    fs::write(folder.file(), "somebody's notes").unwrap();
    let begun = folder.begin().unwrap();
    assert!(begun.said.contains("it is no warm file; it is left alone"), "{}", begun.said);
    assert!(begun.read.is_none());
    assert_eq!(folder.names(), ["memory"]);
    fs::remove_file(folder.file()).unwrap();
    fs::create_dir(folder.file()).unwrap();
    assert!(folder.begin().unwrap().read.is_none(), "a folder");
}

#[test]
fn two_nodes_never_share_a_file() {
    let folder = Folder::new("shared");
    let first = folder.begin().unwrap();
    let why = folder.begin().unwrap_err().to_string();
    assert!(why.contains("another node that runs has it"), "{why}");
    drop(first);
    assert!(folder.begin().is_ok());
    let nowhere = WarmFile { path: folder.0.join("no/such/folder"), node: None };
    let why = Warm::begin(nowhere, &Layout::default(), None, NOW, empty).unwrap_err();
    assert!(why.to_string().contains("cannot open"), "{why}");
}

#[test]
fn a_draft_that_is_a_link_is_not_followed() {
    let folder = Folder::new("link");
    let other = folder.0.join("other");
    fs::write(&other, "somebody's notes").unwrap();
    std::os::unix::fs::symlink(&other, beside(&folder.file(), "new")).unwrap();
    assert!(folder.begin().is_err());
    assert_eq!(fs::read(&other).unwrap(), b"somebody's notes");
}

#[test]
fn only_what_is_the_nodes_own_is_written() {
    let (folder, store) = (Folder::new("own"), empty());
    for number in 0..1000 {
        put(&store, SEED, format!("key-{number}").as_bytes(), &item(number, b"value"));
    }
    let said = Folder::end(folder.begin().unwrap(), &store, parting(2));
    let begun = folder.begin().unwrap();
    let kept = all(&begun.store, NOW).len();
    assert!((400..600).contains(&kept), "{kept} of 1000, as one of two: {said}");
    let mut parting = parting(2);
    let mut keeps = |key: &Vec<u8>| parting.keeps(Key::new(key).unwrap());
    assert_eq!(all(&store, NOW).keys().filter(|&key| keeps(key)).count(), kept);
}

/// It would pass for as young as one of a node that has all, and is as old as the one
/// before.
#[test]
fn a_node_that_still_joins_writes_none() {
    let folder = Folder::new("joins");
    let parting = Parting { has_all: false, ..parting(1) };
    let said = Folder::end(folder.begin().unwrap(), &mixed(), parting);
    assert!(said.contains("not written: the node was still joining"), "{said}");
    assert!(folder.names().is_empty());
}

#[test]
fn a_header_is_all_that_an_empty_memory_has() {
    assert_eq!(written(&empty()).len(), HEADER_BYTES + CHUNK_HEAD_BYTES);
}
