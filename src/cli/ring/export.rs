//! `ring export`: the owners of every slot, for other programs to compare or to
//! keep. Written as it goes: a ring may have a million slots.

use super::cluster::{Cluster, ClusterArgs, Constants, Member};
use crate::cli::output::{self, Format};
use crate::cli::{CliError, Exit};
use crate::ring::{Owners, Ring};
use clap::Args;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::io::{self, Write};

#[derive(Debug, Args)]
#[command(after_help = "\
CSV (also what table and wide give): a line for each slot with its owners' names, primary first.
JSON: the layout, the nodes, and for each slot its owners as indexes into the nodes.")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &ExportArgs, format: Format) -> Result<Exit, CliError> {
    let cluster = args.cluster.cluster()?;
    let ring = cluster.ring()?;
    output::print(|out| match format {
        Format::Json => output::write_json(out, &Export::new(&cluster, &ring)),
        Format::Table | Format::Wide | Format::Csv => write_csv(out, &cluster, &ring),
    })?;
    Ok(Exit::Ok)
}

fn write_csv(out: &mut dyn Write, cluster: &Cluster, ring: &Ring) -> io::Result<()> {
    let members = cluster.by_owner();
    let others = (2..=ring.copies()).map(|rank| format!("owner_{rank}").into());
    let header: [Cow<str>; 2] = ["slot".into(), "primary".into()];
    output::write_csv_line(out, header.into_iter().chain(others))?;
    for (slot, owners) in ring.slots().enumerate() {
        let names = owners.iter().map(|owner| Cow::from(&members[owner as usize].name));
        output::write_csv_line(out, [slot.to_string().into()].into_iter().chain(names))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Export<'a> {
    fingerprint: String,
    layout: Constants,
    nodes: Vec<ExportedNode<'a>>,
    #[serde(serialize_with = "serialize_slots")]
    slots: &'a Ring,
}

#[derive(Serialize)]
struct ExportedNode<'a> {
    name: &'a str,
    id: String,
    zone: Option<&'a str>,
    weight: u32,
}

impl<'a> Export<'a> {
    fn new(cluster: &'a Cluster, ring: &'a Ring) -> Self {
        let node = |member: &'a Member| ExportedNode {
            name: &member.name,
            id: member.id().to_string(),
            zone: member.zone.as_deref(),
            weight: member.weight,
        };
        Self {
            fingerprint: format!("{:016x}", ring.fingerprint()),
            layout: ring.layout().into(),
            nodes: cluster.by_owner().into_iter().map(node).collect(),
            slots: ring,
        }
    }
}

fn serialize_slots<S: Serializer>(ring: &Ring, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ring.slots().map(Indexes))
}

struct Indexes(Owners);

impl Serialize for Indexes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}
