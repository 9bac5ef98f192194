//! Checks `Host` and `Origin`, so that web pages of others cannot call the server.
//!
//! rmcp has the same checks, but they run after the access key, cover only `/mcp`, and look only at the first of
//! several headers (test: `refusals`, the rows with two hosts or origins, without a key, and elsewhere).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode, Uri,
    header::{HOST, HeaderName, ORIGIN},
    uri::Authority,
};

use crate::{
    log,
    options::{Allowed, read_origin},
};

/// Open to any `Host`: health probes use the address, and the path reveals and spends nothing.
pub(crate) const HEALTH: &str = "/health";

/// Passes a request on, or answers 403.
pub(crate) async fn check(
    State(allowed): State<Arc<Allowed>>,
    request: Request,
    next: Next,
) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let is_host = uri.path() == HEALTH || is_host_allowed(&allowed, uri, headers);
    if is_host && is_origin_allowed(&allowed, headers) {
        return next.run(request).await;
    }
    if let Some(unwritten) = log::due("refused origin") {
        tracing::warn!(is_host, unwritten, "refused a request by its Host or Origin");
    }
    let advice = match is_host {
        true => "This web page may not call the server. Allow its origin with --allow-origin.\n",
        false => "The server does not serve this host name. Allow it with --allow-host.\n",
    };
    (StatusCode::FORBIDDEN, advice).into_response()
}

/// The only value of a header; an error if it has several, or one that is not text.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn is_host_allowed(allowed: &Allowed, uri: &Uri, headers: &HeaderMap) -> bool {
    let Ok(Some(host)) = one(headers, HOST) else {
        return false;
    };
    let Ok(host) = host.parse::<Authority>() else {
        return false;
    };
    let is_known = |host: &Authority| {
        allowed.hosts.iter().any(|known| {
            known.host().eq_ignore_ascii_case(host.host())
                && known.port_u16().is_none_or(|port| host.port_u16() == Some(port))
        })
    };
    // A request to a proxy has a second host.
    is_known(&host) && uri.authority().is_none_or(is_known)
}

fn is_origin_allowed(allowed: &Allowed, headers: &HeaderMap) -> bool {
    match one(headers, ORIGIN) {
        // Not from a web page.
        Ok(None) => true,
        Ok(Some(origin)) => read_origin(origin).is_some_and(|origin| allowed.admits(&origin)),
        Err(()) => false,
    }
}
