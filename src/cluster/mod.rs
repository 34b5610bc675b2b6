//! What the nodes of a cluster agree on, and the decisions that follow from it.
//!
//! Pure: nothing in here ever waits, asks the time or sends anything.

mod card;
mod event;
mod members;
mod reading;
mod view;

pub use card::{Card, Phase};
pub use event::{Cause, Event, Notice};
pub use members::{Change, Member, Members, Standing, What};
pub use reading::{Near, ReadFrom, majority, nearest};
pub use view::{Able, View};
