//! How error responses are read, and what they mean for money.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{ApiError, RequestError, token::Token};
use crate::{
    model::ErrorCode,
    util::text::{EXCERPT, MESSAGE},
};

fn token() -> Token {
    Token::new("a-token".into(), 5).expect("a token")
}

fn read(status: u16, body: &str) -> ApiError {
    let status = StatusCode::from_u16(status).expect("a status");
    ApiError::read(status, &HeaderMap::new(), body.as_bytes(), &token())
}

#[test]
fn body_of_each_shape_is_read() {
    for (body, code, message, trace_id) in [
        (
            r#"{"success":false,"error":{"code":"used_up","message":"Empty."},"trace_id":"t"}"#,
            Some("used_up"),
            "Empty.",
            Some("t"),
        ),
        (
            r#"{"error":{"code":"used_up"}}"#,
            Some("used_up"),
            r#"{"error":{"code":"used_up"}}"#,
            None,
        ),
        (r#"{"error":"temporary"}"#, None, "temporary", None),
        (r#"{"error":null,"detail":"Not Found"}"#, None, "Not Found", None),
        (r#"{"detail":"Not Found"}"#, None, "Not Found", None),
        (r#"{"detail":[{"msg":"x"}]}"#, None, r#"{"detail":[{"msg":"x"}]}"#, None),
        (r#"{"message":"no Route"}"#, None, "no Route", None),
        (r#""plain""#, None, "plain", None),
        ("<html>\n<b>Bad</b>\tgateway</html>", None, "an HTML page", None),
        ("<HTML><Title>Bad\n gateway</title><b>x</b>", None, "Bad gateway", None),
        // Almost JSON.
        (
            r#"{"error":{"code":"used_up","message":"cut \ud83d"}}"#,
            Some("used_up"),
            "cut \u{fffd}",
            None,
        ),
        ("", None, "", None),
        ("null", None, "null", None),
        ("[]", None, "[]", None),
        ("\u{1b}[31mred\u{7}", None, "[31mred", None),
    ] {
        let error = read(500, body);
        let got = (
            error.code.as_ref().map(ErrorCode::as_str),
            error.message.as_str(),
            error.trace_id.as_deref(),
        );
        assert_eq!(got, (code, message, trace_id), "{body}");
    }
}

#[test]
fn long_body_is_kept_in_part() {
    let long = "x\u{7}y ".repeat(100_000);
    let body = serde_json::json!({
        "error": { "code": long, "message": long }, "trace_id": long,
    });
    let error = read(500, &body.to_string());
    assert_eq!(error.message.chars().count(), MESSAGE + 1);
    assert!(error.to_string().len() < 2_000, "{error}");
    assert!(!error.to_string().contains('\u{7}'));

    assert!(read(500, &long).message.chars().count() <= EXCERPT + 1);
    let error = RequestError::unreadable(&token(), &long, long.as_bytes());
    assert!(error.to_string().len() < 1_000);
}

#[test]
fn deep_json_is_read_as_far_as_it_goes() {
    let deep = "[".repeat(1_000_000);
    assert_eq!(read(500, &deep).message.chars().count(), EXCERPT + 1);
    let nested = format!("{}{}", r#"{"error":"#.repeat(1_000), "}".repeat(1_000));
    assert_eq!(read(500, &nested).code, None);
}

#[test]
fn refusal_is_certain_by_status_or_code() {
    for (status, refused) in [
        (200, false),
        (204, false),
        (206, false),
        (300, false),
        // A redirect for the whole site; but 302 and 303 may follow an accepted submit.
        (301, true),
        (302, false),
        (303, false),
        (304, false),
        (307, true),
        (308, true),
        (400, true),
        (401, true),
        (402, true),
        (403, true),
        (404, true),
        (408, false),
        (409, true),
        (413, true),
        (422, true),
        (425, true),
        (429, true),
        (451, true),
        (460, false),
        (499, false),
        (500, false),
        (502, false),
        (503, false),
        (504, false),
        (520, false),
    ] {
        assert_eq!(read(status, "").is_refusal(), refused, "{status}");
    }
    for code in ErrorCode::KNOWN {
        let refused = !matches!(code, ErrorCode::ApiError | ErrorCode::Timeout);
        for status in [200, 400, 500, 504] {
            let error = read(status, &format!(r#"{{"error":{{"code":"{code}"}}}}"#));
            assert_eq!(error.is_refusal(), refused, "{status} {code}");
        }
    }
}

#[test]
fn error_that_names_a_task_is_not_a_refusal() {
    for (body, names_task, id) in [
        (r#"{"task_id":"a"}"#, true, Some("a")),
        (r#"{"data":{"task_id":"a"}}"#, true, Some("a")),
        (r#"{"data":[{"taskId":"a"}]}"#, true, Some("a")),
        (r#"{"task_ids":["a"]}"#, true, None),
        (r#"{"TaskID":"a"}"#, true, Some("a")),
        (r#"{"error":{"code":"bad_request","task-id":"a"}}"#, true, Some("a")),
        (r#"{"task":{"id":"a"}}"#, true, Some("a")),
        (r#"{"task":{"state":"none"}}"#, false, None),
        (r#"{"task":"generate"}"#, false, None),
        (r#"{"task_id":17}"#, true, None),
        (r#"{"task_id":"no id"}"#, true, None),
        (r#"{"task_id":17,"data":{"task_id":"a"}}"#, true, Some("a")),
        (r#"{"task_id":""}"#, false, None),
        (r#"{"task_id":null}"#, false, None),
        (r#"{"id":"a","trace_id":"t"}"#, false, None),
    ] {
        let error = read(400, body);
        assert_eq!(error.names_task, names_task, "{body}");
        assert_eq!(error.is_refusal(), !names_task, "{body}");
        assert_eq!(error.task_id, id.map(|id| id.parse().expect("an id")), "{body}");
    }
}

/// The account's errors end every wait. Moderation, bad parameters and a 403 that no code explains end one
/// call.
#[test]
fn account_is_the_reason_by_code_or_status() {
    use ErrorCode::*;
    for code in ErrorCode::KNOWN {
        let account = matches!(
            code,
            InvalidToken
                | TokenExpired
                | NoToken
                | TokenMismatched
                | PaymentRequired
                | UsedUp
                | Disabled
        );
        for status in [200, 400, 401, 403, 500] {
            let error = read(status, &format!(r#"{{"error":{{"code":"{code}"}}}}"#));
            let account = account || (status == 401 && !error.is_transient());
            assert_eq!(error.is_account(), account, "{status} {code}");
        }
    }
    for (status, account) in
        [(400, false), (401, true), (402, true), (403, false), (404, false), (500, false)]
    {
        assert_eq!(read(status, "").is_account(), account, "{status}");
        assert_eq!(read(status, r#"{"error":{"code":"new"}}"#).is_account(), account, "{status}");
    }
}

#[test]
fn retry_date_counts_from_the_date_of_the_response() {
    let headers = |date: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        let at = HeaderValue::from_static("Sat, 01 Aug 2026 12:00:30 GMT");
        headers.insert("retry-after", at);
        date.map(|date| headers.insert("date", HeaderValue::from_static(date)));
        headers
    };
    for (date, seconds) in
        [("Sat, 01 Aug 2026 12:00:00 GMT", 30), ("Sat, 01 Aug 2026 12:01:00 GMT", 0)]
    {
        let error = ApiError::read(StatusCode::OK, &headers(Some(date)), b"", &token());
        assert_eq!(error.retry_after, Some(Duration::from_secs(seconds)), "{date}");
    }
    for date in [None, Some("today")] {
        let error = ApiError::read(StatusCode::OK, &headers(date), b"", &token());
        assert!(error.retry_after.is_some(), "{date:?}");
    }
}

#[test]
fn decode_error_quotes_the_beginning_of_a_body() {
    for (excerpt, expected) in [
        ("", "the response could not be read: it ends"),
        ("<p>", "the response could not be read: it ends; it begins with \"<p>\""),
    ] {
        let error = RequestError::unreadable(&token(), "it ends", excerpt.as_bytes());
        assert_eq!(error.to_string(), expected);
    }
}

proptest! {
    #[test]
    fn response_of_any_bytes_is_read(
        status in 100_u16..1000,
        retry_after in proptest::collection::vec(32_u8..=255, 0..40),
        body in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&retry_after) {
            headers.insert("retry-after", value);
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let error = ApiError::read(status, &headers, &body, &token());
        let shown = format!("{error} {error:?}");
        prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
        prop_assert!(error.message.chars().count() <= MESSAGE + 1);
        // Never both: what is refused for good, and what may pass.
        prop_assert!(!(error.is_account() && error.is_transient()));
    }

    #[test]
    fn code_beside_any_text_is_found(
        code in "[a-z_]{1,30}",
        message in any::<String>(),
        status in 200_u16..600,
        extra in any::<String>(),
    ) {
        let body = serde_json::json!({
            "error": { "code": code, "message": message, "extra": extra }, "extra": [extra],
        });
        let error = read(status, &body.to_string());
        prop_assert_eq!(error.code, Some(ErrorCode::from(code.as_str())));
    }
}
