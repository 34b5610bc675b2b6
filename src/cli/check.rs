//! Conditions on figures, as `--check` takes them: `moved<=1.05x`. They turn a
//! plan or a measurement into an exit code.
//!
//! Which figures there are is the subcommand's business.

use super::units::{self, Suffix, UnitError};
use super::{Exit, output};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A figure's name, a comparison and a limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    name: String,
    comparison: Comparison,
    limit: f64,
    suffix: Suffix,
    /// As it was written.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtMost,
    AtLeast,
    Equal,
    Below,
    Above,
}

/// The signs, those of two characters first: `<` is the beginning of `<=`.
const SIGNS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

/// Why a condition cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckError {
    /// Not a name, a sign and a limit.
    Shape(String),
    /// A limit that is no number.
    Limit(String, UnitError),
    /// A name that no figure has, and those they have.
    Unknown { name: String, known: Vec<&'static str> },
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(text) => {
                write!(f, "`{text}` is not a check; write a name, one of <= < >= > == and a limit")
            }
            Self::Limit(text, error) => write!(f, "in the check `{text}`, {error}"),
            Self::Unknown { name, known } => {
                write!(f, "no figure `{name}` to check; there are: {}", known.join(", "))
            }
        }
    }
}

impl std::error::Error for CheckError {}

impl FromStr for Check {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<Self, CheckError> {
        let shape = || CheckError::Shape(text.to_owned());
        let split = |(sign, comparison)| Some((text.split_once(sign)?, comparison));
        let ((name, limit), comparison) = SIGNS.into_iter().find_map(split).ok_or_else(shape)?;
        let name = name.trim();
        if name.is_empty() || limit.trim().is_empty() {
            return Err(shape());
        }
        let (limit, suffix) =
            units::factor(limit).map_err(|error| CheckError::Limit(text.to_owned(), error))?;
        Ok(Self { name: name.to_owned(), comparison, limit, suffix, text: text.to_owned() })
    }
}

impl Check {
    /// The figure it is about.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong, if the figure does not meet it. A figure that is not a
    /// number meets nothing.
    pub(crate) fn fault(&self, figure: f64) -> Option<String> {
        let figure_text = match self.suffix {
            Suffix::None => format!("{figure}"),
            Suffix::Times => format!("{figure:.4}x"),
            Suffix::Percent => format!("{:.4}%", figure * 100.0),
        };
        let Self { name, text, .. } = self;
        (!self.is_met(figure)).then(|| format!("check {text} is not met: {name} is {figure_text}"))
    }

    fn is_met(&self, figure: f64) -> bool {
        let Some(order) = figure.partial_cmp(&self.limit) else { return false };
        match self.comparison {
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::AtLeast => order != Ordering::Less,
            Comparison::Equal => order == Ordering::Equal,
            Comparison::Below => order == Ordering::Less,
            Comparison::Above => order == Ordering::Greater,
        }
    }
}

/// Refuses checks of what will not be there, before anything is worked out.
pub(crate) fn refuse_unknown(checks: &[Check], known: &[&'static str]) -> Result<(), CheckError> {
    match checks.iter().find(|check| !known.contains(&check.name())) {
        Some(check) => Err(CheckError::Unknown { name: check.name.clone(), known: known.to_vec() }),
        None => Ok(()),
    }
}

/// Says on stderr which checks the figures do not meet.
pub(crate) fn judge(checks: &[Check], figures: &[(&str, f64)]) -> Exit {
    let faults = faults(checks, figures);
    faults.iter().for_each(output::note);
    if faults.is_empty() { Exit::Ok } else { Exit::Failed }
}

fn faults(checks: &[Check], figures: &[(&str, f64)]) -> Vec<String> {
    let figure = |check: &Check| {
        let found = figures.iter().find(|(name, _)| *name == check.name());
        found.map_or(f64::NAN, |(_, figure)| *figure)
    };
    checks.iter().filter_map(|check| check.fault(figure(check))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Check {
        text.parse().unwrap()
    }

    #[test]
    fn signs_compare_as_written() {
        let cases = [
            ("x<=2", [true, true, false]),
            ("x<2", [true, false, false]),
            ("x==2", [false, true, false]),
            ("x>=2", [false, true, true]),
            ("x>2", [false, false, true]),
        ];
        for (text, expected) in cases {
            assert_eq!(
                [1.0, 2.0, 3.0].map(|figure| check(text).is_met(figure)),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn suffixes_scale_the_limit() {
        assert!(check("moved<=1.05x").is_met(1.05));
        assert!(!check("moved<=1.05x").is_met(1.0501));
        assert!(check("misplaced<=0.2%").is_met(0.002));
        assert!(!check("misplaced<=0.2%").is_met(0.0021));
        assert!(check(" misplaced == 0 ").is_met(0.0));
    }

    #[test]
    fn no_number_meets_nothing() {
        for (sign, _) in SIGNS {
            assert!(!check(&format!("x{sign}1")).is_met(f64::NAN), "{sign}");
        }
        assert_eq!(faults(&[check("x<=1")], &[]), ["check x<=1 is not met: x is NaN"]);
    }

    #[test]
    fn faults_name_the_figure() {
        assert_eq!(check("moved<=1.05x").fault(1.0), None);
        assert_eq!(
            check("moved<=1.05x").fault(1.082).unwrap(),
            "check moved<=1.05x is not met: moved is 1.0820x"
        );
        assert_eq!(
            check("misplaced<0.2%").fault(0.01).unwrap(),
            "check misplaced<0.2% is not met: misplaced is 1.0000%"
        );
    }

    #[test]
    fn every_check_counts() {
        let checks = ["a<=1", "b<=1"].map(check);
        let unmet = |a, b| faults(&checks, &[("a", a), ("b", b)]).len();
        assert_eq!(
            [unmet(1.0, 1.0), unmet(1.0, 2.0), unmet(2.0, 1.0), unmet(2.0, 2.0)],
            [0, 1, 1, 2]
        );
    }

    #[test]
    fn bad_checks_are_explained() {
        let message = |text: &str| text.parse::<Check>().unwrap_err().to_string();
        for text in ["", "moved", "moved=1", "<=1", "moved<="] {
            assert!(message(text).contains("is not a check"), "{text}");
        }
        assert_eq!(
            message("moved<=fast"),
            "in the check `moved<=fast`, `fast` is not a unit here; write x or %, or none"
        );
    }

    #[test]
    fn unknown_names_list_known() {
        let error = refuse_unknown(&[check("a<1"), check("mooved<=1")], &["a", "moved"]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "no figure `mooved` to check; there are: a, moved"
        );
        assert_eq!(refuse_unknown(&[check("a<1")], &["a"]), Ok(()));
    }
}
