//! Why a command did not end well, its exit code, and what the user can do about it.

use std::{error::Error as StdError, io, sync::OnceLock, time::Duration};

use luma_client::{
    ApiError, BASE_URL_VARIABLE, ConfigError, DownloadError, ErrorCode, FailureKind, InvalidInput,
    RequestError, SubmitError, TOKEN_VARIABLE, TaskFailure, TaskState, TransportError, WaitError,
};
use luma_mcp::DailyLimitError;
use serde::Serialize;

use crate::{proxy, times::clock};

/// How the program ends. If several tasks end differently, the later variant counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Done,
    TaskFailed,
    Deadline,
    Service,
    /// A video was accepted, or may have been: a repeated submit can be billed twice.
    Submitted,
    BadInput,
    Interrupted,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::TaskFailed => 1,
            Self::BadInput => 2,
            Self::Service => 3,
            Self::Deadline => 4,
            Self::Submitted => 5,
            // As a shell reports a program that SIGINT ended.
            Self::Interrupted => 130,
        }
    }
}

/// The kind of failure; a word in the JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    BadInput,
    TaskFailed,
    /// The task is reported as ended, but without a video.
    NoVideo,
    NotFound,
    #[default]
    Api,
    Network,
    /// The prompt was not sent, because earlier submits failed.
    NotSent,
    /// The limit of videos a day is used up, or cannot be counted.
    Limit,
    /// A submit that may have been accepted and billed.
    Unconfirmed,
    /// The server of the file did not send it.
    Download,
    /// The file cannot be written.
    File,
    Deadline,
    /// There is nothing to download yet.
    NotReady,
    Interrupted,
}

impl Kind {
    /// How a task ended, for a line of progress, and how the program ends.
    fn ends(self) -> (&'static str, Exit) {
        match self {
            Self::BadInput => ("error", Exit::BadInput),
            Self::TaskFailed => ("failed", Exit::TaskFailed),
            Self::NotFound => ("not found", Exit::Service),
            Self::Api | Self::Network | Self::Limit => ("error", Exit::Service),
            Self::Download | Self::File => ("not saved", Exit::Service),
            Self::NotSent => ("not sent", Exit::Service),
            Self::NoVideo => ("no video", Exit::Submitted),
            Self::Unconfirmed => ("error", Exit::Submitted),
            Self::Deadline => ("deadline", Exit::Deadline),
            Self::NotReady => ("not ready", Exit::Deadline),
            Self::Interrupted => ("interrupted", Exit::Interrupted),
        }
    }

    pub fn end(self) -> &'static str {
        self.ends().0
    }

    pub fn exit(self) -> Exit {
        self.ends().1
    }

    /// Whether the same wait or download may succeed later.
    pub fn is_resumable(self) -> bool {
        !matches!(self, Self::TaskFailed | Self::NotFound | Self::NotReady)
    }
}

/// What the failure of a submit says about the submits of other prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: this prompt was refused.
    Prompt,
    /// They may fail as well: the service or the network is in trouble.
    Service,
    /// They would fail as well: the token, the balance, the address or the limit of the day.
    Account,
}

/// Why a command, or one task of it, did not end well.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    /// The service's code.
    pub code: Option<Box<str>>,
    pub http_status: Option<u16>,
    pub trace_id: Option<Box<str>>,
    /// What the last lookup before the deadline failed with.
    pub last_error: Option<Box<str>>,
    /// What to do now.
    pub next_step: Option<String>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), ..Self::default() }
    }

    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Kind::BadInput, message)
    }

    pub fn next_step(mut self, step: impl Into<String>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    /// What it says about the submits of other prompts.
    pub fn scope(&self) -> Scope {
        match (self.kind, self.code.as_deref(), self.http_status) {
            (Kind::Limit, ..) => Scope::Account,
            (Kind::Network | Kind::Unconfirmed, ..) => Scope::Service,
            (
                Kind::Api,
                Some(
                    "invalid_token"
                    | "token_expired"
                    | "no_token"
                    | "token_mismatched"
                    | "payment_required"
                    | "used_up"
                    | "disabled"
                    | "api_not_implemented"
                    | "not_found",
                ),
                _,
            ) => Scope::Account,
            (Kind::Api, Some("forbidden" | "bad_request"), _) => Scope::Prompt,
            (Kind::Api, _, Some(401 | 402 | 404 | 405 | 410)) => Scope::Account,
            (Kind::Api, _, Some(400 | 413 | 422)) => Scope::Prompt,
            (Kind::Api, ..) => Scope::Service,
            _ => Scope::Prompt,
        }
    }

    /// Adds what the last lookup failed with.
    pub fn last_error(mut self, lead: &str, error: &str) -> Self {
        self.message = format!("{}{lead}{error}", self.message);
        self.last_error = Some(error.into());
        self
    }

    /// Adds one more thing to do.
    pub fn also(self, more: &str) -> Self {
        let steps: Vec<_> = self.next_step.iter().map(String::as_str).chain([more]).collect();
        let steps = steps.join("\n");
        self.next_step(steps)
    }
}

fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// The message with its root cause, unless the message already says it.
pub fn with_cause(error: &(dyn StdError + 'static)) -> String {
    let (message, cause) = (error.to_string(), root_cause(error));
    match message.contains(&cause) {
        true => message,
        false => format!("{message}: {cause}"),
    }
}

/// The base URL. Set once, when the client is built.
pub static BASE_URL: OnceLock<String> = OnceLock::new();

const NOT_FOUND: &str =
    "Check that it is the id of a task, not of a video, and that the token belongs to its account.";
const MAY_APPEAR: &str = "The video is probably billed, and may still appear: look again later, before you submit again.";
const TRY_LATER: &str = "Try again later.";

fn check_base_url() -> String {
    format!("check --base-url or {BASE_URL_VARIABLE}.")
}

fn wrong_address() -> String {
    format!("The service is not at this address: {}", check_base_url())
}

fn retry(wait: Duration) -> String {
    // Rounded up, not to come too early.
    let seconds = wait.as_millis().div_ceil(1_000);
    format!("The service asks to wait {seconds} s before the next try.")
}

/// What only a command line can say: the library's message has the remedy of a known code in it.
fn advice(error: &ApiError) -> Option<String> {
    use ErrorCode as Code;
    if let Some(wait) = error.retry_after {
        return Some(retry(wait));
    }
    let code = error.code.as_ref().filter(|code| code.remedy().is_some());
    Some(match (code, error.status.as_u16()) {
        (Some(Code::InvalidToken | Code::TokenExpired | Code::NoToken), _)
        | (Some(Code::TokenMismatched), _)
        | (None, 401) => format!("Check {TOKEN_VARIABLE}, or --token if you use it."),
        (Some(Code::ApiError | Code::TooManyRequests | Code::Timeout), _)
        | (None, 408 | 425 | 429 | 500..=599) => TRY_LATER.to_owned(),
        (None, 400 | 413 | 422) => {
            "Correct the request: the message says what is wrong.".to_owned()
        }
        (None, 402) => "Payment is required: top up the account.".to_owned(),
        // Moderation has a code of its own. Without one it may be a firewall or a proxy.
        (None, 403) => format!(
            "Something refused it, perhaps a gateway: check the network, {TOKEN_VARIABLE}, and the prompt."
        ),
        (None, 404 | 405 | 410) => wrong_address(),
        (Some(Code::NotFound), _) => wrong_address(),
        (None, 400..=499) => {
            "The service does not say why: try again later, or ask its support.".to_owned()
        }
        _ => return None,
    })
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        match error {
            ConfigError::NoToken => Self::bad_input("there is no API token").next_step(format!(
                "Set {TOKEN_VARIABLE}, or try --simulate: no token, no network, no cost."
            )),
            ConfigError::BlankToken | ConfigError::MalformedToken => Self::bad_input(text)
                .next_step(format!(
                    "Set {TOKEN_VARIABLE}, or --token, to the API token of your account."
                )),
            ConfigError::BaseUrl { reason, .. } if reason.starts_with("plain http") => {
                Self::bad_input(text).next_step("If the network is yours, add --allow-plain-http.")
            }
            ConfigError::Http(reason) if reason.contains("CA certificates") => {
                let message = "no CA certificates found: https needs them";
                Self::new(Kind::Network, message).next_step(
                    "Install your system's package ca-certificates, or set SSL_CERT_FILE to a \
                     file with certificates.",
                )
            }
            ConfigError::Http(_) => Self::new(Kind::Network, text),
            _ => Self::bad_input(text),
        }
    }
}

impl From<proxy::Unusable> for Error {
    fn from(proxy::Unusable(variable): proxy::Unusable) -> Self {
        let what = "the proxy of the environment variable";
        Self::bad_input(format!("{what} {variable} cannot be used")).next_step(
            "Use a URL such as http://proxy.example:3128 or socks5h://127.0.0.1:1080, or unset it.",
        )
    }
}

impl From<InvalidInput> for Error {
    fn from(error: InvalidInput) -> Self {
        let text = error.to_string();
        let InvalidInput::Url { field, .. } = error else {
            return Self::bad_input(text);
        };
        let option = match field {
            "start_image_url" => "--start-image",
            "end_image_url" => "--end-image",
            "callback_url" => "--callback-url",
            _ => "<VIDEO>",
        };
        Self::bad_input(text.replacen(field, option, 1))
    }
}

impl From<DailyLimitError> for Error {
    fn from(error: DailyLimitError) -> Self {
        Self::new(Kind::Limit, error.to_string()).next_step("Nothing was sent.")
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::new(Kind::File, error.to_string())
    }
}

impl From<TaskFailure> for Error {
    fn from(failure: TaskFailure) -> Self {
        let (kind, next_step) = match failure.kind {
            FailureKind::NoVideo => (Kind::NoVideo, Some(MAY_APPEAR.to_owned())),
            _ => (Kind::TaskFailed, None),
        };
        Self {
            code: failure.code.as_ref().map(|code| code.as_str().into()),
            trace_id: failure.trace_id.as_deref().map(Into::into),
            next_step,
            ..Self::new(kind, failure.to_string())
        }
    }
}

impl Error {
    /// There was no whole response from this URL.
    fn transport(error: &TransportError, url: &str) -> Self {
        if error.is_not_sent() && !error.is_connect() {
            return Self::new(Kind::Interrupted, "interrupted: nothing was sent");
        }
        if !error.is_connect() {
            return Self::new(Kind::Network, with_cause(error)).next_step(TRY_LATER);
        }
        let cause = root_cause(error);
        if let Some(error) = Self::of_proxy(url, &cause) {
            return error;
        }
        let place = url.parse().ok().as_ref().and_then(proxy::origin);
        let place = place.unwrap_or_else(|| "the service".to_owned());
        let error = Self::new(Kind::Network, format!("could not connect to {place}: {cause}"));
        match BASE_URL.get().is_some_and(|base| base == url) {
            true => error.next_step(format!("Check the network; {}", check_base_url())),
            false => error.next_step("Check the network, and try again later."),
        }
    }

    /// The connection to this URL failed, if it goes through a proxy.
    pub fn of_proxy(url: &str, cause: &str) -> Option<Self> {
        let (proxy, variable) = proxy::of(url)?;
        let message = format!("could not connect through the proxy {proxy}: {cause}");
        let hint = format!("Check the environment variable {variable}, and that the proxy runs.");
        Some(Self::new(Kind::Network, message).next_step(hint))
    }

    /// The download of this URL failed.
    pub fn download(error: DownloadError, url: &str) -> Self {
        let kind = match error {
            DownloadError::Transport(ref error) => {
                return Self::transport(error, url);
            }
            DownloadError::Client(error) => return error.into(),
            DownloadError::Exists { path } => {
                let advice = "already exists: choose another name, or add --overwrite";
                return Self::new(Kind::File, format!("{} {advice}", path.display()));
            }
            DownloadError::TooLarge { limit } => {
                let message =
                    format!("the file is larger than {limit} bytes: save it from its URL");
                return Self::new(Kind::Download, message);
            }
            DownloadError::DiskFull { .. }
            | DownloadError::Io { .. }
            | DownloadError::NoFolder { .. }
            | DownloadError::NotAFile { .. } => Kind::File,
            _ => Kind::Download,
        };
        Self { next_step: error.retry_after().map(retry), ..Self::new(kind, with_cause(&error)) }
    }
}

/// The library's remedy for `not_found` is for the lookup of a task, which has an error of its own.
fn api_message(error: &ApiError) -> String {
    let remedy = error.code.as_ref().filter(|code| **code == ErrorCode::NotFound);
    match remedy.and_then(ErrorCode::remedy) {
        Some(remedy) => error.to_string().replacen(&format!(" ({remedy})"), "", 1),
        None => error.to_string(),
    }
}

impl From<&RequestError> for Error {
    fn from(error: &RequestError) -> Self {
        match error {
            RequestError::Transport(error) => {
                Self::transport(error, BASE_URL.get().map_or("", |url| url))
            }
            RequestError::NotFound { .. } => {
                Self::new(Kind::NotFound, error.to_string()).next_step(NOT_FOUND)
            }
            RequestError::Api(api) => Self {
                code: api.code.as_ref().map(|code| code.as_str().into()),
                http_status: Some(api.status.as_u16()),
                trace_id: api.trace_id.as_deref().map(Into::into),
                next_step: advice(api),
                ..Self::new(Kind::Api, api_message(api))
            },
            _ => Self {
                next_step: error
                    .is_retryable()
                    .then(|| format!("Try again later; if it fails again, {}", check_base_url())),
                ..Self::new(Kind::Api, error.to_string())
            },
        }
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        Self::from(&error)
    }
}

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::InvalidInput(error) => error.into(),
            SubmitError::Unconfirmed { source, .. } => {
                Self { kind: Kind::Unconfirmed, ..source.into() }
            }
            SubmitError::NotAccepted(source) => source.into(),
            error => Self::new(Kind::Unconfirmed, with_cause(&error)),
        }
    }
}

impl From<&WaitError> for Error {
    fn from(error: &WaitError) -> Self {
        match error {
            WaitError::Failed { failure, .. } => failure.clone().into(),
            WaitError::Poll { source, .. } => {
                let cause = Self::from(&**source);
                Self { message: format!("{error}: {}", cause.message), ..cause }
            }
            WaitError::Deadline { task, last_state, polls, elapsed, source } => {
                let state = match last_state {
                    None | Some(TaskState::Unknown(_)) => "unknown".to_owned(),
                    Some(state) => state.to_string(),
                };
                let time = clock(*elapsed);
                let error = Self::new(
                    Kind::Deadline,
                    format!("{task} has not ended after {time} (state: {state}, lookups: {polls})"),
                );
                match source.as_ref().map(|source| Self::from(&**source).message) {
                    Some(cause) => error.last_error("; the last lookup failed: ", &cause),
                    None => error,
                }
            }
            WaitError::NotFound { .. } => {
                Self::new(Kind::NotFound, error.to_string()).next_step(NOT_FOUND)
            }
            _ => Self::new(Kind::Api, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use luma_client::{Task, serde_json};

    use super::*;

    #[test]
    fn end_without_a_video_is_not_the_end_of_the_task() {
        for (state, exit, expected) in
            [("completed", Exit::Submitted, Some(MAY_APPEAR)), ("failed", Exit::TaskFailed, None)]
        {
            let json = format!(r#"{{"id":"a","response":{{"state":"{state}"}}}}"#);
            let task: Task = serde_json::from_str(&json).expect("a task");
            let failure = task.failure().expect("it has ended");
            let task = "a".parse().expect("an id");
            let error = Error::from(&WaitError::Failed { task, failure });
            assert_eq!(error.next_step.as_deref(), expected, "{state}");
            assert_eq!(error.kind.exit(), exit, "{state}");
        }
    }
}
