//! Links that come about, carry frames, end and come again.

use crate::node::{Birth, DEADLINE, Node, pair, send};
use ringcached::net::peers::Full;
use ringcached::ring::NodeId;
use ringcached::wire::append_frame;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

#[test]
fn two_nodes_link_and_talk_both_ways() {
    let (one, two) = pair();
    let (to_two, to_one) = (one.link(&two), two.link(&one));
    assert_eq!((to_two.node(), to_two.name(), to_two.generation()), (NodeId(2), "node-2", 1));
    assert_eq!((to_one.node(), to_one.name(), to_one.version()), (NodeId(1), "node-1", 1));
    one.talk_to(&two, b"get a\r\n");
    two.talk_to(&one, b"END\r\n");
    one.talk_to(&two, b"");
    assert_eq!((one.log(), two.log()), (vec!["linked 2.1".into()], vec!["linked 1.1".into()]));
    assert!(to_two.round_trip() > Duration::ZERO);
}

#[test]
fn many_frames_and_large_ones_arrive_in_their_order() {
    let (one, two) = pair();
    let link = one.link(&two);
    let mut sent = Vec::new();
    for number in 0..10_000_u32 {
        let size = if number % 2000 == 7 { 1 << 20 } else { number as usize % 200 };
        let mut words = number.to_le_bytes().to_vec();
        words.resize(4 + size, number as u8);
        send(&link, &words);
        sent.push(words);
    }
    two.ear.until("not all came", |told| told.frames.len() >= sent.len());
    let told = two.ear.told();
    assert!(told.frames.iter().map(|(_, words)| words).eq(&sent));
    // Many frames come at once, and are followed by one pause.
    assert!((1..5000).contains(&told.idles), "{} pauses", told.idles);
}

/// However the two sides begin, one link remains.
#[test]
fn nodes_that_start_together_have_one_link() {
    for round in 0..10 {
        let (one, two) = (Birth::of(1).start(), Birth::of(2).start());
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            for (ours, theirs) in [(&one, &two), (&two, &one)] {
                scope.spawn(|| {
                    barrier.wait();
                    ours.meet(theirs);
                });
            }
        });
        one.talk_to(&two, b"a");
        two.talk_to(&one, b"b");
        assert_eq!(one.log(), ["linked 2.1"], "round {round}");
        assert_eq!(two.log(), ["linked 1.1"], "round {round}");
    }
}

/// Until the two are linked anew after one of them was killed.
fn relinked(stays: &Node, dies: Node, is_told: bool) -> (Node, Duration) {
    let mut birth = dies.kill();
    birth.generation += 1;
    let back = birth.start();
    let began = Instant::now();
    back.meet(stays);
    if is_told {
        stays.meet(&back);
    }
    stays.link(&back);
    back.link(stays);
    (back, began.elapsed())
}

#[test]
fn a_restarted_node_is_linked_again_at_once() {
    let (one, two) = pair();
    one.talk_to(&two, b"a");
    let (two, took) = relinked(&one, two, true);
    assert!(took < Duration::from_secs(1), "the one who dials stayed: {took:?}");
    let (one, took) = relinked(&two, one, true);
    assert!(took < Duration::from_secs(1), "the one who waits stayed: {took:?}");
    one.talk_to(&two, b"a");
    two.talk_to(&one, b"b");
    assert_eq!(two.log(), ["linked 1.1", "unlinked 1.1", "linked 1.2"]);
}

/// Who dials is told nothing, and hears from the other end that it knows nothing
/// of the connection: long before silence would tell.
#[test]
fn a_restart_is_noticed_without_gossip() {
    let patient = |id| Birth { idle_timeout: Duration::from_secs(60), ..Birth::of(id) };
    let (one, two) = (patient(1).start(), patient(2).start());
    one.meet(&two);
    one.talk_to(&two, b"a");
    let (two, took) = relinked(&one, two, false);
    assert!(took < DEADLINE / 2, "{took:?}");
    one.talk_to(&two, b"b");
}

#[test]
fn an_older_life_is_refused() {
    let old = Birth::of(1).start();
    let two = Birth::of(2).start();
    two.peers.meet(NodeId(1), 0, "127.0.0.1:9".parse().unwrap(), 5);
    old.meet(&two);
    two.ear.until("not refused", |told| {
        told.refused.iter().any(|why| why.contains("generation 1 of the node is over"))
    });
    old.ear.until("not told", |told| {
        told.refused.iter().any(|why| why.contains("refuses this node: generation 1"))
            || told.log.len() == 2
    });
    assert!(two.log().is_empty(), "{:?}", two.log());
}

/// A node that was wrongly held for dead goes on with a greater generation.
#[test]
fn a_node_may_live_on_with_another_generation() {
    let (one, two) = pair();
    one.talk_to(&two, b"a");
    two.peers.set_generation(2);
    one.peers.meet(NodeId(2), 0, two.addr, 2);
    one.ear.until("no new link", |told| told.links.iter().any(|link| link.generation() == 2));
    assert_eq!(one.log(), ["linked 2.1", "unlinked 2.1", "linked 2.2"]);
}

#[test]
fn an_idle_link_stays() {
    let brief = |id| Birth { idle_timeout: Duration::from_secs(2), ..Birth::of(id) };
    let (one, two) = (brief(1).start(), brief(2).start());
    one.meet(&two);
    one.talk_to(&two, b"a");
    // Silence is what is tested here: two idle timeouts of it.
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!((one.log(), two.log()), (vec!["linked 2.1".into()], vec!["linked 1.1".into()]));
    two.talk_to(&one, b"b");
}

#[test]
fn a_forgotten_node_is_not_dialled() {
    let (one, two) = pair();
    one.talk_to(&two, b"a");
    one.peers.forget(NodeId(2));
    two.ear.until("the link stays", |told| told.links.is_empty());
    one.ear.until("the link stays", |told| told.links.is_empty());
    // Told of again, it is linked once more, and by one dialler.
    one.meet(&two);
    one.talk_to(&two, b"b");
    assert_eq!(one.log(), ["linked 2.1", "unlinked 2.1", "linked 2.1"]);
}

#[test]
fn a_node_that_stops_says_so() {
    let (one, two) = pair();
    one.talk_to(&two, b"a");
    let link = one.link(&two);
    two.stop();
    one.ear.until("the link stays", |told| told.links.is_empty());
    let why = link.why_ended().unwrap().to_owned();
    assert!(why.contains("this node ends"), "{why}");
}

#[test]
fn a_full_outbox_refuses_and_does_not_grow() {
    const MOST: usize = 1 << 20;
    let small = |id| Birth { outbox_bytes_max: MOST, ..Birth::of(id) };
    let (one, two) = (small(1).start(), small(2).start());
    one.meet(&two);
    let link = one.link(&two);
    two.ear.set_deaf(true);
    let words = vec![7; 64 << 10];
    let frame = |into: &mut Vec<u8>| append_frame(into, |into| into.extend_from_slice(&words));
    let (mut sent, began, mut last) = (0, Instant::now(), Instant::now());
    // Full for a moment may be a writer that is at it; full for long is full.
    while last.elapsed() < Duration::from_millis(300) {
        if link.send(frame) == Ok(()) {
            (sent, last) = (sent + 1, Instant::now());
        }
        assert!(link.bytes_waiting() <= MOST);
        assert!(began.elapsed() < DEADLINE, "{sent} frames were taken");
    }
    assert_eq!(link.send(frame), Err(Full));
    assert!(sent * words.len() < 16 << 20, "{sent} frames went somewhere");
    two.ear.set_deaf(false);
    two.ear.until("not all came", |told| told.frames.len() == sent);
    one.talk_to(&two, b"and on");
}

#[test]
fn ten_nodes_are_linked_each_with_each() {
    let nodes: Vec<Node> = (1..=10).map(|id| Birth::of(id).start()).collect();
    for ours in &nodes {
        for theirs in &nodes {
            ours.meet(theirs);
        }
    }
    for ours in &nodes {
        ours.ear.until("links are missing", |told| told.links.len() == 9);
    }
    for ours in &nodes {
        let links: Vec<_> = ours.ear.told().links.iter().map(Arc::clone).collect();
        for link in links {
            send(&link, b"all");
        }
    }
    for ours in &nodes {
        ours.ear.until("frames are missing", |told| told.frames.len() == 9);
        assert_eq!(ours.log().len(), 9);
    }
}
