//! How answers are read, and what they mean for money.

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{text::EXCERPT, *};

fn read(status: u16, body: &str) -> ApiError {
    let status = StatusCode::from_u16(status).expect("a status");
    ApiError::read(status, &HeaderMap::new(), body.as_bytes())
}

#[test]
fn each_shape_of_a_body() {
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
        (
            r#"{"error":null,"detail":"Not Found"}"#,
            None,
            "Not Found",
            None,
        ),
        (r#"{"detail":"Not Found"}"#, None, "Not Found", None),
        (
            r#"{"detail":[{"msg":"x"}]}"#,
            None,
            r#"{"detail":[{"msg":"x"}]}"#,
            None,
        ),
        (r#"{"message":"no Route"}"#, None, "no Route", None),
        (r#""plain""#, None, "plain", None),
        (
            "<html>\n<b>Bad</b>\tgateway</html>",
            None,
            "<html> <b>Bad</b> gateway</html>",
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
fn nothing_of_an_answer_is_kept_at_any_length() {
    let long = "x\u{7}y ".repeat(100_000);
    let body = serde_json::json!({
        "error": { "code": long, "message": long }, "trace_id": long,
    });
    let error = read(500, &body.to_string());
    assert_eq!(error.message.chars().count(), MESSAGE + 1);
    assert!(error.to_string().len() < 2_000, "{error}");
    assert!(!error.to_string().contains('\u{7}'));

    assert!(read(500, &long).message.chars().count() <= EXCERPT + 1);
    let reason = serde_json::from_value::<bool>(long.into()).expect_err("no boolean");
    assert!(DecodeError::new(reason, b"").to_string().len() < 1_000);
}

#[test]
fn deep_json_is_no_danger() {
    let deep = "[".repeat(1_000_000);
    assert_eq!(read(500, &deep).message.chars().count(), EXCERPT + 1);
    let nested = format!("{}{}", r#"{"error":"#.repeat(1_000), "}".repeat(1_000));
    assert_eq!(read(500, &nested).code, None);
}

#[test]
fn text_becomes_one_short_line() {
    for (text, limit, line) in [
        ("", 5, ""),
        (" \n ", 5, ""),
        ("a  b\r\nc", 5, "a b c"),
        ("abcdef", 5, "abcde…"),
        ("abcde ", 5, "abcde"),
        ("a\u{0}\u{1b}b", 5, "ab"),
        ("äöüßé", 5, "äöüßé"),
    ] {
        assert_eq!(tidy(text, limit), line, "{text:?}");
    }
}

#[test]
fn what_is_surely_refused() {
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

/// The account's errors end every wait; moderation and bad parameters end one call.
#[test]
fn whose_fault_it_is() {
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
            assert_eq!(error.is_account(), account, "{status} {code}");
        }
    }
    for (status, account) in [
        (400, false),
        (401, true),
        (402, true),
        (403, true),
        (404, false),
        (500, false),
    ] {
        assert_eq!(read(status, "").is_account(), account, "{status}");
        assert_eq!(
            read(status, r#"{"error":{"code":"new"}}"#).is_account(),
            account,
            "{status}"
        );
    }
}

#[test]
fn a_retry_date_counts_from_the_date_of_the_answer() {
    let headers = |date: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        let at = HeaderValue::from_static("Sat, 01 Aug 2026 12:00:30 GMT");
        headers.insert("retry-after", at);
        date.map(|date| headers.insert("date", HeaderValue::from_static(date)));
        headers
    };
    for (date, seconds) in [
        ("Sat, 01 Aug 2026 12:00:00 GMT", 30),
        ("Sat, 01 Aug 2026 12:01:00 GMT", 0),
    ] {
        let error = ApiError::read(StatusCode::OK, &headers(Some(date)), b"");
        assert_eq!(
            error.retry_after,
            Some(Duration::from_secs(seconds)),
            "{date}"
        );
    }
    for date in [None, Some("today")] {
        let error = ApiError::read(StatusCode::OK, &headers(date), b"");
        assert!(error.retry_after.is_some(), "{date:?}");
    }
}

#[test]
fn an_answer_of_nothing_is_not_quoted() {
    for (body, expected) in [
        ("", "the answer could not be read: it ends"),
        (
            "<p>",
            "the answer could not be read: it ends; it begins with \"<p>\"",
        ),
    ] {
        let error = DecodeError::new("it ends", body.as_bytes());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn errors_are_small_and_can_go_anywhere() {
    fn anywhere<T: Send + Sync + 'static>() {}
    anywhere::<Error>();
    anywhere::<PendingSubmission>();
    anywhere::<crate::WaitError>();
    anywhere::<crate::ConfigError>();
    assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
}

proptest! {
    #[test]
    fn any_answer_can_be_read(
        status in 100_u16..1000,
        retry_after in proptest::collection::vec(32_u8..=255, 0..40),
        body in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&retry_after) {
            headers.insert("retry-after", value);
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let error = ApiError::read(status, &headers, &body);
        let shown = format!("{error} {error:?}");
        prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
        prop_assert!(error.message.chars().count() <= MESSAGE + 1);
        // Never both: what is refused for good, and what may pass.
        prop_assert!(!(error.is_account() && error.is_transient()));
    }

    #[test]
    fn the_code_is_found_whatever_stands_around_it(
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
