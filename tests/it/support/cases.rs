//! The list of what goes wrong.

use std::{io::Write, time::Duration};

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use luma_simulator::Fault;
use serde_json::{Value, json};

use super::{TOKEN, webhook_relay::Delivery};

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    pub cause: Cause,
    /// How often; `None` is always.
    pub times: Option<usize>,
    /// Whether the service does its work all the same.
    pub is_accepted: bool,
    /// Whether nothing comes, so that a timeout has to end the call.
    pub is_silent: bool,
    /// How long the next request must wait at least.
    pub retry_after: Duration,
    /// Whether the response names a date in a second or two for the next request.
    pub is_dated: bool,
    /// How much later than its response the service does its work.
    pub is_late: Option<Duration>,
    /// Whether the client is shut down before the response comes.
    pub stops: bool,
}

#[derive(Clone, Debug)]
pub enum Cause {
    /// The name of the service is unknown.
    NoHost,
    /// Nobody listens.
    NoListener,
    /// Connections are reset as they begin to speak.
    Gate,
    /// The connection suffers; a callback likewise.
    Connection(Fault, Delivery),
    /// Another response comes.
    Answer(u16, Vec<(&'static str, String)>, Body),
    /// A redirect to another host.
    Redirect(u16),
    /// The same from https to plain http.
    Downgrade(u16),
}

/// The body of another response.
#[derive(Clone, Debug)]
pub enum Body {
    Bytes(Vec<u8>),
    /// This many bytes.
    Filler(usize),
    /// A good one, shortened by this many characters.
    CutShort(usize),
    /// A good one, made odd.
    Odd(fn(&[u8]) -> Vec<u8>),
}

impl Case {
    fn new(name: &'static str, cause: Cause) -> Self {
        Self {
            name,
            cause,
            times: None,
            is_accepted: false,
            is_silent: false,
            retry_after: Duration::ZERO,
            is_dated: false,
            is_late: None,
            stops: false,
        }
    }

    fn answer(name: &'static str, status: u16, content_type: &str, body: Body) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self::new(name, Cause::Answer(status, headers, body))
    }

    fn json(name: &'static str, status: u16, body: &str) -> Self {
        Self::answer(name, status, "application/json", Body::Bytes(body.into()))
    }

    /// An error as the service words it.
    fn code(name: &'static str, status: u16, code: &str) -> Self {
        let error = json!({ "code": code, "message": "In the service's words." });
        let body = json!({ "success": false, "error": error, "trace_id": "a-trace" });
        Self::json(name, status, &body.to_string())
    }

    fn html(name: &'static str, status: u16) -> Self {
        let page = b"<html><h1>Bad gateway</h1></html>\n".to_vec();
        Self::answer(name, status, "text/html", Body::Bytes(page))
    }

    fn retry_after(name: &'static str, status: u16, after: &str) -> Self {
        let headers = vec![("retry-after", after.to_owned())];
        Self::new(name, Cause::Answer(status, headers, Body::Bytes(Vec::new())))
    }

    fn once(self) -> Self {
        Self { times: Some(1), ..self }
    }

    fn accepted(self) -> Self {
        Self { is_accepted: true, ..self }
    }

    fn silent(self) -> Self {
        Self { is_silent: true, ..self }
    }

    fn waits(self, at_least: f64) -> Self {
        let retry_after = Duration::from_secs_f64(at_least);
        Self { retry_after, ..self }
    }

    fn late(self, by: Duration) -> Self {
        Self { is_late: Some(by), ..self }
    }

    fn stops(self) -> Self {
        Self { stops: true, ..self }
    }

    /// A good response that is sent like this.
    fn odd(name: &'static str, encoding: Option<&str>, odd: fn(&[u8]) -> Vec<u8>) -> Self {
        let encoding = encoding.map(|encoding| ("content-encoding", encoding.to_owned()));
        let headers = Vec::from_iter(encoding);
        Self::new(name, Cause::Answer(200, headers, Body::Odd(odd))).accepted()
    }

    fn dated(self) -> Self {
        Self { is_dated: true, ..self }
    }

    /// How a callback fares.
    pub fn delivery(&self) -> Delivery {
        match &self.cause {
            Cause::NoHost | Cause::NoListener | Cause::Gate => Delivery::Lost,
            Cause::Connection(_, delivery) => delivery.clone(),
            Cause::Redirect(status) | Cause::Downgrade(status) => Delivery::Redirect(*status),
            Cause::Answer(_, _, body) => Delivery::Other(body.clone()),
        }
    }
}

impl Body {
    /// `good` is what the service would have sent.
    pub fn bytes(&self, good: &Value) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Filler(size) => vec![b'x'; *size],
            Self::CutShort(by) => {
                let text = good.to_string();
                text.as_bytes()[..text.len() - by].to_vec()
            }
            Self::Odd(odd) => odd(good.to_string().as_bytes()),
        }
    }
}

/// All cases, in the order of the report. "Accepted" means that the service did its work.
#[rustfmt::skip] // one line a case
pub fn cases() -> Vec<Case> {
    use Delivery::{Lost, Times};
    let connection = |name, fault, delivery| Case::new(name, Cause::Connection(fault, delivery));
    let none = || Fault::slow(Duration::ZERO);
    let ok = |name, body: &str| Case::json(name, 200, body);
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let large = |name, status| Case::answer(name, status, "text/html", Body::Filler(2 << 20));
    let quoted = |token: &str| format!(r#"{{"error":"bad token {token}"}}"#);
    vec![
        // The way there.
        connection("no fault", none(), Times(1)),
        // Only a callback can come twice.
        connection("twice", none(), Times(2)),
        Case::new("DNS failure", Cause::NoHost),
        Case::new("connection refused", Cause::NoListener),
        Case::new("reset before any request", Cause::Gate),
        connection("reset before the response", Fault::reset_before(), Lost),
        connection("reset before the response, once", Fault::reset_before(), Lost).once(),
        // The way back.
        connection("reset after the request", Fault::reset_after(), Times(1)),
        connection("closed mid-body", Fault::truncated(), Lost),
        connection("reset mid-body", Fault::reset_midway(), Lost),
        connection("silence", Fault::silence(), Lost).silent(),
        connection("silence, accepted", Fault::silence().accepting(true), Lost).silent(),
        connection("slow drip", Fault::drip(1, Duration::from_millis(800)), Lost).silent(),
        // Bodies.
        Case::answer("truncated JSON", 200, "application/json", Body::CutShort(3)).accepted(),
        ok("truncated JSON that ends well", r#"{"id":{"a":1}"#).accepted(),
        Case::odd("trailing comma", None, |good| [&good[..good.len() - 1], b",\n}"].concat()),
        Case::odd("text behind the object", None, |good| [good, b"\n<!-- gateway 7 -->"].concat()),
        Case::odd("NULs around the object", None, |good| [b"\0", good, b"\0\0"].concat()),
        Case::odd("UTF-16 of low bytes first", None, |good| utf16(good, u16::to_le_bytes)),
        Case::odd("UTF-16 of high bytes first", None, |good| utf16(good, u16::to_be_bytes)),
        // Compression that no request asks for.
        Case::odd("gzip", Some("gzip"), gzip),
        Case::odd("GZIP", Some("GZIP"), gzip),
        Case::odd("x-gzip of two members", Some("x-gzip"), |good| {
            let (first, second) = good.split_at(good.len() / 2);
            [gzip(first), gzip(second)].concat()
        }),
        Case::odd("gzip that no header names", None, gzip),
        Case::odd("gzip that is plain", Some("gzip"), <[u8]>::to_vec),
        Case::odd("gzip that was cut", Some("gzip"), |good| gzip(good)[..20].to_vec()),
        Case::odd("deflate", Some("deflate"), deflate),
        Case::odd("brotli", Some("br"), |_| b"\x0b\x02\x80{}\x03\xff".to_vec()),
        // Any success is one.
        Case::answer("201", 201, "application/json", Body::CutShort(0)).accepted(),
        Case::answer("202", 202, "application/json", Body::CutShort(0)).accepted(),
        Case::answer("299", 299, "application/json", Body::CutShort(0)).accepted(),
        // A task that is named in another way than by a text in `task_id`.
        ok("a number for a task id, accepted", r#"{"task_id":7}"#).accepted(),
        ok("task id in data, accepted", r#"{"data":{"task_id":"a"}}"#).accepted(),
        ok("task id in a list, accepted", r#"{"task_ids":["a"]}"#).accepted(),
        Case::json("409 that names a task, accepted", 409, r#"{"task_id":7}"#).accepted(),
        Case::json("429 that names a task, accepted", 429,
            r#"{"error":{"code":"too_many_requests"},"task_id":7}"#).accepted(),
        ok("empty 200", ""),
        ok("empty 200, accepted", "").accepted(),
        Case::json("204", 204, "").accepted(),
        ok("[] 200", "[]"),
        ok("[] 200, accepted", "[]").accepted(),
        ok("{} 200, accepted", "{}").accepted(),
        ok("null 200, accepted", "null").accepted(),
        Case::html("HTML 200", 200),
        Case::html("HTML 200, accepted", 200).accepted(),
        Case::answer("wrong content type", 200, "text/plain", Body::CutShort(0)).accepted(),
        Case::new("HTML 200 of no type", Cause::Answer(200, vec![], Body::Bytes(b"<html>Log in".to_vec()))),
        Case::answer("HTML 200 as bytes", 200, "application/octet-stream", Body::Bytes(b"\n<html>Log in".to_vec())),
        Case::answer("20 MB body", 200, "application/json", Body::Filler(20_000_000)),
        Case::answer("20 MB body, accepted", 200, "application/json", Body::Filler(20_000_000)).accepted(),
        ok("deeply nested JSON, accepted", &deep).accepted(),
        Case::answer("invalid UTF-8, accepted", 200, "application/json",
            Body::Bytes(b"{\"task_id\":\"\xff\",\"id\":\"\xff\"}".to_vec())).accepted(),
        Case::code("200 with code forbidden", 200, "forbidden"),
        Case::code("200 with code api_error", 200, "api_error"),
        Case::code("200 with code not_found", 200, "not_found"),
        // Refusals.
        Case::code("400 bad_request", 400, "bad_request"),
        Case::code("400 token_mismatched", 400, "token_mismatched"),
        Case::code("400 api_not_implemented", 400, "api_not_implemented"),
        Case::json("400 without a code", 400, r#"{"detail":"No."}"#),
        Case::code("401 invalid_token", 401, "invalid_token"),
        Case::code("401 token_expired", 401, "token_expired"),
        Case::code("401 no_token", 401, "no_token"),
        Case::json("401 that quotes the token", 401, &quoted(TOKEN)),
        Case::json("401 that quotes the token, escaped", 401, &quoted(&escaped(TOKEN))),
        Case::code("402 payment_required", 402, "payment_required"),
        Case::json("402 without a code", 402, ""),
        Case::code("403 forbidden", 403, "forbidden"),
        Case::code("403 forbidden once", 403, "forbidden").once(),
        Case::json("403 without a code, once", 403, "").once(),
        Case::code("403 used_up", 403, "used_up"),
        Case::code("403 disabled", 403, "disabled"),
        Case::html("403 HTML", 403),
        Case::code("404 not_found", 404, "not_found"),
        Case::html("404 HTML", 404),
        Case::json("408", 408, ""),
        Case::json("408, accepted", 408, "").accepted(),
        Case::json("409", 409, ""),
        Case::code("500 with code used_up", 500, "used_up"),
        // Slow down.
        Case::code("429 always", 429, "too_many_requests"),
        Case::code("429 always, shut down before it comes", 429, "too_many_requests").stops(),
        Case::json("429 once", 429, "").once(),
        Case::retry_after("429 once, Retry-After: 0", 429, "0").once(),
        Case::retry_after("429 once, Retry-After: 1", 429, "1").once().waits(1.0),
        Case::retry_after("429 once, Retry-After: 0.5", 429, "0.5").once().waits(0.5),
        Case::json("429 once, a date to come", 429, "").once().dated(),
        Case::retry_after("429 once, a past date", 429, "Sat, 01 Aug 2020 12:00:00 GMT").once(),
        Case::retry_after("429 once, a far date", 429, "Fri, 01 Aug 2098 12:00:00 GMT").once(),
        Case::retry_after("429 once, Retry-After: 86400", 429, "86400").once(),
        Case::retry_after("429 once, Retry-After: soon", 429, "soon").once(),
        // The service or a gateway fails.
        Case::code("500 once", 500, "api_error").once(),
        Case::code("500 once, accepted", 500, "api_error").once().accepted(),
        Case::code("500 always", 500, "api_error"),
        Case::code("500 always, accepted", 500, "api_error").accepted(),
        Case::html("HTML 502", 502),
        Case::html("HTML 502, accepted", 502).accepted(),
        Case::html("HTML 502, accepted a second later", 502).late(Duration::from_secs(1)),
        Case::retry_after("503 once, Retry-After: 1", 503, "1").once().waits(1.0),
        Case::retry_after("503, Retry-After: 0", 503, "0"),
        Case::retry_after("503, Retry-After: 0, accepted", 503, "0").accepted(),
        Case::code("504 timeout", 504, "timeout"),
        Case::code("504 timeout, accepted", 504, "timeout").accepted(),
        Case::html("504 HTML, accepted", 504).accepted(),
        // Errors that are larger than what is read. Their status says enough.
        large("400, 2 MiB", 400),
        large("404, 2 MiB", 404),
        large("429 once, 2 MiB", 429).once(),
        large("429 always, 2 MiB", 429),
        large("500 once, 2 MiB", 500).once(),
        large("503 always, 2 MiB", 503),
        large("503 always, 2 MiB, accepted", 503).accepted(),
        // Redirects to another host. Nothing of the API may ever come there.
        Case::new("301 elsewhere", Cause::Redirect(301)),
        Case::new("302 elsewhere", Cause::Redirect(302)),
        Case::new("303 elsewhere, accepted", Cause::Redirect(303)).accepted(),
        Case::new("307 elsewhere", Cause::Redirect(307)),
        Case::new("308 elsewhere", Cause::Redirect(308)),
        // The same from https to plain http.
        Case::new("302 to plain http", Cause::Downgrade(302)),
        Case::new("307 to plain http", Cause::Downgrade(307)),
    ]
}

fn utf16(text: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let text = format!("\u{feff}{}", String::from_utf8_lossy(text));
    text.encode_utf16().flat_map(bytes).collect()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

/// A text as JSON may spell it.
fn escaped(text: &str) -> String {
    let units = text.encode_utf16();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}
