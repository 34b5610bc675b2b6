//! That cards come everywhere, and what that costs.

use super::{GossipConfig, S, World, asked_nodes};

#[test]
fn cards_converge_though_a_fifth_is_lost() {
    let nodes = 40;
    let mut world = World::grown(nodes, GossipConfig::lan(), 7);
    world.loss_percent = 20;
    for node in 0..nodes {
        world.renew_card(node, 2);
    }
    assert!(!world.cards_agree());
    let even = world.run_until(30 * S, World::cards_agree);
    println!("{nodes} new cards at once, 20 % loss: the same everywhere after {even:?}");
}

#[test]
fn a_card_is_soon_everywhere() {
    let nodes = asked_nodes().unwrap_or(100);
    let mut world = World::grown(nodes, GossipConfig::lan(), 8);
    world.run(10 * S);
    let before = world.sent;
    world.renew_card(0, 2);
    let even = world.run_until(5 * S, World::cards_agree);
    println!("a new card is at {nodes} nodes after {even:?}");
    let sent = (world.sent.bytes - before.bytes) / nodes as u64;
    println!("it took {sent} bytes a node");
}

/// A card takes seventy bytes, and has to be heard by each once.
const CARD_BYTES: u64 = 70;

#[test]
fn who_start_at_once_do_not_bury_each_other() {
    let nodes = asked_nodes().unwrap_or(200) as u64;
    let world = World::grown(nodes as usize, GossipConfig::lan(), 9);
    let sent = world.sent.bytes / nodes;
    assert!(sent < 8 * CARD_BYTES * nodes, "{sent} bytes a node");
}

#[test]
fn a_newcomer_is_not_buried() {
    let nodes = asked_nodes().unwrap_or(200);
    let mut world = World::grown(nodes, GossipConfig::lan(), 9);
    world.run(10 * S);
    let before = world.sent.bytes;
    world.add();
    let whole = world.run_until(5 * S, World::is_whole);
    world.run(S);
    let (sent, heard) = (world.sent.bytes - before, world.hosts[nodes].received);
    println!("one joins {nodes}: all is known after {whole:?}");
    println!("it hears {} packets and {} bytes", heard.packets, heard.bytes);
    println!("{} bytes a node are sent", sent / nodes as u64);
    assert!(heard.bytes < 5 * CARD_BYTES * nodes as u64);
}
