//! What to do about an error, beyond what its message says: a table.

use std::{error::Error as _, time::Duration};

use luma_client::{ApiError, BASE_URL_VARIABLE, ConfigError, Error, ErrorCode, TOKEN_VARIABLE};

pub const NOT_FOUND: &str =
    "Check that it is the id of a task, not of a video, and that the token is of its account.";
const TRANSIENT: &str = "It may pass: try again in a while.";

/// What to do about an error that leaves nothing in doubt.
pub fn hint(error: &Error) -> Option<String> {
    if let Some(wait) = error.retry_after() {
        return Some(retry(wait));
    }
    Some(match error {
        Error::Config(ConfigError::NoToken) => {
            format!("Set {TOKEN_VARIABLE}, or try it out with --simulate: no token, no bill.")
        }
        Error::Config(ConfigError::BlankToken | ConfigError::MalformedToken) => {
            format!("Set {TOKEN_VARIABLE}, or --token, to the API token of your account.")
        }
        Error::NotFound { .. } => NOT_FOUND.to_owned(),
        Error::Api(answer) => return of_answer(answer),
        Error::Transport(broken) if broken.is_connect() => match address(error) {
            Some(address) => format!("Tried {address}: check the network, and {}.", base_url()),
            None => format!("Check the network, and {}.", base_url()),
        },
        Error::Transport(_) => TRANSIENT.to_owned(),
        Error::Decode(_) if error.is_retryable() => format!(
            "Try again in a while; if it stays so, check {}.",
            base_url()
        ),
        _ => return None,
    })
}

/// The wait that the service asked for, in whole seconds: rounded up, not to come too early.
pub fn retry(wait: Duration) -> String {
    let part = u64::from(wait.subsec_nanos() > 0);
    let seconds = wait.as_secs().saturating_add(part);
    format!("The service asks to wait {seconds} s before the next try.")
}

fn of_answer(answer: &ApiError) -> Option<String> {
    use ErrorCode as Code;
    let status = match answer.code {
        None | Some(Code::Other(_)) => answer.status.as_u16(),
        // The code counts before the status.
        Some(_) => 0,
    };
    Some(match (&answer.code, status) {
        (
            Some(Code::InvalidToken | Code::TokenExpired | Code::NoToken | Code::TokenMismatched),
            _,
        )
        | (_, 401) => format!("Check {TOKEN_VARIABLE}, or --token where you give it."),
        // With a code the message says it.
        (_, 402) => "Top up the Ace Data Cloud account.".to_owned(),
        (_, 403) => "Either the account may not do this, or moderation refused the prompt or an \
                     image: change those."
            .to_owned(),
        (Some(Code::Disabled), _) => {
            "Enable the application or the service in the Ace Data Cloud console.".to_owned()
        }
        (Some(Code::BadRequest), _) | (_, 400 | 413 | 422) => {
            "Correct it by what the message says: the same again will not do better.".to_owned()
        }
        (_, 404 | 405 | 410) => format!("There is no such service there: check {}.", base_url()),
        (Some(Code::TooManyRequests | Code::ApiError | Code::Timeout), _)
        | (_, 408 | 425 | 429 | 500..=599) => TRANSIENT.to_owned(),
        _ => return None,
    })
}

fn base_url() -> String {
    format!("--base-url or {BASE_URL_VARIABLE}")
}

/// Where the connection was to go, without anything secret that a URL may hold.
fn address(error: &Error) -> Option<String> {
    let sent: &reqwest::Error = error.source()?.downcast_ref()?;
    Some(sent.url()?.origin().ascii_serialization())
}
