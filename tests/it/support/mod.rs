//! A simulated service, clients of it, and short names for how calls end.

pub mod cases;
pub mod fixture;
pub mod fronts;
pub mod http2;
pub mod raw;
pub mod webhook_relay;

use std::{error::Error as StdError, fmt, time::Duration};

use luma_client::{
    DownloadError, Error, Luma, LumaBuilder, RequestError, RetryPolicy, SubmitError, TaskId,
    TransportError,
};
use luma_simulator::{JobDuration, Simulator};

/// Long and odd enough to appear nowhere by chance.
pub const TOKEN: &str = "sk-9f3c1e7ab24d4c0d8f55-never-to-be-shown";

/// How often a client of [`builder`] sends a request at most.
pub const ATTEMPTS: u32 = 3;

/// For what must come, but may take its time on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A service whose tasks end at once, and a client of it.
pub async fn start() -> (Simulator, Luma) {
    let builder = Simulator::builder().duration(JobDuration::Fixed(Duration::ZERO));
    let simulator = builder.start().await.expect("a simulator");
    let luma = client(simulator.url());
    (simulator, luma)
}

/// A client that retries soon, but waits long for a response.
pub fn client(base_url: &str) -> Luma {
    builder(base_url).build().expect("a client")
}

pub fn builder(base_url: &str) -> LumaBuilder {
    Luma::builder()
        .token(TOKEN)
        .base_url(base_url)
        .allow_plain_http(true)
        .http_client(bare())
        .retry(retry())
}

pub fn retry() -> RetryPolicy {
    RetryPolicy::default()
        .max_attempts(ATTEMPTS)
        .min_delay(Duration::from_millis(2))
        .max_delay(Duration::from_millis(4))
}

/// An HTTP client without certificates, which take their time to load.
pub fn bare() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

pub fn id(id: &str) -> TaskId {
    id.parse().expect("an id")
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let end = tokio::time::timeout(PATIENCE, poll).await;
    assert!(end.is_ok(), "it never came: {what}");
}

/// How a call ended, in a few words.
pub trait Named {
    fn name(&self) -> String;
}

impl Named for RequestError {
    fn name(&self) -> String {
        match self {
            Self::Api(error) => match &error.code {
                Some(code) => format!("{} {code}", error.status.as_u16()),
                None => format!("HTTP {}", error.status.as_u16()),
            },
            Self::NotFound { .. } => "not found".to_owned(),
            Self::Transport(error) => error.name(),
            Self::Decode(_) => "unreadable".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

impl Named for TransportError {
    fn name(&self) -> String {
        let name = match (self.is_connect(), self.is_timeout(), self.is_not_sent()) {
            (true, _, _) => "no connection",
            (_, true, _) => "timeout",
            (_, _, true) => "shut down",
            _ => "broken",
        };
        name.to_owned()
    }
}

impl Named for SubmitError {
    fn name(&self) -> String {
        match self {
            Self::NotAccepted(error) => error.name(),
            Self::Unconfirmed { source, .. } => format!("unconfirmed: {}", source.name()),
            other => format!("{other:?}"),
        }
    }
}

impl Named for DownloadError {
    fn name(&self) -> String {
        match self {
            error if error.is_expired() => "expired".to_owned(),
            Self::Status { status, .. } => format!("HTTP {}", status.as_u16()),
            Self::WrongType { .. } => "no video".to_owned(),
            Self::TooLarge { .. } => "too large".to_owned(),
            Self::Empty => "empty".to_owned(),
            Self::Url { .. } => "URL refused".to_owned(),
            Self::Transport(error) => error.name(),
            other => format!("{other:?}"),
        }
    }
}

impl Named for Error {
    fn name(&self) -> String {
        match self {
            Self::Request(error) => error.name(),
            Self::Submit(error) => error.name(),
            Self::Download(error) => error.name(),
            other => format!("{other:?}"),
        }
    }
}

/// `ok`, or the name of the error.
pub fn end<T, E: Named>(result: &Result<T, E>) -> String {
    result.as_ref().map_or_else(Named::name, |_| "ok".to_owned())
}

pub fn show(value: &impl fmt::Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// An error and its sources.
pub fn show_error(error: &(dyn StdError + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let shown = chain.map(|error| format!("{error} {error:#} {error:?} {error:#?}"));
    shown.collect::<Vec<_>>().join("\n")
}

/// Keeps every event and span enabled for the whole program. Without it, one that first happens on a thread
/// of another test, which does not listen, may be disabled for all.
pub fn enable_tracing() {
    static ENABLED: std::sync::Once = std::sync::Once::new();
    ENABLED.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(std::io::sink);
        tracing::subscriber::set_global_default(subscriber.finish()).expect("the only one");
    });
}
