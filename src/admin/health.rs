//! Whether a node lives, may be sent clients, and may be stopped.

use super::{Desk, answer};
use crate::node::{AtStake, NotReady};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

#[derive(Serialize)]
struct Live {
    live: bool,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<Reason>,
}

#[derive(Serialize)]
struct Reason {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<Vec<Box<str>>>,
}

#[derive(Serialize)]
struct SafeToStop {
    safe: bool,
    reasons: Vec<&'static str>,
    items: u64,
    slots: u32,
    slots_without_another_owner: u32,
    slots_behind_elsewhere: u32,
}

/// Whoever answers lives.
pub(super) async fn live() -> Response {
    answer::json(StatusCode::OK, &Live { live: true })
}

pub(super) async fn ready(State(desk): State<Desk>) -> Response {
    let reasons: Vec<Reason> = desk.panel.not_ready().into_iter().map(reason).collect();
    let ready = reasons.is_empty();
    answer::json(status(ready), &Ready { ready, reasons })
}

fn reason(not_ready: NotReady) -> Reason {
    let (reason, waits_for) = match not_ready {
        NotReady::Joining(nodes) => ("joining", Some(nodes)),
        NotReady::Leaving => ("leaving", None),
        NotReady::SteppingBack => ("stepping_back", None),
        NotReady::Stopping => ("stopping", None),
    };
    Reason { reason, waits_for }
}

pub(super) async fn safe_to_stop(State(desk): State<Desk>) -> Response {
    let at_stake = desk.panel.at_stake();
    let AtStake { parting, items, owners_change } = at_stake;
    let safe = at_stake.is_nothing();
    let reasons = [
        (owners_change, "owners_change"),
        (parting.alone > 0, "no_other_owner"),
        (parting.behind > 0, "other_owners_behind"),
    ];
    let reasons = reasons.into_iter().filter(|&(is_one, _)| is_one && !safe);
    let told = SafeToStop {
        safe,
        reasons: reasons.map(|(_, reason)| reason).collect(),
        items,
        slots: parting.slots,
        slots_without_another_owner: parting.alone,
        slots_behind_elsewhere: parting.behind,
    };
    answer::json(status(safe), &told)
}

fn status(is_well: bool) -> StatusCode {
    if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
