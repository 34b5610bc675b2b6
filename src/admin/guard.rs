//! Who may ask what. Nothing but a probe of one's own machine is answered without a token, and
//! no web page is, whatever its name resolves to.

use super::Desk;
use super::answer;
use axum::Extension;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(pub(super) IpAddr);

impl Caller {
    fn is_local(self) -> bool {
        self.0.to_canonical().is_loopback()
    }
}

const NOT_LOCAL: &str = "the Host header names neither an address nor localhost: a web page may \
                         have been given this machine's address for a name";

const NO_TOKEN: &str = "reading from another machine, and changing from anywhere, needs the header \
                        `Authorization: Bearer TOKEN`, with the token that the cluster's secret \
                        makes: `ringcached admin-token` prints it";

const NO_BODY: &str = "no request here has a body";

/// Lets in whoever may ask.
pub(super) async fn guard(
    State(desk): State<Desk>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    // From elsewhere all needs a token, which such a page has not.
    if caller.is_local() && !is_for_this_machine(request.headers()) {
        return answer::refusal(StatusCode::FORBIDDEN, NOT_LOCAL);
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if (changes || !caller.is_local()) && !has_token(&desk, request.headers()) {
        return answer::unknown(NO_TOKEN);
    }
    if !request.body().is_end_stream() {
        return answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, NO_BODY);
    }
    next.run(request).await
}

fn has_token(desk: &Desk, headers: &HeaderMap) -> bool {
    let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.and_then(|value| value.split_at_checked(b"bearer ".len()));
    shown.is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case(b"bearer ") && desk.token.is(token)
    })
}

/// Whether a browser that sent this was told an address, or the name that always means this
/// machine: any other name may have been made to lead here by whoever owns it. Who names none is
/// no browser, as checks of load balancers by HTTP/1.0: those always say whom they mean.
fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => true,
        (Some(host), None) => host.to_str().is_ok_and(is_local_name),
        (Some(_), Some(_)) => false,
    }
}

fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost") || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_this_machine() {
        for host in
            ["localhost", "LocalHost:12211", "127.0.0.1", "127.0.0.1:80", "[::1]:1", "[::1]"]
        {
            assert!(is_local_name(host), "{host}");
        }
        for host in [
            "",
            ":12211",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:12211",
            "localhost:x",
            "[::1",
            "[]",
        ] {
            assert!(!is_local_name(host), "{host}");
        }
    }

    #[test]
    fn mapped_addresses_are_local_too() {
        for (from, is_local) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:10.0.0.1", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(Caller(from.parse().unwrap()).is_local(), is_local, "{from}");
        }
    }
}
