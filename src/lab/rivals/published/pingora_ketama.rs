//! pingora-ketama: the ring of nginx, from Cloudflare's proxy. Version 1, its
//! default, has 160 points for each unit of weight, whatever the layout says;
//! version 2 has as many as it is told.
//! Points are 32 bits and of two that coincide an unstable sort keeps either,
//! so that in rings of very many points a change may move a key between two
//! nodes that stayed.

use super::member::{Member, members};
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::{fit, walk};
use pingora_ketama::{Bucket, Continuum, DEFAULT_POINT_MULTIPLE, Version};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "pingora-ketama",
    origin: "pingora-ketama 0.9.1",
    hash: "crc32",
    family: Family::VnodeRing,
    weighted: true,
    replicated: true,
    bounded: false,
    build: |setup| Ok(Box::new(Pingora::new(setup, Version::V1, DEFAULT_POINT_MULTIPLE)?)),
};

pub(super) const ALGORITHM_V2: Algorithm = Algorithm {
    name: "pingora-ketama-v2",
    build: |setup| {
        let point_multiple = setup.layout.vnodes;
        Ok(Box::new(Pingora::new(setup, Version::V2 { point_multiple }, point_multiple)?))
    },
    ..ALGORITHM
};

struct Pingora {
    ring: Continuum,
    nodes: usize,
    points: usize,
}

impl Pingora {
    fn new(setup: &Setup, version: Version, per_weight: u32) -> Result<Self, String> {
        fit::points(setup, per_weight)?;
        let members = members(setup)?;
        let buckets: Vec<_> =
            members.iter().map(|(member, weight)| Bucket::new(address(member), *weight)).collect();
        let weight: u32 = members.iter().map(|(_, weight)| weight).sum();
        let points = (weight * per_weight) as usize;
        let ring = Continuum::new_with_version(&buckets, version);
        Ok(Self { ring, nodes: members.len(), points })
    }
}

impl Placement for Pingora {
    fn primary(&self, key: &[u8]) -> u16 {
        index(&self.ring.node(key).expect("the ring has points"))
    }

    /// The crate's iterator visits the points for ever and leaves it to its
    /// user to pass over nodes already seen.
    fn owners(&self, key: &[u8], owners: &mut [u16]) -> usize {
        let wanted = owners.len().min(self.nodes);
        let one_turn = self.ring.node_iter(key).take(self.points).map(index);
        walk::distinct(one_turn, &mut owners[..wanted], 0)
    }
}

/// A private address that holds the whole name. The crate hashes address and
/// port but not the flow label, which therefore can carry the index.
fn address(member: &Member) -> SocketAddr {
    let ip = Ipv6Addr::from_bits(0xfd00 << 112 | u128::from(member.name));
    SocketAddr::V6(SocketAddrV6::new(ip, 11211, u32::from(member.index), 0))
}

/// The index that [`address`] hid.
#[allow(clippy::cast_possible_truncation, reason = "it was a u16 when it was put there")]
fn index(address: &SocketAddr) -> u16 {
    match address {
        SocketAddr::V6(address) => address.flowinfo() as u16,
        SocketAddr::V4(_) => unreachable!("no node was given such an address"),
    }
}
