//! What the nodes of a cluster agree on, and the decisions that follow from it.
//!
//! Pure: nothing in here ever waits, asks the time or sends anything.

mod view;

pub use view::View;
