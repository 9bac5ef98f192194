//! A Model Context Protocol (MCP) server for videos of Luma Dream Machine, over stdio and HTTP.
//!
//! It serves the nine tools of [`luma_client::mcp`], three prompts, a view that plays the videos, and MCP tasks, on
//! [rmcp](https://docs.rs/rmcp).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use luma_client::{CancellationToken, Luma};
//! use luma_mcp::Server;
//!
//! let stop = CancellationToken::new(); // cancel it to stop the server
//! Server::new(Luma::from_env()?)
//!     .max_videos(20)
//!     .serve_stdio(stop)
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! The server keeps no state of tasks. It can be restarted at any time, and any number of servers
//! can run side by side. It logs through [`tracing`]; over stdio it writes only the protocol to standard
//! output.
#![deny(missing_docs)]

mod access;
mod calls;
mod confirm;
mod convert;
mod daily;
mod handler;
mod http;
mod limits;
mod log;
mod message;
mod options;
mod origin;
mod prompts;
mod resources;
mod stdio;
mod tasks;

use std::{io, net::SocketAddr, time::Duration};

use luma_client::{CancellationToken, Luma};
use rmcp::{ServiceExt, service::ServerInitializeError, transport::stdio_pipes};
use secrecy::ExposeSecret;
pub use secrecy::SecretString;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    join,
    net::TcpListener,
    select,
    time::sleep,
};

pub use self::{
    access::{Access, WeakKey},
    daily::{DailyLimit, DailyLimitError, DailyPlace},
    http::HttpServer,
    log::is_due,
    options::{HttpOptions, InvalidOptions},
};
use self::{handler::Handler, handler::Options, stdio::Lines};

/// How long the client may take to read the last answers. rmcp itself stops writing after five seconds, but
/// then waits for the pipe without a limit.
const LAST_ANSWERS: Duration = Duration::from_secs(6);

/// An MCP server before it is served.
#[derive(Clone, Debug)]
#[must_use = "a server does nothing before it is served"]
pub struct Server {
    luma: Luma,
    options: Options,
}

/// The error for a server that could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The options of the HTTP server cannot be used.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The client did not speak the protocol.
    #[error("the MCP session could not begin: {0}")]
    Session(String),
}

impl Server {
    /// Creates a server that spends the account of this client.
    pub fn new(luma: Luma) -> Self {
        Self { luma, options: Options::default() }
    }

    /// Creates a server without an account of its own. The token of the client is never sent.
    ///
    /// All tools are listed, but a call that needs an account fails with `reason`, such as
    /// `"ACEDATACLOUD_API_TOKEN is not set"`. Over HTTP, requests can bring
    /// [their own token](Access::TokenFromRequest).
    pub fn without_token(luma: Luma, reason: impl Into<String>) -> Self {
        let mut server = Self::new(luma);
        server.options.no_token = Some(reason.into());
        server
    }

    /// Sets whether only the lookup tools are offered. Then nothing can be spent.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = read_only;
        self
    }

    /// Sets how many videos may be submitted in one run of the server, by all clients together.
    ///
    /// Only a submit that the service refused, or that was never sent, does not count. A submit whose
    /// response was lost counts.
    pub fn max_videos(mut self, videos: u32) -> Self {
        self.options.max_videos = Some(videos);
        self
    }

    /// Sets how many videos may be submitted in a day, by all programs of this user that share the limit.
    ///
    /// The same submits count as for [`max_videos`](Self::max_videos).
    pub fn max_videos_per_day(mut self, limit: DailyLimit) -> Self {
        self.options.daily = Some(limit);
        self
    }

    /// Sets whether the user is asked before each submit, by the elicitation of MCP: false by default.
    ///
    /// In a host without elicitation, submits are then refused. Over HTTP, elicitation needs a client of
    /// revision 2026-07-28, because the server keeps no session.
    pub fn confirm(mut self, confirm: bool) -> Self {
        self.options.confirm = confirm;
        self
    }

    /// Sets whether results carry `resource_link` blocks for videos: true by default.
    ///
    /// Some hosts fail on them. Clients that negotiated a revision before 2025-06-18 never get them.
    pub fn resource_links(mut self, resource_links: bool) -> Self {
        self.options.no_resource_links = !resource_links;
        self
    }

    /// Sets how long a call may wait for a video, at most [`MAX_HOLD`](luma_client::mcp::MAX_HOLD).
    ///
    /// By default, a call with a progress token is held for up to 45 seconds, and one without for up to 4
    /// seconds, because hosts that show no progress give up after as little as 5 seconds.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.options.hold = Some(hold);
        self
    }

    /// Adds a host from which the view may load films and pictures, such as `https://cdn.example.com`.
    ///
    /// The hosts of Ace Data Cloud are always allowed. Hosts with the extension MCP Apps show the view and
    /// load from no other place.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions::Origin`] if the text is not an http or https origin.
    pub fn media_host(mut self, origin: &str) -> Result<Self, InvalidOptions> {
        let read = options::read_origin(origin);
        let read = read.ok_or_else(|| InvalidOptions::Origin(origin.to_owned()))?;
        self.options.media_hosts.push(read);
        Ok(self)
    }

    /// Serves one client over standard input and output, until the client closes them or `stop` is
    /// cancelled.
    ///
    /// # Errors
    ///
    /// [`ServeError::Session`] if the client does not speak the protocol.
    pub async fn serve_stdio(self, stop: CancellationToken) -> Result<(), ServeError> {
        let (reader, writer) = stdio_pipes();
        self.serve(reader, writer, stop).await
    }

    /// Serves one client over any pair of byte streams, one message a line.
    ///
    /// # Errors
    ///
    /// [`ServeError::Session`] if the client does not speak the protocol.
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
        // A child, so that the end of one session does not stop others.
        let stop = stop.child_token();
        let handler = Handler::new(self.luma, self.options, stop.clone());
        let (leaving, finishing) = (handler.leaving.clone(), handler.clone());
        let calls = handler.calls.clone();
        let transport = Lines::new(reader, writer, calls, stop, leaving.clone());
        // Not `leaving`, because calls in flight are answered first.
        let cut = CancellationToken::new();
        let session = select! {
            session = handler.serve_with_ct(transport, cut.clone()) => session,
            () = leaving.cancelled() => return Ok(()),
        };
        let session = match session {
            Ok(session) => session,
            Err(ServerInitializeError::ConnectionClosed(_)) => {
                tracing::warn!(
                    "the input ended before a session began: an MCP host starts this server and \
                     keeps its input open"
                );
                return Ok(());
            }
            // It is in the log.
            Err(ServerInitializeError::TransportError { .. }) => return Ok(()),
            Err(error) => return Err(ServeError::Session(reason(&error))),
        };
        let stopping = async {
            leaving.cancelled().await;
            finishing.finish().await;
            cut.cancel();
        };
        let waiting = async {
            select! {
                reason = session.waiting() => tracing::debug!(?reason, "the session has ended"),
                () = async { cut.cancelled().await; sleep(LAST_ANSWERS).await } => {
                    tracing::warn!("the client did not read the last answers");
                }
            }
            leaving.cancel();
        };
        join!(waiting, stopping);
        Ok(())
    }

    /// Listens for HTTP connections. [`HttpServer::run`] then answers requests.
    ///
    /// # Errors
    ///
    /// [`ServeError::Options`] if the options would be unsafe; [`ServeError::Listen`] if the server cannot
    /// listen on the address.
    pub async fn listen(mut self, options: HttpOptions) -> Result<HttpServer, ServeError> {
        let allowed = options.check()?;
        let HttpOptions { address, access, .. } = options;
        match &access {
            Access::Key(key) => {
                let key = key.expose_secret();
                if self.options.no_token.is_none() && self.luma.redact(key, usize::MAX) != key {
                    return Err(InvalidOptions::KeyIsToken.into());
                }
            }
            // Every request brings its own.
            Access::TokenFromRequest => self.options.no_token = None,
        }
        let error = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        let handler = Handler::new(self.luma, self.options, CancellationToken::new());
        Ok(HttpServer::new(listener, address, handler, access, allowed))
    }
}

/// Why a session could not begin, without any text of the client.
fn reason(error: &ServerInitializeError) -> String {
    match error {
        ServerInitializeError::InitializeFailed(error) => error.message.to_string(),
        _ => "the client did not begin with a request".to_owned(),
    }
}

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
