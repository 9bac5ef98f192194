//! Requests, checked as the service would.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::answer::{Refusal, bad_request};

/// How long a synchronous submit is held by default.
const DEFAULT_HOLD: Duration = Duration::from_secs(300);

/// Width and height of a video for each aspect ratio. 16:9 and 21:9 are sizes that the service has
/// returned. The others have the same area.
pub(crate) const SIZES: [(&str, u32, u32); 7] = [
    ("16:9", 1360, 752),
    ("9:16", 752, 1360),
    ("1:1", 1008, 1008),
    ("4:3", 1168, 880),
    ("3:4", 880, 1168),
    ("21:9", 1552, 656),
    ("9:21", 656, 1552),
];

/// Refuses a foreign `Host`. Otherwise a web page could reach the simulator by a name of its own
/// that resolves to loopback (DNS rebinding).
pub(crate) fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_loopback) {
        return Ok(());
    }
    let message = "the Host header must be localhost or a loopback address";
    Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message))
}

fn is_loopback(host: &str) -> bool {
    host.parse::<Authority>().is_ok_and(|authority| {
        let host = authority.host().trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
    })
}

/// Refuses a missing token, and a wrong one if there is a right one.
pub(crate) fn check_token(
    headers: &HeaderMap,
    valid: Option<&SecretString>,
) -> Result<(), Refusal> {
    let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (code, message) = match (token.map(|(_, token)| token.trim()), valid) {
        (None | Some(""), _) => ("no_token", "no bearer token was sent"),
        (Some(token), Some(valid)) if token != valid.expose_secret() => {
            ("invalid_token", "the token is not valid")
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(StatusCode::UNAUTHORIZED, code, message))
}

/// A valid submit.
#[derive(Debug, PartialEq)]
pub(crate) struct Submit {
    /// How long it is held for the result. `None` is not at all.
    pub(crate) hold: Option<Duration>,
    pub(crate) callback_url: Option<Url>,
    /// The video to extend, if it is given by its id.
    pub(crate) extends: Option<String>,
}

impl Submit {
    pub(crate) fn parse(body: &Value) -> Result<Self, Refusal> {
        if !body.is_object() {
            return Err(bad_request("the body must be a JSON object"));
        }
        let action = text(body, "action")?.unwrap_or("generate");
        if !["generate", "extend"].contains(&action) {
            return Err(bad_request(format!("unknown action: {action}")));
        }
        if text(body, "prompt")?.is_none_or(|prompt| prompt.trim().is_empty()) {
            return Err(bad_request("prompt is required"));
        }
        let ratio = text(body, "aspect_ratio")?.unwrap_or(SIZES[0].0);
        if !SIZES.iter().any(|(name, ..)| *name == ratio) {
            return Err(bad_request(format!("unknown aspect_ratio: {ratio}")));
        }
        flag(body, "loop")?;
        flag(body, "enhancement")?;
        url(body, "start_image_url")?;
        url(body, "end_image_url")?;
        let video_id = text(body, "video_id")?.filter(|id| !id.trim().is_empty());
        let video_url = url(body, "video_url")?;
        if action == "extend" && video_id.is_none() && video_url.is_none() {
            return Err(bad_request("extend needs video_id or video_url"));
        }
        let hold = field(body, "timeout", "a number of seconds", |value| {
            Duration::try_from_secs_f64(value.as_f64()?).ok()
        })?;
        let callback_url = url(body, "callback_url")?;
        let is_async = flag(body, "async")? || callback_url.is_some();
        Ok(Self {
            hold: (!is_async).then(|| hold.unwrap_or(DEFAULT_HOLD)),
            callback_url,
            extends: video_id.filter(|_| action == "extend").map(str::to_owned),
        })
    }
}

/// A lookup. `type`, `application_id` and `user_id` are ignored: the simulator has one service and
/// one account.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Lookup {
    pub(crate) action: String,
    pub(crate) id: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) created_at_min: Option<f64>,
    pub(crate) created_at_max: Option<f64>,
    pub(crate) trace_ids: Option<Vec<String>>,
    pub(crate) offset: Option<usize>,
    pub(crate) limit: Option<usize>,
}

/// Reads a field. Null counts as absent.
fn field<'a, T>(
    body: &'a Value,
    name: &str,
    expected: &str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let value = body.get(name).filter(|value| !value.is_null());
    let read = |value| read(value).ok_or_else(|| bad_request(format!("{name} must be {expected}")));
    value.map(read).transpose()
}

fn text<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Refusal> {
    field(body, name, "a string", Value::as_str)
}

fn flag(body: &Value, name: &str) -> Result<bool, Refusal> {
    Ok(field(body, name, "true or false", Value::as_bool)?.unwrap_or(false))
}

fn url(body: &Value, name: &str) -> Result<Option<Url>, Refusal> {
    field(body, name, "an http or https URL", |value| {
        let url = Url::parse(value.as_str()?).ok()?;
        ["http", "https"].contains(&url.scheme()).then_some(url)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn invalid_submit_is_refused_with_name_of_field() {
        let cases = [
            (json!([]), "JSON object"),
            (json!({}), "prompt"),
            (json!({ "prompt": null }), "prompt"),
            (json!({ "prompt": "  " }), "prompt"),
            (json!({ "prompt": 7 }), "prompt"),
            (json!({ "prompt": "a", "action": "retrieve" }), "action"),
            (json!({ "prompt": "a", "action": 1 }), "action"),
            (json!({ "prompt": "a", "aspect_ratio": "2:1" }), "aspect_ratio"),
            (json!({ "prompt": "a", "loop": "yes" }), "loop"),
            (json!({ "prompt": "a", "enhancement": 1 }), "enhancement"),
            (json!({ "prompt": "a", "async": "true" }), "async"),
            (json!({ "prompt": "a", "start_image_url": "no" }), "start_image_url"),
            (json!({ "prompt": "a", "end_image_url": "file:///a" }), "end_image_url"),
            (json!({ "prompt": "a", "callback_url": "" }), "callback_url"),
            (json!({ "prompt": "a", "timeout": "300" }), "timeout"),
            (json!({ "prompt": "a", "timeout": -1 }), "timeout"),
            (json!({ "prompt": "a", "action": "extend" }), "video_id"),
            (json!({ "prompt": "a", "action": "extend", "video_id": " " }), "video_id"),
            (json!({ "action": "extend", "video_id": "v" }), "prompt"),
        ];
        for (body, name) in cases {
            let refusal = Submit::parse(&body).unwrap_err();
            let shown = format!("{refusal:?}");
            assert!(shown.contains("400") && shown.contains("bad_request"), "{shown}");
            assert!(shown.contains(name), "{body}: {shown}");
        }
    }

    #[test]
    fn async_or_callback_decides_when_submit_is_answered() {
        let hook = "http://h/done";
        let cases = [
            (json!({ "prompt": "a" }), Some(DEFAULT_HOLD)),
            (json!({ "prompt": "a", "timeout": 1.5 }), Some(Duration::from_millis(1500))),
            (json!({ "prompt": "a", "async": false }), Some(DEFAULT_HOLD)),
            (json!({ "prompt": "a", "async": true }), None),
            (json!({ "prompt": "a", "callback_url": hook }), None),
        ];
        for (body, hold) in cases {
            assert_eq!(Submit::parse(&body).unwrap().hold, hold, "{body}");
        }
    }

    #[test]
    fn only_extend_with_video_id_names_a_video() {
        let cases = [
            (json!({ "prompt": "a", "video_id": "v" }), None),
            (json!({ "action": "extend", "prompt": "a", "video_url": "https://h/v.mp4" }), None),
            (
                json!({ "action": "extend", "prompt": "a", "video_id": "v", "video_url": "http://h" }),
                Some("v"),
            ),
        ];
        for (body, video_id) in cases {
            assert_eq!(Submit::parse(&body).unwrap().extends.as_deref(), video_id, "{body}");
        }
    }

    #[test]
    fn only_loopback_hosts_are_local() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.1.2.3", "[::1]", "[::1]:1"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "localhost@example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:80",
            "[::2]",
            "0.0.0.0",
            "local host",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn missing_host_is_refused() {
        assert!(check_host(&HeaderMap::new()).is_err());
    }

    #[test]
    fn token_is_read_from_header() {
        let valid = SecretString::from("abc");
        for (header, code) in [
            ("Bearer abc", ""),
            ("bearer  abc ", ""),
            ("Bearer abcd", "invalid_token"),
            ("Bearer ", "no_token"),
            ("Bearer", "no_token"),
            ("Basic abc", "no_token"),
            ("", "no_token"),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
            let result = check_token(&headers, Some(&valid));
            assert_eq!(result.is_ok(), code.is_empty(), "{header}");
            assert!(format!("{result:?}").contains(code), "{header}: {result:?}");
        }
    }
}
