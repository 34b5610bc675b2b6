//! Memory that large values had, for those to come.
//!
//! Each has memory of its own that comes from the system and goes back to it, or
//! a heap would fill with holes as sizes change. But to map 100 KiB, touch them
//! for the first time and unmap them costs more than all else that is done with a
//! value. So some of it stays here a while: as much as those that come soon will
//! take, counted as memory of the store. Sizes are rounded so that values of about
//! the same length can follow each other.

use super::record::VALUE_BYTES_MAX;
use crate::limits::{POOL_BYTES_MAX, POOL_SHARE};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Memory comes in pages of this size.
const PAGE_BYTES: usize = 4096;

/// What is kept with each value: the allocator's head, and who counts its holders.
const BESIDE_BYTES: usize = 64;

/// What was not needed for so many seconds goes.
const IDLE_S: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Pool {
    free: Mutex<Free>,
    /// Bytes of what is free, and what it may be.
    bytes: AtomicUsize,
    bytes_max: AtomicUsize,
}

#[derive(Debug, Default)]
struct Free {
    /// The one that has waited longest first.
    blocks: VecDeque<Vec<u8>>,
    /// Blocks that nobody needed since the last look, and when that was.
    idle: usize,
    looked_s: u32,
}

impl Pool {
    /// Memory of just so many bytes, whatever is in them: those of an earlier value,
    /// perhaps. For what is no large value it comes from a heap, as all else.
    pub(super) fn take(&self, bytes: usize) -> Vec<u8> {
        let capacity = rounded(bytes);
        if bytes <= VALUE_BYTES_MAX {
            return vec![0; bytes];
        }
        let mut block = self.take_block(capacity).unwrap_or_else(|| vec![0; capacity]);
        block.resize(bytes, 0);
        block
    }

    fn take_block(&self, capacity: usize) -> Option<Vec<u8>> {
        let mut free = self.free();
        // What was used last may still be near the processor.
        let at = free.blocks.iter().rposition(|block| block.capacity() == capacity)?;
        let block = free.blocks.remove(at);
        free.idle = free.idle.min(free.blocks.len());
        self.bytes.fetch_sub(memory_of(capacity), Ordering::Relaxed);
        block
    }

    /// Takes memory back. What has waited longest goes where that is too much.
    pub(super) fn give(&self, block: Vec<u8>) {
        let capacity = block.capacity();
        if capacity <= VALUE_BYTES_MAX || rounded(capacity) != capacity {
            return;
        }
        let mut free = self.free();
        free.blocks.push_back(block);
        self.bytes.fetch_add(memory_of(capacity), Ordering::Relaxed);
        let goes = self.over(&mut free);
        drop(free);
        // Nobody is to wait while it is unmapped.
        drop(goes);
    }

    /// Changes the bytes of the store that it belongs to.
    pub(super) fn limit(&self, store_bytes: u64) {
        let most = POOL_BYTES_MAX.min(store_bytes / POOL_SHARE);
        self.bytes_max.store(most as usize, Ordering::Relaxed);
        let goes = self.over(&mut self.free());
        drop(goes);
    }

    /// Gives back what nobody needed for a while. Called now and then.
    pub(super) fn tidy(&self, now_s: u32) {
        let mut free = self.free();
        if now_s.saturating_sub(free.looked_s) < IDLE_S {
            return;
        }
        let idle = free.idle;
        let goes: Vec<_> = free.blocks.drain(..idle).collect();
        (free.idle, free.looked_s) = (free.blocks.len(), now_s);
        self.forget(&goes);
        drop(free);
        drop(goes);
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes out what is too much.
    fn over(&self, free: &mut Free) -> Vec<Vec<u8>> {
        let mut goes = Vec::new();
        let most = self.bytes_max.load(Ordering::Relaxed);
        let mut bytes = self.bytes();
        while bytes > most
            && let Some(block) = free.blocks.pop_front()
        {
            bytes -= memory_of(block.capacity());
            goes.push(block);
        }
        self.forget(&goes);
        free.idle = free.idle.min(free.blocks.len());
        goes
    }

    fn forget(&self, gone: &[Vec<u8>]) {
        let bytes = gone.iter().map(|block| memory_of(block.capacity())).sum();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of memory that a block of this capacity takes, in whole pages.
pub(super) fn memory_of(capacity: usize) -> usize {
    (capacity + BESIDE_BYTES).next_multiple_of(PAGE_BYTES)
}

/// The capacity that is taken for so many bytes: with what is beside it whole
/// pages, and a sixteenth more than was asked for at most.
fn rounded(bytes: usize) -> usize {
    let all = bytes + BESIDE_BYTES;
    let step = (all.next_power_of_two() / 32).max(PAGE_BYTES);
    all.next_multiple_of(step) - BESIDE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        let pool = Pool::default();
        pool.limit(POOL_SHARE << 20);
        pool
    }

    fn give_all(pool: &Pool, blocks: impl IntoIterator<Item = Vec<u8>>) {
        for block in blocks {
            pool.give(block);
        }
    }

    #[test]
    fn what_was_given_is_taken_again() {
        let pool = pool();
        let block = pool.take(100_000);
        let at = block.as_ptr();
        assert_eq!((block.len(), pool.bytes()), (100_000, 0));
        pool.give(block);
        assert_eq!(pool.bytes(), 102_400, "whole pages");
        let shorter = pool.take(99_000);
        assert_eq!((shorter.len(), shorter.as_ptr(), pool.bytes()), (99_000, at, 0));
        pool.give(shorter);
        let longer = pool.take(102_000);
        assert_eq!((longer.len(), longer.as_ptr()), (102_000, at));
        let other = pool.take(102_000);
        assert_ne!(other.as_ptr(), at, "it is in use");
    }

    #[test]
    fn little_is_wasted() {
        for bytes in (VALUE_BYTES_MAX + 1..2_000_000).step_by(999) {
            let capacity = pool().take(bytes).capacity();
            assert_eq!(capacity, rounded(capacity), "what was rounded stays so");
            assert!(capacity >= bytes && capacity <= bytes + bytes / 16 + PAGE_BYTES, "{bytes}");
        }
    }

    #[test]
    fn of_too_much_the_oldest_goes() {
        let pool = pool();
        let blocks: Vec<_> = (0..20).map(|_| pool.take(100_000)).collect();
        let at: Vec<_> = blocks.iter().map(Vec::as_ptr).collect();
        give_all(&pool, blocks);
        assert_eq!(pool.bytes(), 10 * 102_400, "a MiB at most");
        let kept: Vec<_> = pool.free().blocks.iter().map(Vec::as_ptr).collect();
        assert_eq!(kept, at[10..]);
        pool.limit(POOL_SHARE * 300_000);
        assert_eq!(pool.bytes(), 2 * 102_400);
    }

    #[test]
    fn what_is_idle_goes() {
        let pool = pool();
        let blocks: Vec<_> = (0..4).map(|_| pool.take(100_000)).collect();
        give_all(&pool, blocks);
        pool.tidy(100);
        for _ in 0..3 {
            let two = [pool.take(100_000), pool.take(100_000)];
            give_all(&pool, two);
        }
        pool.tidy(100 + IDLE_S - 1);
        assert_eq!(pool.bytes(), 4 * 102_400, "not yet");
        pool.tidy(100 + IDLE_S);
        assert_eq!(pool.bytes(), 2 * 102_400, "two were used");
        pool.tidy(100 + 2 * IDLE_S);
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn what_is_small_or_odd_is_left_to_the_allocator() {
        let pool = pool();
        pool.give(pool.take(1000));
        pool.give(vec![0; 100_000]);
        assert_eq!(pool.bytes(), 0);
    }
}
