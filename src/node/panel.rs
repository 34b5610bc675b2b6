//! What operators are told of a node, and ask of it. Nothing here waits for the node's other
//! threads, nor do they wait for whoever asks.

use super::draining::{Draining, Left};
use super::peers::{Moves, Slots};
use super::shared::Shared;
use crate::cluster::{Card, Parting, Phase, Standing, Step};
use crate::net::Stopper;
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What operators are told of a node, and ask of it.
#[derive(Clone, Debug)]
pub struct Panel {
    id: NodeId,
    shared: Arc<Shared>,
    stopper: Stopper,
    draining: Option<Draining>,
}

/// Why no client is to be sent to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It joins, and waits for these nodes; for any where none are named.
    Joining(Vec<Box<str>>),
    /// It hands over what it owns, to stop then.
    Leaving,
    /// It has to join again.
    SteppingBack,
    /// It stops.
    Stopping,
}

/// What would be lost if a node stopped now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtStake {
    /// What becomes of its slots.
    pub parting: Parting,
    /// Items that it has.
    pub items: u64,
    /// The owners of slots change.
    pub owners_change: bool,
}

/// Nothing is handed over by this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDrain;

impl fmt::Display for NoDrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this node hands nothing over: it belongs to no cluster, or has --drain-timeout 0",
        )
    }
}

/// The cluster, as this node knows it.
#[derive(Clone, Debug)]
pub struct SeenCluster {
    /// What it is called.
    pub name: String,
    /// The nodes, by the order of their ids; this one among them.
    pub nodes: Vec<SeenNode>,
    /// How far a change of owners has come, once this node knows of owners.
    pub step: Option<Step>,
    /// The number of that step.
    pub number: Option<u64>,
}

/// One node, as this one knows it.
#[derive(Clone, Debug)]
pub struct SeenNode {
    /// Which.
    pub node: NodeId,
    /// The greatest generation it was heard of in.
    pub generation: u64,
    /// How it stands.
    pub standing: Standing,
    /// What it says of itself, once that has come.
    pub card: Option<Card>,
}

impl AtStake {
    /// Whether no slot loses its last copy.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.items == 0 || self.parting.is_covered() && !self.owners_change
    }
}

impl Panel {
    pub(super) fn new(
        id: NodeId,
        shared: &Arc<Shared>,
        stopper: Stopper,
        draining: Option<Draining>,
    ) -> Self {
        Self { id, shared: Arc::clone(shared), stopper, draining }
    }

    /// Whose it is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Why no client is to be sent there; empty where the node serves.
    #[must_use]
    pub fn not_ready(&self) -> Vec<NotReady> {
        let mut reasons = Vec::new();
        if self.stopper.is_asked() {
            reasons.push(NotReady::Stopping);
        }
        let Some(cluster) = &self.shared.cluster else { return reasons };
        let overview = cluster.overview();
        let phase = overview.card.as_ref().map_or(Phase::Joining, |card| card.phase);
        if phase == Phase::Leaving || cluster.draining.is_asked() {
            reasons.push(NotReady::Leaving);
        }
        match phase {
            Phase::Joining | Phase::Warm => {
                reasons.push(NotReady::Joining(overview.waits_for.clone()));
            }
            // It has ended to execute before it joins again.
            Phase::Serving if !cluster.stays() && !self.stopper.is_asked() => {
                reasons.push(NotReady::SteppingBack);
            }
            Phase::Serving | Phase::Leaving => {}
        }
        reasons
    }

    /// What would be lost if it stopped now, without handing anything over.
    #[must_use]
    pub fn at_stake(&self) -> AtStake {
        let mut reader = self.shared.view.reader();
        let view = reader.view();
        let items = self.shared.store.figures().items;
        let Some(cluster) = &self.shared.cluster else {
            return AtStake {
                parting: view.parting(self.id, |_, _| true),
                items,
                owners_change: false,
            };
        };
        let overview = cluster.overview();
        let lacking: BTreeMap<NodeId, Slots> = cluster.dirty.lacking();
        let answers: Vec<NodeId> = overview
            .members
            .iter()
            .filter(|(node, member)| member.standing == Standing::Alive && cluster.is_linked(*node))
            .map(|(node, _)| node)
            .collect();
        // The members come in the order of their ids.
        let has_all = |node: NodeId, slot: u32| {
            answers.binary_search(&node).is_ok()
                && !lacking.get(&node).is_some_and(|slots| slots.contains(slot))
        };
        let owners_change = overview.step.is_some_and(|step| step != Step::Settled);
        AtStake { parting: view.parting(self.id, has_all), items, owners_change }
    }

    /// The cluster, as this node knows it; none where it belongs to none.
    #[must_use]
    pub fn cluster(&self) -> Option<SeenCluster> {
        let overview = self.shared.cluster.as_ref()?.overview();
        let me = overview.card.clone().map(|card| SeenNode {
            node: card.node,
            generation: card.generation,
            standing: Standing::Alive,
            card: Some(card),
        });
        let others = overview.members.iter().filter(|&(node, _)| node != self.id);
        let others = others.map(|(node, member)| SeenNode {
            node,
            generation: member.generation,
            standing: member.standing,
            card: member.card.clone(),
        });
        let mut nodes: Vec<SeenNode> = others.chain(me).collect();
        nodes.sort_unstable_by_key(|seen| seen.node);
        let (step, number) = (overview.step, overview.number);
        Some(SeenCluster { name: self.shared.settings.cluster_name.clone(), nodes, step, number })
    }

    /// Has it bring other nodes nothing more until it is to go on, and says so in the log. What
    /// it brings then; none where it belongs to no cluster.
    #[must_use]
    pub fn pause_moves(&self) -> Option<&Moves> {
        let moves = self.moves()?;
        if !moves.is_paused() {
            moves.pause();
            self.shared.remarks.say("moves paused by an operator".to_owned());
        }
        Some(moves)
    }

    /// Has it go on, likewise.
    #[must_use]
    pub fn resume_moves(&self) -> Option<&Moves> {
        let moves = self.moves()?;
        if moves.is_paused() {
            moves.resume();
            self.shared.remarks.say("moves resumed by an operator".to_owned());
        }
        Some(moves)
    }

    /// What it brings other nodes; none where it belongs to no cluster.
    #[must_use]
    pub fn moves(&self) -> Option<&Moves> {
        self.shared.cluster.as_ref().map(|cluster| &cluster.moves)
    }

    /// What people call a node, as far as this one knows.
    #[must_use]
    pub fn name_of(&self, node: NodeId) -> Option<Box<str>> {
        let overview = self.shared.cluster.as_ref()?.overview();
        let me = overview.card.as_ref().filter(|card| card.node == node);
        let other = || overview.members.find(node)?.card.as_ref();
        me.or_else(other).map(|card| card.name.clone())
    }

    /// Asks the node to hand over all that it owns, and to stop then; returns at once.
    ///
    /// # Errors
    /// Where it hands nothing over.
    pub fn drain(&self) -> Result<(), NoDrain> {
        self.draining.as_ref().map(Draining::begin).ok_or(NoDrain)
    }

    /// Whether it is to.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.draining.as_ref().is_some_and(Draining::is_asked)
    }

    /// How it has left, once it has.
    #[must_use]
    pub fn left(&self) -> Option<Left> {
        self.draining.as_ref().and_then(Draining::left)
    }

    /// The same, and waits for it until then.
    pub async fn left_within(&self, patience: Duration) -> Option<Left> {
        match &self.draining {
            Some(draining) => draining.left_within(patience).await,
            None => None,
        }
    }
}
