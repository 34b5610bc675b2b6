//! Joins the rooms below into a running node.

mod shared_view;

pub use shared_view::{SharedView, ViewReader};
