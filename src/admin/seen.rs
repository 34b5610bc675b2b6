//! The cluster, as this node knows it.

use super::{Desk, answer};
use crate::cluster::{Card, Standing};
use crate::node::{SeenCluster, SeenNode};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use std::net::SocketAddr;

#[derive(Serialize)]
struct Told {
    /// Whom this is from.
    node_id: String,
    /// None where the node belongs to none.
    cluster: Option<String>,
    members: Vec<Member>,
    /// None before the node knows of owners.
    ring: Option<Step>,
}

#[derive(Serialize)]
struct Step {
    step: String,
    number: u64,
}

/// What has not been heard yet is null.
#[derive(Serialize)]
struct Member {
    node_id: String,
    standing: &'static str,
    generation: u64,
    #[serde(flatten)]
    said: Said,
}

#[derive(Default, Serialize)]
struct Said {
    name: Option<String>,
    phase: Option<String>,
    zone: Option<String>,
    weight: Option<u32>,
    client: Option<String>,
    peer: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    build: Option<String>,
}

pub(super) async fn cluster(State(desk): State<Desk>) -> Response {
    let node_id = desk.panel.id().to_string();
    let told = match desk.panel.cluster() {
        None => Told { node_id, cluster: None, members: Vec::new(), ring: None },
        Some(SeenCluster { name, nodes, step, number }) => {
            let step = step.zip(number);
            let ring = step.map(|(step, number)| Step { step: step.to_string(), number });
            let members = nodes.into_iter().map(member).collect();
            Told { node_id, cluster: Some(name), members, ring }
        }
    };
    answer::json(StatusCode::OK, &told)
}

fn member(seen: SeenNode) -> Member {
    let standing = match seen.standing {
        Standing::Alive => "alive",
        Standing::Suspect => "suspect",
        Standing::Down { .. } => "down",
    };
    let said = seen.card.map(said).unwrap_or_default();
    Member { node_id: seen.node.to_string(), standing, generation: seen.generation, said }
}

fn said(card: Card) -> Said {
    Said {
        name: Some(card.name.into()),
        phase: Some(card.phase.to_string()),
        zone: Some(card.zone.into()),
        weight: Some(card.weight),
        client: Some(card.client.into()),
        peer: Some(card.peer),
        admin: card.admin,
        build: Some(card.build.into()),
    }
}
