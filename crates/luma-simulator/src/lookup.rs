//! `POST /luma/tasks`: one task, many tasks, the history, deletion.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    error::Refused,
    state::{State, lock},
    store::Filter,
    task::View,
};

const MAX_IDS: usize = 50;
const DEFAULT_LIMIT: u64 = 12;

/// How a lookup of an unknown task is answered. The service is not consistent in this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotFound {
    /// HTTP 200 with `{}`.
    #[default]
    EmptyObject,
    /// HTTP 200 with `null`.
    Null,
    /// HTTP 200 with an error body.
    Error,
    /// HTTP 404 with an error body.
    Status404,
}

#[derive(Serialize)]
struct Page<'a> {
    count: usize,
    items: Vec<View<'a>>,
}

pub(crate) fn handle(state: &State, body: &Value) -> Result<Response, Refused> {
    match body["action"].as_str() {
        Some("retrieve") => retrieve(state, body),
        Some("retrieve_batch") => match &body["ids"] {
            Value::Null => history(state, body),
            ids => batch(state, ids),
        },
        Some("delete") => delete(state, body),
        Some(action) => Err(Refused::bad_request(format!("unknown action: {action}"))),
        None => Err(Refused::bad_request("action is required")),
    }
}

fn retrieve(state: &State, body: &Value) -> Result<Response, Refused> {
    let store = lock(&state.store);
    let task = match (body["id"].as_str(), body["trace_id"].as_str()) {
        (Some(id), _) => store.get(id),
        (None, Some(trace_id)) => store.get_by_trace_id(trace_id),
        (None, None) => return Err(Refused::bad_request("id or trace_id is required")),
    };
    match task {
        Some(task) => Ok(Json(store.view(task, Instant::now())).into_response()),
        None => not_found(state),
    }
}

fn batch(state: &State, ids: &Value) -> Result<Response, Refused> {
    let ids = strings(ids).ok_or_else(|| Refused::bad_request("ids must be a list of strings"))?;
    if ids.len() > MAX_IDS {
        return Err(Refused::bad_request(format!(
            "at most {MAX_IDS} ids a call"
        )));
    }
    lock(&state.stats).batch_sizes.push(ids.len());
    let (store, now) = (lock(&state.store), Instant::now());
    // Order is not promised, so it is never that of the request.
    let items: Vec<View<'_>> = (ids.iter().enumerate().rev())
        .filter(|(index, id)| !ids[..*index].contains(id))
        .filter_map(|(_, id)| store.get(id))
        .map(|task| store.view(task, now))
        .collect();
    Ok(Json(Page {
        count: items.len(),
        items,
    })
    .into_response())
}

fn history(state: &State, body: &Value) -> Result<Response, Refused> {
    if !lock(&state.settings).history_supported {
        return Err(Refused::bad_request("ids is required"));
    }
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let filter = Filter {
        created_at_min: body["created_at_min"].as_f64(),
        created_at_max: body["created_at_max"].as_f64(),
        trace_ids: strings(&body["trace_ids"])
            .map(|ids| ids.into_iter().map(str::to_owned).collect()),
        application_id: text("application_id"),
        user_id: text("user_id"),
        // `type` tells apart the services of the vendor; here is but one.
    };
    let size = |name: &str, default| body[name].as_u64().unwrap_or(default) as usize;
    let (store, now) = (lock(&state.store), Instant::now());
    let items: Vec<View<'_>> = (store.history(&filter))
        .skip(size("offset", 0))
        .take(size("limit", DEFAULT_LIMIT))
        .map(|task| store.view(task, now))
        .collect();
    Ok(Json(Page {
        count: items.len(),
        items,
    })
    .into_response())
}

fn delete(state: &State, body: &Value) -> Result<Response, Refused> {
    let id = body["id"]
        .as_str()
        .ok_or_else(|| Refused::bad_request("id is required"))?;
    if !lock(&state.store).delete(id) {
        return not_found(state);
    }
    // Whoever waits for it should stop.
    state.steered.notify_waiters();
    Ok(Json(json!({ "id": id, "deleted": true })).into_response())
}

fn not_found(state: &State) -> Result<Response, Refused> {
    let refused = |status| Err(Refused::new(status, "not_found", "task not found"));
    match lock(&state.settings).not_found {
        NotFound::EmptyObject => Ok(Json(json!({})).into_response()),
        NotFound::Null => Ok(Json(Value::Null).into_response()),
        NotFound::Error => refused(StatusCode::OK),
        NotFound::Status404 => refused(StatusCode::NOT_FOUND),
    }
}

fn strings(list: &Value) -> Option<Vec<&str>> {
    list.as_array()?.iter().map(Value::as_str).collect()
}
