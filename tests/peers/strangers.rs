//! Those who do not belong to the cluster, and those who belong and misbehave.

use crate::files::Authority;
use crate::node::{Birth, Node, pair};
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};
use ringcached::ring::NodeId;
use ringcached::wire::{Versions, append_frame};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Both sides say why, in words that hold these.
fn both_refuse(one: &Birth, two: &Birth, by_one: &str, by_two: &str) {
    let (one, two) = (one.start(), two.start());
    one.meet(&two);
    for (node, words) in [(&one, by_one), (&two, by_two)] {
        node.ear.until(words, |told| told.refused.iter().any(|why| why.contains(words)));
        assert!(node.log().is_empty(), "{:?}", node.log());
    }
}

#[test]
fn another_secret_is_refused() {
    let other = Birth { secret: "battery staple", ..Birth::of(2) };
    both_refuse(&Birth::of(1), &other, "the secret differs", "the secret differs");
}

#[test]
fn another_cluster_is_refused() {
    let other = Birth { cluster: "shop-test", ..Birth::of(2) };
    both_refuse(
        &Birth::of(1),
        &other,
        r#"the cluster name differs: this node is of "shop", the other of "shop-test""#,
        r#"the cluster name differs: this node is of "shop-test", the other of "shop""#,
    );
}

#[test]
fn another_protocol_version_is_refused() {
    let newer = Birth { versions: Versions { min: 70, max: 71 }, ..Birth::of(2) };
    both_refuse(
        &Birth::of(1),
        &newer,
        "the protocol version differs: this node speaks 1 to 1, the other 70 to 71",
        "the protocol version differs: this node speaks 70 to 71, the other 1 to 1",
    );
}

#[test]
fn the_next_protocol_version_is_spoken_with() {
    let newer = Birth { versions: Versions { min: 1, max: 2 }, ..Birth::of(2) };
    let (one, two) = (Birth::of(1).start(), newer.start());
    one.meet(&two);
    assert_eq!((one.link(&two).version(), two.link(&one).version()), (1, 1));
}

#[test]
fn another_node_than_the_dialled_one_is_refused() {
    let (one, two) = (Birth::of(1).start(), Birth::of(2).start());
    one.peers.meet(NodeId(3), 0, two.addr, 1);
    one.ear.until("not refused", |told| {
        told.refused.iter().any(|why| why == r#"another node is there, called "node-2""#)
    });
    assert!(one.log().is_empty());
}

#[test]
fn a_node_with_another_authority_is_refused() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let with =
        |id, authority: &Authority| Birth { identity: Some(authority.identity()), ..Birth::of(id) };
    let words = "the certificate authority differs";
    both_refuse(&with(1, &ours), &with(2, &theirs), words, words);
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::new("expired");
    let expired = Some(authority.expired_identity());
    let (one, two) = (Birth { identity: expired, ..Birth::of(1) }, Birth::of(2));
    let two = Birth { identity: Some(authority.identity()), ..two };
    let words = "a certificate is out of date";
    both_refuse(&one, &two, words, words);
}

#[test]
fn certificates_are_renewed_while_links_live() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let with =
        |id, authority: &Authority| Birth { identity: Some(authority.identity()), ..Birth::of(id) };
    let (one, two) = (with(1, &old).start(), with(2, &old).start());
    one.meet(&two);
    one.talk_to(&two, b"before");
    two.peers.renew(&new.identity());
    one.talk_to(&two, b"after");
    assert_eq!(one.log(), ["linked 2.1"]);
    let three = with(3, &new).start();
    two.meet(&three);
    two.talk_to(&three, b"new");
}

/// A client that has a good certificate and says what it likes.
struct Rude {
    runtime: Runtime,
    endpoint: Endpoint,
    client: ClientConfig,
}

impl Rude {
    fn new(client: ClientConfig) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let endpoint = runtime.block_on(async { Endpoint::client(any).unwrap() });
        Self { runtime, endpoint, client }
    }

    fn connect(&self, to: &Node) -> Connection {
        let client = self.client.clone();
        let connecting = async {
            self.endpoint.connect_with(client, to.addr, "node.test").unwrap().await.unwrap()
        };
        self.runtime.block_on(connecting)
    }

    fn say(&self, to: &Node, bytes: &[u8]) -> (Connection, (SendStream, RecvStream)) {
        let connection = self.connect(to);
        let streams = self.runtime.block_on(async {
            let (mut send, recv) = connection.open_bi().await.unwrap();
            send.write_all(bytes).await.unwrap();
            (send, recv)
        });
        (connection, streams)
    }

    /// Why the other end ended it, which it has to do soon.
    fn end(&self, connection: &Connection) -> String {
        let ended =
            async { tokio::time::timeout(crate::node::DEADLINE, connection.closed()).await };
        self.runtime.block_on(ended).expect("the connection lives").to_string()
    }
}

/// Two linked nodes with certificates of an authority, and a client with one.
fn besieged(name: &str) -> (Authority, Node, Node, Rude) {
    let authority = Authority::new(name);
    let with = |id| Birth { identity: Some(authority.identity()), ..Birth::of(id) };
    let (one, two) = (with(1).start(), with(2).start());
    one.meet(&two);
    one.talk_to(&two, b"before");
    let rude = Rude::new(authority.client());
    (authority, one, two, rude)
}

/// The link is the one that was there before, and works.
fn is_untouched(one: &Node, two: &Node) {
    one.talk_to(two, b"after");
    two.talk_to(one, b"after");
    assert_eq!(one.log(), ["linked 2.1"]);
    assert_eq!(two.log()[0], "linked 1.1");
    assert!(!two.log().contains(&"unlinked 1.1".to_owned()));
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, |into| into.extend_from_slice(body));
    bytes
}

#[test]
fn who_says_no_hello_is_cut() {
    let (_authority, one, two, rude) = besieged("garbage");
    let long = [&2000_u32.to_le_bytes()[..], &[0; 2000]].concat();
    for words in [&b"GET / HTTP/1.1\r\n\r\n"[..], &framed(b"mn\r\n"), &framed(b""), &long] {
        let (connection, _streams) = rude.say(&two, words);
        let why = rude.end(&connection);
        assert!(why.contains("it does not speak as a node"), "{why}");
    }
    two.ear.until("not told", |told| told.refused.len() == 4);
    is_untouched(&one, &two);
}

#[test]
fn a_frame_that_is_too_long_ends_its_link() {
    let (_authority, one, two, rude) = besieged("long");
    let mut words = Vec::new();
    append_frame(&mut words, |into| Birth::of(0).hello().encode(into));
    words.extend_from_slice(&framed(b"good"));
    words.extend_from_slice(&u32::MAX.to_le_bytes());
    let (connection, _streams) = rude.say(&two, &words);
    let why = rude.end(&connection);
    assert!(why.contains("a frame of 4294967295 bytes, where 8388608 are the most"), "{why}");
    two.ear.until("no end", |told| told.log.contains(&"unlinked 0.1".to_owned()));
    assert!(two.ear.told().frames.contains(&(NodeId(0), b"good".to_vec())));
    is_untouched(&one, &two);
}

#[test]
fn who_says_nothing_is_cut() {
    let (_authority, one, two, rude) = besieged("silent");
    let connection = rude.connect(&two);
    rude.end(&connection);
    two.ear.until("not told", |told| told.refused == ["it did not say in time who it is"]);
    is_untouched(&one, &two);
}

#[test]
fn who_dials_out_of_turn_is_refused() {
    let (_authority, one, two, rude) = besieged("turn");
    let (connection, _streams) = rude.say(&two, &{
        let mut words = Vec::new();
        append_frame(&mut words, |into| Birth::of(9).hello().encode(into));
        words
    });
    let why = rude.end(&connection);
    assert!(why.contains("this node has the smaller id"), "{why}");
    is_untouched(&one, &two);
}

#[test]
fn who_shows_no_certificate_is_refused() {
    let (authority, one, two, _) = besieged("naked");
    let naked = Rude::new(authority.client_without_certificate());
    let connection = naked.connect(&two);
    naked.end(&connection);
    two.ear.until("not told", |told| told.refused == ["the certificate authority differs"]);
    is_untouched(&one, &two);
}

/// More of them than may be under way at once do not keep a node out for long.
#[test]
fn silent_strangers_do_not_lock_the_door() {
    let (authority, one, two, rude) = besieged("many");
    let connect =
        || rude.endpoint.connect_with(rude.client.clone(), two.addr, "node.test").unwrap();
    let strangers = async {
        let strangers: Vec<_> = (0..400).map(|_| connect()).collect();
        let mut shaken = Vec::new();
        for stranger in strangers {
            shaken.extend(tokio::time::timeout(Duration::from_millis(20), stranger).await);
        }
        shaken
    };
    let _shaken = rude.runtime.block_on(strangers);
    let zero = Birth { identity: Some(authority.identity()), ..Birth::of(0) }.start();
    zero.meet(&two);
    zero.talk_to(&two, b"hello");
    is_untouched(&one, &two);
}

#[test]
fn packets_that_are_no_quic_are_ignored() {
    let (one, two) = pair();
    one.talk_to(&two, b"before");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for size in 1..1200_usize {
        let noise: Vec<u8> = (0..size).map(|at| (at * 31 + size * 7) as u8).collect();
        socket.send_to(&noise, two.addr).unwrap();
    }
    is_untouched(&one, &two);
}
