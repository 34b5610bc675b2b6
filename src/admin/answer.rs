//! How answers look: JSON, with a version of what is in it.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Raised when a field is taken away or changes its meaning.
pub(super) const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a str,
}

/// What is true now and may not be in a moment; and no browser is to take it for something
/// else than it is.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(&Versioned { schema_version: SCHEMA_VERSION, body });
    match text {
        Ok(mut text) => {
            text.push(b'\n');
            (status, HEADERS, text).into_response()
        }
        // No map here has keys that are no text.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) fn refusal(status: StatusCode, error: &str) -> Response {
    json(status, &Refusal { error })
}

/// To whoever did not say who he is.
pub(super) fn unknown(error: &str) -> Response {
    let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
    (challenge, refusal(StatusCode::UNAUTHORIZED, error)).into_response()
}

pub(super) async fn not_so() -> Response {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "GET reads; POST is for /v1/drain, /v1/rebalance/pause and /v1/rebalance/resume",
    )
}

pub(super) async fn nothing_there() -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        "there are /livez, /readyz, /safe-to-stop, /v1/cluster, /v1/drain and /v1/rebalance",
    )
}
