//! What the ring promises, held against drawn clusters and against fixed ones.

mod clusters;
mod errors;
mod golden;
mod hashing;
mod plans;
mod properties;
mod size;
