//! One run: nodes start, clients work, something goes wrong, all comes to rest.

use crate::client::{Client, Ended};
use crate::faults::{Faults, Trouble};
use crate::history::{Counter, History};
use crate::world::World;
use ringcached::cluster::ReadFrom;
use ringcached::node::WriteAck;

/// What a run is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) copies: u8,
    /// The nodes stand in so many zones in turn.
    pub(crate) zones: usize,
    pub(crate) write_ack: WriteAck,
    pub(crate) read_from: ReadFrom,
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
        clients: 6,
        work_ms: 3000,
        faults: Faults::NONE,
    };
}

/// What a client is in the middle of.
enum Doing {
    Nothing,
    Write { key: String, value: Option<u64> },
    Read { key: String, since: u64 },
    Count { key: String },
    Add { key: String },
}

const KEYS: usize = 12;
const COUNTERS: usize = 4;

/// After so long without rest something is stuck.
const REST_MS: u64 = 120_000;

pub(crate) fn run(seed: u64, plan: &Plan) -> History {
    let mut world = World::new(seed, plan);
    let mut history = History { seed, ..History::default() };
    rest(&mut world, seed, "at the start");
    let mut clients: Vec<(Client, Doing)> = (0..plan.clients)
        .map(|number| (Client::new(number % plan.nodes), Doing::Nothing))
        .collect();
    for counter in 0..COUNTERS {
        let (client, _) = &mut clients[0];
        ask(&mut world, client, &format!("set count-{counter} 0 0 1\r\n0\r\n"));
        history.counters.insert(format!("count-{counter}"), Counter::default());
    }
    let started = world.now_ms();
    let mut trouble = Trouble::new(&mut world, plan.faults.trouble, started);
    let mut next_value = 1;
    let mut next_add = 0;
    loop {
        world.step();
        trouble.step(&mut world);
        let over = world.now_ms() >= started + plan.work_ms + trouble.extra_ms;
        for (number, (client, doing)) in clients.iter_mut().enumerate() {
            let ended = if client.is_busy() {
                client.poll(&world)
            } else if over {
                None
            } else {
                let (request, what) =
                    draw(&mut world, &mut history, number, &mut next_value, &mut next_add);
                *doing = what;
                client.begin(&mut world, &request)
            };
            if let Some(ended) = ended {
                history.waited(number, client.waited_ms(), world.now_ms());
                note(
                    &mut history,
                    std::mem::replace(doing, Doing::Nothing),
                    &ended,
                    world.now_ms(),
                );
            }
        }
        if over && clients.iter().all(|(client, _)| !client.is_busy()) {
            break;
        }
        assert!(world.now_ms() < started + REST_MS, "seed {seed}: a request does not end");
    }
    rest(&mut world, seed, "at the end");
    even_out(&mut world, &mut history);
    finish(&mut world, plan, &mut history);
    history
}

/// Copies that are behind are brought up to date within this.
const EVEN_MS: u64 = 10_000;

/// In the end all owners of a key have the same.
fn even_out(world: &mut World, history: &mut History) {
    let from = world.now_ms();
    while !world.unequal_copies().is_empty() && world.now_ms() < from + EVEN_MS {
        for _ in 0..100 {
            world.step();
        }
    }
    history.unequal = world.unequal_copies();
}

/// Reads everything at every node.
fn finish(world: &mut World, plan: &Plan, history: &mut History) {
    for node in 0..plan.nodes {
        if !world.is_up(node) {
            continue;
        }
        let mut client = Client::new(node);
        let keys: Vec<String> = history.registers.keys().cloned().collect();
        for key in keys {
            let since = history.registers[&key].acknowledged_write;
            let answer = ask(world, &mut client, &format!("get {key}\r\n"));
            history.saw(&key, since, value_of(&answer), world.now_ms());
        }
        for counter in 0..COUNTERS {
            let key = format!("count-{counter}");
            let answer = ask(world, &mut client, &format!("get {key}\r\n"));
            let value = value_of(&answer).unwrap_or(0);
            let before = history.finals.insert(key.clone(), value);
            if before.is_some_and(|before| before != value) {
                history.unequal.push(format!("{key} is {before:?} and {value}"));
            }
        }
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

pub(crate) fn ask(world: &mut World, client: &mut Client, request: &str) -> String {
    let mut ended = client.begin(world, request);
    let from = world.now_ms();
    while ended.is_none() {
        world.step();
        ended = client.poll(world);
        assert!(world.now_ms() < from + REST_MS, "no answer to {request}");
    }
    match ended {
        Some(Ended::Answer(answer)) => answer,
        _ => panic!("the node is gone"),
    }
}

fn value_of(answer: &str) -> Option<u64> {
    let line = answer.lines().nth(1)?;
    line.trim_end().parse().ok()
}

fn draw(
    world: &mut World,
    history: &mut History,
    client: usize,
    next_value: &mut u64,
    next_add: &mut u64,
) -> (String, Doing) {
    history.operations += 1;
    let key = world.random.below(KEYS);
    match world.random.below(10) {
        0..3 => {
            // Only one client writes a key.
            let key = format!("key-{client}-{}", key % 3);
            let register = history.registers.entry(key.clone()).or_default();
            let delete = world.random.below(5) == 0;
            *next_value += 1;
            let value = (!delete).then_some(*next_value);
            register.writes.push(value);
            let request = match value {
                Some(value) => {
                    let text = value.to_string();
                    format!("set {key} 0 0 {}\r\n{text}\r\n", text.len())
                }
                None => format!("delete {key}\r\n"),
            };
            (request, Doing::Write { key, value })
        }
        3..7 if !history.registers.is_empty() => {
            let number = world.random.below(history.registers.len());
            let (key, register) = history.registers.iter().nth(number).unwrap();
            let (key, since) = (key.clone(), register.acknowledged_write);
            (format!("get {key}\r\n"), Doing::Read { key, since })
        }
        7 => {
            *next_add += world.random.below(2) as u64;
            let key = format!("add-{next_add}");
            (format!("add {key} 0 0 1\r\n{}\r\n", client % 10), Doing::Add { key })
        }
        _ => {
            let key = format!("count-{}", key % COUNTERS);
            history.counters.get_mut(&key).unwrap().attempted += 1;
            (format!("incr {key} 1\r\n"), Doing::Count { key })
        }
    }
}

fn note(history: &mut History, doing: Doing, ended: &Ended, at: u64) {
    let Ended::Answer(answer) = ended else {
        history.unknown += 1;
        if let Doing::Write { key, value } = doing {
            history.registers.get_mut(&key).unwrap().under_way.push(value);
        }
        return;
    };
    if answer.starts_with("SERVER_ERROR") {
        history.refused += 1;
        return;
    }
    match doing {
        Doing::Nothing => {}
        // It wrote nothing: what an unacknowledged delete took away may be back.
        Doing::Write { value: None, .. } if answer == "NOT_FOUND\r\n" => {}
        Doing::Write { key, value } => {
            let register = history.registers.get_mut(&key).unwrap();
            register.acknowledged = value;
            register.acknowledged_write = register.writes.len() as u64;
        }
        Doing::Read { key, since } => history.saw(&key, since, value_of(answer), at),
        Doing::Count { key } => match answer.trim_end().parse() {
            Ok(value) => {
                let counter = history.counters.get_mut(&key).unwrap();
                counter.acknowledged += 1;
                counter.seen.push(value);
            }
            Err(_) => history.wrong.push(format!("at {at} ms {key} answered {answer:?}")),
        },
        Doing::Add { key } => {
            *history.added.entry(key).or_default() += u64::from(answer == "STORED\r\n");
        }
    }
}
