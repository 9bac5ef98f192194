//! `POST /luma/videos`: what is checked, and when it is answered.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::{
    error::{Refused, status_of},
    script::TaskScript,
    state::{State, lock},
    webhook,
};

pub(crate) const ASPECT_RATIOS: [&str; 7] = ["16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21"];

const DEFAULT_HOLD: Duration = Duration::from_secs(300);

/// How a submit wants its answer.
#[derive(Debug, PartialEq)]
enum Delivery {
    /// The task id at once, and the result to the webhook, if there is one.
    Detached { callback_url: Option<Url> },
    /// The result on this connection, if it is there in time.
    Held(Duration),
}

pub(crate) async fn handle(state: &Arc<State>, body: Value) -> Result<Response, Refused> {
    let delivery = check(&body)?;
    let script = lock(&state.scripts)
        .take(|_| true)
        .unwrap_or_else(TaskScript::completes);
    if let Some(refusal) = &script.refusal {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN);
        return Err(Refused::new(status, &refusal.code, &refusal.message));
    }
    let (id, trace_id) = {
        let mut store = lock(&state.store);
        let task = store.accept(body, script, Instant::now());
        (task.id.clone(), task.trace_id.to_string())
    };
    lock(&state.stats).submits_billed += 1;

    let hold = match delivery {
        Delivery::Held(hold) => hold,
        Delivery::Detached { callback_url } => {
            if let Some(url) = callback_url {
                state.spawn(webhook::when_ended(state.clone(), id.clone(), url));
            }
            return Ok(Json(json!({ "task_id": &*id })).into_response());
        }
    };
    match timeout(hold, state.ended(&id)).await {
        Ok(Some(answer)) => Ok((status(&answer), Json(answer)).into_response()),
        Ok(None) => Err(Refused::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "the task was deleted",
        )),
        Err(_) => Err(Refused {
            trace_id: Some(trace_id),
            ..Refused::new(
                StatusCode::GATEWAY_TIMEOUT,
                "timeout",
                "the task is not ready in time",
            )
        }),
    }
}

fn status(answer: &Value) -> StatusCode {
    match answer["error"]["code"].as_str() {
        Some(code) if answer["success"] == false => status_of(code),
        _ => StatusCode::OK,
    }
}

fn check(body: &Value) -> Result<Delivery, Refused> {
    if !body.is_object() {
        return Err(Refused::bad_request("the body must be a JSON object"));
    }
    let action = text(body, "action")?.unwrap_or("generate");
    if !["generate", "extend"].contains(&action) {
        return Err(Refused::bad_request(format!("unknown action: {action}")));
    }
    if text(body, "prompt")?.is_none_or(|prompt| prompt.trim().is_empty()) {
        return Err(Refused::bad_request("prompt is required"));
    }
    if let Some(ratio) = text(body, "aspect_ratio")?
        && !ASPECT_RATIOS.contains(&ratio)
    {
        return Err(Refused::bad_request(format!(
            "unknown aspect_ratio: {ratio}"
        )));
    }
    flag(body, "loop")?;
    flag(body, "enhancement")?;
    url(body, "start_image_url")?;
    url(body, "end_image_url")?;
    let video_id = text(body, "video_id")?.filter(|id| !id.trim().is_empty());
    let video_url = url(body, "video_url")?;
    if action == "extend" && video_id.is_none() && video_url.is_none() {
        return Err(Refused::bad_request("extend needs video_id or video_url"));
    }
    let hold = seconds(body, "timeout")?.unwrap_or(DEFAULT_HOLD);
    let callback_url = url(body, "callback_url")?;
    Ok(if flag(body, "async")? || callback_url.is_some() {
        Delivery::Detached { callback_url }
    } else {
        Delivery::Held(hold)
    })
}

/// A field; null is the same as absent.
fn field<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn wrong(name: &str, wanted: &str) -> Refused {
    Refused::bad_request(format!("{name} must be {wanted}"))
}

fn text<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Refused> {
    field(body, name)
        .map(|value| value.as_str().ok_or_else(|| wrong(name, "a string")))
        .transpose()
}

fn flag(body: &Value, name: &str) -> Result<bool, Refused> {
    match field(body, name) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| wrong(name, "true or false")),
    }
}

fn url(body: &Value, name: &str) -> Result<Option<Url>, Refused> {
    let parse = |text| {
        Url::parse(text)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()))
            .ok_or_else(|| wrong(name, "an http or https URL"))
    };
    text(body, name)?.map(parse).transpose()
}

fn seconds(body: &Value, name: &str) -> Result<Option<Duration>, Refused> {
    let parse = |value: &Value| {
        let seconds = value
            .as_f64()
            .and_then(|s| Duration::try_from_secs_f64(s).ok());
        seconds.ok_or_else(|| wrong(name, "a number of seconds"))
    };
    field(body, name).map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_a_bad_request_that_names_the_field() {
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
                json!({ "prompt": "a", "start_image_url": "nothing" }),
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
        for (body, named) in cases {
            let refused = check(&body).unwrap_err();
            assert_eq!(
                (refused.status.as_u16(), &*refused.code),
                (400, "bad_request"),
                "{body}"
            );
            assert!(
                refused.message.contains(named),
                "{body}: {}",
                refused.message
            );
        }
    }

    #[test]
    fn how_the_answer_is_delivered() {
        let callback_url = Url::parse("http://h/done").ok();
        let cases = [
            (json!({ "prompt": "a" }), Delivery::Held(DEFAULT_HOLD)),
            (
                json!({ "prompt": "a", "timeout": 1.5 }),
                Delivery::Held(Duration::from_millis(1500)),
            ),
            (
                json!({ "prompt": "a", "async": false }),
                Delivery::Held(DEFAULT_HOLD),
            ),
            (
                json!({ "prompt": "a", "async": true }),
                Delivery::Detached { callback_url: None },
            ),
            (
                json!({ "prompt": "a", "callback_url": "http://h/done" }),
                Delivery::Detached { callback_url },
            ),
            (
                json!({ "action": "extend", "prompt": "a", "video_url": "https://h/v.mp4" }),
                Delivery::Held(DEFAULT_HOLD),
            ),
        ];
        for (body, delivery) in cases {
            assert_eq!(check(&body), Ok(delivery), "{body}");
        }
    }
}
