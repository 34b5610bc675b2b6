//! From the flags about other nodes to a cluster's configuration.

use super::args::{ClusterArgs, ProfileName, ServeArgs, WriteAckName};
use crate::cli::CliError;
use crate::limits::{CLUSTER_NAME_BYTES_MAX, COPIES_MAX, NODES_MAX};
use crate::net::Secret;
use crate::net::gossip::GossipConfig;
use crate::net::peers::{PeerCertificates, PeerFiles};
use crate::node::{ClusterConfig, WriteAck};
use crate::ring::Node;
use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Where the secret may stand instead of a file.
pub(super) const SECRET_VARIABLE: &str = "RINGCACHED_SECRET";

/// Where the least number of nodes for writes may stand instead of the flag.
const MIN_NODES_VARIABLE: &str = "RINGCACHED_MIN_NODES_FOR_WRITES";

const NODES_BEYOND: usize = NODES_MAX + 1;

/// The cluster, if the flags ask for one.
pub(super) fn config(
    args: &ServeArgs,
    node: Node,
    secret: Option<&Secret>,
) -> Result<Option<ClusterConfig>, CliError> {
    let told = &args.cluster;
    let usage = |why: &str| CliError::Usage(why.to_owned());
    if !(1..=COPIES_MAX).contains(&told.copies) {
        return Err(usage(&format!("--copies: from 1 to {COPIES_MAX}")));
    }
    let certificates = certificates(told)?;
    let is_wanted = told.peer_listen.is_some()
        || !told.join.is_empty()
        || told.cluster.is_some()
        || secret.is_some()
        || certificates.is_some();
    if !is_wanted {
        return Ok(None);
    }
    let name = told.cluster.clone().unwrap_or_else(|| "ringcached".to_owned());
    if name.is_empty() || name.len() > CLUSTER_NAME_BYTES_MAX {
        return Err(usage(&format!("--cluster: from 1 to {CLUSTER_NAME_BYTES_MAX} bytes")));
    }
    let listen = told.peer_listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    if secret.is_none() && !listen.ip().is_loopback() {
        return Err(usage(&format!(
            "--peer-listen {listen}: other machines can reach this; give all nodes a secret \
             with --secret-file or {SECRET_VARIABLE}"
        )));
    }
    if listen.ip().is_unspecified() {
        return Err(usage("--peer-listen: the address is told to other nodes, so name one"));
    }
    Ok(Some(ClusterConfig {
        name,
        secret: secret.cloned().unwrap_or_else(Secret::of_machine),
        certificates,
        node_name: args.node_id.clone().unwrap_or_else(|| node.id.to_string()),
        zone: args.zone.clone().unwrap_or_default(),
        admin: None,
        listen,
        join: told.join.clone(),
        copies: told.copies,
        write_ack: match told.write_ack {
            WriteAckName::One => WriteAck::One,
            WriteAckName::Quorum => WriteAck::Quorum,
            WriteAckName::All => WriteAck::All,
        },
        grace: told.grace,
        gossip: match told.profile {
            ProfileName::Local => GossipConfig::local(),
            ProfileName::Lan => GossipConfig::lan(),
            ProfileName::Wan => GossipConfig::wan(),
        },
    }))
}

/// How many nodes a node has to see to take writes.
pub(super) fn min_nodes_for_writes(
    told: &ClusterArgs,
    is_in_cluster: bool,
) -> Result<usize, CliError> {
    let usage = |why: String| CliError::Usage(why);
    let least = match (told.min_nodes_for_writes, env::var(MIN_NODES_VARIABLE)) {
        (Some(least), _) => least,
        (None, Err(env::VarError::NotPresent)) => 0,
        (None, Ok(text)) => text.trim().parse().map_err(|_| {
            usage(format!("{MIN_NODES_VARIABLE}: `{text:.40}` is no number of nodes"))
        })?,
        (None, Err(why)) => return Err(usage(format!("{MIN_NODES_VARIABLE}: {why}"))),
    };
    match least {
        NODES_BEYOND.. => Err(usage(format!("--min-nodes-for-writes: {NODES_MAX} at most"))),
        2.. if !is_in_cluster => Err(usage(
            "--min-nodes-for-writes: this node has no others; give it a cluster with \
             --peer-listen or --join"
                .to_owned(),
        )),
        _ => Ok(least),
    }
}

/// The cluster's secret, from this file or from the environment.
pub(crate) fn secret(file: Option<&Path>) -> Result<Option<Secret>, CliError> {
    if let Some(path) = file {
        return Secret::from_file(path).map(Some).map_err(wrong);
    }
    match env::var(SECRET_VARIABLE) {
        Ok(text) => Secret::new(&text).map(Some).map_err(wrong),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(why) => Err(CliError::Usage(format!("{SECRET_VARIABLE}: {why}"))),
    }
}

/// What the operator's own authority has signed, in three files or in none.
fn certificates(told: &ClusterArgs) -> Result<Option<Arc<PeerCertificates>>, CliError> {
    let (ca, chain, key) = match (&told.peer_ca, &told.peer_cert, &told.peer_key) {
        (None, None, None) => return Ok(None),
        (Some(ca), Some(chain), Some(key)) => (ca.clone(), chain.clone(), key.clone()),
        _ => {
            let why = "--peer-ca, --peer-cert and --peer-key go together: name all three or none";
            return Err(CliError::Usage(why.to_owned()));
        }
    };
    let opened = PeerCertificates::open(PeerFiles { ca, chain, key });
    let wrong = |why| CliError::Usage(format!("certificates for other nodes: {why}"));
    opened.map(|opened| Some(Arc::new(opened))).map_err(wrong)
}

fn wrong(why: impl std::fmt::Display) -> CliError {
    CliError::Usage(format!("the cluster's secret: {why}"))
}
