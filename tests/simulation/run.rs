//! One run: nodes start, clients work, something goes wrong, all comes to rest.

use crate::client::{Client, Ended};
use crate::faults::{Faults, Kind, Trouble};
use crate::history::{History, Turn};
use crate::load::Load;
use crate::words::Word;
use crate::world::World;
use ringcached::cluster::ReadFrom;
use ringcached::node::WriteAck;
use std::collections::{BTreeMap, BTreeSet};

/// What a run is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) copies: u8,
    /// The nodes stand in so many zones in turn.
    pub(crate) zones: usize,
    pub(crate) write_ack: WriteAck,
    pub(crate) read_from: ReadFrom,
    /// Nodes that see fewer that serve take no writes.
    pub(crate) min_nodes_for_writes: usize,
    pub(crate) clients: usize,
    pub(crate) work_ms: u64,
    pub(crate) faults: Faults,
}

impl Plan {
    pub(crate) const USUAL: Self = Self {
        nodes: 3,
        copies: 2,
        zones: 1,
        write_ack: WriteAck::Quorum,
        read_from: ReadFrom::Primary,
        min_nodes_for_writes: 0,
        clients: 6,
        work_ms: 3000,
        faults: Faults::NONE,
    };
}

/// After so long without rest something is stuck.
const REST_MS: u64 = 120_000;

/// In one run of so many something is thrown away with all else: the others would
/// otherwise never see a value for long.
const FLUSHED: u64 = 3;

/// Keys that are read at once in the end.
const READ_AT_ONCE: usize = 40;

pub(crate) fn run(seed: u64, plan: &Plan) -> History {
    let mut world = World::new(seed, plan);
    let mut history = History::new(seed, plan.faults.may_refuse());
    let flushes_later = plan.faults.trouble == Kind::Nothing;
    let mut load = Load::new(seed.is_multiple_of(FLUSHED), flushes_later);
    rest(&mut world, seed, "at the start");
    let mut clients: Vec<(Client, Option<Turn>)> =
        (0..plan.clients).map(|number| (Client::new(number % plan.nodes), None)).collect();
    let started = world.now_ms();
    let mut trouble = Trouble::new(&mut world, plan.faults.trouble, started);
    loop {
        world.step();
        trouble.step(&mut world);
        history.pass(world.now_ms());
        let over = world.now_ms() >= started + plan.work_ms + trouble.extra_ms;
        for (number, (client, turn)) in clients.iter_mut().enumerate() {
            let ended = if client.is_busy() {
                client.poll(&world)
            } else if over {
                None
            } else {
                let words = load.draw(&mut world.random, number, &history.tokens);
                begin(&mut world, &mut history, (number, client), turn, words)
            };
            if let Some((ended, turn)) = ended.and_then(|ended| Some((ended, turn.take()?))) {
                history.end(turn, &ended, client.waited_ms(), world.now_ms());
            }
        }
        if over && clients.iter().all(|(client, _)| !client.is_busy()) {
            break;
        }
        assert!(world.now_ms() < started + REST_MS, "seed {seed}: a request does not end");
    }
    rest(&mut world, seed, "at the end");
    even_out(&mut world, &mut history);
    finish(&mut world, plan, &mut load, &mut history);
    history
}

fn begin(
    world: &mut World,
    history: &mut History,
    (number, client): (usize, &mut Client),
    turn: &mut Option<Turn>,
    words: Vec<Word>,
) -> Option<Ended> {
    let mut said = String::new();
    for word in &words {
        word.say(&mut said);
    }
    *turn = Some(history.begin(number, words));
    client.begin(world, &said)
}

/// Copies that are behind are brought up to date within this. Where one who could not take
/// part has ended, its part of the ring is given to others only once nobody expects it back.
const EVEN_MS: u64 = 10_000;
const EVEN_AFTER_STRANGERS_MS: u64 = 45_000;

/// In the end all owners of a key have the same.
fn even_out(world: &mut World, history: &mut History) {
    let had_strangers = world.nodes.len() > world.served;
    let most_ms = if had_strangers { EVEN_AFTER_STRANGERS_MS } else { EVEN_MS };
    let by = world.now_ms() + most_ms;
    while !world.unequal_copies().is_empty() && world.now_ms() < by {
        for _ in 0..100 {
            world.step();
        }
    }
    history.unequal = world.unequal_copies();
}

/// Reads everything at every node.
fn finish(world: &mut World, plan: &Plan, load: &mut Load, history: &mut History) {
    let keys = history.keys();
    let mut answers: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for node in (0..plan.nodes).filter(|&node| world.is_up(node)).collect::<Vec<_>>() {
        let mut client = Client::new(node);
        for keys in keys.chunks(READ_AT_ONCE) {
            let read = load.read_all(keys.to_vec());
            let mut turn = None;
            let number = plan.clients + node;
            let ended = begin(world, history, (number, &mut client), &mut turn, vec![read]);
            let ended = ended.unwrap_or_else(|| wait(world, &mut client, "the last reads"));
            if let Ended::Answer(answer) = &ended {
                // The numbers of the requests are others at each node.
                let words = answer.split(' ').filter(|word| !word.starts_with('O'));
                answers.entry(node).or_default().push(words.collect());
            }
            history.end(turn.unwrap(), &ended, client.waited_ms(), world.now_ms());
        }
    }
    let answers: BTreeSet<Vec<String>> = answers.into_values().collect();
    if answers.len() != 1 {
        history.unequal.push("the nodes read differently".to_owned());
    }
}

pub(crate) fn rest(world: &mut World, seed: u64, when: &str) {
    let from = world.now_ms();
    // A while longer: what is not noticed yet is to be noticed.
    for _ in 0..200 {
        world.step();
    }
    while !world.is_settled() {
        world.step();
        let is_late = world.now_ms() >= from + REST_MS;
        assert!(!is_late, "seed {seed}: no rest {when}: {}", world.describe());
    }
}

/// So much time passes.
pub(crate) fn pass(world: &mut World, ms: u64) {
    (0..ms).for_each(|_| world.step());
}

pub(crate) fn ask(world: &mut World, client: &mut Client, request: &str) -> String {
    let ended = client.begin(world, request);
    match ended.unwrap_or_else(|| wait(world, client, request)) {
        Ended::Answer(answer) => answer,
        Ended::Unknown => panic!("the node is gone"),
    }
}

fn wait(world: &mut World, client: &mut Client, request: &str) -> Ended {
    let from = world.now_ms();
    loop {
        world.step();
        if let Some(ended) = client.poll(world) {
            return ended;
        }
        assert!(world.now_ms() < from + REST_MS, "no answer to {request}");
    }
}
