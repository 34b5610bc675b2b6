//! Connections of operators: so many, for so long, and one request each. That bounds what they
//! hold, whatever they send or leave unread.

use super::FAREWELL;
use super::guard::Caller;
use crate::limits::{
    ACCEPT_REST_MS, ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_BYTES_MAX, ADMIN_REQUEST_MS,
};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::io::Write;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// What whoever is one too many is told.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Answers all who come, until it is to stop.
pub(super) async fn serve(listener: TcpListener, routes: Router, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            // Nobody else can say it where whoever could is gone.
            _ = stop.wait_for(|stop| *stop) => break,
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
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Who has not taken his answer by then goes without.
    let _ = timeout(FAREWELL, all).await;
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
    let _ = stream.into_std().and_then(|mut stream| stream.write(TOO_MANY));
}
