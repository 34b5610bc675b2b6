//! Serving clients, over real sockets on ports that the system chooses.
//!
//! The protocol here is a small one of its own (`echo.rs`): what is tested is
//! how bytes are moved, not what they mean.

mod echo;
mod ends;
mod house;
mod limits;
mod streams;
mod tls;
mod turns;

use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::yield_now();
    }
}
