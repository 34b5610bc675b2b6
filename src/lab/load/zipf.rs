//! Ranks as Zipf's law has them, drawn exactly and without a table, so that
//! hundreds of millions of keys cost no memory and no cache misses.
//!
//! Rejection-inversion: W. Hörmann and G. Derflinger, "Rejection-inversion to
//! generate variates from monotone discrete distributions", 1996. The names
//! follow the paper: `h` is the density, `H` its integral.

use crate::lab::random::Random;

/// Ranks from 0 to n - 1, rank r in proportion to (r + 1) to the power of minus
/// the exponent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zipf {
    exponent: f64,
    count: f64,
    /// The integral at both ends: what a uniform draw is taken from.
    area_first: f64,
    area_last: f64,
    /// Closer than this below a rank, no draw is ever rejected.
    accepted: f64,
}

impl Zipf {
    pub(super) fn new(exponent: f64, count: u64) -> Self {
        let bare =
            Self { exponent, count: count as f64, area_first: 0.0, area_last: 0.0, accepted: 0.0 };
        Self {
            area_first: bare.integral(1.5) - 1.0,
            area_last: bare.integral(bare.count + 0.5),
            accepted: 2.0 - bare.inverse(bare.integral(2.5) - bare.density(2.0)),
            ..bare
        }
    }

    pub(super) fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.area_last + random.fraction() * (self.area_first - self.area_last);
            let place = self.inverse(area);
            let rank = (place + 0.5).floor().clamp(1.0, self.count);
            if rank - place <= self.accepted
                || area >= self.integral(rank + 0.5) - self.density(rank)
            {
                return rank as u64 - 1;
            }
        }
    }

    fn density(&self, place: f64) -> f64 {
        (-self.exponent * place.ln()).exp()
    }

    fn integral(&self, place: f64) -> f64 {
        let log = place.ln();
        expm1_over((1.0 - self.exponent) * log) * log
    }

    fn inverse(&self, area: f64) -> f64 {
        // Below -1 only by rounding.
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        (ln1p_over(scaled) * area).exp()
    }
}

/// Below this the quotients lose their digits, and their series are exact.
const TINY: f64 = 1e-8;

/// `ln(1 + x) / x`.
fn ln1p_over(x: f64) -> f64 {
    if x.abs() > TINY { x.ln_1p() / x } else { 1.0 - x * (0.5 - x * (1.0 / 3.0 - 0.25 * x)) }
}

/// `(e^x - 1) / x`.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > TINY { x.exp_m1() / x } else { 1.0 + x * 0.5 * (1.0 + x / 3.0 * (1.0 + 0.25 * x)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u64 = 400_000;

    /// Every rank's frequency within five standard deviations of its theory.
    fn follows_theory(exponent: f64, count: u64) {
        let (zipf, mut random) = (Zipf::new(exponent, count), Random::new(7));
        let mut seen = vec![0_u64; count as usize];
        (0..DRAWS).for_each(|_| seen[zipf.draw(&mut random) as usize] += 1);
        let weight = |rank: usize| ((rank + 1) as f64).powf(-exponent);
        let total: f64 = (0..seen.len()).map(weight).sum();
        for (rank, &seen) in seen.iter().enumerate() {
            let part = weight(rank) / total;
            let expected = part * DRAWS as f64;
            let deviation = (expected * (1.0 - part)).sqrt().max(1.0);
            let error = (seen as f64 - expected).abs();
            assert!(error <= 5.0 * deviation, "{exponent}, rank {rank}: {seen} for {expected}");
        }
    }

    #[test]
    fn frequencies_follow_theory() {
        for exponent in [0.0, 0.5, 0.99, 1.0, 1.01, 1.5, 3.0] {
            follows_theory(exponent, 1000);
        }
        follows_theory(0.99, 2);
    }

    #[test]
    fn one_key_is_always_drawn() {
        let (zipf, mut random) = (Zipf::new(1.0, 1), Random::new(0));
        assert!((0..1000).all(|_| zipf.draw(&mut random) == 0));
    }

    #[test]
    fn head_of_many_is_right() {
        // The part of the first rank of four million at exponent 1 is one over
        // the harmonic number, ln(n) + 0.5772.
        let (zipf, mut random) = (Zipf::new(1.0, 4_000_000), Random::new(3));
        let first = (0..DRAWS).filter(|_| zipf.draw(&mut random) == 0).count() as f64;
        let expected = DRAWS as f64 / (4e6_f64.ln() + 0.577_215_664_9);
        assert!((first / expected - 1.0).abs() < 0.03, "{first} for {expected}");
    }
}
