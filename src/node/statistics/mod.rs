//! What a node says of itself: memcached's names, in memcached's order. Where
//! this node has no such thing, the number is what it is where there is none.

mod classes;
mod cluster;
mod connections;
mod general;
mod prefixes;
mod report;
mod ring;
mod settings;
mod usage;

use crate::item::Now;
use crate::node::Shared;

pub(super) use prefixes::prefixes;
pub(super) use report::Report;

/// Reports on a topic; none is the node in general. False where there is no such
/// topic.
pub(super) fn report(shared: &Shared, topic: &[u8], now: Now, report: &mut Report<'_>) -> bool {
    match topic {
        b"" => general::report(shared, now, report),
        b"settings" => settings::report(shared, report),
        b"items" => classes::items(shared, now, report),
        b"slabs" => classes::slabs(shared, report),
        b"sizes" => report.stat("sizes_status", "disabled"),
        b"cluster" => cluster::report(shared, now, report),
        b"ring" => ring::report(shared, report),
        b"conns" => connections::report(shared, report),
        // Values are in memory only, and there is no proxy.
        b"extstore" | b"proxy" | b"proxyfuncs" | b"proxybe" => {}
        _ => return false,
    }
    true
}
