//! `config get cluster`: which nodes there are, for clients that ask one node for
//! all of them.

use super::Session;
use crate::item::Now;
use crate::memcache::text::{Refusal, reply};
use crate::net::Output;
use crate::node::peers::Roster;
use std::io::Write;

impl Session {
    /// The version is that of the start: whoever starts a node anew, perhaps with
    /// another port, is believed.
    pub(super) fn config_cluster(&self, now: Now, out: &mut Output) {
        let shared = self.shared();
        let out = out.bytes();
        if let Some(cluster) = &shared.cluster {
            let Roster { version, addresses } = cluster.roster();
            let shown: Vec<String> = addresses.iter().map(|address| entry(address)).collect();
            return list(version, &shown.join(" "), out);
        }
        let Some(address) = &shared.address else {
            return out.extend_from_slice(Refusal::Unknown.reply());
        };
        let started_s = now.unix_s().saturating_sub(shared.uptime_s(now));
        let version = Roster::version_of(started_s).max(1);
        list(version, address, out);
    }
}

fn list(version: u32, addresses: &str, out: &mut Vec<u8>) {
    let nodes = format!("{version}\n{addresses}\n");
    // Writing to memory does not fail.
    let _ = write!(out, "CONFIG cluster 0 {}\r\n{nodes}\r\n", nodes.len());
    out.extend_from_slice(reply::END);
}

/// `host:port` as these clients read it.
fn entry(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    format!("{host}|{host}|{port}")
}
