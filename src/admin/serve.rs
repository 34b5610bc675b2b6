//! Connections of operators: so many, for so long, and one request each. That bounds what they
//! hold, whatever they send or leave unread.

use super::answer::SCHEMA_VERSION;
use super::guard::Caller;
use super::{Debt, FAREWELL};
use crate::limits::{
    ACCEPT_REST_MS, ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX, ADMIN_REQUEST_MS,
};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::io::Write;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What whoever is one too many is told, before he has asked.
fn too_many() -> String {
    let error = format!("there are {ADMIN_CONNECTIONS_MAX} connections already: try again");
    let body = format!("{{\"schema_version\":{SCHEMA_VERSION},\"error\":\"{error}\"}}\n");
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Answers all who come, until it is to stop.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    mut stop: watch::Receiver<bool>,
    mut debt: watch::Receiver<Debt>,
) {
    let mut connections = JoinSet::new();
    // Nobody is left who could say anything else where waiting fails.
    let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
    accept(&listener, &routes, &mut connections, stopped).await;
    // Whoever asked the node to leave may just be about to ask what came of it.
    let paid = async { drop(debt.wait_for(|debt| *debt != Debt::Owed).await) };
    let paid = async { drop(timeout(FAREWELL, paid).await) };
    accept(&listener, &routes, &mut connections, paid).await;
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Who has not taken his answer by then goes without.
    let _ = timeout(FAREWELL, all).await;
}

async fn accept(
    listener: &TcpListener,
    routes: &Router,
    connections: &mut JoinSet<()>,
    until: impl Future<Output = ()>,
) {
    let mut until = pin!(until);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut until => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if connections.len() >= ADMIN_CONNECTIONS_MAX => turn_away(stream),
            Ok((stream, from)) => {
                let routes = routes.clone().layer(Extension(Caller(from.ip())));
                connections.spawn(connection(stream, routes));
            }
            // Descriptors are short, or somebody went away at once.
            Err(_) => sleep(Duration::from_millis(*ACCEPT_REST_MS.start())).await,
        }
    }
}

async fn connection(stream: TcpStream, routes: Router) {
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(ADMIN_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // What goes wrong is the matter of whoever asked: he is told, or has gone.
    let _ = timeout(Duration::from_millis(ADMIN_REQUEST_MS), connection).await;
}

fn turn_away(stream: TcpStream) {
    // It would only be a courtesy: nobody waits for it to be taken.
    let _ = stream.into_std().and_then(|mut stream| stream.write(too_many().as_bytes()));
}
