//! All nodes that were heard of: their cards, and how they stand.

use super::card::Card;
use super::event::{Cause, Event, Notice};
use crate::limits::NODES_MAX;
use crate::ring::NodeId;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

/// All nodes that were heard of, by the order of their ids.
///
/// The same news gives the same members, in whatever order and however often it
/// comes: of a node, the greatest generation counts; within one, being down is
/// final, and else the greatest incarnation counts. Only the time since when a
/// node is down is this observer's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    all: BTreeMap<NodeId, Member>,
}

/// One node that was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it says of itself, once that has come.
    pub card: Option<Card>,
    /// The greatest generation it was heard of in.
    pub generation: u64,
    /// How often it has refuted a suspicion in this generation.
    pub incarnation: u16,
    /// How it stands in this generation.
    pub standing: Standing,
    /// Up to which generation its ring was made otherwise than this node's.
    strange_until: Option<u64>,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers.
    Alive,
    /// It did not answer, and may yet defend itself.
    Suspect,
    /// It is held for dead, or has left.
    Down {
        /// When this was heard here.
        since: Duration,
    },
}

/// What one piece of news has changed of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which node.
    pub node: NodeId,
    /// In which generation it is now.
    pub generation: u64,
    /// What has changed.
    pub what: What,
    /// How it is known.
    pub cause: Cause,
}

/// What may change of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was not known before.
    Found,
    /// It has a greater generation: it was started again, or is back.
    Returned,
    /// Its card is newer.
    Said,
    /// It did not answer.
    Suspected,
    /// It answers again.
    Cleared,
    /// It is held for dead, or has left.
    Lost,
    /// It has been down for so long that it is no longer listed.
    Forgotten,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Found => "found",
            Self::Returned => "returned",
            Self::Said => "said",
            Self::Suspected => "suspect",
            Self::Cleared => "alive",
            Self::Lost => "down",
            Self::Forgotten => "forgotten",
        })
    }
}

impl Member {
    fn new(generation: u64) -> Self {
        let standing = Standing::Alive;
        Self { card: None, generation, incarnation: 0, standing, strange_until: None }
    }

    /// Its card, if it is of its present generation: only then it says what the
    /// node is now.
    #[must_use]
    pub fn current_card(&self) -> Option<&Card> {
        self.card.as_ref().filter(|card| card.generation == self.generation)
    }

    /// Whether it is not held for dead.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.standing, Standing::Down { .. })
    }

    /// Whether its ring is made as this node's is, as far as that is known.
    #[must_use]
    pub fn belongs(&self) -> bool {
        self.strange_until.is_none_or(|until| until < self.generation)
    }

    /// Whether it is there, and makes its ring otherwise.
    #[must_use]
    pub fn is_strange(&self) -> bool {
        self.is_live() && !self.belongs()
    }

    /// Greater than what it replaces, in the same generation.
    fn rank(&self) -> (bool, u16, bool) {
        match self.standing {
            Standing::Alive => (false, self.incarnation, false),
            Standing::Suspect => (false, self.incarnation, true),
            Standing::Down { .. } => (true, 0, false),
        }
    }
}

impl Members {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A node, if it was heard of.
    #[must_use]
    pub fn find(&self, node: NodeId) -> Option<&Member> {
        self.all.get(&node)
    }

    /// What a node says of itself in its present generation.
    #[must_use]
    pub fn current_card(&self, node: NodeId) -> Option<&Card> {
        self.find(node).and_then(Member::current_card)
    }

    /// All, by the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Member)> {
        self.all.iter().map(|(&node, member)| (node, member))
    }

    /// How many were heard of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nobody was heard of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes in a piece of news that came at `now`. Nothing changes by what is
    /// older than what is known.
    pub fn apply(&mut self, event: &Event, now: Duration) -> Vec<Change> {
        match event {
            Event::Heard(card) => self.hear(card),
            Event::Alive(notice) => self.notice(notice, Standing::Alive),
            Event::Suspect(notice) => self.notice(notice, Standing::Suspect),
            Event::Down(notice) => self.notice(notice, Standing::Down { since: now }),
            // Of this node itself, whose card its owner has.
            Event::Renewed { .. } => Vec::new(),
        }
    }

    /// Drops those that have been down for longer than `grace`.
    pub fn forget(&mut self, now: Duration, grace: Duration) -> Vec<Change> {
        let long_down = |member: &Member| match member.standing {
            Standing::Down { since } => now.saturating_sub(since) > grace,
            Standing::Alive | Standing::Suspect => false,
        };
        let gone = self.all.iter().filter(|(_, member)| long_down(member));
        let told: Vec<Change> = gone
            .map(|(&node, member)| Change {
                node,
                generation: member.generation,
                what: What::Forgotten,
                cause: Cause::NoAnswer,
            })
            .collect();
        self.all.retain(|_, member| !long_down(member));
        told
    }

    /// In this generation, and those before, a node makes its ring otherwise than this
    /// one does, so that they would not agree on owners. Whether that is news.
    pub fn estrange(&mut self, node: NodeId, generation: u64) -> bool {
        let Some(member) = self.all.get_mut(&node) else { return false };
        let belonged = member.belongs();
        member.strange_until = member.strange_until.max(Some(generation));
        belonged && !member.belongs()
    }

    fn hear(&mut self, card: &Card) -> Vec<Change> {
        let cause = Cause::Itself;
        let Some((member, mut changes)) = self.reach(card.node, card.generation, cause) else {
            return Vec::new();
        };
        if member.card.as_ref().is_none_or(|known| card.is_newer_than(known)) {
            member.card = Some(card.clone());
            let generation = member.generation;
            changes.push(Change { node: card.node, generation, what: What::Said, cause });
        }
        changes
    }

    fn notice(&mut self, notice: &Notice, standing: Standing) -> Vec<Change> {
        let Notice { node, generation, incarnation, cause } = *notice;
        let Some((member, mut changes)) = self.reach(node, generation, cause) else {
            return Vec::new();
        };
        let told = Member { incarnation, standing, ..Member::new(generation) };
        if member.generation > generation || member.rank() >= told.rank() {
            return changes;
        }
        let what = match (member.standing, standing) {
            (_, Standing::Down { .. }) => Some(What::Lost),
            (Standing::Alive, Standing::Suspect) => Some(What::Suspected),
            (Standing::Suspect, Standing::Alive) => Some(What::Cleared),
            _ => None,
        };
        // What may come in any order must not leave a trace of the order.
        member.incarnation = if member.is_live() && told.is_live() { incarnation } else { 0 };
        member.standing = standing;
        changes.extend(what.map(|what| Change { node, generation, what, cause }));
        changes
    }

    /// The node, in this generation or a greater one, and what that changes.
    /// None where there are more nodes than any cluster has.
    fn reach(
        &mut self,
        node: NodeId,
        generation: u64,
        cause: Cause,
    ) -> Option<(&mut Member, Vec<Change>)> {
        let full = self.all.len() >= NODES_MAX;
        let change = |what| vec![Change { node, generation, what, cause }];
        match self.all.entry(node) {
            Entry::Vacant(_) if full => None,
            Entry::Vacant(place) => {
                Some((place.insert(Member::new(generation)), change(What::Found)))
            }
            Entry::Occupied(place) => {
                let member = place.into_mut();
                if generation <= member.generation {
                    return Some((member, Vec::new()));
                }
                let (card, strange_until) = (member.card.take(), member.strange_until);
                *member = Member { card, strange_until, ..Member::new(generation) };
                Some((member, change(What::Returned)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::card::Phase;
    use super::*;
    use crate::item::Version;

    const NOW: Duration = Duration::from_secs(10);

    fn card(node: u64, generation: u64, sequence: u64) -> Card {
        Card {
            node: NodeId(node),
            name: format!("{node}").into(),
            generation,
            sequence,
            client: "".into(),
            peer: "127.0.0.1:1".parse().unwrap(),
            calls: 2,
            admin: None,
            zone: "".into(),
            weight: 1,
            phase: Phase::Serving,
            flush_floor: Version::ZERO,
            build: "".into(),
        }
    }

    fn notice(node: u64, generation: u64, incarnation: u16) -> Notice {
        Notice { node: NodeId(node), generation, incarnation, cause: Cause::NoAnswer }
    }

    fn told(members: &mut Members, event: &Event) -> Vec<What> {
        members.apply(event, NOW).into_iter().map(|change| change.what).collect()
    }

    #[test]
    fn a_life_is_told_step_by_step() {
        let mut members = Members::new();
        let steps = [
            (Event::Alive(notice(1, 5, 0)), vec![What::Found]),
            (Event::Heard(card(1, 5, 0)), vec![What::Said]),
            (Event::Suspect(notice(1, 5, 0)), vec![What::Suspected]),
            (Event::Alive(notice(1, 5, 0)), vec![]),
            (Event::Alive(notice(1, 5, 1)), vec![What::Cleared]),
            (Event::Down(notice(1, 5, 1)), vec![What::Lost]),
            (Event::Alive(notice(1, 5, 9)), vec![]),
            (Event::Heard(card(1, 5, 1)), vec![What::Said]),
            (Event::Heard(card(1, 6, 0)), vec![What::Returned, What::Said]),
            (Event::Down(notice(1, 5, 1)), vec![]),
        ];
        for (event, expected) in steps {
            assert_eq!(told(&mut members, &event), expected, "{event:?}");
        }
        assert!(members.find(NodeId(1)).unwrap().is_live());
    }

    #[test]
    fn an_older_card_is_not_the_present_one() {
        let mut members = Members::new();
        members.apply(&Event::Heard(card(1, 5, 3)), NOW);
        members.apply(&Event::Alive(notice(1, 6, 0)), NOW);
        let member = members.find(NodeId(1)).unwrap();
        assert!(member.card.is_some() && member.current_card().is_none());
        members.apply(&Event::Heard(card(1, 6, 0)), NOW);
        assert!(members.find(NodeId(1)).unwrap().current_card().is_some());
    }

    #[test]
    fn the_first_word_of_a_death_dates_it() {
        let mut members = Members::new();
        members.apply(&Event::Down(notice(1, 5, 0)), NOW);
        members.apply(&Event::Down(notice(1, 5, 3)), 2 * NOW);
        let since = Standing::Down { since: NOW };
        assert_eq!(members.find(NodeId(1)).unwrap().standing, since);
    }

    #[test]
    fn a_stranger_is_one_until_it_is_started_again() {
        let mut members = Members::new();
        assert!(!members.estrange(NodeId(1), 5), "nobody has heard of it");
        members.apply(&Event::Heard(card(1, 5, 0)), NOW);
        let belongs = |members: &Members| members.find(NodeId(1)).unwrap().belongs();
        assert!(belongs(&members));
        assert_eq!([5, 5].map(|life| members.estrange(NodeId(1), life)), [true, false]);
        members.apply(&Event::Heard(card(1, 5, 1)), NOW);
        assert!(!belongs(&members));
        members.apply(&Event::Heard(card(1, 6, 0)), NOW);
        assert!(belongs(&members));
    }

    #[test]
    fn only_the_long_dead_are_forgotten() {
        let mut members = Members::new();
        members.apply(&Event::Down(notice(1, 5, 0)), NOW);
        members.apply(&Event::Alive(notice(2, 5, 0)), NOW);
        assert!(members.forget(2 * NOW, NOW).is_empty());
        let forgotten = members.forget(2 * NOW + Duration::from_millis(1), NOW);
        assert_eq!(forgotten.len(), 1);
        assert_eq!((forgotten[0].node, forgotten[0].what), (NodeId(1), What::Forgotten));
        assert_eq!(members.iter().map(|(node, _)| node).collect::<Vec<_>>(), [NodeId(2)]);
    }
}
