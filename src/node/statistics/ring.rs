//! `stats ring`: all that a client needs to send each key to its primary itself.
//!
//! Whoever may read items may read the seed. It is made of the cluster's secret
//! and leads to nothing else that is; who knows it can choose keys that meet at
//! one node, as whoever may write can fill one without it.

use super::Report;
use crate::cluster::{Card, View};
use crate::node::Shared;
use crate::ring::Bound;

/// The nodes come with what the view knows of them, so that whoever rebuilds it
/// can hold the two side by side by their fingerprint: what a card says may have
/// changed between one line and the next.
pub(super) fn report(shared: &Shared, report: &mut Report<'_>) {
    report.yes_no("cluster", shared.cluster.is_some());
    let Some(cluster) = &shared.cluster else { return };
    let mut reader = shared.view.reader();
    let view = reader.view();
    let overview = cluster.overview();
    let layout = &shared.settings.layout;
    report.stat("view", view.fingerprint());
    report.stat("seed", layout.seed);
    report.stat("slot_bits", layout.slot_bits);
    report.stat("vnodes", layout.vnodes);
    match layout.bound {
        Bound::Permille(permille) => report.stat("bound_permille", permille),
        Bound::Unlimited => report.stat("bound_permille", "none"),
    }
    report.stat("copies", layout.copies);
    let owning = (0..view.nodes().len() as u16).filter(|&node| view.is_read(node));
    report.stat("nodes", owning.count());
    let others = overview.members.iter().filter_map(|(_, member)| member.card.as_ref());
    let others = others.filter(|card| overview.card.as_ref().is_none_or(|me| me.node != card.node));
    for card in overview.card.iter().chain(others) {
        if let Some(index) = view.index_of(card.node).filter(|&index| view.is_read(index)) {
            said(card, able(view, index), report);
        }
    }
}

fn said(card: &Card, able: &str, report: &mut Report<'_>) {
    let node = card.node;
    report.stat(format_args!("{node}:client"), &card.client);
    report.stat(format_args!("{node}:zone"), &card.zone);
    report.stat(format_args!("{node}:weight"), card.ring_node().weight);
    report.stat(format_args!("{node}:phase"), card.phase);
    report.stat(format_args!("{node}:able"), able);
}

/// What it can do for its slots.
fn able(view: &View, index: u16) -> &'static str {
    match (view.is_live(index), view.executes(index)) {
        (_, true) => "executes",
        (true, false) => "keeps",
        (false, _) => "nothing",
    }
}
