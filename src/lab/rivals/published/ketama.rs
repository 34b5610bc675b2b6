//! ketama: the ring of libmemcached and twemproxy. It has 160 points for each
//! unit of weight, whatever the layout says, and names no second owner. Of
//! points that coincide in 32 bits an unstable sort puts either first.

use super::member::members;
use crate::lab::placement::{Algorithm, Family, Placement, Setup};
use crate::lab::rivals::fit;
use ketama::{Ring, RingBuilder};

pub(super) const ALGORITHM: Algorithm = Algorithm {
    name: "ketama",
    origin: "ketama 0.0.2",
    hash: "md5",
    family: Family::VnodeRing,
    weighted: true,
    replicated: false,
    bounded: false,
    build: |setup| Ok(Box::new(Ketama(ring(setup)?))),
};

/// Fixed by the crate.
const POINTS_PER_WEIGHT: u32 = 160;

struct Ketama(Ring);

fn ring(setup: &Setup) -> Result<Ring, String> {
    fit::points(setup, POINTS_PER_WEIGHT)?;
    let builder = members(setup)?.into_iter().fold(RingBuilder::new(), |ring, (member, weight)| {
        ring.node(&format!("{:016x}", member.name), weight)
    });
    Ok(builder.build())
}

impl Placement for Ketama {
    #[allow(clippy::cast_possible_truncation, reason = "the crate keeps indices as u16 itself")]
    fn primary(&self, key: &[u8]) -> u16 {
        self.0.route(key) as u16
    }
}
