//! The bodies of submits and lookups, checked as the service would.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{answer::Refusal, task::SIZES};

/// How long a synchronous submit is held by default.
const DEFAULT_HOLD: Duration = Duration::from_secs(300);

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
            return Err(refuse("the body must be a JSON object"));
        }
        let action = text(body, "action")?.unwrap_or("generate");
        if !["generate", "extend"].contains(&action) {
            return Err(refuse(format!("unknown action: {action}")));
        }
        if text(body, "prompt")?.is_none_or(|prompt| prompt.trim().is_empty()) {
            return Err(refuse("prompt is required"));
        }
        let ratio = text(body, "aspect_ratio")?.unwrap_or(SIZES[0].0);
        if !SIZES.iter().any(|(name, ..)| *name == ratio) {
            return Err(refuse(format!("unknown aspect_ratio: {ratio}")));
        }
        for name in ["loop", "enhancement"] {
            flag(body, name)?;
        }
        for name in ["start_image_url", "end_image_url"] {
            url(body, name)?;
        }
        let video_id = text(body, "video_id")?.filter(|id| !id.trim().is_empty());
        let video_url = url(body, "video_url")?;
        if action == "extend" && video_id.is_none() && video_url.is_none() {
            return Err(refuse("extend needs video_id or video_url"));
        }
        let hold = seconds(body, "timeout")?.unwrap_or(DEFAULT_HOLD);
        let callback_url = url(body, "callback_url")?;
        let is_async = flag(body, "async")? || callback_url.is_some();
        Ok(Self {
            hold: (!is_async).then_some(hold),
            callback_url,
            extends: video_id.filter(|_| action == "extend").map(str::to_owned),
        })
    }
}

/// A lookup.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Lookup {
    Retrieve {
        id: Option<String>,
        trace_id: Option<String>,
    },
    RetrieveBatch {
        ids: Option<Vec<String>>,
        #[serde(flatten)]
        history: HistoryQuery,
    },
    Delete {
        id: String,
    },
}

/// Which part of the history is requested. `type` selects one of the vendor's services. The
/// simulator has only one, so it is ignored.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct HistoryQuery {
    pub(crate) created_at_min: Option<f64>,
    pub(crate) created_at_max: Option<f64>,
    pub(crate) trace_ids: Option<Vec<String>>,
    pub(crate) application_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) offset: Option<usize>,
    pub(crate) limit: Option<usize>,
}

impl Lookup {
    pub(crate) fn parse(body: &Value) -> Result<Self, Refusal> {
        Self::deserialize(body).map_err(|error| refuse(error.to_string()))
    }
}

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::bad_request(message)
}

/// Reads a field. Null counts as absent.
fn field<'a, T>(
    body: &'a Value,
    name: &str,
    expected: &str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    match &body[name] {
        Value::Null => Ok(None),
        value => match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(refuse(format!("{name} must be {expected}"))),
        },
    }
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

fn seconds(body: &Value, name: &str) -> Result<Option<Duration>, Refusal> {
    field(body, name, "a number of seconds", |value| {
        Duration::try_from_secs_f64(value.as_f64()?).ok()
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
            (
                json!({ "prompt": "a", "aspect_ratio": "2:1" }),
                "aspect_ratio",
            ),
            (json!({ "prompt": "a", "loop": "yes" }), "loop"),
            (json!({ "prompt": "a", "enhancement": 1 }), "enhancement"),
            (json!({ "prompt": "a", "async": "true" }), "async"),
            (
                json!({ "prompt": "a", "start_image_url": "no" }),
                "start_image_url",
            ),
            (
                json!({ "prompt": "a", "end_image_url": "file:///a" }),
                "end_image_url",
            ),
            (json!({ "prompt": "a", "callback_url": "" }), "callback_url"),
            (json!({ "prompt": "a", "timeout": "300" }), "timeout"),
            (json!({ "prompt": "a", "timeout": -1 }), "timeout"),
            (json!({ "prompt": "a", "action": "extend" }), "video_id"),
            (
                json!({ "prompt": "a", "action": "extend", "video_id": " " }),
                "video_id",
            ),
            (json!({ "action": "extend", "video_id": "v" }), "prompt"),
        ];
        for (body, name) in cases {
            let refusal = Submit::parse(&body).unwrap_err();
            let shown = format!("{refusal:?}");
            assert!(
                shown.contains("400") && shown.contains("bad_request"),
                "{shown}"
            );
            assert!(shown.contains(name), "{body}: {shown}");
        }
    }

    #[test]
    fn async_or_callback_decides_when_submit_is_answered() {
        let hook = "http://h/done";
        let cases = [
            (json!({ "prompt": "a" }), Some(DEFAULT_HOLD)),
            (
                json!({ "prompt": "a", "timeout": 1.5 }),
                Some(Duration::from_millis(1500)),
            ),
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
            (
                json!({ "action": "extend", "prompt": "a", "video_url": "https://h/v.mp4" }),
                None,
            ),
            (
                json!({ "action": "extend", "prompt": "a", "video_id": "v", "video_url": "http://h" }),
                Some("v"),
            ),
        ];
        for (body, video_id) in cases {
            assert_eq!(
                Submit::parse(&body).unwrap().extends.as_deref(),
                video_id,
                "{body}"
            );
        }
    }
}
