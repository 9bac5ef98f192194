//! MCP over streamable HTTP: stateless, one JSON answer a request, and closed to strangers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::Request,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use secrecy::ExposeSecret;
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, CorsLayer};

use super::{
    GRACE, HttpOptions, MAX_MESSAGE, ServeError, Server,
    access::{self, Access, Gate},
    finish,
    handler::Handler,
    message,
    options::{Allowed, InvalidOptions, Origin},
    strangers,
};

/// For the headers of a request to arrive.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// For its body to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);
/// At most so many connections at a time; more wait in line.
const MAX_CONNECTIONS: usize = 256;

/// A server that listens, from [`Server::listen`].
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use luma_client::{CancellationToken, Luma, mcp::server::{Access, HttpOptions, Server}};
///
/// let key = std::env::var("LUMA_MCP_ACCESS_KEY")?;
/// let options = HttpOptions::new("127.0.0.1:8000".parse()?, Access::Key(key.into()));
/// let server = Server::new(Luma::from_env()?).max_videos(20).listen(options).await?;
/// println!("{}", server.url());
/// server.run(CancellationToken::new()).await; // until the token is cancelled
/// # Ok(()) }
/// ```
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
        if let Access::Key(key) = &options.access
            && server.has_token
            && server.luma.without_token(key.expose_secret()).is_some()
        {
            return Err(InvalidOptions::KeyIsToken.into());
        }
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
            router: router(handler.clone(), gate, allowed, kill.clone()),
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

fn router(handler: Handler, gate: Gate, allowed: Allowed, kill: CancellationToken) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // That is what `strangers` is for.
        .disable_allowed_hosts()
        .disable_allowed_origins()
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
        .route(strangers::HEALTH, get(health))
        .fallback(nowhere);
    let router = match allowed.origins.is_empty() {
        true => router,
        false => router.layer(cors(&allowed.origins)),
    };
    // Outermost: a stranger hears nothing else.
    router.layer(from_fn_with_state(Arc::new(allowed), strangers::stop))
}

async fn nowhere() -> impl IntoResponse {
    let advice = "There is nothing here: POST messages of MCP to /mcp.\n";
    (StatusCode::NOT_FOUND, advice)
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
        return too_large();
    }
    match timeout(BODY_TIME, to_bytes(body, MAX_MESSAGE)).await {
        Ok(Ok(body)) => {
            let is_json = is_json(&parts.headers);
            let request = Request::from_parts(parts, Body::from(body.clone()));
            let answer = next.run(request).await;
            // rmcp also calls it unsupported where the type is right and the content is not.
            if answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && is_json {
                refuse(&body).unwrap_or(answer)
            } else {
                answer
            }
        }
        // Or the client is gone, and reads no answer.
        Ok(Err(_)) => too_large(),
        Err(_) => {
            let seconds = BODY_TIME.as_secs();
            let advice = format!("Send the body of a request within {seconds} seconds.\n");
            (StatusCode::REQUEST_TIMEOUT, advice).into_response()
        }
    }
}

fn too_large() -> Response {
    let advice = format!("Send messages of {MAX_MESSAGE} bytes at most.\n");
    (StatusCode::PAYLOAD_TOO_LARGE, advice).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with("application/json"))
}

/// The answer to a body that is no message.
fn refuse(body: &[u8]) -> Option<Response> {
    let refusal = message::read(body).err()?;
    let (code, reason) = (refusal.error.code.0, &refusal.error.message);
    tracing::debug!(code, %reason, "a message was refused");
    Some((StatusCode::BAD_REQUEST, Json(refusal)).into_response())
}
