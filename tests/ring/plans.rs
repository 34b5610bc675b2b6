//! Plans of changes of owners that were drawn at random: they are right, and whatever is
//! damaged of them is found.

use proptest::prelude::*;
use ringcached::cluster::{Brings, Checked, Flaw, Plan};
use ringcached::ring::{Diff, Layout, Move, Node, NodeId, Ring, ZoneId};
use std::collections::BTreeMap;

const SLOT_BITS: u8 = 10;

fn ring(copies: u8, nodes: &[Node]) -> Ring {
    let layout = Layout { slot_bits: SLOT_BITS, copies, vnodes: 64, ..Layout::default() };
    Ring::new(&layout, nodes).unwrap()
}

/// A change of owners: by its rings, and who lives and is whole.
#[derive(Clone, Debug)]
struct Change {
    before: Ring,
    after: Ring,
    brings: BTreeMap<NodeId, Brings>,
}

impl Change {
    fn brings(&self) -> impl Fn(NodeId) -> Brings {
        |node| self.brings.get(&node).copied().unwrap_or(Brings::All)
    }

    fn plan(&self) -> Plan {
        Plan::new(&self.before, &self.after, self.brings()).unwrap()
    }

    fn check(&self, plan: Plan) -> Result<Checked, Flaw> {
        plan.check(&self.before, &self.after, self.brings())
    }
}

prop_compose! {
    /// Nodes of some zones and weights, of which a number is on each side.
    fn change()(
        nodes in prop::collection::btree_map(0..60_u64, (0..4_u64, 1..4_u32, 0..3_u8, 0..8_u8), 1..12),
        copies in (1..=4_u8, 1..=4_u8),
    ) -> Change {
        let node = |(&id, &(zone, weight, ..)): (&u64, &(u64, u32, u8, u8))| {
            Node { id: NodeId(id), zone: ZoneId(zone), weight }
        };
        // Where nobody would be on a side, all are.
        let side = |leaves_out: u8, copies: u8| {
            let is_there = |it: &(&u64, &(u64, u32, u8, u8))| it.1.2 != leaves_out;
            let mut there: Vec<Node> = nodes.iter().filter(is_there).map(node).collect();
            if there.is_empty() {
                there = nodes.iter().map(node).collect();
            }
            ring(copies, &there)
        };
        let (before, after) = (side(1, copies.0), side(2, copies.1));
        let brings = nodes.iter().map(|(&id, &(.., what))| (NodeId(id), match what {
            0 => Brings::Nothing,
            1 => Brings::Some,
            2 => Brings::AllAtNeed,
            _ => Brings::All,
        }));
        let brings = brings.collect();
        Change { before, after, brings }
    }
}

/// What one may do wrong, and what is said of it.
fn damaged(change: &Change, plan: &Plan, which: usize) -> Vec<(&'static str, Plan)> {
    let with = |damage: &dyn Fn(&mut Vec<Move>)| {
        let mut plan = plan.clone();
        damage(&mut plan.moves);
        plan
    };
    let which = which % plan.moves.len();
    let it = &plan.moves[which];
    let here = change.before.nodes().iter().map(|node| node.id);
    let stranger = NodeId(1000);
    let dead = here.filter(|&node| change.brings()(node) == Brings::Nothing);
    let has = change.before.slot_owners(it.slots.start);
    let has = has.iter().map(|owner| change.before.node(owner).id).find(|&id| id != it.source);
    let mut damaged = vec![
        ("a move is dropped", with(&|moves| _ = moves.remove(which))),
        ("a move is doubled", with(&|moves| moves.push(it.clone()))),
        ("a move is cut short", with(&|moves| moves[which].slots.end -= 1)),
        ("a move goes on too long", with(&|moves| moves[which].slots.end += 1)),
        ("it comes from nobody", with(&|moves| moves[which].source = stranger)),
        ("it goes to nobody", with(&|moves| moves[which].target = stranger)),
        ("it goes to itself", with(&|moves| moves[which].target = it.source)),
        ("it is said to be lost", Plan { lost: vec![it.slots.clone()], ..plan.clone() }),
    ];
    for dead in dead {
        damaged.push(("a source is dead", with(&|moves| moves[which].source = dead)));
    }
    if let Some(has) = has {
        damaged.push(("who has it gets it", with(&|moves| moves[which].target = has)));
        let again = Move { source: has, ..it.clone() };
        damaged.push(("another one brings it too", with(&|moves| moves.push(again.clone()))));
    }
    damaged
}

proptest! {
    #[test]
    fn what_is_planned_passes(change in change()) {
        let plan = change.plan();
        let checked = change.check(plan.clone());
        prop_assert_eq!(checked.as_ref().err(), None);
        // As many as the difference of the rings where all live and are whole.
        let whole = Plan::new(&change.before, &change.after, |_| Brings::All).unwrap();
        let diff = Diff::new(&change.before, &change.after).unwrap();
        prop_assert_eq!(whole.copies(), u64::from(diff.copies()));
        prop_assert!(whole.lost.is_empty());
    }

    #[test]
    fn whatever_is_damaged_is_found(change in change(), which in any::<usize>()) {
        let plan = change.plan();
        prop_assume!(!plan.moves.is_empty());
        for (what, damaged) in damaged(&change, &plan, which) {
            prop_assert!(change.check(damaged).is_err(), "{what}");
        }
        for run in 0..plan.lost.len() {
            let mut unsaid = plan.clone();
            unsaid.lost.remove(run);
            let flaw = change.check(unsaid).unwrap_err();
            let is_named = matches!(flaw, Flaw::Unsaid { slot } if slot == plan.lost[run].start);
            prop_assert!(is_named, "{flaw}");
        }
    }
}
