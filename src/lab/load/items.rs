//! Keys and values by number. Both are worked out from the number alone, so
//! that any connection, of any run, can tell a wrong answer.

use super::Data;
use crate::lab::random::Random;

/// The keys and values of a run.
#[derive(Debug)]
pub(super) struct Items {
    /// The key of number zero: the prefix and all digits.
    zero: Vec<u8>,
    prefix_bytes: usize,
    count: u64,
    value_bytes_min: usize,
    /// Lengths to choose from.
    lengths: u64,
    /// Values are slices of this.
    pool: Vec<u8>,
}

/// Places in the pool where a value may begin: two keys with values of equal
/// length have equal values once in so many.
const PLACES: usize = 1 << 16;

impl Items {
    pub(super) fn new(data: &Data) -> Self {
        let mut zero = data.prefix.as_bytes().to_vec();
        zero.resize(data.key_bytes, b'0');
        let (min, max) = (*data.value_bytes.start(), *data.value_bytes.end());
        // Not drawn from the run's seed: another run reads what this one wrote.
        let mut random = Random::new(0);
        let pool = (0..PLACES + max).map(|_| b'a' + random.below(26) as u8).collect();
        Self {
            zero,
            prefix_bytes: data.prefix.len(),
            count: data.keys,
            value_bytes_min: min,
            lengths: (max - min + 1) as u64,
            pool,
        }
    }

    /// How many there are, those that only a scan asks for not among them.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn key_bytes(&self) -> usize {
        self.zero.len()
    }

    /// Appends the key of this number. One with more digits than there is room
    /// for, as an endless scan has, begins again.
    pub(super) fn write_key(&self, number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.zero);
        let digits = &mut out[start + self.prefix_bytes..];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            if rest == 0 {
                break;
            }
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }

    /// The number of a key, if it is one of ours.
    pub(super) fn number(&self, key: &[u8]) -> Option<u64> {
        if key.len() != self.zero.len()
            || key[..self.prefix_bytes] != self.zero[..self.prefix_bytes]
        {
            return None;
        }
        let digits = &key[self.prefix_bytes..];
        digits.iter().try_fold(0_u64, |number, &byte| {
            let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
            number.checked_mul(10)?.checked_add(u64::from(digit))
        })
    }

    /// The value that belongs to the key of this number.
    pub(super) fn value(&self, number: u64) -> &[u8] {
        let mixed = Random::new(number).word();
        let length = self.value_bytes_min + (mixed % self.lengths) as usize;
        let place = (mixed >> 40) as usize % PLACES;
        &self.pool[place..place + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(value_bytes: std::ops::RangeInclusive<usize>) -> Items {
        let prefix = "key:".to_owned();
        Items::new(&Data { keys: 1000, prefix, key_bytes: 10, value_bytes, ttl_s: 0 })
    }

    #[test]
    fn keys_lead_back() {
        let items = items(1..=1);
        for number in [0, 1, 9, 10, 123_456, 999_999] {
            let mut key = Vec::new();
            items.write_key(number, &mut key);
            assert_eq!((key.len(), items.number(&key)), (10, Some(number)));
        }
        for foreign in ["", "key:00000", "kex:000000", "key:00000x", "key:0000001"] {
            assert_eq!(items.number(foreign.as_bytes()), None, "{foreign}");
        }
    }

    #[test]
    fn values_belong_to_keys() {
        let (ours, again) = (items(50..=150), items(50..=150));
        for number in 0..1000 {
            assert_eq!(ours.value(number), again.value(number));
        }
        let differ = (0..999).filter(|&number| ours.value(number) != ours.value(number + 1));
        assert_eq!(differ.count(), 999);
    }

    #[test]
    fn lengths_fill_their_range() {
        let items = items(50..=150);
        let lengths: Vec<usize> = (0..20_000).map(|number| items.value(number).len()).collect();
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&50), Some(&150)));
        let mean = lengths.iter().sum::<usize>() as f64 / 20_000.0;
        assert!((mean - 100.0).abs() < 1.0, "{mean}");
    }
}
