//! The changes of a cluster that a plan can be asked about, and the cluster that
//! they make of another one. What they would move is not worked out here.

use super::cluster::{Cluster, ClusterError, Member};
use crate::ring::Layout;
use clap::Args;
use std::collections::BTreeSet;
use std::str::FromStr;

/// The options that change a cluster.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Add a node: [name=NAME,][zone=ZONE,][weight=N] (repeatable)
    #[arg(long, value_name = "NODE")]
    add: Vec<Addition>,
    /// Remove a node (repeatable)
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
    /// Give a node another weight (repeatable)
    #[arg(long, value_name = "NAME=N")]
    weight: Vec<Reweighing>,
    /// Keep so many copies from now on; --copies is how many there are
    #[arg(long, value_name = "N")]
    to_copies: Option<u8>,
}

impl ChangeArgs {
    /// The cluster after all changes: who leaves goes first, so that a node can
    /// be replaced by one of its name.
    pub(super) fn applied_to(&self, before: &Cluster) -> Result<Cluster, ClusterError> {
        let leaving = self.remove.iter().map(|name| before.place(name));
        let leaving: BTreeSet<usize> = leaving.collect::<Result<_, _>>()?;
        let mut members = before.members().to_vec();
        for Reweighing { name, weight } in &self.weight {
            members[before.place(name)?].weight = *weight;
        }
        let mut place = 0..;
        members.retain(|_| place.next().is_none_or(|place| !leaving.contains(&place)));
        for addition in &self.add {
            members.push(addition.member(&members, before.members().len()));
        }
        let copies = self.to_copies.unwrap_or(before.layout().copies);
        Cluster::new(Layout { copies, ..*before.layout() }, members)
    }
}

/// A node to add, as `name=x,zone=b,weight=2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Addition {
    name: Option<String>,
    zone: Option<String>,
    weight: Option<u32>,
}

impl Addition {
    /// The node it stands for; without a name, the first `node-N` that is free
    /// from N on.
    fn member(&self, others: &[Member], n: usize) -> Member {
        let is_free = |name: &String| others.iter().all(|member| member.name != *name);
        // One more name than there are nodes: one of them is free.
        let names = || (n..=n + others.len()).map(|number| format!("node-{number}"));
        Member {
            name: self.name.clone().or_else(|| names().find(is_free)).unwrap_or_default(),
            zone: self.zone.clone(),
            weight: self.weight.unwrap_or(1),
        }
    }
}

impl FromStr for Addition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut addition = Self::default();
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("name", name)) => addition.name = Some(name.to_owned()),
                Some(("zone", zone)) => addition.zone = Some(zone.to_owned()),
                Some(("weight", weight)) => addition.weight = Some(parsed_weight(weight)?),
                _ => return Err(format!("`{part}` is none of name=NAME, zone=ZONE and weight=N")),
            }
        }
        Ok(addition)
    }
}

/// Another weight for a node, as `NAME=N`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reweighing {
    name: String,
    weight: u32,
}

impl FromStr for Reweighing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split = text.rsplit_once('=');
        let (name, weight) = split.ok_or_else(|| "write NAME=N, such as node-0=2".to_owned())?;
        Ok(Self { name: name.to_owned(), weight: parsed_weight(weight)? })
    }
}

fn parsed_weight(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("the weight `{text}` is not a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_are_read() {
        let full: Addition = "weight=2,name=x,zone=b".parse().unwrap();
        let expected = (Some("x".to_owned()), Some("b".to_owned()), Some(2));
        assert_eq!((full.name, full.zone, full.weight), expected);
        for text in ["", "x", "name=x,colour=red", "weight=-1", "weight=many", "zone=b,"] {
            assert!(text.parse::<Addition>().is_err(), "{text}");
        }
    }

    #[test]
    fn reweighings_split_at_the_end() {
        let expected = Reweighing { name: "a=b".to_owned(), weight: 2 };
        assert_eq!("a=b=2".parse(), Ok(expected));
        for text in ["a", "a=", "a=x", "=-1"] {
            assert!(text.parse::<Reweighing>().is_err(), "{text}");
        }
    }

    #[test]
    fn new_names_are_free() {
        let member = |name: &str| Member { name: name.to_owned(), zone: None, weight: 1 };
        let others = ["node-0", "node-2"].map(member);
        assert_eq!(Addition::default().member(&others, 2).name, "node-3");
        assert_eq!(Addition::default().member(&others, 1).name, "node-1");
    }
}
