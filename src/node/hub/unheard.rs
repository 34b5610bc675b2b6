//! Nodes of which this one has heard nothing yet while it joins, or not what they are. They may have
//! heard of it before: then they count it among the owners as soon as they are linked, and send it
//! copies.

use super::Hub;
use crate::cluster::{Phase, View};
use crate::limits::DRIFT_MS_MAX;
use crate::node::peers::{Ended, Settling};
use crate::ring::RingError;

/// What becomes of copies of those that nothing was heard of, while this node joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    Taken,
    Refused,
}

impl Hub {
    /// The same view; as long as this node joins one by which copies are taken of all that are not
    /// known to be dead.
    ///
    /// It takes nobody's place while it joins, and has what it took when it serves: whoever counts
    /// it does not count in vain. Were the copy refused, so would the write be to its client; and
    /// were this node not counted before it knows all, fewer would have what is acknowledged
    /// meanwhile. Who was heard of once is judged by what was heard.
    pub(super) fn with_unheard(&self, view: View) -> View {
        match self.unheard == Unheard::Taken && self.card.phase == Phase::Joining {
            true => view.that_takes_unheard(&self.members),
            false => view,
        }
    }

    /// Another node is about to take the place of one that has ended, and relies on it that all
    /// that was taken of that one is sent around. Nothing is to be taken of it later, though
    /// this node has never heard of it.
    pub(super) fn refuse_unheard(&mut self, ended: Ended) -> Result<(), RingError> {
        if self.following.rings().is_none() {
            // What this process took was written while it was there, and it does not know whose
            // all else is that it may have.
            let since_ms = self.started.unix_ms().saturating_sub(DRIFT_MS_MAX);
            self.succession.presume(ended, since_ms);
        }
        if self.unheard == Unheard::Taken && self.members.find(ended.node).is_none() {
            self.unheard = Unheard::Refused;
            self.publish()?;
            // A worker may be taking something by the view before.
            self.burying.push(Settling::begin(&self.cluster, Some(ended.node)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parting::tests::message;
    use super::super::stepping_back::tests::{begun, card, serving};
    use super::*;
    use crate::cluster::{Cause, Event, Notice};
    use crate::item::Now;
    use crate::net::peers::Link;
    use crate::node::Shared;
    use crate::node::standing::{START_MS, node_of};
    use crate::ring::NodeId;
    use crate::wire::{Body, Frames, Item, Keep, Kept, Message, Relay};
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    const ME: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);
    const THIRD: NodeId = NodeId(3);
    const NOW: Now = Now::from_unix_ms(START_MS);

    fn shared() -> Arc<Shared> {
        node_of(&[ME], &Arc::new(AtomicU64::new(START_MS)))
    }

    fn linked(hub: &mut Hub, node: NodeId) -> Arc<Link> {
        let link = Arc::new(Link::detached(node, 1, 1 << 20, || {}));
        hub.handle_linked(&link).unwrap();
        link
    }

    fn joining() -> (Hub, Arc<Link>) {
        let mut hub = begun(&shared(), Phase::Joining);
        let link = linked(&mut hub, OTHER);
        (hub, link)
    }

    /// Whether it keeps a copy that it is sent by this link.
    fn keeps(hub: &mut Hub, link: &Arc<Link>) -> bool {
        drop(link.take_outgoing());
        let body = Body { cas: 9, flags: 0, stale: false, won: false, value: b"v" };
        let version = START_MS << 21;
        let item = Item { key: b"k", version, expiry_s: 0, body: Some(body) };
        let keep = message(&Message::Keep(Keep { call: 7, floor: 0, items: vec![item] }));
        assert!(hub.handle_frame(link, &keep, NOW).unwrap());
        let mut frames = Frames::new(1 << 20);
        frames.push(&link.take_outgoing());
        while let Some(frame) = frames.next_frame().unwrap() {
            if let Message::Kept(Kept { call: 7, accepted }) = Message::decode(frame).unwrap() {
                assert!(!accepted || hub.shared.store.figures().items == 1);
                return accepted;
            }
        }
        panic!("no answer");
    }

    fn down(node: NodeId) -> Event {
        Event::Down(Notice { node, generation: 1, incarnation: 0, cause: Cause::NoAnswer })
    }

    #[test]
    fn who_joins_takes_copies_of_whom_it_has_not_heard_of() {
        let (mut hub, link) = joining();
        assert!(keeps(&mut hub, &link));
        hub.handle_event(&Event::Heard(card(OTHER)), NOW).unwrap();
        assert!(keeps(&mut hub, &link));
        hub.handle_event(&down(OTHER), NOW).unwrap();
        assert!(!keeps(&mut hub, &link), "others have taken its place");
    }

    #[test]
    fn who_joins_takes_copies_of_whom_it_only_knows_to_be_there() {
        let (mut hub, link) = joining();
        let cause = Cause::Itself;
        let notice = Notice { node: OTHER, generation: 1, incarnation: 0, cause };
        hub.handle_event(&Event::Alive(notice), NOW).unwrap();
        assert!(keeps(&mut hub, &link), "its card has not come");
    }

    #[test]
    fn who_executes_takes_none() {
        let mut hub = serving(&shared());
        let link = linked(&mut hub, OTHER);
        assert!(!keeps(&mut hub, &link));
    }

    #[test]
    fn none_are_taken_of_whom_only_the_death_was_heard_of() {
        let (mut hub, link) = joining();
        hub.handle_event(&down(OTHER), NOW).unwrap();
        assert!(!keeps(&mut hub, &link));
    }

    #[test]
    fn none_are_taken_once_another_is_to_take_its_place() {
        let (mut hub, link) = joining();
        hub.handle_event(&Event::Heard(card(THIRD)), NOW).unwrap();
        let third = linked(&mut hub, THIRD);
        assert!(keeps(&mut hub, &link));
        let relay = message(&Message::Relay(Relay { node: OTHER.0, generation: 1 }));
        assert!(hub.handle_frame(&third, &relay, NOW).unwrap());
        assert!(!keeps(&mut hub, &link));
        assert!(keeps(&mut hub, &third), "it is live");
    }

    /// Who is to take its place may not have it, and whose it is this node does not know.
    #[test]
    fn what_was_taken_is_sent_to_all_by_one_who_knows_of_no_owners() {
        let (mut hub, link) = joining();
        hub.handle_event(&Event::Heard(card(THIRD)), NOW).unwrap();
        let third = linked(&mut hub, THIRD);
        assert!(keeps(&mut hub, &link));
        let relay = message(&Message::Relay(Relay { node: OTHER.0, generation: 1 }));
        assert!(hub.handle_frame(&third, &relay, NOW).unwrap());
        let (mut brought, mut is_told) = (0, false);
        for _ in 0..10 {
            hub.handle_tick(NOW).unwrap();
            let mut frames = Frames::new(1 << 20);
            frames.push(&third.take_outgoing());
            while let Some(frame) = frames.next_frame().unwrap() {
                match Message::decode(frame).unwrap() {
                    Message::Keep(Keep { call, items, .. }) => {
                        brought += usize::from(items.iter().any(|item| item.key == b"k"));
                        assert!(!is_told, "it is told before it has that");
                        let kept = message(&Message::Kept(Kept { call, accepted: true }));
                        assert!(hub.handle_frame(&third, &kept, NOW).unwrap());
                    }
                    Message::Relayed(relayed) => is_told |= relayed.is_all,
                    _ => {}
                }
            }
        }
        assert!(brought > 0 && is_told, "{brought}");
    }

    #[test]
    fn none_are_taken_once_somebody_is_forgotten() {
        let (mut hub, link) = joining();
        hub.handle_event(&Event::Heard(card(OTHER)), NOW).unwrap();
        hub.handle_event(&down(OTHER), NOW).unwrap();
        hub.handle_tick(NOW.after_ms(61_000)).unwrap();
        assert!(hub.members().find(OTHER).is_none());
        assert!(!keeps(&mut hub, &link));
    }
}
