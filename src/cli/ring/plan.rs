//! `ring plan`: what a change of the cluster would move, beside the least that
//! it could. Nothing moves.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded to be read"
)]

use super::change::ChangeArgs;
use super::cluster::{Cluster, ClusterArgs, ClusterError, Constants, Member};
use crate::cli::check::{self, Check};
use crate::cli::output::{self, Cell, Column, Format, Table, thousands};
use crate::cli::{CliError, Exit, units};
use crate::cluster::{self, Brings, Flaw};
use crate::ring::{Balance, Load, Move, Moved, Movement, NodeId, Ring};
use clap::{ArgGroup, Args};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true)
    .args(["add", "remove", "weight", "to_copies"]))]
#[command(after_help = "\
The least possible is what takes every node from its old fair share to its new one. A ring keeps
near the fair shares rather than on them, so it can move a little less.
Misplaced is what moves between nodes which both stay; after --weight that is all there is.

Figures to check: moved (copies moved over the least possible; the same as copies_moved),
primaries_moved, misplaced (as a part of all copies) and max_over_mean (what the fullest node
would be primary of, over its fair share).")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// Keys in the cluster, to tell how many would move
    #[arg(long, value_name = "N", value_parser = units::count)]
    keys: Option<u64>,
    /// Bytes of a value, to tell how many would move
    #[arg(long, value_name = "BYTES", value_parser = units::bytes, requires = "keys")]
    value_bytes: Option<u64>,
    /// Exit with 1 unless this holds, such as 'moved<=1.05x' (repeatable)
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    check: Vec<Check>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Nodes in a plain table, at most: one screen.
const ROWS_MAX: usize = 40;

const NEXT: &str = "
next: `--keys 1M --value-bytes 100` tells how much that is; `-o wide` who sends how much to whom";

pub(crate) fn run(args: &PlanArgs, format: Format) -> Result<Exit, CliError> {
    check::refuse_unknown(&args.check, &FIGURES)?;
    let before = args.cluster.cluster()?;
    let after = args.change.applied_to(&before)?;
    let plan = Plan::new(Side::new(&before)?, Side::new(&after)?, args)?;
    output::print(|out| match format {
        Format::Json => output::write_json(out, &plan.report()),
        Format::Csv => plan.nodes_table(&plan.members()).write_csv(out),
        Format::Table | Format::Wide => plan.write(out, format),
    })?;
    if format.is_for_people() && args.keys.is_none() {
        output::note(NEXT);
    }
    Ok(check::judge(&args.check, &plan.figures()))
}

/// The cluster before or after, with its ring.
struct Side<'a> {
    cluster: &'a Cluster,
    ring: Ring,
    loads: BTreeMap<&'a str, (&'a Member, Load)>,
}

impl<'a> Side<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self, ClusterError> {
        let ring = cluster.ring()?;
        let loads = cluster.loads(&ring).into_iter();
        let loads = loads.map(|(member, load)| (member.name.as_str(), (member, load))).collect();
        Ok(Self { cluster, ring, loads })
    }

    fn fullest(&self, ratio: fn(&Load) -> f64) -> f64 {
        Balance::of(self.loads.values().map(|(_, load)| ratio(load))).max
    }

    fn share(&self, name: &str, held: fn(&Load) -> u32) -> Option<f64> {
        let (_, load) = self.loads.get(name)?;
        Some(f64::from(held(load)) / f64::from(self.ring.layout().slots()))
    }

    fn report(&self) -> SideReport {
        SideReport {
            fingerprint: format!("{:016x}", self.ring.fingerprint()),
            layout: self.ring.layout().into(),
            nodes: self.loads.len(),
            copies: self.ring.copies(),
            primaries_max_ratio: self.fullest(Load::primaries_ratio),
            copies_max_ratio: self.fullest(Load::copies_ratio),
        }
    }
}

/// How many keys there are and how large, as far as that was told.
#[derive(Clone, Copy)]
struct Items {
    keys: Option<u64>,
    value_bytes: Option<u64>,
}

impl Items {
    /// The keys in a part of the slots.
    fn keys(self, part: f64) -> Option<u64> {
        self.keys.map(|keys| (keys as f64 * part).round() as u64)
    }

    /// The bytes of the values in a part of the slots.
    fn bytes(self, part: f64) -> Option<u64> {
        let bytes = self.value_bytes?;
        self.keys(part).map(|keys| keys.saturating_mul(bytes))
    }
}

/// The two clusters, and what lies between them.
struct Plan<'a> {
    before: Side<'a>,
    after: Side<'a>,
    movement: Movement,
    /// What each node has to send to each other one.
    moves: Vec<PairMove<'a>>,
    items: Items,
}

/// What one node has to send to another one.
#[derive(Serialize)]
struct PairMove<'a> {
    source: &'a str,
    target: &'a str,
    slots: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_bytes: Option<u64>,
    /// The first and the last slot of each run.
    ranges: Vec<[u32; 2]>,
}

impl<'a> Plan<'a> {
    fn new(before: Side<'a>, after: Side<'a>, args: &PlanArgs) -> Result<Self, ClusterError> {
        let movement = Movement::new(&before.ring, &after.ring).map_err(ClusterError::Ring)?;
        let moves = moves(&before.ring, &after.ring).map_err(ClusterError::Plan)?;
        let items = Items { keys: args.keys, value_bytes: args.value_bytes };
        let members = before.cluster.members().iter().chain(after.cluster.members());
        let names = members.map(|member| (member.id(), member.name.as_str())).collect();
        let moves = pair_moves(&moves, &names, before.ring.layout().slots(), items);
        Ok(Self { before, after, movement, moves, items })
    }

    /// Everyone who is there before or after, with who they are at last.
    fn members(&self) -> Vec<&'a Member> {
        let stays = |member: &&Member| self.after.loads.contains_key(member.name.as_str());
        let leaving = self.before.cluster.members().iter().filter(|member| !stays(member));
        self.after.cluster.members().iter().chain(leaving).collect()
    }

    /// The members whose copies change most, as many as fit on a screen.
    fn most_changed(&self) -> Vec<&'a Member> {
        let copies = |side: &Side, member: &Member| {
            let copies = side.loads.get(member.name.as_str()).map(|(_, load)| load.copies);
            copies.unwrap_or(0)
        };
        let change =
            |member: &Member| copies(&self.before, member).abs_diff(copies(&self.after, member));
        let mut members = self.members();
        members.sort_by_key(|member| std::cmp::Reverse(change(member)));
        members.truncate(ROWS_MAX);
        members
    }

    fn write(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        writeln!(out, "{}", self.verdict())?;
        writeln!(out, "nothing moves: this only works out what would\n")?;
        self.totals_table().write_aligned(out, format)?;
        writeln!(out)?;
        let members = self.members();
        if format == Format::Wide || members.len() <= ROWS_MAX {
            self.nodes_table(&members).write_aligned(out, format)?;
        } else {
            let all = thousands(members.len() as u64);
            writeln!(out, "the {ROWS_MAX} of {all} nodes that change most (-o wide shows all)")?;
            self.nodes_table(&self.most_changed()).write_aligned(out, format)?;
        }
        if format == Format::Wide {
            writeln!(out)?;
            self.moves_table().write_aligned(out, format)?;
        }
        Ok(())
    }

    fn verdict(&self) -> String {
        let Self { before, after, .. } = self;
        format!(
            "plan  ring {:016x} -> {:016x}  nodes {} -> {}  copies {} -> {}  \
             slots {}  primaries {:.3} x fair at most -> {:.3} x",
            before.ring.fingerprint(),
            after.ring.fingerprint(),
            thousands(before.loads.len() as u64),
            thousands(after.loads.len() as u64),
            before.ring.copies(),
            after.ring.copies(),
            thousands(before.ring.layout().slots().into()),
            before.fullest(Load::primaries_ratio),
            after.fullest(Load::primaries_ratio),
        )
    }

    fn primaries(&self) -> Total {
        let mut total = Total::new(&self.movement.primaries, self.movement.compared, self.items);
        // A new primary may have had a copy all along: what has to be sent
        // is counted with the copies.
        total.value_bytes = None;
        total
    }

    fn copies(&self) -> Total {
        Total::new(&self.movement.copies, self.movement.compared, self.items)
    }

    fn totals_table(&self) -> Table {
        let mut table = Table::new([
            Column::words("what"),
            Column::numbers("slots").headed("SLOTS MOVED"),
            Column::numbers("least").headed("LEAST POSSIBLE"),
            Column::numbers("ratio").headed("X"),
            Column::numbers("misplaced"),
            Column::numbers("keys"),
            Column::numbers("value_bytes"),
        ]);
        for (what, total) in [("primaries", self.primaries()), ("copies", self.copies())] {
            table.push([
                Cell::words(what),
                Cell::count(total.slots),
                Cell::amount(total.least),
                Cell::ratio(total.ratio),
                Cell::count(total.misplaced),
                Cell::known(total.keys, Cell::count),
                Cell::known(total.value_bytes, Cell::bytes),
            ]);
        }
        table
    }

    fn nodes_table(&self, members: &[&Member]) -> Table {
        let mut table = Table::new([
            Column::words("node"),
            Column::words("zone"),
            Column::words("change"),
            Column::numbers("weight"),
            Column::numbers("primaries_before"),
            Column::numbers("primaries_after").headed("AFTER"),
            Column::numbers("copies_before"),
            Column::numbers("copies_after").headed("AFTER"),
            Column::numbers("copies_ratio_after").headed("X AFTER"),
            Column::numbers("slots_fetched").headed("FETCHES"),
            Column::numbers("slots_sent").headed("SENDS"),
        ]);
        let fetched = self.slots_by(|pair| pair.target);
        let sent = self.slots_by(|pair| pair.source);
        let count = |slots: &BTreeMap<&str, u64>, name: &str| {
            Cell::count(slots.get(name).copied().unwrap_or(0))
        };
        for member in members {
            let name = member.name.as_str();
            let ratio = self.after.loads.get(name).map(|(_, load)| load.copies_ratio());
            table.push([
                Cell::words(name),
                Cell::known(member.zone.as_deref(), Cell::words),
                Cell::words(self.change(name)),
                Cell::count(member.weight.into()),
                Cell::known(self.before.share(name, |load| load.primaries), Cell::share),
                Cell::known(self.after.share(name, |load| load.primaries), Cell::share),
                Cell::known(self.before.share(name, |load| load.copies), Cell::share),
                Cell::known(self.after.share(name, |load| load.copies), Cell::share),
                Cell::known(ratio, Cell::ratio),
                count(&fetched, name),
                count(&sent, name),
            ]);
        }
        table
    }

    /// What happens to a node, in a word.
    fn change(&self, name: &str) -> String {
        let member = |side: &Side<'a>| side.loads.get(name).map(|&(member, _)| member);
        match (member(&self.before), member(&self.after)) {
            (None, _) => "joins".to_owned(),
            (_, None) => "leaves".to_owned(),
            (Some(old), Some(new)) if old == new => String::new(),
            (Some(old), Some(new)) if old.zone == new.zone => {
                format!("weight {} -> {}", old.weight, new.weight)
            }
            _ => "replaced".to_owned(),
        }
    }

    fn slots_by(&self, end: fn(&PairMove<'a>) -> &'a str) -> BTreeMap<&'a str, u64> {
        let mut sums = BTreeMap::new();
        for pair in &self.moves {
            *sums.entry(end(pair)).or_default() += u64::from(pair.slots);
        }
        sums
    }

    fn moves_table(&self) -> Table {
        let mut table = Table::new([
            Column::words("source"),
            Column::words("target"),
            Column::numbers("slots"),
            Column::numbers("keys"),
            Column::numbers("value_bytes"),
        ]);
        for pair in &self.moves {
            table.push([
                Cell::words(pair.source),
                Cell::words(pair.target),
                Cell::count(pair.slots.into()),
                Cell::known(pair.keys, Cell::count),
                Cell::known(pair.value_bytes, Cell::bytes),
            ]);
        }
        table
    }

    fn figures(&self) -> [(&'static str, f64); FIGURES.len()] {
        let Movement { compared, primaries, copies } = &self.movement;
        let all_copies = compared * u64::from(self.after.ring.copies());
        let values = [
            copies.ratio(),
            copies.ratio(),
            primaries.ratio(),
            copies.misplaced as f64 / all_copies as f64,
            self.after.fullest(Load::primaries_ratio),
        ];
        std::array::from_fn(|index| (FIGURES[index], values[index]))
    }

    fn report(&self) -> Report<'_> {
        Report {
            before: self.before.report(),
            after: self.after.report(),
            primaries: self.primaries(),
            copies: self.copies(),
            nodes: self.nodes_table(&self.members()),
            moves: &self.moves,
        }
    }
}

/// What `--check` may ask for.
const FIGURES: [&str; 5] =
    ["moved", "copies_moved", "primaries_moved", "misplaced", "max_over_mean"];

/// What a server would do, if nobody else dies or catches up. Who is to go may be dead
/// already, and is asked only for what nobody else has.
fn moves(before: &Ring, after: &Ring) -> Result<Vec<Move>, Flaw> {
    let brings = |node| match after.index_of(node) {
        None => Brings::AllAtNeed,
        Some(_) => Brings::All,
    };
    let plan = cluster::Plan::new(before, after, brings)?;
    let checked = plan.check(before, after, brings)?;
    Ok(checked.into_plan().moves)
}

fn pair_moves<'a>(
    moves: &[Move],
    names: &BTreeMap<NodeId, &'a str>,
    slots: u32,
    items: Items,
) -> Vec<PairMove<'a>> {
    let mut pairs: BTreeMap<(&str, &str), Vec<[u32; 2]>> = BTreeMap::new();
    for moved in moves {
        let ranges = pairs.entry((names[&moved.source], names[&moved.target])).or_default();
        ranges.push([moved.slots.start, moved.slots.end - 1]);
    }
    let pair = |((source, target), ranges): ((&'a str, &'a str), Vec<[u32; 2]>)| {
        let slots_moved = ranges.iter().map(|[first, last]| last - first + 1).sum();
        let part = f64::from(slots_moved) / f64::from(slots);
        let (keys, value_bytes) = (items.keys(part), items.bytes(part));
        PairMove { source, target, slots: slots_moved, keys, value_bytes, ranges }
    };
    pairs.into_iter().map(pair).collect()
}

#[derive(Serialize)]
struct Report<'a> {
    before: SideReport,
    after: SideReport,
    primaries: Total,
    copies: Total,
    nodes: Table,
    moves: &'a [PairMove<'a>],
}

#[derive(Serialize)]
struct SideReport {
    fingerprint: String,
    layout: Constants,
    nodes: usize,
    /// Owners of each slot: fewer than the layout's where nodes are too few.
    copies: u8,
    primaries_max_ratio: f64,
    copies_max_ratio: f64,
}

/// All that moves, of primaries or of copies.
#[derive(Serialize)]
struct Total {
    slots: u64,
    least: f64,
    ratio: f64,
    misplaced: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_bytes: Option<u64>,
}

impl Total {
    fn new(moved: &Moved, slots: u64, items: Items) -> Self {
        let part = moved.moved as f64 / slots as f64;
        Self {
            slots: moved.moved,
            least: moved.least,
            ratio: moved.ratio(),
            misplaced: moved.misplaced,
            keys: items.keys(part),
            value_bytes: items.bytes(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_need_keys() {
        let told = |keys, value_bytes| Items { keys, value_bytes };
        assert_eq!(told(Some(1000), Some(100)).bytes(0.25), Some(25_000));
        assert_eq!(told(Some(1000), None).bytes(0.25), None);
        assert_eq!(told(Some(u64::MAX), Some(u64::MAX)).bytes(1.0), Some(u64::MAX));
    }
}
