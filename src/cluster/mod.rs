//! What the nodes of a cluster agree on, and the decisions that follow from it.
//!
//! Pure: nothing in here ever waits, asks the time or sends anything.

mod agreed;
mod card;
mod checking;
mod event;
mod listed;
mod making;
mod members;
mod parting;
mod plan;
mod reading;
mod rings;
mod view;

pub use agreed::Agreed;
pub use card::{Card, Phase};
pub use checking::{Checked, Flaw};
pub use event::{Cause, Event, Notice};
pub use listed::Listed;
pub use making::{Made, Making};
pub use members::{Change, Member, Members, Standing, What};
pub use parting::Parting;
pub use plan::{Brings, Plan};
pub use reading::{Near, ReadFrom, majority, nearest};
pub use rings::{Acting, Founded, Known, Rings, Step, Told};
pub use view::{Able, After, View};
