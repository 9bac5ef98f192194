//! MCP over streamable HTTP: stateless, one JSON answer a request.

use std::{convert::Infallible, future::pending, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::Request,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulConnection, GracefulShutdown},
    service::TowerToHyperService,
};
use rmcp::{
    model::ErrorCode,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, CorsLayer};

use crate::{
    access::{self, Access, Gate, Shown},
    handler::{GRACE, Handler},
    log,
    message::{self, MAX_MESSAGE},
    options::Allowed,
    origin,
};

/// How long a connection is kept that has not shown the access key.
const STRANGER_TIME: Duration = Duration::from_secs(10);
/// How long one that has shown it is kept without a request, as the `Keep-Alive` hint says.
const IDLE_TIME: Duration = Duration::from_secs(75);
const KEEP_ALIVE: &str = "timeout=75";
/// The time for the body of a request.
const BODY_TIME: Duration = Duration::from_secs(20);
/// How long a client may read nothing of an answer.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// The most connections at a time. More wait.
const MAX_CONNECTIONS: usize = 512;
/// What rmcp wants to see in `Accept`.
const JSON_OR_STREAM: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// An HTTP server that listens, from [`Server::listen`](crate::Server::listen).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use luma_client::{CancellationToken, Luma};
/// use luma_mcp::{Access, HttpOptions, Server};
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
        f.debug_struct("HttpServer").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl HttpServer {
    pub(crate) fn new(
        listener: TcpListener,
        address: SocketAddr,
        handler: Handler,
        access: Access,
        allowed: Allowed,
    ) -> Self {
        let kill = CancellationToken::new();
        Self {
            listener,
            address,
            router: router(handler.clone(), access, allowed, kill.clone()),
            handler,
            kill,
        }
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of the MCP endpoint, with the address as its host.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Answers requests until `stop` is cancelled. Then it takes no new ones, answers held calls at once,
    /// and gives the others 40 seconds to end.
    pub async fn run(self, stop: CancellationToken) {
        let connections = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let (stream, place) = select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = stop.cancelled() => break,
            };
            let shown = Shown::default();
            let connection =
                connections.watch(connection(stream, self.router.clone(), shown.clone()));
            tokio::spawn(async move {
                let end = select! {
                    end = connection => end,
                    () = strange_for(STRANGER_TIME, shown) => Ok(()),
                };
                // A client that goes away is an error, too.
                if let Err(error) = end {
                    tracing::debug!(%error, "a connection broke");
                }
                drop(place);
            });
        }
        drop(self.listener);
        self.handler.stop.cancel();
        let all = async {
            connections.shutdown().await;
            self.handler.finish().await;
        };
        if timeout(GRACE, all).await.is_err() {
            tracing::warn!("connections were still open when the server stopped");
        }
        self.kill.cancel();
    }
}

/// Serves the requests of a connection.
fn connection(
    stream: TcpStream,
    router: Router,
    shown: Shown,
) -> impl GracefulConnection<Error = hyper::Error> {
    // Without it, small answers wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME));
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(shown.clone());
        let (answer, shown) = (service.call(request), shown.clone());
        async move {
            let mut answer: Response = answer.await?;
            let (name, value) = match shown.is_shown() {
                true => ("keep-alive", KEEP_ALIVE),
                false => ("connection", "close"),
            };
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
            Ok::<_, Infallible>(answer)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        // It also runs between two requests.
        .header_read_timeout(IDLE_TIME)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
}

/// Ends when a connection has existed for this time without showing the access key.
async fn strange_for(time: Duration, shown: Shown) {
    sleep(time).await;
    if shown.is_shown() {
        pending().await
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            // Probably there are no file descriptors left. Some may be free in a moment.
            Err(error) => {
                if let Some(unwritten) = log::due("accept") {
                    tracing::warn!(%error, unwritten, "cannot accept a connection");
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn router(handler: Handler, access: Access, allowed: Allowed, kill: CancellationToken) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // The module `origin` checks them.
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_max_request_body_bytes(MAX_MESSAGE)
        .with_cancellation_token(kill);
    // Clients probe for OAuth at several paths, and show this answer to their user.
    let elsewhere = format!("MCP is served at /mcp, without OAuth. {}", access.advice());
    let gate = Gate::new(access, handler.luma.clone());
    let mcp = StreamableHttpService::new(
        move || Ok(handler.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let router = Router::new()
        .route_service("/mcp", mcp.clone())
        .route_service("/mcp/", mcp)
        .route_layer(from_fn(read_body))
        .route_layer(from_fn_with_state(gate, access::check))
        .route(origin::HEALTH, get(health))
        .fallback(async move || (StatusCode::NOT_FOUND, elsewhere));
    let router = match allowed.origins.is_empty() {
        true => router,
        false => router.layer(cors(&allowed.origins)),
    };
    // Outermost, so that a refused web page learns nothing else.
    router.layer(from_fn_with_state(Arc::new(allowed), origin::check))
}

async fn health() -> impl IntoResponse {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, r#"{"status":"ok"}"#)
}

/// Lets browsers read the answers, for the web pages that may call.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::WWW_AUTHENTICATE])
}

/// Reads the body within its time and size, and makes of it what rmcp can read.
///
/// rmcp has no time limit for a body, answers one that is not a message with 415, and wants both types in
/// `Accept` (tests: `refusals`, `broken_bodies_are_answered_in_json`, `each_accept_gets_what_it_can_read`).
async fn read_body(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let declared = parts.headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > MAX_MESSAGE as u64) {
        return too_large();
    }
    let body = match timeout(BODY_TIME, to_bytes(body, MAX_MESSAGE)).await {
        Ok(Ok(body)) => body,
        // Or the client is gone, and reads no answer.
        Ok(Err(_)) => return too_large(),
        Err(_) => {
            let seconds = BODY_TIME.as_secs();
            let advice = format!("Send the body of a request within {seconds} seconds.\n");
            return (StatusCode::REQUEST_TIMEOUT, advice).into_response();
        }
    };
    let mut json = match message::read(&body) {
        Ok((_, json)) => json,
        Err(refusal) => {
            let version = parts.headers.get("mcp-protocol-version");
            let is_legacy = version.is_none_or(|version| version < "2026-07-28");
            let status = match refusal.error.code {
                ErrorCode::METHOD_NOT_FOUND if is_legacy => StatusCode::OK,
                ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            return (status, Json(refusal)).into_response();
        }
    };
    if let Some(takes_stream) = takes_stream(&parts.headers) {
        parts.headers.insert(header::ACCEPT, JSON_OR_STREAM);
        if !takes_stream {
            message::remove_progress_token(&mut json);
        }
    }
    // It has another length now.
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = Body::from(json.to_string());
    next.run(Request::from_parts(parts, body)).await
}

fn too_large() -> Response {
    let advice = format!("Send messages of at most {MAX_MESSAGE} bytes.\n");
    (StatusCode::PAYLOAD_TOO_LARGE, advice).into_response()
}

/// Whether a client that takes JSON also takes a stream of events; none if it does not take JSON.
///
/// A client that lists no type by name takes JSON: only the name of the stream is a promise to read one.
fn takes_stream(headers: &HeaderMap) -> Option<bool> {
    let values = headers.get_all(header::ACCEPT).iter();
    let text = values.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let types = text.split(',').map(|entry| {
        let media_type = entry.split(';').next().unwrap_or_default();
        media_type.trim().to_ascii_lowercase()
    });
    let types: Vec<_> = types.filter(|media_type| !media_type.is_empty()).collect();
    let has = |name: &str| types.iter().any(|media_type| media_type == name);
    let takes_json =
        types.is_empty() || ["application/json", "application/*", "*/*"].iter().any(|it| has(it));
    takes_json.then(|| has("text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_stream_only_if_it_is_named() {
        for (accept, expected) in [
            (&[][..], Some(false)),
            (&[""], Some(false)),
            (&["*/*"], Some(false)),
            (&["application/*"], Some(false)),
            (&["Application/JSON"], Some(false)),
            (&["application/json;q=0.9, */*;q=0.1"], Some(false)),
            (&["application/json, text/event-stream"], Some(true)),
            (&["text/event-stream", "application/json"], Some(true)),
            (&["text/event-stream, */*"], Some(true)),
            (&["text/event-stream"], None),
            (&["text/html"], None),
        ] {
            let headers =
                accept.iter().map(|value| (header::ACCEPT, HeaderValue::from_static(value)));
            assert_eq!(takes_stream(&headers.collect()), expected, "{accept:?}");
        }
    }
}
