//! How many requests a second there may be: a bucket that fills by so many a second,
//! holds what a second fills, and of which each request takes one. A value; the time
//! is passed in.

use std::num::NonZeroU32;

/// A bucket that was empty is full after so long.
const FULL_NS: u64 = 1_000_000_000;

/// How fast a bucket fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// One request's worth comes in this time.
    one_ns: u64,
}

/// How full a bucket is, as the moment at which it is full: what it lacks until then
/// is time, so nothing has to be filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FullAt(pub(super) u64);

impl Rate {
    pub(super) fn per_s(requests: NonZeroU32) -> Self {
        Self { one_ns: FULL_NS / u64::from(requests.get()) }
    }

    /// The bucket after so many requests; none where it has too little for them. Who
    /// asks for more at once than it ever holds takes it while it is full, and waits
    /// the longer afterwards.
    pub(super) fn take(self, bucket: FullAt, requests: u32, now_ns: u64) -> Option<FullAt> {
        let price_ns = self.one_ns * u64::from(requests);
        let lacks_ns = bucket.0.saturating_sub(now_ns);
        let fits = lacks_ns + price_ns.min(FULL_NS) <= FULL_NS;
        fits.then(|| FullAt(now_ns + lacks_ns + price_ns))
    }

    /// The bucket, had these requests not been.
    pub(super) fn give_back(self, bucket: FullAt, requests: u32) -> FullAt {
        FullAt(bucket.0.saturating_sub(self.one_ns * u64::from(requests)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = FULL_NS;

    fn rate(requests: u32) -> Rate {
        Rate::per_s(NonZeroU32::new(requests).unwrap())
    }

    /// So many single requests at this moment pass.
    fn passed(rate: Rate, bucket: &mut FullAt, now_ns: u64) -> u32 {
        let mut passed = 0;
        while let Some(left) = rate.take(*bucket, 1, now_ns) {
            (*bucket, passed) = (left, passed + 1);
        }
        passed
    }

    #[test]
    fn a_second_holds_a_seconds_worth() {
        let mut bucket = FullAt::default();
        assert_eq!(passed(rate(100), &mut bucket, 5 * S), 100);
        assert_eq!(passed(rate(100), &mut bucket, 5 * S + S / 2), 50);
        assert_eq!(passed(rate(100), &mut bucket, 60 * S), 100);
    }

    #[test]
    fn many_at_once_are_paid_for_afterwards() {
        let bucket = rate(10).take(FullAt::default(), 50, 5 * S).unwrap();
        assert_eq!(rate(10).take(bucket, 1, 5 * S), None);
        assert_eq!(rate(10).take(bucket, 1, 9 * S), None);
        assert!(rate(10).take(bucket, 1, 9 * S + S / 10).is_some());
        assert_eq!(rate(10).take(bucket, 50, 9 * S + S / 2), None);
        assert!(rate(10).take(bucket, 50, 10 * S).is_some());
    }

    #[test]
    fn what_was_not_done_is_given_back() {
        let full = rate(10).take(FullAt::default(), 10, 5 * S).unwrap();
        assert_eq!(rate(10).take(full, 3, 5 * S), None);
        let back = rate(10).give_back(full, 3);
        assert!(rate(10).take(back, 3, 5 * S).is_some());
    }

    proptest! {
        /// Whatever is asked and when: never more than a second's worth above the rate.
        #[test]
        fn no_more_than_the_rate_passes(
            requests in 1..50_u32,
            asked in prop::collection::vec((1..20_u32, 0..S / 20), 1..300),
        ) {
            let (mut bucket, mut now_ns, mut passed) = (FullAt::default(), 7 * S, 0_u64);
            for (count, pause_ns) in asked {
                now_ns += pause_ns;
                if let Some(left) = rate(requests).take(bucket, count, now_ns) {
                    bucket = left;
                    passed += u64::from(count);
                }
            }
            let one_ns = rate(requests).one_ns;
            // The last one may have been for more than the bucket holds.
            prop_assert!((passed - passed.min(20)) * one_ns <= now_ns - 7 * S + S);
        }
    }
}
