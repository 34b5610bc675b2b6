//! What a rival can serve: each check names the first thing it cannot.

use crate::lab::placement::Setup;
use crate::limits::{NODES_MAX, POINTS_MAX, WEIGHT_MAX};
use std::collections::HashSet;

/// What every rival needs: nodes, no more than an index can name, none of them
/// twice, each with a weight.
pub(super) fn nodes(setup: &Setup) -> Result<(), String> {
    let nodes = &setup.nodes;
    if nodes.is_empty() {
        return Err("no nodes".into());
    }
    at_most(setup, NODES_MAX)?;
    if let Some(node) = nodes.iter().find(|node| !(1..=WEIGHT_MAX).contains(&node.weight)) {
        return Err(format!(
            "node {} has weight {}: it must be 1 to {WEIGHT_MAX}",
            node.id, node.weight
        ));
    }
    let mut seen = HashSet::new();
    match nodes.iter().find(|node| !seen.insert(node.id)) {
        Some(node) => Err(format!("node {} is listed twice", node.id)),
        None => Ok(()),
    }
}

/// No more nodes than the rival can number.
pub(super) fn at_most(setup: &Setup, nodes_max: usize) -> Result<(), String> {
    match setup.nodes.len() {
        nodes if nodes > nodes_max => Err(format!("{nodes} nodes: at most {nodes_max}")),
        _ => Ok(()),
    }
}

/// Nodes as in [`nodes`], all of one weight, for a rival that knows no weights.
pub(super) fn unweighted(setup: &Setup) -> Result<(), String> {
    nodes(setup)?;
    let first = setup.nodes[0].weight;
    match setup.nodes.iter().find(|node| node.weight != first) {
        Some(node) => Err(format!("weights {first} and {}: it knows no weights", node.weight)),
        None => Ok(()),
    }
}

/// Nodes as in [`unweighted`], for a rival that knows only how many: the count.
#[cfg(feature = "rivals")]
#[allow(clippy::cast_possible_truncation, reason = "no more than an index can name")]
pub(super) fn numbered(setup: &Setup) -> Result<u16, String> {
    unweighted(setup)?;
    Ok(setup.nodes.len() as u16)
}

/// Nodes as in [`nodes`], and not more virtual nodes than memory should hold
/// at `per_weight` of them for each unit of weight.
pub(super) fn points(setup: &Setup, per_weight: u32) -> Result<(), String> {
    nodes(setup)?;
    let weight: u64 = setup.nodes.iter().map(|node| u64::from(node.weight)).sum();
    match weight * u64::from(per_weight) {
        0 => Err("no virtual nodes".into()),
        points if points > POINTS_MAX => {
            Err(format!("{points} virtual nodes in all: at most {POINTS_MAX}"))
        }
        _ => Ok(()),
    }
}
