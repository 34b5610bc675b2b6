//! `ring owner`: which nodes own a key, and why.

use super::cluster::{Cluster, ClusterArgs, ClusterError, Member};
use crate::cli::output::{self, Cell, Column, Format, Table, percent, thousands};
use crate::cli::{CliError, Exit};
use crate::limits::KEY_BYTES_MAX;
use crate::ring::{KeyHash, Ring};
use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use serde::Serialize;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

#[derive(Debug, Args)]
pub(crate) struct OwnerArgs {
    /// The keys
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<OsString>,
    /// Tell in words how the owners are found, and who follows them
    #[arg(long)]
    explain: bool,
    /// The keys are written in base64
    #[arg(long)]
    base64: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(crate) fn run(args: &OwnerArgs, format: Format) -> Result<Exit, CliError> {
    let keys = args.keys()?;
    let cluster = args.cluster.cluster()?;
    let ring = cluster.ring()?;
    let members = cluster.by_owner();
    let find = |key: &Vec<u8>| Found::new(key, &ring, &members);
    let mut found: Vec<Found> = keys.iter().map(find).collect();
    if args.explain {
        for found in &mut found {
            found.heirs = Some(heirs(&cluster, found)?);
        }
    }
    output::print(|out| match format {
        Format::Json => {
            let fingerprint = format!("{:016x}", ring.fingerprint());
            output::write_json(out, &Report { fingerprint, keys: found })
        }
        Format::Csv => table(&found).write_csv(out),
        Format::Table | Format::Wide if args.explain => {
            found.iter().try_for_each(|found| found.write_explanation(out, &ring))
        }
        Format::Table | Format::Wide => table(&found).write_aligned(out, format),
    })?;
    Ok(Exit::Ok)
}

impl OwnerArgs {
    /// The keys' bytes.
    fn keys(&self) -> Result<Vec<Vec<u8>>, CliError> {
        let bytes = |text: &OsString| {
            let bytes = if self.base64 { decoded(text)? } else { text.as_encoded_bytes().to_vec() };
            match bytes.len() {
                1..=KEY_BYTES_MAX => Ok(bytes),
                length => Err(CliError::Usage(format!(
                    "a key of {length} bytes: memcached's have 1 to {KEY_BYTES_MAX}"
                ))),
            }
        };
        self.keys.iter().map(bytes).collect()
    }
}

fn decoded(text: &OsStr) -> Result<Vec<u8>, CliError> {
    BASE64_STANDARD.decode(text.as_encoded_bytes()).map_err(|error| {
        CliError::Usage(format!("`{}` is not base64: {error}", text.to_string_lossy()))
    })
}

#[derive(Serialize)]
struct Report {
    fingerprint: String,
    keys: Vec<Found>,
}

/// A key with its place on the ring.
#[derive(Serialize)]
struct Found {
    /// As text, with what cannot be shown escaped.
    key: String,
    key_base64: String,
    /// In hexadecimal.
    hash: String,
    slot: u32,
    owners: Vec<Owner>,
    /// The owners if the primary were not on the ring.
    #[serde(rename = "owners_without_primary", skip_serializing_if = "Option::is_none")]
    heirs: Option<Vec<Owner>>,
}

#[derive(Serialize)]
struct Owner {
    rank: u8,
    node: String,
    zone: Option<String>,
}

impl Found {
    fn new(key: &[u8], ring: &Ring, members: &[&Member]) -> Self {
        let hash = ring.hash(key);
        let slot = ring.slot(hash);
        Self {
            key: shown(key),
            key_base64: BASE64_STANDARD.encode(key),
            hash: hex(hash),
            slot,
            owners: owners(ring, slot, members),
            heirs: None,
        }
    }

    fn write_explanation(&self, out: &mut dyn Write, ring: &Ring) -> io::Result<()> {
        let layout = ring.layout();
        let Self { key, hash, slot, .. } = self;
        let slots = layout.slots();
        let (first, last) = arc(*slot, layout.slot_bits);
        let way = percent(f64::from(*slot) / f64::from(slots));
        writeln!(out, "{key}")?;
        writeln!(out, "  hash    {hash}, which is xxh3 of the key with seed {}", layout.seed)?;
        writeln!(
            out,
            "  slot    {} of {}: hashes {} to {}, {way} of the way round",
            thousands((*slot).into()),
            thousands(slots.into()),
            hex(first),
            hex(last),
        )?;
        for owner in &self.owners {
            writeln!(out, "  {}", owner.in_words())?;
        }
        self.write_heirs(out)
    }

    fn write_heirs(&self, out: &mut dyn Write) -> io::Result<()> {
        let primary = &self.owners[0].node;
        match self.owners.get(1) {
            Some(next) => writeln!(
                out,
                "  if {primary} dies, {} is to answer: it is the next owner and has a copy",
                next.node
            )?,
            None => writeln!(out, "  if {primary} dies, the key is lost: there is no other copy")?,
        }
        let heirs: Vec<&str> = self.heirs.iter().flatten().map(|heir| heir.node.as_str()).collect();
        match heirs[..] {
            [] => writeln!(out, "  if {primary} stays away, nobody is left"),
            _ => writeln!(out, "  if {primary} stays away, the owners are {}", heirs.join(", ")),
        }
    }
}

impl Owner {
    fn in_words(&self) -> String {
        let Self { rank, node, zone } = self;
        let role = match rank {
            1 => "primary, for reads and writes",
            _ => "has a copy",
        };
        let zone = zone.as_ref().map_or("in no zone".to_owned(), |zone| format!("in {zone}"));
        format!("owner {rank} {node} {zone}: {role}")
    }
}

fn owners(ring: &Ring, slot: u32, members: &[&Member]) -> Vec<Owner> {
    let owner = |(rank, owner): (u8, u16)| {
        let Member { name, zone, .. } = members[owner as usize];
        Owner { rank, node: name.clone(), zone: zone.clone() }
    };
    (1..).zip(ring.slot_owners(slot).iter()).map(owner).collect()
}

/// Who would own the slot if its primary were not on the ring.
fn heirs(cluster: &Cluster, found: &Found) -> Result<Vec<Owner>, ClusterError> {
    let mut members = cluster.members().to_vec();
    members.retain(|member| member.name != found.owners[0].node);
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let rest = Cluster::new(*cluster.layout(), members)?;
    Ok(owners(&rest.ring()?, found.slot, &rest.by_owner()))
}

/// The first and the last hash of a slot.
fn arc(slot: u32, slot_bits: u8) -> (KeyHash, KeyHash) {
    let shift = 64 - u32::from(slot_bits);
    let first = u64::from(slot) << shift;
    (KeyHash(first), KeyHash(first | ((1 << shift) - 1)))
}

fn hex(hash: KeyHash) -> String {
    format!("{:016x}", hash.0)
}

/// A key as text, without what would write to a terminal more than a word.
fn shown(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => key.escape_ascii().to_string(),
    }
}

fn table(found: &[Found]) -> Table {
    let mut table = Table::new([
        Column::words("key"),
        Column::words("hash"),
        Column::numbers("slot"),
        Column::words("primary"),
        Column::words("other_owners"),
        Column::words("zones").only_wide(),
    ]);
    for Found { key, hash, slot, owners, .. } in found {
        let joined = |words: Vec<&str>| match words[..] {
            [] => Cell::missing(),
            _ => Cell::words(words.join(" ")),
        };
        table.push([
            Cell::words(key),
            Cell::words(hash),
            Cell::count((*slot).into()),
            Cell::words(&owners[0].node),
            joined(owners[1..].iter().map(|owner| owner.node.as_str()).collect()),
            joined(owners.iter().filter_map(|owner| owner.zone.as_deref()).collect()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arcs_hold_their_slot() {
        assert_eq!(arc(0, 16), (KeyHash(0), KeyHash(0x0000_ffff_ffff_ffff)));
        assert_eq!(arc(0xffff, 16), (KeyHash(0xffff_0000_0000_0000), KeyHash(u64::MAX)));
        assert_eq!(arc(1, 8), (KeyHash(0x0100_0000_0000_0000), KeyHash(0x01ff_ffff_ffff_ffff)));
    }

    #[test]
    fn keys_cannot_command_terminals() {
        assert_eq!(shown("schlüssel:1".as_bytes()), "schlüssel:1");
        assert_eq!(shown(b"a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(shown(b"\xff\x00"), "\\xff\\x00");
    }
}
