//! A node is asked to hand over all that it owns, and to stop then.

use super::{Debt, Desk, answer};
use crate::limits::ADMIN_WAIT_MS;
use crate::node::{Left, Moves};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
struct Told {
    node_id: String,
    state: &'static str,
    /// Of what it brings others now, by slots; none where it brings nothing now.
    share_done: Option<f64>,
}

pub(super) async fn begin(State(desk): State<Desk>) -> Response {
    match desk.panel.drain() {
        Ok(()) => {
            desk.debt.send_if_modified(|debt| {
                let is_new = *debt == Debt::Nothing;
                if is_new {
                    *debt = Debt::Owed;
                }
                is_new
            });
            told(StatusCode::ACCEPTED, &desk)
        }
        Err(why) => answer::refusal(StatusCode::CONFLICT, &why.to_string()),
    }
}

/// How far it has come. `?wait_ms=N` is answered when it has left, or after so long.
pub(super) async fn state(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let wait_ms = match query.as_deref().map(|query| query.strip_prefix("wait_ms=")) {
        None => Ok(0),
        Some(text) => text.unwrap_or_default().parse::<u64>(),
    };
    let Ok(wait_ms) = wait_ms else {
        return answer::refusal(StatusCode::BAD_REQUEST, "there is only ?wait_ms=MILLISECONDS");
    };
    // What came of it is told below.
    let _ = desk.panel.left_within(Duration::from_millis(wait_ms.min(ADMIN_WAIT_MS))).await;
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
    if desk.panel.left().is_some() {
        desk.debt.send_replace(Debt::Paid);
    }
    let moves = desk.panel.moves().map(Moves::progress).unwrap_or_default();
    let slots: f64 = moves.iter().map(|progress| f64::from(progress.slots)).sum();
    let done = moves.iter().map(|progress| f64::from(progress.slots) * progress.share_done);
    let share_done = (slots > 0.0).then(|| done.sum::<f64>() / slots);
    answer::json(status, &Told { node_id: desk.panel.id().to_string(), state, share_done })
}
