//! Who may call over HTTP, and with whose account.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::Luma;

/// What a request over HTTP must carry as `Authorization: Bearer …`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Access {
    /// This key of the server's own. All requests then spend the account of the server.
    Key(SecretString),
    /// An API token: each request spends the account of its own token, and the server has none.
    ///
    /// This is not the OAuth of MCP: the token is the vendor's API token, and is passed on to the
    /// vendor. Offer it over TLS only.
    TokenFromRequest,
}

/// The shortest access key, in bytes: shorter ones can be guessed.
const SHORTEST_KEY: usize = 16;

/// An access key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an access key needs at least {SHORTEST_KEY} characters, without spaces or line breaks; \
     `openssl rand -hex 32` makes a good one"
)]
#[non_exhaustive]
pub struct WeakKey;

impl Access {
    pub(super) fn check(&self) -> Result<(), WeakKey> {
        match self {
            Self::Key(key) => {
                let key = key.expose_secret();
                match key.len() >= SHORTEST_KEY && key.bytes().all(|byte| byte.is_ascii_graphic()) {
                    true => Ok(()),
                    false => Err(WeakKey),
                }
            }
            Self::TokenFromRequest => Ok(()),
        }
    }
}

/// The gate in front of the MCP endpoint.
#[derive(Clone)]
pub(super) struct Gate {
    access: Arc<Access>,
    luma: Luma,
}

impl Gate {
    pub(super) fn new(access: Access, luma: Luma) -> Self {
        Self {
            access: Arc::new(access),
            luma,
        }
    }

    /// The client whose account this bearer may spend.
    fn admit(&self, bearer: &str) -> Option<Luma> {
        match &*self.access {
            Access::Key(key) => {
                let same = key.expose_secret().as_bytes().ct_eq(bearer.as_bytes());
                bool::from(same).then(|| self.luma.clone())
            }
            Access::TokenFromRequest => self.luma.with_token(bearer.to_owned().into()).ok(),
        }
    }

    fn refuse(&self, challenge: &'static str) -> Response {
        let headers = [(WWW_AUTHENTICATE, challenge)];
        let advice = match &*self.access {
            Access::Key(_) => {
                "Send the access key of this server as `Authorization: Bearer KEY`. It is not the \
                 API token.\n"
            }
            Access::TokenFromRequest => {
                "Send your API token of Ace Data Cloud as `Authorization: Bearer TOKEN`.\n"
            }
        };
        (StatusCode::UNAUTHORIZED, headers, advice).into_response()
    }
}

/// Lets a request pass with the client that it may use, or answers 401.
pub(super) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Some(bearer) = bearer(request.headers()) else {
        return gate.refuse("Bearer realm=\"luma\"");
    };
    let Some(luma) = gate.admit(&bearer) else {
        return gate.refuse("Bearer realm=\"luma\", error=\"invalid_token\"");
    };
    // Nothing behind this line needs it, and it could end in a log there.
    request.headers_mut().remove(AUTHORIZATION);
    request.extensions_mut().insert(luma);
    next.run(request).await
}

/// The bearer of the one `Authorization` header; two of them are none.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, bearer) = value.split_once(' ')?;
    let bearer = bearer.trim();
    let good = scheme.eq_ignore_ascii_case("bearer") && !bearer.is_empty();
    (good && values.next().is_none()).then(|| bearer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (AUTHORIZATION, value.parse().expect("a header value")))
            .collect()
    }

    #[test]
    fn bearers() {
        for (values, expected) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bearer  abc "], Some("abc")),
            (&["Bearer "], None),
            (&["Bearer"], None),
            (&["Basic abc"], None),
            (&[], None),
            (&["Bearer abc", "Bearer abc"], None),
        ] {
            assert_eq!(bearer(&headers(values)).as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn keys() {
        for (key, good) in [
            ("0123456789abcdef", true),
            ("0123456789abcde", false),
            ("", false),
            ("0123456789 abcdef", false),
            ("0123456789abcdef\n", false),
        ] {
            let access = Access::Key(key.to_owned().into());
            assert_eq!(access.check().is_ok(), good, "{key:?}");
            assert!(!format!("{access:?}").contains("0123456789"));
        }
        assert!(Access::TokenFromRequest.check().is_ok());
    }

    #[test]
    fn a_key_opens_to_the_server_s_account_only_when_it_is_the_key() {
        let luma = Luma::builder().token("t").build().expect("a client");
        let gate = Gate::new(Access::Key("0123456789abcdef".to_owned().into()), luma);
        assert!(gate.admit("0123456789abcdef").is_some());
        for wrong in ["0123456789abcdeF", "0123456789abcde", "", "t"] {
            assert!(gate.admit(wrong).is_none(), "{wrong:?}");
        }
    }
}
