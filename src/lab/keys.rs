//! Keys to look up, held in one run of bytes so that reading the next one
//! costs the same for every algorithm.

use super::random::Random;

/// Which keys are asked for, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Sixteen random bytes each, no key twice.
    Uniform,
    /// `key:0`, `key:1` and so on.
    Sequential,
    /// As many requests as there are keys, the key of rank r asked for in
    /// proportion to r to the power of minus this.
    Zipf(f64),
}

/// A list of keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Keys {
    /// Draws `count` requests.
    #[must_use]
    pub fn draw(distribution: Distribution, count: usize, seed: u64) -> Self {
        let mut keys = Self::default();
        let mut random = Random::new(seed);
        match distribution {
            Distribution::Uniform => (0..count).for_each(|_| keys.push(&random_key(&mut random))),
            Distribution::Sequential => {
                (0..count).for_each(|n| keys.push(format!("key:{n}").as_bytes()));
            }
            Distribution::Zipf(exponent) => {
                for rank in zipf_ranks(exponent, count, &mut random) {
                    keys.push(format!("key:{rank}").as_bytes());
                }
            }
        }
        keys
    }

    /// Adds a key at the end.
    ///
    /// # Panics
    /// Beyond 4 GiB of keys.
    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(u32::try_from(self.bytes.len()).expect("less than 4 GiB of keys"));
    }

    /// All keys, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let key = &self.bytes[start..end as usize];
            start = end as usize;
            key
        })
    }

    /// The key at this place, if there are so many.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&[u8]> {
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start as usize..end as usize])
    }

    /// The first `count` keys, or all if there are fewer.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let ends = self.ends[..count.min(self.len())].to_vec();
        let bytes = self.bytes[..ends.last().map_or(0, |&end| end as usize)].to_vec();
        Self { bytes, ends }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

fn random_key(random: &mut Random) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&random.word().to_le_bytes());
    key[8..].copy_from_slice(&random.word().to_le_bytes());
    key
}

/// Draws ranks by searching the summed-up weights: exact, whatever the
/// exponent.
fn zipf_ranks(exponent: f64, count: usize, random: &mut Random) -> Vec<usize> {
    let mut total = 0.0;
    let sums: Vec<f64> = (1..=count)
        .map(|rank| {
            total += (rank as f64).powf(-exponent);
            total
        })
        .collect();
    let rank = |part: f64| sums.partition_point(|&sum| sum < part * total).min(count - 1);
    (0..count).map(|_| rank(random.fraction())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_with_the_seed() {
        for distribution in
            [Distribution::Uniform, Distribution::Sequential, Distribution::Zipf(0.99)]
        {
            let draw = |seed| Keys::draw(distribution, 500, seed);
            assert!(draw(1).iter().eq(draw(1).iter()));
            assert_eq!(draw(1).len(), 500);
        }
        let uniform = |seed| Keys::draw(Distribution::Uniform, 5, seed);
        assert!(uniform(1).iter().ne(uniform(2).iter()));
    }

    #[test]
    fn places_and_prefixes_agree() {
        let keys = Keys::draw(Distribution::Sequential, 20, 0);
        assert_eq!(keys.at(0), Some(b"key:0".as_slice()));
        assert_eq!(keys.at(11), Some(b"key:11".as_slice()));
        assert_eq!(keys.at(20), None);
        assert!(keys.first(7).iter().eq(keys.iter().take(7)));
        assert_eq!(keys.first(99).len(), 20);
        assert!(keys.first(0).is_empty());
    }

    #[test]
    fn zipf_prefers_low_ranks() {
        let keys = Keys::draw(Distribution::Zipf(1.0), 10_000, 3);
        let asked = |key: &[u8]| keys.iter().filter(|&asked| asked == key).count();
        // The sum of 1/r to 10,000 is 9.79: rank 0 takes a tenth of all.
        assert!((900..1150).contains(&asked(b"key:0")), "{}", asked(b"key:0"));
        assert!((420..620).contains(&asked(b"key:1")), "{}", asked(b"key:1"));
    }
}
