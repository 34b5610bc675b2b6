//! What `stats ring` says: the nodes' ring, built again by the nodes' own code.

use super::Address;
use crate::cluster::{Able, View};
use crate::ring::{Bound, Layout, Node, NodeId, Ring, ZoneId};
use std::collections::BTreeMap;
use std::str::FromStr;

/// A ring, and where its nodes are.
#[derive(Debug)]
pub(super) struct Seen {
    view: View,
    /// Those that execute, the one that was asked before all others.
    nodes: Vec<(NodeId, Address)>,
}

/// Why an answer is no ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// It was given while the ring changed: ask again.
    Changing,
    /// Says why.
    NoRing(String),
}

impl Seen {
    pub(super) fn read(answer: &str) -> Result<Self, Unseen> {
        let (whole, nodes) = sorted(answer);
        if whole.get("cluster") != Some(&"yes") {
            let first = answer.lines().next().unwrap_or_default();
            return Err(Unseen::NoRing(format!("it is not of a cluster: it answers `{first}`")));
        }
        let layout = layout(&whole)?;
        let fingerprint: u64 = parsed(&whole, "view")?;
        let mut able = BTreeMap::new();
        let (mut members, mut executing) = (Vec::new(), Vec::new());
        for (id, said) in &nodes {
            let zone = ZoneId::from_name(said.get("zone").copied().unwrap_or_default());
            members.push(Node { id: *id, zone, weight: parsed(said, "weight")? });
            able.insert(*id, parsed_able(said)?);
            if able[id] == Able::Executes {
                executing.push((*id, parsed(said, "client")?));
            }
        }
        let ring = Ring::new(&layout, &members).map_err(|why| Unseen::NoRing(why.to_string()))?;
        let view = View::settled(&ring);
        let view = view.with_able(|node| able.get(&node).copied().unwrap_or(Able::Nothing));
        match view.fingerprint() == fingerprint {
            true => Ok(Self { view, nodes: executing }),
            false => Err(Unseen::Changing),
        }
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &Address> {
        self.nodes.iter().map(|(_, server)| server)
    }

    /// Which of the servers executes for a key.
    pub(super) fn primary(&self, key: &[u8]) -> Option<usize> {
        let primary = self.view.primary(self.view.hash(key))?;
        self.nodes.iter().position(|&(node, _)| node == primary)
    }
}

type Words<'a> = BTreeMap<&'a str, &'a str>;

/// What is said of the whole, and of each node, in the order of the answer.
fn sorted(answer: &str) -> (Words<'_>, Vec<(NodeId, Words<'_>)>) {
    let (mut whole, mut nodes) = (Words::new(), Vec::<(NodeId, Words<'_>)>::new());
    for said in answer.lines().filter_map(|line| line.strip_prefix("STAT ")) {
        let (name, value) = said.split_once(' ').unwrap_or((said, ""));
        let of_node = name.split_once(':');
        let of_node =
            of_node.and_then(|(id, name)| Some((u64::from_str_radix(id, 16).ok()?, name)));
        let Some((id, name)) = of_node else {
            whole.insert(name, value);
            continue;
        };
        // The lines of a node come together.
        if nodes.last().is_none_or(|(last, _)| last.0 != id) {
            nodes.push((NodeId(id), Words::new()));
        }
        if let Some((_, words)) = nodes.last_mut() {
            words.insert(name, value);
        }
    }
    (whole, nodes)
}

fn layout(whole: &Words<'_>) -> Result<Layout, Unseen> {
    let bound = match whole.get("bound_permille") {
        Some(&"none") => Bound::Unlimited,
        _ => Bound::Permille(parsed(whole, "bound_permille")?),
    };
    Ok(Layout {
        seed: parsed(whole, "seed")?,
        slot_bits: parsed(whole, "slot_bits")?,
        vnodes: parsed(whole, "vnodes")?,
        bound,
        copies: parsed(whole, "copies")?,
    })
}

fn parsed_able(said: &Words<'_>) -> Result<Able, Unseen> {
    match said.get("able").copied() {
        Some("executes") => Ok(Able::Executes),
        Some("keeps") => Ok(Able::Keeps),
        Some("nothing") => Ok(Able::Nothing),
        other => Err(Unseen::NoRing(format!("`able` is {other:?}"))),
    }
}

fn parsed<T: FromStr>(words: &Words<'_>, name: &str) -> Result<T, Unseen> {
    let word = words.get(name).copied().unwrap_or_default();
    word.parse().map_err(|_| Unseen::NoRing(format!("`{name}` is `{word}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout =
        Layout { seed: 7, slot_bits: 12, vnodes: 64, bound: Bound::Permille(50), copies: 2 };

    /// What a node would say of three, of which the last is down.
    fn told() -> (String, View) {
        let zone = ZoneId::from_name("east");
        let nodes = [1, 2, 3].map(|id| Node { id: NodeId(id), zone, weight: id as u32 });
        let down = |node| if node == NodeId(3) { Able::Nothing } else { Able::Executes };
        let view = View::settled(&Ring::new(&LAYOUT, &nodes).unwrap()).with_able(down);
        let mut lines = vec![
            "cluster yes".to_owned(),
            format!("view {}", view.fingerprint()),
            "seed 7".to_owned(),
            "slot_bits 12".to_owned(),
            "vnodes 64".to_owned(),
            "bound_permille 50".to_owned(),
            "copies 2".to_owned(),
        ];
        for node in [2, 1, 3] {
            let able = if node == 3 { "nothing" } else { "executes" };
            let id = NodeId(node);
            lines.push(format!("{id}:client 127.0.0.1:{node}"));
            lines.extend(["zone east", "phase serving"].map(|said| format!("{id}:{said}")));
            lines.extend([format!("{id}:weight {node}"), format!("{id}:able {able}")]);
        }
        let lines: Vec<String> = lines.iter().map(|line| format!("STAT {line}\r\n")).collect();
        (lines.concat() + "END\r\n", view)
    }

    #[test]
    fn primaries_are_those_of_the_nodes() {
        let (answer, view) = told();
        let seen = Seen::read(&answer).unwrap();
        let servers: Vec<String> = seen.servers().map(ToString::to_string).collect();
        assert_eq!(servers, ["127.0.0.1:2", "127.0.0.1:1"]);
        for key in 0..1000_u32 {
            let key = key.to_le_bytes();
            let server = seen.primary(&key).unwrap();
            assert_eq!(Some([NodeId(2), NodeId(1)][server]), view.primary(view.hash(&key)));
        }
    }

    #[test]
    fn another_ring_is_noticed() {
        let (answer, _) = told();
        let other = answer.replace(":weight 2", ":weight 5");
        assert_eq!(Seen::read(&other).unwrap_err(), Unseen::Changing);
        let back = answer.replace(":able nothing", ":able keeps");
        assert_eq!(Seen::read(&back).unwrap_err(), Unseen::Changing);
    }

    #[test]
    fn what_is_no_ring_is_refused() {
        let (answer, _) = told();
        let spoilt = [
            "ERROR\r\n".to_owned(),
            "STAT cluster no\r\nEND\r\n".to_owned(),
            answer.replace("seed 7", "seed x"),
            answer.replace("slot_bits 12", "slot_bits 63"),
            answer.replace("copies 2", "copies 0"),
            answer.replace(":weight 2", ":weight 0"),
            answer.replace("127.0.0.1:1", "nowhere"),
            answer.replace(":able keeps", "").replace(":able executes", ":able maybe"),
        ];
        for answer in spoilt {
            let why = Seen::read(&answer).unwrap_err();
            assert!(matches!(why, Unseen::NoRing(_)), "{answer} {why:?}");
        }
    }
}
