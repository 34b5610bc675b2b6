//! The rivals from crates.io, each exactly as published.
//!
//! One file a crate: the `Algorithm` that describes it and the adapter that
//! feeds it. A crate's habits that show in a result are told in its file.

mod anchorhash;
mod conhash;
mod consistent_choose_k;
mod consistent_hash;
mod consistent_hash_ring;
mod fliphash;
mod hashring;
mod hrw_hash;
mod jumphash;
mod ketama;
mod maglev;
mod mpchash;
mod pingora_ketama;

mod hasher;
mod member;

use crate::lab::placement::Algorithm;

pub(super) const ALGORITHMS: &[Algorithm] = &[
    pingora_ketama::ALGORITHM,
    pingora_ketama::ALGORITHM_V2,
    ketama::ALGORITHM,
    hashring::ALGORITHM,
    consistent_hash::ALGORITHM,
    consistent_hash_ring::ALGORITHM,
    conhash::ALGORITHM,
    mpchash::ALGORITHM,
    anchorhash::ALGORITHM,
    jumphash::ALGORITHM,
    fliphash::ALGORITHM,
    consistent_choose_k::ALGORITHM,
    maglev::ALGORITHM,
    hrw_hash::ALGORITHM,
];
