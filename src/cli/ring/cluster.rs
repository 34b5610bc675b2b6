//! The cluster that a question is about, described by options or by a file.
//! It need not run anywhere.

pub(crate) use super::cluster_file::Member;

use super::cluster_file::{Description, FileError};
use crate::cli::{output, units};
use crate::cluster::Flaw;
use crate::limits::{NAME_BYTES_MAX, NODES_MAX, WEIGHT_MAX};
use crate::ring::{Bound, Layout, Load, Node, Ring, RingError};
use clap::{ArgGroup, Args};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{fmt, str::FromStr};

/// Names in an error message, at most: a line is to be read.
const NAMES_SHOWN_MAX: usize = 10;

/// The options that describe a cluster, the same for every question.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
#[command(group = ArgGroup::new("described").required(true).args(["nodes", "cluster_file"]))]
pub(crate) struct ClusterArgs {
    /// So many nodes, called node-0, node-1 and so on
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=NODES_MAX as i64))]
    nodes: Option<u32>,
    /// The nodes and options in a TOML or JSON file; - is stdin
    ///
    /// Its keys are copies, slots, vnodes, bound and seed, and a list `node` of name, zone
    /// and weight. Options on the command line override it.
    #[arg(long, value_name = "FILE")]
    cluster_file: Option<PathBuf>,
    /// Owners of each slot [default: 2]
    #[arg(long, value_name = "N")]
    copies: Option<u8>,
    /// Slots, a power of two [default: by --nodes; 65536 for a file]
    #[arg(long = "slots", value_name = "N", value_parser = units::slot_bits)]
    slot_bits: Option<u8>,
    /// Virtual nodes for each unit of weight [default: 2048]
    #[arg(long, value_name = "N")]
    vnodes: Option<u32>,
    /// How far above its fair share a node may be filled [default: 5%]
    #[arg(long, value_name = "PERCENT|none", value_parser = units::bound)]
    bound: Option<Bound>,
    /// Seed of the hashes [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Weights, given to the nodes in turn
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    weights: Vec<u32>,
    /// Zones, given to the nodes in turn: names, or how many
    #[arg(long, value_name = "N|NAME,...")]
    zones: Option<ZoneNames>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ZoneNames(Vec<String>);

impl FromStr for ZoneNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<usize>() {
            Ok(zones @ 1..=NODES_MAX) => {
                Ok(Self((0..zones).map(|number| format!("zone-{number}")).collect()))
            }
            Ok(_) => Err(format!("there must be 1 to {NODES_MAX} zones")),
            Err(_) => Ok(Self(text.split(',').map(str::to_owned).collect())),
        }
    }
}

impl ClusterArgs {
    /// The cluster they describe, checked.
    pub(crate) fn cluster(&self) -> Result<Cluster, ClusterError> {
        let described = match &self.cluster_file {
            Some(path) => Description::read(path)?,
            None => Description::of_nodes(self.nodes.unwrap_or_default()),
        };
        let layout = self.layout(&described);
        let members = (0..).zip(described.nodes).map(|(place, member)| self.placed(place, member));
        Cluster::new(layout, members.collect())
    }

    /// A file may describe a cluster that lives, whose slots were fixed at its
    /// birth, whatever its size is now: only nodes by number take slots by size.
    fn layout(&self, described: &Description) -> Layout {
        let mut default = Layout::default();
        if self.cluster_file.is_none() {
            default.slot_bits = Layout::slot_bits_for(described.nodes.len());
        }
        Layout {
            seed: self.seed.or(described.seed).unwrap_or(default.seed),
            slot_bits: self.slot_bits.or(described.slot_bits).unwrap_or(default.slot_bits),
            vnodes: self.vnodes.or(described.vnodes).unwrap_or(default.vnodes),
            bound: self.bound.or(described.bound).unwrap_or(default.bound),
            copies: self.copies.or(described.copies).unwrap_or(default.copies),
        }
    }

    /// The member with the weight and the zone whose turn it is.
    fn placed(&self, place: usize, member: Member) -> Member {
        let zone = self.zones.as_ref().map(|ZoneNames(names)| names[place % names.len()].clone());
        let weight = self.weights.iter().cycle().nth(place % self.weights.len().max(1));
        Member {
            zone: zone.or(member.zone),
            weight: weight.copied().unwrap_or(member.weight),
            name: member.name,
        }
    }
}

/// Members with distinct names and sound weights, and how their ring is built.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    layout: Layout,
    members: Vec<Member>,
}

impl Cluster {
    pub(crate) fn new(layout: Layout, members: Vec<Member>) -> Result<Self, ClusterError> {
        let mut seen = BTreeSet::new();
        for member in &members {
            check(member)?;
            if !seen.insert(&member.name) {
                return Err(ClusterError::Twice(member.name.clone()));
            }
        }
        Ok(Self { layout, members })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The members as they were listed.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The members as their ring lists them: an owner is an index into this.
    pub(crate) fn by_owner(&self) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.members.iter().collect();
        members.sort_by_cached_key(|member| member.id());
        members
    }

    pub(crate) fn ring(&self) -> Result<Ring, ClusterError> {
        let nodes: Vec<Node> = self.members.iter().map(Member::node).collect();
        Ring::new(&self.layout, &nodes).map_err(ClusterError::Ring)
    }

    /// Each member with what it holds, as they were listed.
    pub(crate) fn loads(&self, ring: &Ring) -> Vec<(&Member, Load)> {
        let loads = ring.loads();
        let load = |member: &Member| ring.index_of(member.id()).map(|owner| loads[owner as usize]);
        let members = self.members.iter();
        members.filter_map(|member| Some((member, load(member)?))).collect()
    }

    /// Zones that have nodes. Nodes without a zone make up one more, unless
    /// that is all there are.
    pub(crate) fn zones(&self) -> usize {
        let zones: BTreeSet<_> = self.members.iter().map(|member| &member.zone).collect();
        if zones == BTreeSet::from([&None]) { 0 } else { zones.len() }
    }

    /// Where in the list the member of that name is.
    pub(crate) fn place(&self, name: &str) -> Result<usize, ClusterError> {
        let found = self.members.iter().position(|member| member.name == name);
        found.ok_or_else(|| ClusterError::Unknown {
            name: name.to_owned(),
            known: self.members.iter().map(|member| member.name.clone()).collect(),
        })
    }
}

fn check(member: &Member) -> Result<(), ClusterError> {
    let names = [Some(&member.name), member.zone.as_ref()];
    if let Some(name) = names.into_iter().flatten().find(|name| !is_name(name)) {
        return Err(ClusterError::Name(name.clone()));
    }
    if !(1..=WEIGHT_MAX).contains(&member.weight) {
        return Err(ClusterError::Weight { name: member.name.clone(), weight: member.weight });
    }
    Ok(())
}

/// Whether it can be shown, and told from every other: a control character
/// would write to the terminal what the file's author pleases.
fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.contains(output::is_unseen)
        && name.trim() == name
}

/// A layout as JSON has it.
#[derive(Debug, Serialize)]
pub(crate) struct Constants {
    copies: u8,
    slots: u32,
    vnodes: u32,
    /// Above the fair share, as a part of it; null where nothing is bounded.
    bound: Option<f64>,
    seed: u64,
}

impl From<&Layout> for Constants {
    fn from(layout: &Layout) -> Self {
        let &Layout { seed, vnodes, copies, bound, .. } = layout;
        let bound = match bound {
            Bound::Permille(permille) => Some(f64::from(permille) / 1000.0),
            Bound::Unlimited => None,
        };
        Self { copies, slots: layout.slots(), vnodes, bound, seed }
    }
}

/// Why there is no such cluster.
#[derive(Debug)]
pub(crate) enum ClusterError {
    /// A file that does not describe one.
    File(FileError),
    /// A name that is empty, endless or not to be shown.
    Name(String),
    /// Two nodes of one name.
    Twice(String),
    /// A weight of zero or out of all proportion.
    Weight { name: String, weight: u32 },
    /// A node that the cluster does not have.
    Unknown { name: String, known: Vec<String> },
    /// What the ring itself refuses.
    Ring(RingError),
    /// What is wrong with a plan.
    Plan(Flaw),
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Name(name) => write!(
                f,
                "the name {name:.40?} must have 1 to {NAME_BYTES_MAX} bytes, no control \
                 characters and no white space at its ends"
            ),
            Self::Twice(name) => write!(f, "two nodes are called `{name}`; rename one"),
            Self::Weight { name, weight } => {
                write!(f, "node `{name}` has weight {weight}: it must be 1 to {WEIGHT_MAX}")
            }
            Self::Unknown { name, known } => {
                write!(f, "no node is called `{name}`; there are: {}", shortened(known))
            }
            Self::Ring(error) => error.fmt(f),
            Self::Plan(flaw) => write!(f, "the plan is not right: {flaw}"),
        }
    }
}

impl std::error::Error for ClusterError {}

impl From<FileError> for ClusterError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<ClusterError> for crate::cli::CliError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::NodeId;
    use clap::{CommandFactory, Parser};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        cluster: ClusterArgs,
    }

    fn cluster(options: &str) -> Cluster {
        let words = format!("test {options}");
        Line::try_parse_from(words.split(' ')).unwrap().cluster.cluster().unwrap()
    }

    fn member(name: &str, zone: Option<&str>, weight: u32) -> Member {
        Member { name: name.to_owned(), zone: zone.map(str::to_owned), weight }
    }

    #[test]
    fn turns_go_round_the_nodes() {
        let cluster = cluster("--nodes 3 --weights 1,2 --zones 2");
        let expected = [
            member("node-0", Some("zone-0"), 1),
            member("node-1", Some("zone-1"), 2),
            member("node-2", Some("zone-0"), 1),
        ];
        assert_eq!(cluster.members(), expected);
        assert_eq!(cluster.zones(), 2);
    }

    #[test]
    fn zones_may_have_names() {
        let named = cluster("--nodes 2 --zones eu,us");
        assert_eq!(named.members()[1].zone.as_deref(), Some("us"));
        assert_eq!(cluster("--nodes 2").members()[1].zone, None);
    }

    #[test]
    fn help_tells_the_defaults() {
        let help = Line::command().render_help().to_string();
        let layout = Layout::default();
        let defaults = [
            ("--copies", layout.copies.to_string()),
            ("--slots", format!("by --nodes; {} for a file", layout.slots())),
            ("--vnodes", layout.vnodes.to_string()),
            ("--bound", layout.bound.to_string()),
            ("--seed", layout.seed.to_string()),
        ];
        for (option, default) in defaults {
            let line = help.lines().find(|line| line.contains(option)).unwrap();
            assert!(line.ends_with(&format!("[default: {default}]")), "{line}");
        }
    }

    #[test]
    fn only_a_number_of_nodes_chooses_slots() {
        let line = Line::try_parse_from(["test", "--cluster-file", "-"]).unwrap().cluster;
        for (nodes, slot_bits) in [(1, 16), (129, 18), (401, 20)] {
            let described = Description::of_nodes(nodes);
            assert_eq!(line.layout(&described).slot_bits, 16);
            let numbered = cluster(&format!("--nodes {nodes}"));
            assert_eq!(numbered.layout().slot_bits, slot_bits);
        }
        let told = Description { slot_bits: Some(9), ..Description::of_nodes(3) };
        assert_eq!(line.layout(&told).slot_bits, 9);
    }

    #[test]
    fn options_reach_the_layout() {
        let cluster = cluster("--nodes 1 --copies 3 --slots 1024 --vnodes 7 --bound 2.5% --seed 9");
        let bound = Bound::Permille(25);
        let expected = Layout { seed: 9, slot_bits: 10, vnodes: 7, bound, copies: 3 };
        assert_eq!(*cluster.layout(), expected);
    }

    #[test]
    fn owners_count_by_owner() {
        let cluster = cluster("--nodes 20 --slots 256");
        let ring = cluster.ring().unwrap();
        let ids: Vec<NodeId> = cluster.by_owner().iter().map(|member| member.id()).collect();
        assert!(ring.nodes().iter().map(|node| node.id).eq(ids));
    }

    #[test]
    fn names_can_be_shown() {
        let endless = "x".repeat(NAME_BYTES_MAX + 1);
        let ends = [" ", " a", "a\u{a0}", "\u{3000}"];
        let unseen = "\u{61c}\u{200b}\u{200f}\u{202a}\u{202e}\u{2060}\u{2069}\u{feff}";
        let unseen: Vec<String> = unseen.chars().map(|unseen| format!("a{unseen}b")).collect();
        let names = ["", "a\u{1b}[31m", "a\nb", &endless].into_iter().chain(ends);
        for name in names.chain(unseen.iter().map(String::as_str)) {
            let built = Cluster::new(Layout::default(), vec![member(name, None, 1)]);
            assert!(matches!(built, Err(ClusterError::Name(_))), "{name:?}");
            let built = Cluster::new(Layout::default(), vec![member("a", Some(name), 1)]);
            assert!(matches!(built, Err(ClusterError::Name(_))), "{name:?}");
        }
        for name in [&endless[1..], "two words", "ключ", "\u{2010}"] {
            assert!(Cluster::new(Layout::default(), vec![member(name, None, 1)]).is_ok());
        }
    }

    #[test]
    fn long_lists_are_shortened() {
        let names: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        assert_eq!(shortened(&names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
        assert_eq!(shortened(&names[..2]), "0, 1");
    }
}
