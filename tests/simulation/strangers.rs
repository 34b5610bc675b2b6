//! Nodes that know the secret and cannot take part.
//!
//! One with another secret is not here: nobody reads what it says, as if it said nothing.

use crate::world::{Node, World, id};
use ringcached::ring::Layout;
use ringcached::wire::Life;

/// Why a node cannot take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strange {
    /// Its ring has more slots.
    Slots,
    /// Its ring keeps more copies.
    Copies,
    /// Its certificate is another authority's: it hears and says who is there, and gets no
    /// link.
    Authority,
}

impl Strange {
    /// Whose ring is another.
    const OF_ANOTHER_RING: [Self; 2] = [Self::Slots, Self::Copies];

    /// How its ring is made, where the others' is made so.
    pub(crate) fn layout(self, others: Layout) -> Layout {
        match self {
            Self::Slots => Layout { slot_bits: others.slot_bits + 1, ..others },
            Self::Copies => Layout { copies: others.copies + 1, ..others },
            Self::Authority => others,
        }
    }
}

impl World {
    /// One who cannot take part tries to join; it is no client's node.
    pub(crate) fn let_stranger_join(&mut self) {
        let all = Strange::OF_ANOTHER_RING;
        let strange = all[self.random.below(all.len())];
        self.let_join(strange);
    }

    pub(crate) fn let_join(&mut self, strange: Strange) {
        let number = self.nodes.len();
        self.say(&format!("node-{number} wants to join, with other {strange:?}"));
        self.nodes.push(Node::new(0));
        self.nodes[number].strange = Some(strange);
        self.start(number, true);
    }

    /// One more node joins, as it should.
    pub(crate) fn let_one_join(&mut self) {
        let number = self.nodes.len();
        self.say(&format!("node-{number} joins"));
        self.nodes.push(Node::new(0));
        self.served += 1;
        self.start(number, true);
    }

    /// It gives up.
    pub(crate) fn end_strangers(&mut self) {
        (self.served..self.nodes.len()).for_each(|number| self.kill(number));
    }

    /// Whether two nodes get no link; whose rings differ find it out, as often as they try.
    pub(crate) fn refuse_strangers(&mut self, one: usize, other: usize) -> bool {
        let strange = self.nodes[one].strange.or(self.nodes[other].strange);
        if matches!(strange, Some(Strange::Slots | Strange::Copies)) {
            for (at, peer) in [(one, other), (other, one)] {
                let life = Life { node: id(peer), generation: self.nodes[peer].generation };
                let up = self.nodes[at].up.as_mut().unwrap();
                up.hub.handle_stranger(life).unwrap();
                self.settle(at);
            }
        }
        strange.is_some()
    }
}
