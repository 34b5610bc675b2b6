//! The laboratory. Here is the ring's: the cluster's own ring beside the
//! algorithms that others use, on the same keys, in the same run. That of a
//! running server is in [`load`], and that of clusters too large to be started in [`scale`].
//!
//! ```text
//! Case (algorithm, nodes, layout) -> build -> figures -> Row
//! ```
//!
//! It measures and counts; it draws no table and no picture.

mod built;
mod case;
mod conditions;
mod figure;
mod keys;
pub mod load;
mod own;
mod placement;
mod random;
mod rivals;
pub mod scale;
mod scenario;
mod timing;

pub use built::Spread;
pub use case::{Case, Row};
pub use conditions::Conditions;
pub use figure::{Figure, Statistic, Summary, Unit};
pub use keys::{Distribution, Keys};
pub use placement::{Algorithm, Family, Placement, Setup};
pub use random::Random;
pub use scenario::Scenario;

/// Every algorithm that this build can compare, our own first.
pub fn algorithms() -> impl Iterator<Item = &'static Algorithm> {
    own::ALL.iter().chain(rivals::all())
}
