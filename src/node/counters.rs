//! What each worker counts. Only the worker writes, so no count costs a lock
//! prefix; whoever asks adds all workers up.

use std::sync::atomic::{AtomicU64, Ordering};

/// One count of one worker.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts. Only to be called by the worker it belongs to: two who count at
    /// once would lose one of the counts.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// What was counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counts of one worker. On cache lines of its own, so that no worker
        /// slows another one down.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The counts of all workers, added up.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Sums {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Sums {
            /// Adds up what these workers counted.
            pub fn of<'a>(workers: impl IntoIterator<Item = &'a Counters>) -> Self {
                let mut sums = Self::default();
                for worker in workers {
                    $(sums.$name += worker.$name.count();)*
                }
                sums
            }

            /// What was counted since an earlier look.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name.saturating_sub(earlier.$name),)* }
            }
        }
    };
}

counters! {
    /// Keys that were read.
    cmd_get,
    /// Values that were written, or were to be.
    cmd_set,
    /// Flushes.
    cmd_flush,
    /// Keys that were given another expiry, or were to be.
    cmd_touch,
    /// Looks at an item by `me`; the other meta commands count as what they do.
    cmd_meta,
    /// Reads that found an item.
    get_hits,
    /// Reads that found none.
    get_misses,
    /// Touches that found none.
    touch_misses,
    /// Touches that found an item.
    touch_hits,
    /// Deletes that found none.
    delete_misses,
    /// Deletes that found an item.
    delete_hits,
    /// Increments that found none.
    incr_misses,
    /// Increments that found an item.
    incr_hits,
    /// Decrements that found none.
    decr_misses,
    /// Decrements that found an item.
    decr_hits,
    /// Compared writes that found none.
    cas_misses,
    /// Compared writes whose token was right.
    cas_hits,
    /// Compared writes whose token was not.
    cas_badval,
    /// Times somebody said who it is.
    auth_cmds,
    /// Times that was not believed.
    auth_errors,
    /// Values too large to be stored.
    store_too_large,
    /// Values for which there was no room.
    store_no_memory,
    /// Requests that were beyond what may be asked in a second.
    rate_limited,
    /// Bytes of requests.
    bytes_read,
    /// Bytes of answers.
    bytes_written,
    /// Times a connection had to let others go first.
    conn_yields,
    /// Reads that another owner answered than the primary.
    reads_from_copies,
    /// Reads that more than half of the owners answered.
    reads_by_quorum,
    /// Reads that other owners were asked for since the primary did not answer.
    reads_hedged,
    /// Requests for keys all of whose owners were held for dead.
    requests_without_owner,
    /// Requests for keys to whose owners no link led for long.
    requests_out_of_reach,
    /// Writes that were refused since too few nodes were seen.
    writes_refused,
    /// Slots that were marked for repair since a read had found an older copy.
    read_repairs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_added_up() {
        let workers = [Counters::default(), Counters::default()];
        workers[0].get_hits.add(2);
        workers[1].get_hits.add(3);
        let early = Sums::of(&workers);
        assert_eq!(early.get_hits, 5);
        workers[1].cmd_set.add(1);
        let late = Sums::of(&workers).since(&early);
        assert_eq!((late.get_hits, late.cmd_set), (0, 1));
    }
}
