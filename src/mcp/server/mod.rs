//! The tools as a server of the Model Context Protocol (MCP), over stdio and HTTP.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use luma_client::{CancellationToken, Luma, mcp::server::Server};
//!
//! let stop = CancellationToken::new(); // cancel it to stop the server
//! Server::new(Luma::from_env()?)
//!     .max_videos(20)
//!     .serve_stdio(stop)
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! Nothing is kept between requests: a server can be restarted at any time, and any number of them
//! can stand side by side. Diagnostics go to [`tracing`] alone; over stdio nothing but the protocol
//! is written to standard output.

mod access;
mod calls;
mod handler;
mod http;
mod limits;
mod lines;
mod message;
mod options;
mod prompts;
mod strangers;
mod tasks;

use std::{io, sync::Arc, time::Duration};

use rmcp::{ServiceExt, service::ServerInitializeError, transport::stdio_pipes};
pub use secrecy::SecretString;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    join, select,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    access::{Access, WeakKey},
    http::HttpServer,
    options::{HttpOptions, InvalidOptions},
};
use self::{calls::Calls, handler::Handler, limits::Limits, lines::Lines};
use crate::Luma;

/// The largest message that is read, in bytes, over HTTP as well as over stdio.
const MAX_MESSAGE: usize = 1 << 20;

/// How long a server that stops waits for the calls under way: longer than one attempt at a submit
/// takes by default, because its answer is paid for.
const GRACE: Duration = Duration::from_secs(40);

/// How long the last answers may take to be read, once all are there. rmcp itself writes for up to
/// five seconds, but then waits for whoever holds the pipe.
const PARTING: Duration = Duration::from_secs(6);

/// An MCP server, before it is served.
#[derive(Clone, Debug)]
#[must_use = "a server does nothing before it is served"]
pub struct Server {
    luma: Luma,
    has_token: bool,
    read_only: bool,
    max_videos: Option<u32>,
}

/// Why a server could not be served, or not to the end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The options of the HTTP server cannot be used.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The client did not speak the protocol.
    #[error("the MCP session could not begin: {0}")]
    Session(String),
}

impl Server {
    /// A server that spends the account of this client.
    pub fn new(luma: Luma) -> Self {
        Self {
            luma,
            has_token: true,
            read_only: false,
            max_videos: None,
        }
    }

    /// A server without an account of its own: whatever the token of this client is, it is never
    /// sent. Everything is listed, but a tool that needs an account answers that the token is
    /// missing; over HTTP requests can bring [one of their own](Access::TokenFromRequest).
    pub fn without_token(luma: Luma) -> Self {
        Self {
            has_token: false,
            ..Self::new(luma)
        }
    }

    /// Offers the lookup tools alone: nothing can be spent.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// How many videos may be submitted in one run of the server, by all clients together. Submits
    /// that certainly were not accepted do not count.
    pub fn max_videos(mut self, videos: u32) -> Self {
        self.max_videos = Some(videos);
        self
    }

    /// Serves one client over standard input and output, until it goes or `stop` is cancelled.
    ///
    /// # Errors
    ///
    /// [`ServeError::Session`] where the client does not speak the protocol.
    pub async fn serve_stdio(self, stop: CancellationToken) -> Result<(), ServeError> {
        let (reader, writer) = stdio_pipes();
        self.serve(reader, writer, stop).await
    }

    /// Serves one client over any pair of byte streams, one message a line.
    ///
    /// # Errors
    ///
    /// [`ServeError::Session`] where the client does not speak the protocol.
    pub async fn serve<R, W>(
        self,
        reader: R,
        writer: W,
        stop: CancellationToken,
    ) -> Result<(), ServeError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        // Of its own, so that the end of one session does not stop others.
        let stop = stop.child_token();
        let handler = self.handler(stop.clone());
        let running = handler.running.clone();
        let transport = Lines::new(reader, writer, handler.calls.clone(), stop.clone());
        // Not `stop`: what is under way is answered first.
        let cut = CancellationToken::new();
        let session = select! {
            session = handler.serve_with_ct(transport, cut.clone()) => session,
            () = stop.cancelled() => return Ok(()),
        };
        let session = match session {
            Ok(session) => session,
            // The client left before it said anything.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(ServeError::Session(why(&error))),
        };
        let stopping = async {
            stop.cancelled().await;
            finish(running, GRACE).await;
            cut.cancel();
        };
        let waiting = async {
            select! {
                reason = session.waiting() => tracing::debug!(?reason, "the session has ended"),
                () = async { cut.cancelled().await; sleep(PARTING).await } => {
                    tracing::warn!("the client has not read the last answers");
                }
            }
            stop.cancel();
        };
        join!(waiting, stopping);
        Ok(())
    }

    /// Listens over HTTP. Nothing is answered before [`HttpServer::run`].
    ///
    /// # Errors
    ///
    /// [`ServeError::Options`] where the options would be unsafe; [`ServeError::Listen`] where the
    /// address cannot be listened on.
    pub async fn listen(self, options: HttpOptions) -> Result<HttpServer, ServeError> {
        HttpServer::bind(self, options).await
    }

    fn handler(&self, stop: CancellationToken) -> Handler {
        let running = TaskTracker::new();
        Handler {
            luma: self.luma.clone(),
            has_token: self.has_token,
            limits: Arc::new(Limits::new(self.read_only, self.max_videos)),
            calls: Calls::new(running.clone()),
            running,
            stop,
        }
    }
}

/// Why a session could not begin, without a word of what the client sent.
fn why(error: &ServerInitializeError) -> String {
    match error {
        ServerInitializeError::InitializeFailed(error) => error.message.to_string(),
        ServerInitializeError::TransportError { error, .. } => {
            format!("the client cannot be answered: {error}")
        }
        _ => "the client did not begin with a request".to_owned(),
    }
}

/// Waits for the calls under way.
async fn finish(running: TaskTracker, grace: Duration) {
    running.close();
    if timeout(grace, running.wait()).await.is_err() {
        tracing::warn!("calls were still under way when the server stopped");
    }
}
