//! Asking for the cards of members that came without them.
//!
//! Members are asked for their own cards, a few at a time, which costs little where
//! a whole cluster hears of a newcomer; where many are missing, as with the newcomer
//! itself, all cards are compared with those of one who may be anyone. As long as
//! anything is missing it is asked for at once and then in each period of gossip,
//! no more often: a thousand nodes that start at once must not bury each other in
//! cards.

use super::agent::Agent;
use super::effects::Task;
use crate::wire::gossip::{Identity, Parcel};
use foca::State;
use rand::RngExt;
use std::time::Duration;

/// Times that is asked since a member last came without its card. What is missing
/// then comes with the periodic comparison.
const ROUNDS_MAX: u8 = 10;

/// Members that are asked for their cards at a time, at most.
const ASKED_MAX: usize = 3;

impl Agent {
    /// A member came. Sees to it that its card comes too.
    pub(super) fn see_to_card_of(&mut self, member: &Identity) {
        if self.ledger.page().cards.has(member.node(), member.generation) {
            return;
        }
        if self.rounds == 0 {
            self.effects.plan(Duration::ZERO, Task::CatchUp);
        }
        self.rounds = ROUNDS_MAX;
    }

    /// Asks for what is still missing.
    pub(super) fn catch_up(&mut self) {
        self.rounds = self.rounds.saturating_sub(1);
        let mut missing = self.without_card();
        if missing.is_empty() || !self.takes_part() {
            self.rounds = 0;
            return;
        }
        if missing.len() > ASKED_MAX
            && let Some(with) = self.random_member(|state| state != State::Down)
        {
            self.compare_cards(with.address);
        }
        for _ in 0..ASKED_MAX.min(missing.len()) {
            let which = self.rng.random_range(0..missing.len());
            let member = missing.swap_remove(which);
            let want = Parcel::Want { from: *self.swim.identity(), nodes: vec![member.node().0] };
            self.effects.send(member.address, &want);
        }
        if self.rounds > 0 {
            self.effects.plan(self.config.gossip_period, Task::CatchUp);
        }
    }

    fn without_card(&self) -> Vec<Identity> {
        let cards = &self.ledger.page().cards;
        let members = self.swim.iter_members().map(|member| *member.id());
        members.filter(|member| !cards.has(member.node(), member.generation)).collect()
    }
}
