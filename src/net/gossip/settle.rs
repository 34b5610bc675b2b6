//! What an agent makes of what its failure detector has learnt.

use super::agent::Agent;
use crate::cluster::{Card, Cause, Event, Notice};
use crate::ring::NodeId;
use crate::wire::gossip::{Identity, SwimMember, SwimState};
use foca::{Member, State};
use std::collections::BTreeSet;
use std::mem::take;
use std::time::Duration;

/// News of a death is passed on at once, but not more often than this.
const HURRY_REST: Duration = Duration::from_millis(20);

impl Agent {
    /// Turns what was noted down into news, until nothing new comes of it.
    pub(super) fn settle(&mut self) {
        loop {
            let (heard, nodes, speaker) = self.noted();
            if heard.is_empty() && nodes.is_empty() {
                break;
            }
            for card in heard {
                self.hear(card);
            }
            for node in nodes {
                self.tell(node, speaker);
            }
        }
        if take(&mut self.effects.defunct) && self.takes_part() {
            self.plan_return(Cause::Itself);
        }
    }

    /// Cards that are new, nodes of which something may be, and who spoke.
    fn noted(&mut self) -> (Vec<Card>, BTreeSet<NodeId>, Option<NodeId>) {
        let mut page = self.ledger.page();
        let said = take(&mut page.said);
        let news = said.iter().filter(|member| self.told.is_news(member));
        let mut nodes: BTreeSet<NodeId> = news.map(|member| member.identity.node()).collect();
        nodes.extend(self.effects.touched.drain(..));
        nodes.remove(&self.swim.identity().node());
        (take(&mut page.heard), nodes, page.speaker.take())
    }

    /// A card tells of a node, so the failure detector is to know it too: if it is
    /// not there, that will be found out. It need not pass that on: cards spread by
    /// themselves.
    fn hear(&mut self, card: Card) {
        let identity = Identity::new(card.node, card.generation, card.peer);
        self.events.push_back(Event::Heard(card));
        let alive = std::iter::once(Member::alive(identity));
        let _ = self.swim.apply_many(alive, false, &mut self.effects);
    }

    /// Tells of a node how it stands, if that is new.
    fn tell(&mut self, node: NodeId, speaker: Option<NodeId>) {
        let Some(member) = self.known(node).filter(|member| self.told.is_news(member)) else {
            return;
        };
        let is_new = self.told.is_new(&member.identity);
        self.told.tell(member, self.effects.now);
        let cause = match speaker {
            Some(speaker) if speaker == node => Cause::Itself,
            Some(speaker) => Cause::Told(speaker),
            None => Cause::NoAnswer,
        };
        let notice = Notice {
            node,
            generation: member.identity.generation,
            incarnation: member.incarnation,
            cause,
        };
        self.events.push_back(match member.state {
            SwimState::Alive => Event::Alive(notice),
            SwimState::Suspect => Event::Suspect(notice),
            SwimState::Down => Event::Down(notice),
        });
        if member.state == SwimState::Down {
            self.hurry();
        } else if is_new {
            self.see_to_card_of(&member.identity);
        }
    }

    fn known(&self, node: NodeId) -> Option<SwimMember> {
        let mut members = self.swim.iter_membership_state();
        let member = members.find(|member| member.id().node() == node)?;
        let state = match member.state() {
            State::Alive => SwimState::Alive,
            State::Suspect => SwimState::Suspect,
            State::Down => SwimState::Down,
        };
        Some(SwimMember { identity: *member.id(), incarnation: member.incarnation(), state })
    }

    /// Passes a death on at once: reads wait for it. All that is news goes along.
    fn hurry(&mut self) {
        if self.takes_part() && self.effects.now >= self.gossiped_at + HURRY_REST {
            self.gossiped_at = self.effects.now;
            let _ = self.swim.gossip(&mut self.effects);
        }
    }
}
