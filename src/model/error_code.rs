//! The service's words for errors.

use crate::util::{
    open_enum,
    text::{WORD, clean},
};

open_enum! {
    /// The service's word for an error.
    ///
    /// An open enum: a code that this version does not know is `Other`.
    ///
    /// ```
    /// use luma_client::ErrorCode;
    ///
    /// assert_eq!(ErrorCode::from("used_up"), ErrorCode::UsedUp);
    /// assert_eq!(ErrorCode::from("brand_new"), ErrorCode::Other("brand_new".to_owned()));
    /// ```
    ErrorCode, other: /** A code that this version does not know. */ |code| clean(code, WORD),
    /// `bad_request`: a parameter is wrong.
    BadRequest = "bad_request",
    /// `token_mismatched`: the token is for another service.
    TokenMismatched = "token_mismatched",
    /// `api_not_implemented`.
    ApiNotImplemented = "api_not_implemented",
    /// `invalid_token`.
    InvalidToken = "invalid_token",
    /// `token_expired`.
    TokenExpired = "token_expired",
    /// `no_token`.
    NoToken = "no_token",
    /// `payment_required`: the account needs a payment first.
    PaymentRequired = "payment_required",
    /// `forbidden`: moderation refused the prompt.
    Forbidden = "forbidden",
    /// `used_up`: the balance is used up.
    UsedUp = "used_up",
    /// `disabled`: the application or the service is disabled.
    Disabled = "disabled",
    /// `not_found`: no task has the id.
    NotFound = "not_found",
    /// `too_many_requests`.
    TooManyRequests = "too_many_requests",
    /// `api_error`: the service failed.
    ApiError = "api_error",
    /// `timeout`: the server-side timeout of a synchronous call expired; the task may still finish.
    Timeout = "timeout",
}

impl ErrorCode {
    /// Returns what the user can do; `None` for a code that this version does not know.
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
            Self::Disabled => {
                "the application or the service is disabled: enable it in the console"
            }
            Self::Forbidden => "moderation refused it: change the prompt or the images",
            Self::NotFound => "check the task id: this account has no such task",
            Self::TooManyRequests => "too many requests: wait, then try again more slowly",
            Self::ApiError => "the service failed: try again later",
            Self::Timeout => {
                "the service did not respond in time: look the task up before you submit again"
            }
            Self::Other(_) => return None,
        })
    }
}
