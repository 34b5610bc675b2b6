//! The processor time that this process took.

use std::fmt;
use std::fs;

/// Linux tells times in hundredths of a second, whatever its clock does.
const TICKS_PER_S: u64 = 100;

/// Processor time, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cpu {
    user: u64,
    system: u64,
}

/// A time as `getrusage` would tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(u64);

impl Cpu {
    /// Up to now; nothing where the system does not tell.
    pub(super) fn so_far() -> Self {
        fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|text| Self::parse(&text))
            .unwrap_or_default()
    }

    /// The 14th and 15th word. The second one is a name in brackets, and may
    /// have spaces and brackets in it.
    fn parse(text: &str) -> Option<Self> {
        let (_, words) = text.rsplit_once(')')?;
        let mut ticks = words.split_whitespace().skip(11).map(str::parse::<u64>);
        let mut next = || Some(ticks.next()?.ok()? * (1_000_000 / TICKS_PER_S));
        Some(Self { user: next()?, system: next()? })
    }

    pub(super) fn user(self) -> Seconds {
        Seconds(self.user)
    }

    pub(super) fn system(self) -> Seconds {
        Seconds(self.system)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_after_the_name() {
        let text = "810 (a ) b) S 1 810 810 0 -1 4194560 2 0 0 0 123 4567 0 0 20 0";
        let cpu = Cpu::parse(text).unwrap();
        assert_eq!(
            (cpu.user().to_string(), cpu.system().to_string()),
            ("1.230000".into(), "45.670000".into())
        );
        assert_eq!(Cpu::parse(""), None);
    }
}
