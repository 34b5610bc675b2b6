//! `stats cluster`: how this node sees its cluster.

use super::Report;
use crate::cluster::{Card, Member, Standing, View};
use crate::item::Now;
use crate::node::Shared;
use crate::node::peers::Cluster;
use crate::ring::NodeId;
use std::sync::atomic::Ordering;

pub(super) fn report(shared: &Shared, now: Now, report: &mut Report<'_>) {
    report.yes_no("cluster", shared.cluster.is_some());
    let Some(cluster) = &shared.cluster else { return };
    let overview = cluster.overview();
    let Some(me) = &overview.card else { return };
    let mut reader = shared.view.reader();
    let view = reader.view();
    report.stat("cluster_name", &shared.settings.cluster_name);
    report.stat("copies", shared.settings.layout.copies);
    report.stat("write_ack", cluster.write_ack);
    report.stat("read_from", shared.settings.read_from);
    report.stat("min_nodes_for_writes", shared.settings.min_nodes_for_writes);
    report.yes_no("takes_writes", !cluster.few.load(Ordering::Relaxed));
    report.stat("name", &me.name);
    report.stat("node_id", me.node);
    report.stat("phase", me.phase);
    report.stat("generation", me.generation);
    report.stat("step", overview.step.map_or_else(String::new, |step| step.to_string()));
    report.stat("step_waits_for", overview.step_waits_for.join(","));
    report.stat("waits_for", overview.waits_for.join(","));
    report.stat("flush_floor", shared.store.flush_floor(now).0);
    report.stat("view", view.fingerprint());
    reads(shared, report);
    slots(view, shared.settings.layout.copies, report);
    let (opened, passed_by) = cluster.breakers.counts();
    report.stat("breakers_opened", opened);
    report.stat("reads_past_breakers", passed_by);
    let (items, bytes) = cluster.moves.counts();
    report.stat("moved_items", items);
    report.stat("moved_bytes", bytes);
    report.stat("move_limit", shared.settings.move_limit);
    report.stat("move_bytes_per_s", cluster.moves.bytes_per_s().unwrap_or(0));
    report.yes_no("moves_paused", cluster.moves.is_paused());
    let (compared, differing) = cluster.compares.counts();
    report.stat("slots_compared", compared);
    report.stat("slots_differing", differing);
    report.stat("items_mended", cluster.compares.mended());
    let others = || overview.members.iter().filter(|&(node, _)| node != me.node);
    report.stat("members", others().count() + 1);
    said(me, report);
    report.stat(format_args!("{}:standing", me.node), "alive");
    for (node, member) in others() {
        other(node, member, cluster, report);
    }
}

/// What became of reads that the primary did not answer alone.
fn reads(shared: &Shared, report: &mut Report<'_>) {
    let sums = shared.sums();
    report.stat("reads_from_copies", sums.reads_from_copies);
    report.stat("reads_by_quorum", sums.reads_by_quorum);
    report.stat("reads_hedged", sums.reads_hedged);
    report.stat("read_repairs", sums.read_repairs);
    report.stat("requests_without_owner", sums.requests_without_owner);
    report.stat("requests_out_of_reach", sums.requests_out_of_reach);
    report.stat("writes_refused", sums.writes_refused);
}

/// How many slots have as many live owners as they should, and who owns how many.
fn slots(view: &View, copies: u8, report: &mut Report<'_>) {
    let nodes = view.nodes();
    let owning = (0..nodes.len() as u16).filter(|&node| view.is_read(node)).count();
    let copies = usize::from(copies).min(owning);
    let mut owned = vec![(0_u32, 0_u32); nodes.len()];
    let (mut behind, mut lost) = (0, 0);
    for owners in view.reading().slots() {
        for (place, owner) in owners.iter().enumerate() {
            let (first, all) = &mut owned[usize::from(owner)];
            *first += u32::from(place == 0);
            *all += 1;
        }
        let live = owners.iter().filter(|&owner| view.is_live(owner)).count();
        // Who catches up has not all of it yet.
        let whole = owners.iter().filter(|&owner| view.executes(owner)).count();
        behind += u32::from(whole < copies);
        lost += u32::from(live == 0);
    }
    report.stat("slots", view.reading().slots().len());
    report.stat("slots_with_too_few_copies", behind);
    report.stat("slots_without_any_copy", lost);
    for (node, (first, all)) in nodes.iter().zip(owned) {
        report.stat(format_args!("{node}:slots_first"), first);
        report.stat(format_args!("{node}:slots"), all);
    }
}

fn other(node: NodeId, member: &Member, cluster: &Cluster, report: &mut Report<'_>) {
    match member.card.as_ref() {
        Some(card) => said(card, report),
        None => report.stat(format_args!("{node}:generation"), member.generation),
    }
    let standing = match member.standing {
        Standing::Alive => "alive",
        Standing::Suspect => "suspect",
        Standing::Down { .. } => "down",
    };
    let peer = cluster.peer(node);
    report.stat(format_args!("{node}:standing"), standing);
    let linked = peer.as_ref().is_some_and(|peer| peer.is_linked());
    report.yes_no(format_args!("{node}:linked"), linked);
    let lanes = peer.as_ref().map_or(0, |peer| peer.linked_lanes());
    report.stat(format_args!("{node}:lanes"), lanes);
    let bulk = peer.as_ref().is_some_and(|peer| peer.has_bulk_link());
    report.yes_no(format_args!("{node}:bulk"), bulk);
    report.stat(format_args!("{node}:calls"), peer.map_or(0, |peer| peer.calls()));
    let breaker = if cluster.breakers.is_open(node) { "open" } else { "closed" };
    report.stat(format_args!("{node}:breaker"), breaker);
    report.stat(format_args!("{node}:dirty_slots"), cluster.dirty.count(node));
}

/// What a node says of itself.
fn said(card: &Card, report: &mut Report<'_>) {
    let node = card.node;
    report.stat(format_args!("{node}:name"), &card.name);
    report.stat(format_args!("{node}:phase"), card.phase);
    report.stat(format_args!("{node}:zone"), &card.zone);
    report.stat(format_args!("{node}:weight"), card.weight);
    report.stat(format_args!("{node}:generation"), card.generation);
    report.stat(format_args!("{node}:client"), &card.client);
    report.stat(format_args!("{node}:peer"), card.peer);
    report.stat(format_args!("{node}:build"), &card.build);
}
