//! What operators and their tools talk to: health, the cluster, and what can be asked of a
//! node, by HTTP. A thread of its own, so that no client of the cache ever waits for it.
//!
//! Decides nothing: what is told comes from the node's [`Panel`].

mod answer;
mod door;
mod drain;
mod guard;
mod health;
mod places;
mod rebalance;
mod seen;
mod serve;
mod token;

pub use door::{ADMIN_PORT, AdminAt, Door};
pub use token::Token;

use crate::limits::ADMIN_FAREWELL_MS;
use crate::node::Panel;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::watch;

/// What all requests share.
#[derive(Clone, Debug)]
struct Desk {
    panel: Arc<Panel>,
    token: Token,
    debt: watch::Sender<Debt>,
}

/// Whether somebody who asked the node to leave is still to be told what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Debt {
    #[default]
    Nothing,
    Owed,
    Paid,
}

/// The thread that answers operators; it ends when this is dropped.
#[derive(Debug)]
pub struct Admin {
    thread: Option<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    address: SocketAddr,
    moved_from: Option<u16>,
}

impl Admin {
    /// Answers whoever comes through this door, by what the panel says.
    ///
    /// # Errors
    /// Where the system gives no thread or no runtime.
    pub fn start(door: Door, panel: Panel, token: Token) -> io::Result<Self> {
        let Door { listener, address, moved_from } = door;
        let (stop, stopped) = watch::channel(false);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        drop(guard);
        let debt = watch::Sender::default();
        let owed = debt.subscribe();
        let routes = routes(Desk { panel: Arc::new(panel), token, debt });
        let run = move || runtime.block_on(serve::serve(listener, routes, stopped, owed));
        let thread = thread::Builder::new().name("admin".to_owned()).spawn(run)?;
        Ok(Self { thread: Some(thread), stop, address, moved_from })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port that was wanted, if that was taken.
    #[must_use]
    pub fn moved_from(&self) -> Option<u16> {
        self.moved_from
    }
}

impl Drop for Admin {
    /// Lets those who have asked take their answers, for a moment.
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there was told by whoever panicked.
            let _ = thread.join();
        }
    }
}

const FAREWELL: Duration = Duration::from_millis(ADMIN_FAREWELL_MS);

fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/safe-to-stop", get(health::safe_to_stop))
        .route("/v1/cluster", get(seen::cluster))
        .route("/v1/rebalance", get(rebalance::state))
        .route("/v1/rebalance/pause", post(rebalance::pause))
        .route("/v1/rebalance/resume", post(rebalance::resume))
        .route("/v1/drain", post(drain::begin).get(drain::state))
        .fallback(answer::nothing_there)
        .method_not_allowed_fallback(answer::not_so)
        .layer(from_fn_with_state(desk.clone(), guard::guard))
        .with_state(desk)
}
