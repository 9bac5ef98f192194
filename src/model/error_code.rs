//! The service's words for errors.

use std::fmt;

use crate::util::text::{WORD, clean};

/// The service's word for an error.
///
/// An open enum: a code that this version does not know is [`Other`](Self::Other).
///
/// ```
/// use luma_client::ErrorCode;
///
/// assert_eq!(ErrorCode::from("used_up"), ErrorCode::UsedUp);
/// assert_eq!(ErrorCode::from("brand_new"), ErrorCode::Other("brand_new".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `bad_request`: a parameter is wrong.
    BadRequest,
    /// `token_mismatched`: the token is for another service.
    TokenMismatched,
    /// `api_not_implemented`.
    ApiNotImplemented,
    /// `invalid_token`.
    InvalidToken,
    /// `token_expired`.
    TokenExpired,
    /// `no_token`.
    NoToken,
    /// `payment_required`: the account has to be paid for first.
    PaymentRequired,
    /// `forbidden`: moderation refused the prompt.
    Forbidden,
    /// `used_up`: the balance is used up.
    UsedUp,
    /// `disabled`: the application or the service is disabled.
    Disabled,
    /// `not_found`: no task has the id.
    NotFound,
    /// `too_many_requests`.
    TooManyRequests,
    /// `api_error`: the service failed.
    ApiError,
    /// `timeout`: the server-side timeout of a synchronous call expired; the task may still finish.
    Timeout,
    /// A code that this version does not know.
    Other(String),
}

impl ErrorCode {
    const KNOWN: [Self; 14] = [
        Self::BadRequest,
        Self::TokenMismatched,
        Self::ApiNotImplemented,
        Self::InvalidToken,
        Self::TokenExpired,
        Self::NoToken,
        Self::PaymentRequired,
        Self::Forbidden,
        Self::UsedUp,
        Self::Disabled,
        Self::NotFound,
        Self::TooManyRequests,
        Self::ApiError,
        Self::Timeout,
    ];

    /// The code as the service spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::BadRequest => "bad_request",
            Self::TokenMismatched => "token_mismatched",
            Self::ApiNotImplemented => "api_not_implemented",
            Self::InvalidToken => "invalid_token",
            Self::TokenExpired => "token_expired",
            Self::NoToken => "no_token",
            Self::PaymentRequired => "payment_required",
            Self::Forbidden => "forbidden",
            Self::UsedUp => "used_up",
            Self::Disabled => "disabled",
            Self::NotFound => "not_found",
            Self::TooManyRequests => "too_many_requests",
            Self::ApiError => "api_error",
            Self::Timeout => "timeout",
            Self::Other(code) => code,
        }
    }

    /// What the user can do about it; `None` for a code that this version does not know.
    ///
    /// The one table of advice: the command line, the tools and the library's own messages use it.
    ///
    /// ```
    /// use luma_client::ErrorCode;
    ///
    /// assert_eq!(ErrorCode::UsedUp.remedy(), Some("the balance is used up: top up the account"));
    /// ```
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadRequest => "correct the request: the message says what is wrong",
            Self::ApiNotImplemented => "this operation is not available: use another one",
            Self::InvalidToken => "check the API token: the service does not know it",
            Self::TokenExpired => "the API token has expired: create a new one",
            Self::NoToken => "send an API token",
            Self::TokenMismatched => "the API token is for another service: use one for Luma",
            Self::PaymentRequired => "payment is required: top up the account",
            Self::UsedUp => "the balance is used up: top up the account",
            Self::Disabled => "the application or the service is disabled: enable it in the console",
            Self::Forbidden => "moderation refused it: change the prompt or the images",
            Self::NotFound => "check the task id: this account has no such task",
            Self::TooManyRequests => "too many requests: wait, then try again more slowly",
            Self::ApiError => "the service failed: try again later",
            Self::Timeout => "the service did not answer in time: look the task up before you repeat",
            Self::Other(_) => return None,
        })
    }
}

impl From<&str> for ErrorCode {
    fn from(code: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(code.trim()))
            .unwrap_or_else(|| Self::Other(clean(code, WORD)))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
