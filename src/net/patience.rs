//! How long a client may take, and who has taken longer.
//!
//! Nobody has a timer of his own: a worker looks at all its connections once a
//! second, so every time here is kept to a second or two.

use super::census::{Counts, Member, Phase};
use super::events::End;
use crate::limits::{PARTING_S, TRANSFER_BYTES_PER_S_MIN};
use std::sync::atomic::Ordering;

/// How long clients may take, in seconds. Zero is forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between two requests.
    pub idle_s: u32,
    /// From the first byte of a request to the end of its line; and for a large
    /// value this much and what its bytes take at the least rate.
    pub request_s: u32,
    /// For taking answers, this much and what they take at the least rate.
    pub send_s: u32,
}

impl Default for Patience {
    /// Idle connections stay, as with memcached.
    fn default() -> Self {
        Self { idle_s: 0, request_s: 60, send_s: 60 }
    }
}

/// What a connection has done for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Idle,
    Request,
    Taking,
    Parting,
}

impl Overdue {
    /// Counts it, and notes the reason.
    pub(super) fn count(self, counts: &Counts, member: &Member) {
        let (counter, reason) = match self {
            Self::Idle => (&counts.idle_kicks, End::Idle),
            Self::Request => (&counts.slow_request_kicks, End::SlowRequest),
            Self::Taking => (&counts.slow_reader_kicks, End::SlowReader),
            // It was counted, or it ended by itself.
            Self::Parting => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        member.ends_by(reason);
    }
}

impl Patience {
    /// What a connection is overdue with, if so.
    pub(super) fn overdue(&self, member: &Member, now_s: u32) -> Option<Overdue> {
        // What has moved buys time, so that a transfer may last but not drip.
        let bought_s = u64::from(member.moved()) / TRANSFER_BYTES_PER_S_MIN;
        let (allowed_s, bought_s, overdue) = match member.phase() {
            Phase::Idle => (self.idle_s, 0, Overdue::Idle),
            Phase::Head => (self.request_s, 0, Overdue::Request),
            Phase::Body => (self.request_s, bought_s, Overdue::Request),
            Phase::Sending => (self.send_s, bought_s, Overdue::Taking),
            Phase::Parting => (PARTING_S, 0, Overdue::Parting),
        };
        let taken_s = u64::from(now_s.saturating_sub(member.since_s()));
        let too_slow = taken_s > u64::from(allowed_s) + bought_s;
        // What the system's buffers took at first buys nothing for who stands still.
        let moves = matches!(member.phase(), Phase::Body | Phase::Sending);
        let stands_still = moves && now_s.saturating_sub(member.still_since_s()) > allowed_s;
        (allowed_s > 0 && (too_slow || stands_still)).then_some(overdue)
    }
}

#[cfg(test)]
mod tests {
    use super::super::census::{Arrival, Census, Peer, Transport};
    use super::*;
    use std::sync::Arc;

    const PATIENCE: Patience = Patience { idle_s: 10, request_s: 5, send_s: 7 };

    fn member() -> Member {
        let arrival = Arrival {
            descriptor: 7,
            transport: Transport::Tcp,
            peer: Peer::Unix,
            listener: Arc::new("tcp:127.0.0.1:8".into()),
        };
        Member::new(&Census::new(1), arrival, 0, &Arc::default())
    }

    #[test]
    fn each_phase_has_its_time() {
        let cases = [
            (Phase::Idle, 10, Overdue::Idle),
            (Phase::Head, 5, Overdue::Request),
            (Phase::Body, 5, Overdue::Request),
            (Phase::Sending, 7, Overdue::Taking),
            (Phase::Parting, PARTING_S, Overdue::Parting),
        ];
        for (phase, allowed_s, overdue) in cases {
            let member = member();
            member.enter(phase, 0);
            assert_eq!(PATIENCE.overdue(&member, allowed_s), None, "{phase:?}");
            assert_eq!(PATIENCE.overdue(&member, allowed_s + 1), Some(overdue), "{phase:?}");
        }
    }

    #[test]
    fn transfers_last_but_may_not_drip() {
        let member = member();
        member.enter(Phase::Body, 0);
        member.moves(100 * TRANSFER_BYTES_PER_S_MIN as usize, 0);
        member.moves(1, 105);
        assert_eq!(PATIENCE.overdue(&member, 105), None);
        assert_eq!(PATIENCE.overdue(&member, 106), Some(Overdue::Request));
    }

    #[test]
    fn transfers_may_not_stand_still() {
        let member = member();
        member.enter(Phase::Sending, 0);
        member.moves(100 * TRANSFER_BYTES_PER_S_MIN as usize, 3);
        assert_eq!(PATIENCE.overdue(&member, 10), None);
        assert_eq!(PATIENCE.overdue(&member, 11), Some(Overdue::Taking));
    }

    #[test]
    fn dripping_a_line_buys_nothing() {
        let member = member();
        member.enter(Phase::Head, 0);
        member.moves(1 << 20, 3);
        member.enter(Phase::Head, 4);
        assert_eq!(PATIENCE.overdue(&member, 6), Some(Overdue::Request));
    }

    #[test]
    fn answers_begin_a_new_time() {
        let member = member();
        member.enter(Phase::Head, 0);
        member.answered(5);
        assert_eq!(PATIENCE.overdue(&member, 10), None);
    }

    #[test]
    fn what_is_forgiven_does_not_count() {
        for phase in [Phase::Idle, Phase::Head, Phase::Body, Phase::Sending] {
            let member = member();
            member.enter(phase, 1);
            member.forgive(100, 104);
            assert_eq!(PATIENCE.overdue(&member, 104), None, "{phase:?}");
            assert!(PATIENCE.overdue(&member, 112).is_some(), "{phase:?}");
        }
        let member = member();
        member.enter(Phase::Head, 100);
        member.forgive(100, 104);
        assert!(PATIENCE.overdue(&member, 110).is_some(), "no time that is to come");
    }

    #[test]
    fn zero_is_forever() {
        let member = member();
        assert_eq!(Patience::default().overdue(&member, u32::MAX), None);
    }
}
