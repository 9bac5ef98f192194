//! The client: token, HTTP clients and poller, shared by its clones. Features import it, never the reverse.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use http::Extensions;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    http::{
        AGENT, ConfigError, MediaClients, RetryPolicy, Settings, Token, build_client, config,
        http_client,
    },
    poller::{PollInterval, Poller},
    util::url::is_loopback,
};

/// A client of the service. Cheap to clone; clones share connections and the poller.
///
/// # Panics
///
/// Calls and waits panic if they are polled outside a tokio runtime with I/O and time enabled. Building a
/// client needs none.
///
/// # Runtimes
///
/// Use a client and its clones on one runtime. If that runtime stops,
/// calls on its connections time out, which leaves a submit
/// [unconfirmed](crate::SubmitError::Unconfirmed). A program with several runtimes builds a client for
/// each. A program without one uses `block_on` (feature `blocking`).
///
/// ```no_run
/// # async fn example() -> Result<(), luma_client::Error> {
/// use luma_client::Luma;
///
/// let luma = Luma::from_env()?;
/// let task = luma.generate("A lighthouse at dusk, slow zoom in").submit().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Luma(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    api: api::Client,
    poller: Poller,
    shared: Arc<Shared>,
}

/// What clients with other limits or another token have in common.
struct Shared {
    base_is_loopback: bool,
    media: MediaClients,
    max_in_flight: usize,
    poll_interval: PollInterval,
    /// Those in use: clients with the same token share its limit.
    tokens: Mutex<Vec<Weak<Token>>>,
    /// What the features keep for a client.
    extensions: Mutex<Extensions>,
}

/// What [`Luma::with_timeout`] takes at least.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

impl Shared {
    /// The token, with its limit of requests in flight.
    fn token(&self, secret: SecretString) -> Result<Arc<Token>, ConfigError> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|token| token.strong_count() > 0);
        let known = tokens.iter().filter_map(Weak::upgrade).find(|token| token.is(&secret));
        if let Some(token) = known {
            return Ok(token);
        }
        let token = Arc::new(Token::new(secret, self.max_in_flight)?);
        tokens.push(Arc::downgrade(&token));
        Ok(token)
    }
}

impl fmt::Debug for Luma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Luma")
            .field("base_url", &self.0.api.baseurl)
            .field("settings", &self.0.api.inner)
            .finish_non_exhaustive()
    }
}

impl Luma {
    /// Builds a client with the token of `ACEDATACLOUD_API_TOKEN`, and the base URL of
    /// `ACEDATACLOUD_API_BASE_URL` if that is set.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is no token, or if one of the two cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::builder().build()
    }

    /// Returns a builder for a client with other settings.
    pub fn builder() -> LumaBuilder {
        LumaBuilder::default()
    }

    /// Returns the client with another retry policy. Connections and poller stay shared. Waits keep the
    /// builder's settings, and downloads have [their own](crate::Download::retry).
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
    /// # -> Result<(), luma_client::Error> {
    /// use luma_client::RetryPolicy;
    ///
    /// let task = luma.with_retry(RetryPolicy::none()).task(id).get().await?;
    /// # Ok(()) }
    /// ```
    #[must_use = "the client itself stays as it is"]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        self.with(|inner| inner.api.inner.retry = retry)
    }

    /// Returns the client with another timeout for each attempt; less than a millisecond counts as one.
    /// Connections and poller stay shared. Waits keep the builder's settings.
    #[must_use = "the client itself stays as it is"]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.with(|inner| inner.api.inner.timeout = timeout.max(MIN_TIMEOUT))
    }

    /// Returns the client with a shutdown token. Once the token is cancelled, calls begin no attempt, not
    /// even a retry. A request in flight is finished. A call whose retry is cancelled gives the error of
    /// its last attempt.
    ///
    /// Waits and downloads continue. To end a wait, use [`Wait::cancelled_by`](crate::Wait::cancelled_by).
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
    /// use luma_client::CancellationToken;
    ///
    /// let shutdown = CancellationToken::new();
    /// let task = luma.with_shutdown(shutdown.clone()).generate("A fox").submit().await?;
    /// # Ok(()) }
    /// ```
    #[must_use = "the client itself stays as it is"]
    pub fn with_shutdown(&self, shutdown: CancellationToken) -> Self {
        self.with(|inner| inner.api.inner.shutdown = shutdown)
    }

    /// Returns the client for another account. Connections stay shared; the poller does not, because no
    /// account may look up the tasks of another. Its waits keep the settings that this client has. Clients
    /// with the same token share its limit of requests in flight.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the token cannot be used.
    pub fn with_token(&self, token: impl Into<String>) -> Result<Self, ConfigError> {
        let token = config::token(Some(token.into().into()), |_| None)?;
        let token = self.0.shared.token(token)?;
        Ok(self.with(|inner| {
            inner.api.inner.token = token;
            inner.poller = Poller::new(inner.api.clone(), inner.shared.max_in_flight);
        }))
    }

    fn with(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner::clone(&self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns the generated client, with token, limits and retries in place.
    pub fn api(&self) -> &api::Client {
        &self.0.api
    }

    /// Returns text of the service as it can be shown: one line of at most `max_chars` characters, without
    /// invisible characters and without the API token.
    pub fn redact(&self, text: &str, max_chars: usize) -> String {
        self.token().show(text, max_chars)
    }

    /// Removes the API token from text that may have several lines. Remove invisible characters first,
    /// as [`redact`](Self::redact) does.
    pub fn without_token(&self, text: &str) -> String {
        self.token().redact(text.to_owned())
    }

    pub(crate) fn token(&self) -> &Token {
        &self.0.api.inner.token
    }

    /// The same client with another poller.
    #[cfg(test)]
    pub(crate) fn with_poller(&self, poller: Poller) -> Self {
        self.with(|inner| inner.poller = poller)
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.0.poller
    }

    pub(crate) fn media(&self) -> &MediaClients {
        &self.0.shared.media
    }

    /// Returns how often waits poll, unless they set it themselves.
    pub fn poll_interval(&self) -> &PollInterval {
        &self.0.shared.poll_interval
    }

    pub(crate) fn base_is_loopback(&self) -> bool {
        self.0.shared.base_is_loopback
    }

    /// What a feature keeps for this client and those derived from it.
    pub(crate) fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let extensions = &self.0.shared.extensions;
        let mut extensions = extensions.lock().unwrap_or_else(PoisonError::into_inner);
        extensions.get_or_insert_default::<Arc<T>>().clone()
    }
}

/// Builds a [`Luma`], from [`Luma::builder`].
///
/// ```
/// use std::time::Duration;
/// use luma_client::Luma;
///
/// let luma = Luma::builder()
///     .token("my-token")
///     .timeout(Duration::from_secs(20))
///     .build()?;
/// # Ok::<(), luma_client::ConfigError>(())
/// ```
#[derive(Default)]
#[must_use = "a builder has no effect until `build`"]
pub struct LumaBuilder {
    token: Option<SecretString>,
    base_url: Option<String>,
    allow_plain_http: bool,
    http_client: Option<reqwest::ClientBuilder>,
    download_client: Option<reqwest::ClientBuilder>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    max_response_bytes: Option<usize>,
    max_in_flight: Option<usize>,
    poll_interval: Option<PollInterval>,
    retry: Option<RetryPolicy>,
}

impl fmt::Debug for LumaBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LumaBuilder")
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// Setters of optional fields.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        $($(#[$doc])*
        pub fn $field(mut self, $field: $kind) -> Self {
            self.$field = Some($field);
            self
        })*
    };
}

impl LumaBuilder {
    const TIMEOUT: Duration = Duration::from_secs(30);
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    const READ_TIMEOUT: Duration = Duration::from_secs(30);
    const MAX_RESPONSE_BYTES: usize = 8 << 20;
    /// The service's limit for a token, by the vendor's FAQ.
    const MAX_IN_FLIGHT: usize = 5;
    /// On loopback is the simulator, whose tasks take seconds.
    const LOOPBACK_INTERVAL: Duration = Duration::from_millis(500);

    /// Sets the API token, instead of the environment's. White space around it is dropped.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into().into());
        self
    }

    /// Sets the base URL, instead of the environment's or `https://api.acedata.cloud`. It may have a
    /// path; a slash at its end makes no difference.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Allows a plain http base URL on another machine. The network in between then sees the token.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    setters! {
        /// Sets the HTTP client for API calls. Downloads use another:
        /// [`download_client`](Self::download_client).
        ///
        /// It comes as a builder, because some settings are fixed:
        ///
        /// - no redirects and no retries: either could send a submit twice;
        /// - no decompression: this crate does it, within the limit of a response's size;
        /// - no traffic log: it would show the token;
        /// - the `User-Agent` of this crate.
        ///
        /// Everything else (proxy, TLS) stays as it is. So does the connect timeout, unless
        /// [`connect_timeout`](Self::connect_timeout) is set.
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
        http_client: reqwest::ClientBuilder,
        /// Sets the HTTP client for downloads. It never gets the token.
        ///
        /// Some settings are fixed:
        ///
        /// - no redirects and no retries: [`Download`](crate::Download) does both itself;
        /// - no decompression, no `Referer` and no traffic log;
        /// - the read timeout is [`read_timeout`](Self::read_timeout).
        ///
        /// Everything else (proxy, TLS) stays as it is. So does the connect timeout, unless
        /// [`connect_timeout`](Self::connect_timeout) is set. Default headers go to every host that a file
        /// is on: put no secret in them.
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
        download_client: reqwest::ClientBuilder,
        /// Sets the time for one attempt of a call, from connecting to the last byte; 30 seconds by
        /// default. It does not bound downloads.
        timeout: Duration,
        /// Sets the time for making a connection, of calls and downloads; 10 seconds by default.
        connect_timeout: Duration,
        /// Sets how long a download may receive nothing; 30 seconds by default. Its whole time has no
        /// bound.
        read_timeout: Duration,
        /// Sets the largest response that is read, in bytes; 8 MiB by default.
        max_response_bytes: usize,
        /// Sets how many requests may be in flight at a time; 5 by default, which is the service's limit
        /// for a token. Waits use one less, but at least one, so that they leave room for a submit. 0 counts
        /// as 1.
        max_in_flight: usize,
        /// Sets how often waits poll, unless they set it themselves. The default fits jobs of one to five
        /// minutes; for a base URL on loopback, such as the simulator's, it is 500 ms.
        poll_interval: PollInterval,
        /// Sets how often and how fast calls are retried.
        retry: RetryPolicy,
    }

    /// Builds the client. Does no I/O.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the token or the base URL cannot be used, if a time or a size is zero, or if the
    /// HTTP client cannot be set up. It never shows the token.
    pub fn build(self) -> Result<Luma, ConfigError> {
        for (setting, is_zero) in [
            ("timeout", self.timeout == Some(Duration::ZERO)),
            ("connect_timeout", self.connect_timeout == Some(Duration::ZERO)),
            ("read_timeout", self.read_timeout == Some(Duration::ZERO)),
            ("max_response_bytes", self.max_response_bytes == Some(0)),
        ] {
            if is_zero {
                return Err(ConfigError::Zero { setting });
            }
        }
        let token = config::token(self.token, config::environment)?;
        let base_url = config::base_url(self.base_url, self.allow_plain_http, config::environment)?;
        let connect_timeout = self.connect_timeout.unwrap_or(Self::CONNECT_TIMEOUT);
        let read_timeout = self.read_timeout.unwrap_or(Self::READ_TIMEOUT);
        // A given client keeps its own timeout, unless another one is set.
        let given = |client: reqwest::ClientBuilder| match self.connect_timeout {
            Some(timeout) => client.connect_timeout(timeout),
            None => client,
        };
        let http = match self.http_client {
            Some(client) => given(client).user_agent(AGENT),
            None => http_client(&base_url, connect_timeout),
        };
        let http = build_client(http)?;
        let download_client = self.download_client.map(given);
        let media = MediaClients::new(download_client, connect_timeout, read_timeout)?;
        let max_in_flight = self.max_in_flight.unwrap_or(Self::MAX_IN_FLIGHT);
        let base_is_loopback = is_loopback(&base_url);
        let poll_interval = match self.poll_interval {
            Some(interval) => interval,
            None if base_is_loopback => PollInterval::fixed(Self::LOOPBACK_INTERVAL),
            None => PollInterval::default(),
        };
        let shared = Shared {
            base_is_loopback,
            media,
            max_in_flight,
            poll_interval,
            tokens: Mutex::default(),
            extensions: Mutex::default(),
        };
        let settings = Settings {
            token: shared.token(token)?,
            timeout: self.timeout.unwrap_or(Self::TIMEOUT),
            max_response_bytes: self.max_response_bytes.unwrap_or(Self::MAX_RESPONSE_BYTES),
            retry: self.retry.unwrap_or_default(),
            shutdown: CancellationToken::new(),
        };
        let api = api::Client::new_with_client(config::stem(&base_url), http, settings);
        Ok(Luma(Arc::new(Inner {
            poller: Poller::new(api.clone(), max_in_flight),
            api,
            shared: Arc::new(shared),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> LumaBuilder {
        Luma::builder().token("a-token").base_url("http://127.0.0.1:9")
    }

    #[test]
    fn setting_of_zero_is_refused() {
        let zero = Duration::ZERO;
        for (builder, expected) in [
            (builder().timeout(zero), "timeout"),
            (builder().connect_timeout(zero), "connect_timeout"),
            (builder().read_timeout(zero), "read_timeout"),
            (builder().max_response_bytes(0), "max_response_bytes"),
        ] {
            let error = builder.build().expect_err(expected);
            assert_eq!(error, ConfigError::Zero { setting: expected });
        }
        for builder in [
            builder().max_in_flight(0),
            builder().max_in_flight(usize::MAX),
            builder().timeout(Duration::MAX).connect_timeout(Duration::MAX),
            builder().read_timeout(Duration::MAX).max_response_bytes(usize::MAX),
        ] {
            let luma = builder.build().expect("a client").with_timeout(zero);
            assert!(luma.token().in_flight.available_permits() > 0);
            assert_eq!(luma.api().inner.timeout, MIN_TIMEOUT);
        }
    }

    #[test]
    fn clients_of_one_token_share_its_limit() {
        let luma = builder().build().expect("a client");
        let of = |luma: &Luma, token: &str| luma.with_token(token).expect("a token");
        let (same, other) = (of(&luma, " a-token "), of(&luma, "another-token"));
        let again = of(&same, "another-token");
        let limit = |luma: &Luma| Arc::as_ptr(&luma.token().in_flight);
        assert_eq!(limit(&luma), limit(&same));
        assert_eq!(limit(&other), limit(&again));
        assert_ne!(limit(&luma), limit(&other));
        drop((other, again));
        let _new = of(&luma, "a-third-token");
        assert_eq!(luma.0.shared.tokens.lock().expect("no panic").len(), 2);
    }

    #[test]
    fn waits_poll_often_if_the_service_is_on_this_machine() {
        for (base_url, expected) in [
            ("http://127.0.0.1:9", PollInterval::fixed(LumaBuilder::LOOPBACK_INTERVAL)),
            ("http://localhost:9/api", PollInterval::fixed(LumaBuilder::LOOPBACK_INTERVAL)),
            ("http://[::1]:9", PollInterval::fixed(LumaBuilder::LOOPBACK_INTERVAL)),
            ("https://api.acedata.cloud", PollInterval::default()),
            ("https://luma.example", PollInterval::default()),
        ] {
            let luma = builder().base_url(base_url).build().expect("a client");
            assert_eq!(luma.poll_interval(), &expected, "{base_url}");
            let set = builder().base_url(base_url).poll_interval(PollInterval::default());
            let luma = set.build().expect("a client");
            assert_eq!(luma.poll_interval(), &PollInterval::default(), "{base_url}");
        }
    }
}
