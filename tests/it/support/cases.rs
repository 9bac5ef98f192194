//! The list of what goes wrong.

use std::time::Duration;

use luma_client::simulator::Fault;
use serde_json::json;

use super::{Body, Delivery, Strike, TOKEN};

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    pub strike: Strike,
    /// How often; `None` is always.
    pub times: Option<usize>,
    /// Whether a submit is accepted, and so billed, all the same.
    pub is_accepted: bool,
    /// Whether the fault is that nothing comes.
    pub is_silent: bool,
    /// Whether an answer is cut in the middle.
    pub is_cut: bool,
    /// How long the next request has to be waited with, at least.
    pub patience: Duration,
    /// Whether the answer names a date until which to wait.
    pub is_dated: bool,
}

impl Case {
    fn new(name: &'static str, strike: Strike) -> Self {
        Self {
            name,
            strike,
            times: None,
            is_accepted: false,
            is_silent: false,
            is_cut: false,
            patience: Duration::ZERO,
            is_dated: false,
        }
    }

    fn connection(name: &'static str, fault: Fault, delivery: Delivery) -> Self {
        Self::new(name, Strike::Connection(fault, delivery))
    }

    fn status(name: &'static str, status: u16, body: &str) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self::new(
            name,
            Strike::Answer(status, headers, Body::Text(body.to_owned())),
        )
    }

    /// An error as the service words it.
    fn code(name: &'static str, status: u16, code: &str) -> Self {
        Self::status(name, status, &error(code))
    }

    fn html(name: &'static str, status: u16) -> Self {
        let headers = vec![("content-type", "text/html".to_owned())];
        let body = Body::Text("<html><h1>Bad gateway</h1></html>\n".to_owned());
        Self::new(name, Strike::Answer(status, headers, body))
    }

    fn retry_after(name: &'static str, status: u16, after: &str) -> Self {
        let headers = vec![("retry-after", after.to_owned())];
        Self::new(
            name,
            Strike::Answer(status, headers, Body::Text(String::new())),
        )
    }

    fn body(name: &'static str, body: Body) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self::new(name, Strike::Answer(200, headers, body))
    }

    fn once(mut self) -> Self {
        self.times = Some(1);
        self
    }

    fn accepted(mut self) -> Self {
        self.is_accepted = true;
        self
    }

    fn cut(mut self) -> Self {
        self.is_cut = true;
        self
    }

    fn patient(mut self, at_least: Duration) -> Self {
        self.patience = at_least;
        self
    }

    fn dated(mut self) -> Self {
        self.is_dated = true;
        self
    }

    /// How a callback fares.
    pub fn delivery(&self) -> Delivery {
        match self.strike {
            Strike::Gate => Delivery::ResetBefore,
            Strike::Connection(_, delivery) => delivery,
            Strike::Redirect(status) | Strike::Downgrade(status) => Delivery::Redirect(status),
            _ => Delivery::Whole,
        }
    }

    fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }
}

fn error(code: &str) -> String {
    json!({
        "success": false,
        "error": { "code": code, "message": "In the service's words." },
        "trace_id": "a-trace",
    })
    .to_string()
}

/// All cases, in the order of the report. "Accepted" means that the service did its work.
pub fn cases() -> Vec<Case> {
    let (none, before) = (Fault::slow(Duration::ZERO), Fault::reset_before());
    let silence = Fault::silence;
    let second = Duration::from_secs(1);
    let drip = Fault::drip(1, Duration::from_millis(800));
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let bytes = vec![("content-type", "application/octet-stream".to_owned())];
    let huge = |name, status| {
        let headers = vec![("content-type", "text/html".to_owned())];
        Case::new(name, Strike::Answer(status, headers, Body::Filler(9 << 20)))
    };
    let cut = |by| Body::CutShort(by);
    let text = |text: &str| Body::Text(text.to_owned());
    vec![
        // The way there.
        Case::connection("no fault", none.clone(), Delivery::Whole),
        // Only a callback can come twice; to the others it is no fault.
        Case::connection("twice", none, Delivery::Twice),
        Case::new("DNS failure", Strike::NoHost),
        Case::new("connection refused", Strike::NoListener),
        Case::new("reset before any request", Strike::Gate),
        Case::connection(
            "reset before the answer",
            before.clone(),
            Delivery::ResetBefore,
        ),
        Case::connection(
            "reset before the answer, once",
            before,
            Delivery::ResetBefore,
        )
        .once(),
        // The way back.
        Case::connection(
            "reset after the request",
            Fault::reset_after(),
            Delivery::ResetAfter,
        ),
        Case::connection(
            "closed mid-body",
            Fault::truncated(),
            Delivery::ClosedMidway,
        )
        .cut(),
        Case::connection(
            "reset mid-body",
            Fault::reset_midway(),
            Delivery::ResetMidway,
        )
        .cut(),
        Case::connection("silence", silence(), Delivery::Silence).silent(),
        Case::connection(
            "silence, accepted",
            silence().accepting(true),
            Delivery::Silence,
        )
        .silent(),
        Case::connection("slow drip", drip, Delivery::Drip).silent(),
        // Bodies.
        Case::body("truncated JSON", cut(3)).accepted(),
        Case::body("truncated JSON that ends well", text(r#"{"id":{"a":1}"#)).accepted(),
        Case::body("empty 200", text("")),
        Case::body("empty 200, accepted", text("")).accepted(),
        Case::body("[] 200", text("[]")),
        Case::body("[] 200, accepted", text("[]")).accepted(),
        Case::body("{} 200, accepted", text("{}")).accepted(),
        Case::body("null 200, accepted", text("null")).accepted(),
        Case::html("HTML 200", 200),
        Case::html("HTML 200, accepted", 200).accepted(),
        Case::new(
            "wrong content type",
            Strike::Answer(200, vec![("content-type", "text/plain".to_owned())], cut(0)),
        )
        .accepted(),
        Case::new(
            "HTML 200 of no type",
            Strike::Answer(200, vec![], text("<html>Log in")),
        ),
        Case::new(
            "HTML 200 as bytes",
            Strike::Answer(200, bytes, text("\n<html>Log in")),
        ),
        Case::body("100 MB body", Body::Filler(100_000_000)),
        Case::body("100 MB body, accepted", Body::Filler(100_000_000)).accepted(),
        Case::body("deeply nested JSON, accepted", text(&deep)).accepted(),
        Case::body(
            "invalid UTF-8, accepted",
            Body::Bytes(b"{\"task_id\":\"\xff\",\"id\":\"\xff\"}".to_vec()),
        )
        .accepted(),
        Case::code("200 with code forbidden", 200, "forbidden"),
        Case::code("200 with code api_error", 200, "api_error"),
        Case::code("200 with code not_found", 200, "not_found"),
        // Refusals.
        Case::code("400 bad_request", 400, "bad_request"),
        Case::code("400 token_mismatched", 400, "token_mismatched"),
        Case::code("400 api_not_implemented", 400, "api_not_implemented"),
        Case::status("400 without a code", 400, r#"{"detail":"No."}"#),
        Case::code("401 invalid_token", 401, "invalid_token"),
        Case::code("401 token_expired", 401, "token_expired"),
        Case::code("401 no_token", 401, "no_token"),
        Case::status(
            "401 that quotes the token",
            401,
            &format!(r#"{{"error":"bad token {TOKEN}"}}"#),
        ),
        Case::status(
            "401 that quotes the token, escaped",
            401,
            &format!(r#"{{"error":"bad token {}"}}"#, escaped(TOKEN)),
        ),
        Case::code("402 payment_required", 402, "payment_required"),
        Case::status("402 without a code", 402, ""),
        Case::code("403 forbidden", 403, "forbidden"),
        Case::code("403 used_up", 403, "used_up"),
        Case::code("403 disabled", 403, "disabled"),
        Case::html("403 HTML", 403),
        Case::code("404 not_found", 404, "not_found"),
        Case::html("404 HTML", 404),
        Case::status("408", 408, ""),
        Case::status("408, accepted", 408, "").accepted(),
        Case::status("409", 409, ""),
        Case::code("500 with code used_up", 500, "used_up"),
        // Slow down.
        Case::code("429 for ever", 429, "too_many_requests"),
        Case::status("429 once", 429, "").once(),
        Case::retry_after("429 once, Retry-After: 0", 429, "0").once(),
        Case::retry_after("429 once, Retry-After: 1", 429, "1")
            .once()
            .patient(second),
        Case::retry_after("429 once, Retry-After: 0.5", 429, "0.5")
            .once()
            .patient(second / 2),
        Case::status("429 once, a date to come", 429, "")
            .once()
            .dated(),
        Case::retry_after(
            "429 once, a date gone by",
            429,
            "Sat, 01 Aug 2020 12:00:00 GMT",
        )
        .once(),
        Case::retry_after("429 once, a far date", 429, "Fri, 01 Aug 2098 12:00:00 GMT").once(),
        Case::retry_after("429 once, Retry-After: 86400", 429, "86400").once(),
        Case::retry_after("429 once, Retry-After: soon", 429, "soon").once(),
        // The service or a gateway fails.
        Case::code("500 once", 500, "api_error").once(),
        Case::code("500 once, accepted", 500, "api_error")
            .once()
            .accepted(),
        Case::code("500 for ever", 500, "api_error"),
        Case::code("500 for ever, accepted", 500, "api_error").accepted(),
        Case::html("HTML 502", 502),
        Case::html("HTML 502, accepted", 502).accepted(),
        Case::retry_after("503 once, Retry-After: 1", 503, "1")
            .once()
            .patient(second),
        Case::retry_after("503, Retry-After: 0", 503, "0"),
        Case::retry_after("503, Retry-After: 0, accepted", 503, "0").accepted(),
        Case::code("504 timeout", 504, "timeout"),
        Case::code("504 timeout, accepted", 504, "timeout").accepted(),
        Case::html("504 HTML, accepted", 504).accepted(),
        // Errors that are larger than what is read. Their status says enough.
        huge("400, 9 MiB", 400),
        huge("404, 9 MiB", 404),
        huge("429 once, 9 MiB", 429).once(),
        huge("429 for ever, 9 MiB", 429),
        huge("500 once, 9 MiB", 500).once(),
        huge("503 for ever, 9 MiB", 503),
        huge("503 for ever, 9 MiB, accepted", 503).accepted(),
        // Redirects to another host. Nothing may ever come there.
        Case::new("301 elsewhere", Strike::Redirect(301)),
        Case::new("302 elsewhere", Strike::Redirect(302)),
        Case::new("303 elsewhere, accepted", Strike::Redirect(303)).accepted(),
        Case::new("307 elsewhere", Strike::Redirect(307)),
        Case::new("308 elsewhere", Strike::Redirect(308)),
        // The same from https to plain http.
        Case::new("302 to plain http", Strike::Downgrade(302)),
        Case::new("307 to plain http", Strike::Downgrade(307)),
    ]
}

/// A text as JSON may spell it.
pub fn escaped(text: &str) -> String {
    let units = text.encode_utf16();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}
