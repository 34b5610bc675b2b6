//! Large values: each in memory of its own, shared with whoever sends it, so
//! that it is never copied on its way out.

use super::pool::{Pool, memory_of};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes of a large value, shared with whoever still sends it.
#[derive(Clone, Debug)]
pub struct SharedValue(Arc<Held>);

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    /// Where its memory goes.
    pool: Arc<Pool>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pool.give(mem::take(&mut self.bytes));
    }
}

impl AsRef<[u8]> for SharedValue {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl SharedValue {
    /// Takes bytes as they are, unless too much memory beside them was taken.
    pub(super) fn new(mut bytes: Vec<u8>, pool: &Arc<Pool>) -> Self {
        if bytes.capacity() - bytes.len() > bytes.len() / 8 {
            bytes.shrink_to_fit();
        }
        Self(Arc::new(Held { bytes, pool: Arc::clone(pool) }))
    }

    /// Another handle on it, if these bytes are its bytes; else on a copy of
    /// them.
    pub(super) fn of(bytes: &[u8], whole: Option<&Self>, pool: &Arc<Pool>) -> Self {
        match whole {
            Some(whole) if std::ptr::eq(whole.as_ref(), bytes) => whole.clone(),
            _ => {
                let mut copy = pool.take(bytes.len());
                copy.copy_from_slice(bytes);
                Self::new(copy, pool)
            }
        }
    }

    /// Bytes of memory that it takes, in whole pages.
    pub(super) fn memory(&self) -> usize {
        memory_of(self.0.bytes.capacity())
    }
}

/// Large values by number.
#[derive(Debug, Default)]
pub(super) struct Apart(Mutex<Numbered>);

#[derive(Debug, Default)]
struct Numbered {
    values: Vec<Option<SharedValue>>,
    free: Vec<u32>,
}

impl Apart {
    /// Keeps a value, and says under which number.
    pub(super) fn keep(&self, value: SharedValue) -> u32 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = all.free.pop() {
            all.values[number as usize] = Some(value);
            return number;
        }
        all.values.push(Some(value));
        (all.values.len() - 1) as u32
    }

    pub(super) fn value(&self, number: u32) -> Option<SharedValue> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values.get(number as usize)?.clone()
    }

    /// Lets a value go. Its memory goes with the last who sends it.
    pub(super) fn let_go(&self, number: u32) -> Option<SharedValue> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = all.values.get_mut(number as usize)?.take()?;
        all.free.push(number);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large(bytes: Vec<u8>) -> SharedValue {
        SharedValue::new(bytes, &Arc::default())
    }

    #[test]
    fn a_value_lives_until_let_go() {
        let apart = Apart::default();
        let number = apart.keep(large(vec![7; 100_000]));
        assert_eq!(apart.value(number).unwrap().as_ref(), vec![7; 100_000]);
        assert!(apart.let_go(number).is_some());
        assert!(apart.value(number).is_none() && apart.let_go(number).is_none());
        assert_eq!(apart.keep(large(vec![1])), number, "numbers are used again");
    }

    #[test]
    fn spare_memory_is_given_back() {
        let mut bytes = Vec::with_capacity(1 << 20);
        bytes.resize(100_000, 1);
        assert!(large(bytes).memory() < 120_000);
    }
}
