//! What signals tell a node: to stop, and to read its certificates and users again.

use super::secrets::Secrets;
use crate::cli::output;
use crate::net::{Stop, Stopper};
use crate::node::{Draining, Left, Log};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

const LEAVING: &str = "leaving: hands over what it owns, and answers until then; once more to stop \
                       without";

const LEFT: &str = "left: others own what it did";

const ALONE: &str = "there is nobody else who could have what it owns";

const NOT_LEFT: &str = "WARNING: not all is handed over within --drain-timeout: others make the \
                        missing copies anew";

/// Waits until a node that leaves has left, or has no more time for it; for ever if none does.
async fn has_left(leaving: Option<&(Draining, Instant)>) -> Option<Left> {
    match leaving {
        Some((draining, until)) => {
            draining.left_within(until.saturating_duration_since(Instant::now())).await
        }
        None => std::future::pending().await,
    }
}

/// Waits until somebody else asks it to leave; for ever if it cannot be asked.
async fn is_asked(draining: Option<&(Draining, Duration)>) {
    match draining {
        Some((draining, _)) => draining.asked().await,
        None => std::future::pending().await,
    }
}

/// Heard from the moment it is made; kept until somebody acts on it.
#[derive(Debug)]
pub(super) struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
    user: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn hear() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        // memcached's signal for a graceful stop.
        let user = signal(SignalKind::user_defined1())?;
        let hangup = signal(SignalKind::hangup())?;
        drop(guard);
        Ok(Self { runtime, interrupt, terminate, user, hangup })
    }

    /// Acts on them from now on, until the process ends; whether anybody reads what
    /// is said of it or not.
    ///
    /// A node of a cluster that is told to terminate, or by its admin port to leave, hands over
    /// all that it owns first.
    pub(super) fn obey(
        self,
        stopper: Stopper,
        draining: Option<(Draining, Duration)>,
        secrets: Secrets,
        log: Arc<Log>,
    ) -> io::Result<()> {
        let Self { runtime, mut interrupt, mut terminate, mut user, mut hangup } = self;
        let act = async move {
            let (mut stop, mut draining, mut leaving) = (Stop::Graceful, draining, None);
            loop {
                let leaves = tokio::select! {
                    _ = interrupt.recv() => None,
                    _ = terminate.recv() => draining.take(),
                    () = is_asked(draining.as_ref()) => draining.take(),
                    left = has_left(leaving.as_ref()) => {
                        let said = match left {
                            Some(Left::HandedOver) => LEFT,
                            Some(Left::Alone) => ALONE,
                            Some(Left::NotAll) | None => NOT_LEFT,
                        };
                        log.say(said.to_owned());
                        None
                    }
                    _ = user.recv() => None,
                    _ = hangup.recv() => {
                        for text in secrets.reload() {
                            log.say(output::readable(&format!("SIGHUP: {text}")));
                        }
                        continue;
                    }
                };
                if let Some((it, patience)) = leaves {
                    it.begin();
                    log.say(LEAVING.to_owned());
                    leaving = Some((it, Instant::now() + patience));
                    continue;
                }
                // Whoever is told to stop at once does not leave any more.
                draining = None;
                if let Some((it, _)) = leaving.take() {
                    it.give_up();
                }
                stopper.stop(stop);
                log.say(match stop {
                    Stop::Graceful => {
                        "stopping: answers what has arrived; once more to stop at once".to_owned()
                    }
                    Stop::Now => "stopping at once".to_owned(),
                });
                stop = Stop::Now;
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(act))?;
        Ok(())
    }
}
