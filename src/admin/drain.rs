//! A node is asked to hand over all that it owns, and to stop then.

use super::{Desk, answer};
use crate::limits::ADMIN_WAIT_MS;
use crate::node::Left;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
struct Told {
    node_id: String,
    state: &'static str,
}

pub(super) async fn begin(State(desk): State<Desk>) -> Response {
    match desk.panel.drain() {
        Ok(()) => told(StatusCode::ACCEPTED, &desk),
        Err(why) => answer::refusal(StatusCode::CONFLICT, &why.to_string()),
    }
}

/// How far it has come. `?wait` is answered when it has left, or after a while.
pub(super) async fn state(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    if query.as_deref() == Some("wait") {
        // What came of it is told below.
        let _ = desk.panel.left_within(Duration::from_millis(ADMIN_WAIT_MS)).await;
    }
    told(StatusCode::OK, &desk)
}

fn told(status: StatusCode, desk: &Desk) -> Response {
    let state = match desk.panel.left() {
        Some(Left::HandedOver) => "handed_over",
        Some(Left::Alone) => "alone",
        Some(Left::NotAll) => "not_all",
        None if desk.panel.is_leaving() => "leaving",
        None => "stays",
    };
    answer::json(status, &Told { node_id: desk.panel.id().to_string(), state })
}
