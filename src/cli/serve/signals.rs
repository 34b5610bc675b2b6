//! What signals tell a node: to stop, and to read its certificates and users again.

use super::secrets::Secrets;
use crate::cli::output;
use crate::net::{Stop, Stopper};
use crate::node::Log;
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    pub(super) fn obey(self, stopper: Stopper, secrets: Secrets, log: Arc<Log>) -> io::Result<()> {
        let Self { runtime, mut interrupt, mut terminate, mut user, mut hangup } = self;
        let act = async move {
            let mut stop = Stop::Graceful;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = user.recv() => {}
                    _ = hangup.recv() => {
                        for text in secrets.reload() {
                            log.say(output::readable(&format!("SIGHUP: {text}")));
                        }
                        continue;
                    }
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
