//! Joins the rooms below into a running node.

mod bind;
mod bulk;
mod connections;
mod counters;
mod crawler;
mod draining;
mod hub;
mod inbox;
mod lane;
mod log;
mod log_times;
mod maker;
mod others;
mod panel;
mod peers;
mod prefixes;
mod rates;
mod recall;
mod refusals;
mod seeking;
mod server;
mod session;
mod sessions;
mod settings;
mod shared;
mod shared_view;
#[cfg(test)]
mod standing;
mod statistics;
mod telling;
mod users;
mod warm;
mod watch;

pub use connections::{ConnectionCount, ConnectionLine, Connections, NoConnections};
pub use counters::{Counter, Counters, Sums};
pub use draining::{Draining, Left};
pub use hub::{Effect, Hub, HubConfig, StepWait};
pub use log::Log;
pub use others::ClusterConfig;
pub use panel::{AtStake, NoDrain, NotReady, Panel, SeenCluster, SeenNode};
pub use peers::{MoveLimit, Moves, Progress, WriteAck};
pub use prefixes::{Counts, Prefixes};
pub use server::{
    GRACE, ListenAt, Running, ServerConfig, Serving, Speech, StartError, TakenPort, random_id,
};
pub use session::Session;
pub use settings::{Binding, Settings, VERSION};
pub use shared::{Elapsed, Ending, RefreshCertificates, Shared, Ticks};
pub use shared_view::{SharedView, ViewReader};
pub use users::{Users, UsersError};
pub use warm::WarmFile;
pub use watch::{Topic, Topics, Watch, WatchCount, Watcher};
