//! What a client is built from.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use url::Url;

#[cfg(feature = "mcp")]
use crate::coalesce::Coalescer;
use crate::{
    api,
    client::{Core, Luma},
    config::{self, ConfigError},
    download::{Media, Timeouts},
    error::Result,
    orphan::Accepted,
    retry::RetryPolicy,
    transport::{AGENT, Limits, Token, Transport},
    watch::Hub,
};

/// Builds a [`Luma`].
///
/// ```
/// use std::time::Duration;
/// use luma_client::Luma;
///
/// let luma = Luma::builder()
///     .token("my-token")
///     .timeout(Duration::from_secs(20))
///     .build()?;
/// # Ok::<(), luma_client::Error>(())
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct LumaBuilder {
    token: Option<SecretString>,
    base_url: Option<String>,
    allow_plain_http: bool,
    http: Option<reqwest::ClientBuilder>,
    download: Option<reqwest::ClientBuilder>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    max_response_bytes: Option<usize>,
    retry: RetryPolicy,
}

impl fmt::Debug for LumaBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LumaBuilder")
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl LumaBuilder {
    const TIMEOUT: Duration = Duration::from_secs(30);
    const MAX_RESPONSE_BYTES: usize = 8 << 20;

    /// The API token, in place of the environment's. White space around it is dropped.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into().into());
        self
    }

    /// Where the service is, in place of the environment's or `https://api.acedata.cloud`. It may
    /// have a path; a slash at its end does not matter.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Allows a base URL of plain http to another machine. It shows the token to the network
    /// between here and there.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// The HTTP client for calls of the API, in place of one of our own. Downloads use another:
    /// [`download_client`](Self::download_client).
    ///
    /// It comes as a builder, because three of its settings are not up to it: it follows no
    /// redirects and retries nothing, as either could send a submit twice; and it does not log
    /// what goes over the wire, as that shows the token. All else (proxy, TLS) stays as it is, the
    /// connect timeout too unless [`connect_timeout`](Self::connect_timeout) is set.
    ///
    /// ```
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use luma_client::Luma;
    ///
    /// let luma = Luma::builder()
    ///     .token("my token")
    ///     .http_client(reqwest::Client::builder().proxy(reqwest::Proxy::all("http://proxy:3128")?))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn http_client(mut self, client: reqwest::ClientBuilder) -> Self {
        self.http = Some(client);
        self
    }

    /// The HTTP client for downloads, in place of ones of our own. It never gets the token.
    ///
    /// A few of its settings are not up to it: it follows the redirects that
    /// [`Download`](crate::Download) names and no others, sends no `Referer`, does not log what goes
    /// over the wire, and its read timeout is [`read_timeout`](Self::read_timeout). All else (proxy,
    /// TLS) stays as it is, the connect timeout too unless
    /// [`connect_timeout`](Self::connect_timeout) is set. Give it no default headers with a secret
    /// in them: they go to whatever host the file is on.
    ///
    /// ```
    /// # fn example(ca: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// use luma_client::Luma;
    ///
    /// let ca = reqwest::Certificate::from_pem(ca)?;
    /// let http = || reqwest::Client::builder().tls_certs_merge([ca.clone()]);
    /// let luma = Luma::builder()
    ///     .token("my token")
    ///     .http_client(http())
    ///     .download_client(http())
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn download_client(mut self, client: reqwest::ClientBuilder) -> Self {
        self.download = Some(client);
        self
    }

    /// The time for one attempt of a call, from connecting to the last byte; 30 seconds by
    /// default. A held submit has its hold on top; a download is not bounded by it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The time for making a connection, of calls and downloads; 10 seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long a download may stand still, which is all that bounds its time; 30 seconds by
    /// default.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = Some(timeout);
        self
    }

    /// The largest answer that is read, in bytes; 8 MiB by default.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = Some(bytes);
        self
    }

    /// How often, and at what pace, a request that may be sent again is sent again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Builds the client. No I/O.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) where token or base URL cannot be used; it never shows the token.
    pub fn build(self) -> Result<Luma> {
        let token = config::token(self.token, config::environment)?;
        let base_url = config::base_url(self.base_url, self.allow_plain_http, config::environment)?;
        let defaults = Timeouts::default();
        let timeouts = Timeouts {
            connect: self.connect_timeout.unwrap_or(defaults.connect),
            read: self.read_timeout.unwrap_or(defaults.read),
        };
        // A client that was given keeps its own, unless another was asked for.
        let given = |client: reqwest::ClientBuilder| match self.connect_timeout {
            Some(timeout) => client.connect_timeout(timeout),
            None => client,
        };
        let http = match self.http {
            Some(client) => given(client),
            None => http_client(&base_url, timeouts.connect),
        };
        let timeout = self.timeout.unwrap_or(Self::TIMEOUT);
        let http = http
            .user_agent(AGENT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connection_verbose(false)
            .build()
            .map_err(setup_error)?;
        let stem = config::stem(&base_url).to_owned();
        let transport = Transport {
            token: Arc::new(Token::new(token)?),
            base_url,
            client_timeout: timeout,
            limits: Limits {
                timeout,
                max_body: self.max_response_bytes.unwrap_or(Self::MAX_RESPONSE_BYTES),
                retry: self.retry,
            },
        };
        let api = api::Client::new_with_client(&stem, http, transport);
        let media = match self.download {
            Some(client) => Media::given(given(client), timeouts.read)?,
            None => Media::new(timeouts),
        };
        let hub = Hub::new(api.clone());
        Ok(Luma {
            core: Arc::new(Core {
                api,
                media,
                hub,
                accepted: Accepted::default(),
                #[cfg(feature = "mcp")]
                coalescer: Coalescer::default(),
            }),
        })
    }
}

/// A client for what is at this URL.
pub(crate) fn http_client(url: &Url, connect_timeout: Duration) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(AGENT)
        .connect_timeout(connect_timeout);
    // No proxy reaches this machine's loopback.
    match config::is_loopback(url) {
        true => builder.no_proxy(),
        false => builder,
    }
}

pub(crate) fn setup_error(error: reqwest::Error) -> ConfigError {
    ConfigError::Http(error.to_string())
}
