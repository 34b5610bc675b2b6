//! Connections of operators: so many, for so long, and one request each. That bounds what they
//! hold, whatever they send or leave unread.

use super::guard::Caller;
use super::places::{Asked, Places};
use super::{Debt, FAREWELL};
use crate::limits::{ACCEPT_REST_MS, ADMIN_HEAD_BYTES_MAX, ADMIN_REQUEST_MS};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

/// Answers all who come, until it is to stop.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    mut stop: watch::Receiver<bool>,
    mut debt: watch::Receiver<Debt>,
) {
    let mut places = Places::default();
    // Nobody is left who could say anything else where waiting fails.
    let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
    accept(&listener, &routes, &mut places, stopped).await;
    // Whoever asked the node to leave may just be about to ask what came of it.
    let paid = async { drop(debt.wait_for(|debt| *debt != Debt::Owed).await) };
    let paid = async { drop(timeout(FAREWELL, paid).await) };
    accept(&listener, &routes, &mut places, paid).await;
    drop(listener);
    // Who has not taken his answer by then goes without.
    let _ = timeout(FAREWELL, places.all_gone()).await;
}

async fn accept(
    listener: &TcpListener,
    routes: &Router,
    places: &mut Places,
    until: impl Future<Output = ()>,
) {
    let mut until = pin!(until);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut until => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let routes = routes.clone().layer(Extension(Caller(from.ip())));
                places.give(|asked| connection(stream, routes, asked));
                // Many may stand before the door: whoever was let in has asked, if he has said
                // all by now, before they come in.
                yield_now().await;
            }
            // Descriptors are short, or somebody went away at once.
            Err(_) => sleep(Duration::from_millis(*ACCEPT_REST_MS.start())).await,
        }
    }
}

async fn connection(stream: TcpStream, routes: Router, asked: Asked) {
    let answers = TowerToHyperService::new(routes);
    let answers = service_fn(move |request| {
        asked.set();
        answers.call(request)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(ADMIN_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answers);
    // What goes wrong is the matter of whoever asked: he is told, or has gone.
    let _ = timeout(Duration::from_millis(ADMIN_REQUEST_MS), connection).await;
}
