//! How a node's workers are told to stop.

use std::time::Duration;
use tokio::sync::watch;

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Answer the requests that have arrived, as long as the grace lasts.
    Graceful,
    /// At once.
    Now,
}

/// A handle to stop a node with. Asking twice does no harm, and asking more
/// urgently is heard.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<Option<Stop>>);

impl Stopper {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Stops the node; returns at once.
    pub fn stop(&self, stop: Stop) {
        self.0.send_if_modified(|asked| {
            let is_more = Some(stop) > *asked;
            *asked = (*asked).max(Some(stop));
            is_more
        });
    }

    /// Whether somebody has stopped it.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked().is_some()
    }

    /// How it is to stop, if it is.
    #[must_use]
    pub fn asked(&self) -> Option<Stop> {
        *self.0.borrow()
    }

    pub(super) fn listener(&self) -> StopListener {
        StopListener(self.0.subscribe())
    }
}

/// Hears of a stop.
#[derive(Clone, Debug)]
pub(super) struct StopListener(watch::Receiver<Option<Stop>>);

impl StopListener {
    /// Waits until the node is to stop.
    pub(super) async fn stopped(&mut self) -> Stop {
        self.at_least(Stop::Graceful).await
    }

    /// Waits until the grace is over: it has lasted, or somebody is impatient.
    pub(super) async fn out_of_grace(&mut self, grace: Duration) {
        // Running out and being cut short end the same way.
        let _ = tokio::time::timeout(grace, self.at_least(Stop::Now)).await;
    }

    async fn at_least(&mut self, least: Stop) -> Stop {
        let heard = self.0.wait_for(|asked| *asked >= Some(least)).await;
        // Nobody is left to say anything else.
        heard.map_or(Stop::Now, |asked| asked.unwrap_or(Stop::Now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgency_only_rises() {
        let stopper = Stopper::new();
        assert_eq!(stopper.asked(), None);
        stopper.stop(Stop::Now);
        stopper.clone().stop(Stop::Graceful);
        assert_eq!(stopper.asked(), Some(Stop::Now));
    }
}
