//! Keeps the web pages of strangers out: who may be named as `Host`, and who as `Origin`.
//!
//! rmcp has the same checks, but behind those of the key, and looks at the first header alone.

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

use super::options::{Allowed, read_origin};

/// Open to any `Host`: probes come by address, and nothing can be learnt or spent there.
pub(super) const HEALTH: &str = "/health";

/// Lets a request pass, or answers 403.
pub(super) async fn stop(
    State(allowed): State<Arc<Allowed>>,
    request: Request,
    next: Next,
) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let is_host = uri.path() == HEALTH || is_host_allowed(&allowed, uri, headers);
    if is_host && is_origin_allowed(&allowed, headers) {
        return next.run(request).await;
    }
    tracing::debug!(is_host, "a stranger was refused");
    let advice = match is_host {
        true => "This web page may not call the server; --allow-origin would let it.\n",
        false => "The server has another name; --allow-host would let it have this one, too.\n",
    };
    (StatusCode::FORBIDDEN, advice).into_response()
}

/// The one value of a header; an error where there are several, or none that is text.
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
                && known
                    .port_u16()
                    .is_none_or(|port| host.port_u16() == Some(port))
        })
    };
    // A request to a proxy names it once more.
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
