//! What this node brings others, and whether it is to go on with that.

use super::{Desk, answer};
use crate::node::{Moves, Panel, Progress};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

#[derive(Serialize)]
struct Told {
    node_id: String,
    paused: bool,
    moves: Vec<Move>,
}

#[derive(Serialize)]
struct Move {
    to: String,
    to_name: Option<Box<str>>,
    slots: u32,
    share_done: f64,
    items: u64,
    bytes: u64,
    bytes_per_s: u64,
    left_s: Option<f64>,
}

pub(super) async fn state(State(desk): State<Desk>) -> Response {
    told(&desk)
}

pub(super) async fn pause(State(desk): State<Desk>) -> Response {
    change(&desk, Panel::pause_moves)
}

pub(super) async fn resume(State(desk): State<Desk>) -> Response {
    change(&desk, Panel::resume_moves)
}

fn change(desk: &Desk, change: impl FnOnce(&Panel) -> Option<&Moves>) -> Response {
    match change(&desk.panel) {
        Some(_) => told(desk),
        None => answer::refusal(StatusCode::CONFLICT, "this node belongs to no cluster"),
    }
}

fn told(desk: &Desk) -> Response {
    let moves = desk.panel.moves();
    let under_way = moves.map(Moves::progress).unwrap_or_default();
    let told = Told {
        node_id: desk.panel.id().to_string(),
        paused: moves.is_some_and(Moves::is_paused),
        moves: under_way.into_iter().map(|progress| of(desk, progress)).collect(),
    };
    answer::json(StatusCode::OK, &told)
}

fn of(desk: &Desk, progress: Progress) -> Move {
    let Progress { to, slots, share_done, items, bytes, bytes_per_s, left_s } = progress;
    let to_name = desk.panel.name_of(to);
    Move { to: to.to_string(), to_name, slots, share_done, items, bytes, bytes_per_s, left_s }
}
