//! MCP over streamable HTTP: stateless, one JSON answer a request, and closed to strangers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, Method, StatusCode, Uri, header, uri::Authority};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, CorsLayer};

use super::{
    GRACE, MAX_MESSAGE, ServeError, Server, WeakKey,
    access::{self, Access, Gate},
    finish,
    handler::Handler,
};

/// For the headers of a request to arrive.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// For its body to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);
/// At most so many connections at a time; more wait in line.
const MAX_CONNECTIONS: usize = 256;

/// Where and for whom a server listens.
///
/// ```
/// use luma_client::mcp::server::{Access, HttpOptions};
///
/// let key = "0123456789abcdef0123456789abcdef".to_owned();
/// let options = HttpOptions::new("127.0.0.1:8000".parse()?, Access::Key(key.into()))
///     .allow_host("mcp.example.com") // behind a proxy of that name
///     .allow_origin("https://app.example.com"); // a browser app that may call
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing by themselves"]
pub struct HttpOptions {
    address: SocketAddr,
    access: Access,
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Options that would be unsafe, or that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOptions {
    /// Other machines could reach the server, but no host name is allowed.
    #[error(
        "{0} can be reached from other machines: say by which host name, such as mcp.example.com"
    )]
    NoHost(SocketAddr),
    /// It is no host name, with or without a port.
    #[error("{0:?} is no host name such as mcp.example.com or mcp.example.com:8443")]
    Host(String),
    /// It is no origin.
    #[error("{0:?} is no origin such as https://app.example.com")]
    Origin(String),
    /// The access key is too weak.
    #[error(transparent)]
    Key(#[from] WeakKey),
}

impl HttpOptions {
    /// Listens on this address, for who has this access. Port 0 is any free port.
    pub fn new(address: SocketAddr, access: Access) -> Self {
        Self {
            address,
            access,
            hosts: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Allows requests for this host (the `Host` header), with or without a port. Those for
    /// loopback are allowed when the address is one; any other address needs at least one host.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Allows requests of web pages of this origin, such as `https://app.example.com`. No web page
    /// may call by default.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    fn check(&self) -> Result<Allowed, InvalidOptions> {
        self.access.check()?;
        Ok(Allowed {
            hosts: hosts(self.address, &self.hosts)?,
            loopback_origins: match self.address.ip().is_loopback() {
                true => &LOOPBACK_ORIGINS,
                false => &[],
            },
            origins: self
                .origins
                .iter()
                .map(|origin| {
                    read_origin(origin).ok_or_else(|| InvalidOptions::Origin(origin.clone()))
                })
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Debug, PartialEq)]
struct Allowed {
    hosts: Vec<String>,
    /// For these, browsers are told that they may.
    origins: Vec<Origin>,
    /// These are not turned away, as the protocol has it for a server on loopback. A browser still
    /// lets no page of theirs call: it asks first, and is told nothing.
    loopback_origins: &'static [&'static str],
}

const LOOPBACK_ORIGINS: [&str; 3] = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];

/// An origin as a browser spells it, and with its port always there, as rmcp wants it.
#[derive(Debug, PartialEq)]
struct Origin {
    spelled: String,
    with_port: String,
}

fn hosts(address: SocketAddr, given: &[String]) -> Result<Vec<String>, InvalidOptions> {
    let is_loopback = address.ip().is_loopback();
    if given.is_empty() && !is_loopback {
        return Err(InvalidOptions::NoHost(address));
    }
    let mut hosts = Vec::new();
    if is_loopback {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    for host in given {
        let good = host.parse::<Authority>().is_ok_and(|authority| {
            let name = authority.host();
            let bytes = name.trim_start_matches('[').trim_end_matches(']').bytes();
            !name.is_empty()
                && !authority.as_str().contains('@')
                && bytes
                    .clone()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte))
        });
        match good {
            true => hosts.push(host.clone()),
            false => return Err(InvalidOptions::Host(host.clone())),
        }
    }
    Ok(hosts)
}

fn read_origin(text: &str) -> Option<Origin> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = uri.authority()?;
    let plain = matches!(
        uri.path_and_query().map(|rest| rest.as_str()),
        None | Some("/")
    );
    let host = authority.host().to_ascii_lowercase();
    if !plain || host.is_empty() || host.contains('*') || authority.as_str().contains('@') {
        return None;
    }
    let port = authority.port_u16().unwrap_or(default_port);
    Some(Origin {
        spelled: match port == default_port {
            true => format!("{scheme}://{host}"),
            false => format!("{scheme}://{host}:{port}"),
        },
        with_port: format!("{scheme}://{host}:{port}"),
    })
}

/// A server that listens.
#[must_use = "nothing is answered before it runs"]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    handler: Handler,
    router: Router,
    /// Cuts the answers that are still being sent.
    kill: CancellationToken,
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl HttpServer {
    pub(super) async fn bind(server: Server, options: HttpOptions) -> Result<Self, ServeError> {
        let allowed = options.check()?;
        let listen_error = |source| ServeError::Listen {
            address: options.address,
            source,
        };
        let listener = TcpListener::bind(options.address)
            .await
            .map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let mut handler = server.handler(CancellationToken::new());
        // Every request brings its own.
        handler.has_token |= matches!(options.access, Access::TokenFromRequest);
        let kill = CancellationToken::new();
        let gate = Gate::new(options.access, server.luma);
        Ok(Self {
            listener,
            address,
            router: router(handler.clone(), gate, &allowed, kill.clone()),
            handler,
            kill,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the MCP endpoint, by the address.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Answers requests until `stop` is cancelled. Then no new ones are taken, held calls are
    /// answered at once, and those under way have 40 seconds to end.
    pub async fn run(self, stop: CancellationToken) {
        let connections = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let (stream, place) = select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = stop.cancelled() => break,
            };
            // Small answers would wait for an acknowledgement without it.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(self.router.clone());
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME)
                .serve_connection(TokioIo::new(stream), service);
            let connection = connections.watch(connection);
            tokio::spawn(async move {
                // It may well end in an error: a client that goes away is one.
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection broke");
                }
                drop(place);
            });
        }
        drop(self.listener);
        self.handler.stop.cancel();
        let all = async {
            connections.shutdown().await;
            finish(self.handler.running.clone(), GRACE).await;
        };
        if timeout(GRACE, all).await.is_err() {
            tracing::warn!("connections were still open when the server stopped");
        }
        self.kill.cancel();
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // It is never closed, so that there always is a place in the end.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            // Out of file descriptors, most likely: some may be free in a moment.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn router(handler: Handler, gate: Gate, allowed: &Allowed, kill: CancellationToken) -> Router {
    let origins = allowed.origins.iter().map(|origin| &*origin.with_port);
    let origins = origins.chain(allowed.loopback_origins.iter().copied());
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts(allowed.hosts.clone())
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        .with_max_request_body_bytes(MAX_MESSAGE)
        .with_cancellation_token(kill);
    let mcp = StreamableHttpService::new(
        move || Ok(handler.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let router = Router::new()
        .route_service("/mcp", mcp)
        .route_layer(from_fn(read_body))
        .route_layer(from_fn_with_state(gate, access::pass))
        .route("/health", get(health));
    match allowed.origins.is_empty() {
        true => router,
        false => router.layer(cors(&allowed.origins)),
    }
}

async fn health() -> impl IntoResponse {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, r#"{"status":"ok"}"#)
}

/// Lets a browser read the answers, for the pages that may call at all.
fn cors(origins: &[Origin]) -> CorsLayer {
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(&origin.spelled).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::WWW_AUTHENTICATE])
}

/// Reads the body before anything looks at it: within its time and its size.
async fn read_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let declared = parts.headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > MAX_MESSAGE as u64) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    match timeout(BODY_TIME, to_bytes(body, MAX_MESSAGE)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(parts, Body::from(body))).await,
        // Or the client is gone, and reads no answer.
        Ok(Err(_)) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn allowed_hosts() {
        for (listens, given, expected) in [
            ("127.0.0.1:0", &[][..], Some(3)),
            ("[::1]:80", &[], Some(3)),
            ("127.0.0.1:0", &["mcp.example.com"], Some(4)),
            ("0.0.0.0:80", &["mcp.example.com", "10.0.0.1:80"], Some(2)),
            ("0.0.0.0:80", &["[2001:db8::1]:80"], Some(1)),
            ("0.0.0.0:80", &[], None),
            ("[::]:80", &[], None),
            ("10.0.0.1:80", &[], None),
            ("127.0.0.1:0", &[""], None),
            ("127.0.0.1:0", &["*"], None),
            ("127.0.0.1:0", &["*.example.com"], None),
            ("127.0.0.1:0", &["https://mcp.example.com"], None),
            ("127.0.0.1:0", &["user@mcp.example.com"], None),
            ("127.0.0.1:0", &["mcp.example.com/mcp"], None),
        ] {
            let given: Vec<_> = given.iter().map(|host| (*host).to_owned()).collect();
            let hosts = hosts(address(listens), &given).ok();
            assert_eq!(
                hosts.map(|hosts| hosts.len()),
                expected,
                "{listens} {given:?}"
            );
        }
    }

    #[test]
    fn origins() {
        for (given, expected) in [
            (
                "https://app.example.com",
                Some(("https://app.example.com", "https://app.example.com:443")),
            ),
            (
                "https://APP.example.com:443/",
                Some(("https://app.example.com", "https://app.example.com:443")),
            ),
            (
                "http://localhost:6274",
                Some(("http://localhost:6274", "http://localhost:6274")),
            ),
            (
                "http://[::1]:6274",
                Some(("http://[::1]:6274", "http://[::1]:6274")),
            ),
            ("null", None),
            ("*", None),
            ("https://*.example.com", None),
            ("app.example.com", None),
            ("https://app.example.com/page", None),
            ("https://app.example.com?x", None),
            ("https://user@app.example.com", None),
            ("chrome-extension://abc", None),
            ("", None),
        ] {
            let origin = read_origin(given);
            let origin = origin.as_ref().map(|o| (&*o.spelled, &*o.with_port));
            assert_eq!(origin, expected, "{given}");
        }
    }

    #[test]
    fn options_do_not_show_the_key() {
        let key = Access::Key("0123456789abcdef".to_owned().into());
        let options = HttpOptions::new(address("127.0.0.1:0"), key);
        assert!(options.check().is_ok());
        assert!(!format!("{options:?}").contains("0123456789"));
    }
}
