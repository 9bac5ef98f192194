//! Who may call over HTTP, and whose account pays.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

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

use luma_client::Luma;

/// The secret that an HTTP request must send as `Authorization: Bearer …`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Access {
    /// The access key of this server. All requests spend the account of the server.
    Key(SecretString),
    /// An API token of Ace Data Cloud. Each request spends the account of its own token, and the server
    /// has none.
    ///
    /// This is not the OAuth of MCP, because the server passes the token on to the vendor. Use it only
    /// over TLS.
    TokenFromRequest,
}

/// The shortest access key, in bytes. Shorter ones can be guessed.
const SHORTEST_KEY: usize = 16;

/// The error for an access key that is too weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an access key needs at least {SHORTEST_KEY} characters, without spaces or line breaks; \
     `openssl rand -hex 32` makes a good one"
)]
#[non_exhaustive]
pub struct WeakKey;

impl Access {
    pub(crate) fn check(&self) -> Result<(), WeakKey> {
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

    /// How to authenticate, in one sentence.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Key(_) => {
                "Send the access key of this server, which is not the API token, as `Authorization: \
                 Bearer KEY`.\n"
            }
            Self::TokenFromRequest => {
                "Send your API token of Ace Data Cloud as `Authorization: Bearer TOKEN`.\n"
            }
        }
    }
}

/// Whether a request of a connection has shown what it needs to call.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<AtomicBool>);

impl Shown {
    pub(crate) fn is_shown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The access check in front of the MCP endpoint.
#[derive(Clone)]
pub(crate) struct Gate {
    access: Arc<Access>,
    luma: Luma,
    clients: Arc<Mutex<Clients>>,
}

/// The clients of the tokens used last, the latest at the end. The requests of one token share its poller
/// and its limit of requests in flight.
#[derive(Default)]
struct Clients(Vec<(SecretString, Luma)>);

impl Clients {
    const MOST: usize = 256;

    fn get(&mut self, token: &str, luma: &Luma) -> Option<Luma> {
        let is_same = |(known, _): &(SecretString, Luma)| is_same(known, token);
        let client = match self.0.iter().position(is_same) {
            Some(index) => self.0.remove(index),
            None => (token.to_owned().into(), luma.with_token(token).ok()?),
        };
        let luma = client.1.clone();
        if self.0.len() == Self::MOST {
            self.0.remove(0);
        }
        self.0.push(client);
        Some(luma)
    }
}

/// Compares in constant time.
fn is_same(secret: &SecretString, text: &str) -> bool {
    secret.expose_secret().as_bytes().ct_eq(text.as_bytes()).into()
}

impl Gate {
    pub(crate) fn new(access: Access, luma: Luma) -> Self {
        Self { access: Arc::new(access), luma, clients: Arc::default() }
    }

    /// The client whose account this bearer may spend.
    fn admit(&self, bearer: &str) -> Option<Luma> {
        match &*self.access {
            Access::Key(key) => is_same(key, bearer).then(|| self.luma.clone()),
            Access::TokenFromRequest => {
                // Nothing that can panic runs under the lock.
                let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
                clients.get(bearer, &self.luma)
            }
        }
    }

    fn refuse(&self, challenge: &'static str) -> Response {
        let headers = [(WWW_AUTHENTICATE, challenge)];
        (StatusCode::UNAUTHORIZED, headers, self.access.advice()).into_response()
    }
}

/// Passes a request on with the client that it may use, or answers 401.
pub(crate) async fn check(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Some(bearer) = bearer(request.headers()) else {
        return gate.refuse("Bearer realm=\"luma\"");
    };
    let Some(luma) = gate.admit(&bearer) else {
        return gate.refuse("Bearer realm=\"luma\", error=\"invalid_token\"");
    };
    if let Some(Shown(shown)) = request.extensions().get() {
        shown.store(true, Ordering::Relaxed);
    }
    // Nothing after this line needs it, and it could end up in a log.
    request.headers_mut().remove(AUTHORIZATION);
    request.extensions_mut().insert(luma);
    next.run(request).await
}

/// The bearer in the `Authorization` header; none if there are two headers.
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
        values.iter().map(|value| (AUTHORIZATION, value.parse().expect("a header value"))).collect()
    }

    #[test]
    fn bearer_of_odd_headers_is_none() {
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
    fn check_of_a_weak_key_fails() {
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
    fn client_of_a_token_is_shared_until_others_replace_it() {
        let luma = Luma::builder().token("t").build().expect("a client");
        let mut clients = Clients::default();
        let tokens = |clients: &Clients| {
            let tokens = clients.0.iter().map(|(token, _)| token.expose_secret().to_owned());
            tokens.collect::<Vec<_>>()
        };
        for token in ["a", "b", "a", "c"] {
            assert!(clients.get(token, &luma).is_some());
        }
        assert_eq!(tokens(&clients), ["b", "a", "c"]);
        assert!(clients.get("not a token", &luma).is_none());
        for index in 0..Clients::MOST - 2 {
            clients.get("a", &luma);
            clients.get(&index.to_string(), &luma);
        }
        let kept = tokens(&clients);
        assert_eq!(kept.len(), Clients::MOST);
        assert!(kept.contains(&"a".to_owned()) && !kept.contains(&"b".to_owned()));
    }

    #[test]
    fn admit_with_a_wrong_key_gives_no_client() {
        let luma = Luma::builder().token("t").build().expect("a client");
        let gate = Gate::new(Access::Key("0123456789abcdef".to_owned().into()), luma);
        assert!(gate.admit("0123456789abcdef").is_some());
        for wrong in ["0123456789abcdeF", "0123456789abcde", "", "t"] {
            assert!(gate.admit(wrong).is_none(), "{wrong:?}");
        }
    }
}
