//! The accept loop, and the way of a request through the simulator.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State as Shared},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{Notify, mpsc::UnboundedReceiver},
    task::JoinSet,
    time::sleep,
};
use tower_service::Service;

use crate::{
    connection::{Connection, Control},
    effect::Aborted,
    error::Refused,
    fault::Target,
    lookup,
    state::{Job, State, lock},
    stats::ReceivedRequest,
    submit,
};

/// Serves until it is stopped or dropped. All that it started ends with it.
pub(crate) async fn run(
    listener: TcpListener,
    state: Arc<State>,
    mut jobs: UnboundedReceiver<Job>,
    stop: Arc<Notify>,
) {
    let router = router(state.clone());
    let mut running = JoinSet::new();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    lock(&state.stats).connections += 1;
                    running.spawn(connection(stream, state.clone(), router.clone()));
                }
                // Out of file descriptors, most likely: some may be free in a moment.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(job) = jobs.recv() => {
                running.spawn(job);
            }
            Some(_) = running.join_next() => {}
            () = stop.notified() => break,
        }
    }
    drop(listener);
    running.shutdown().await;
}

async fn connection(stream: TcpStream, state: Arc<State>, router: Router) {
    let control = Control::default();
    let io = TokioIo::new(Connection::new(stream, control.clone()));
    let service =
        service_fn(move |request| answer(state.clone(), router.clone(), control.clone(), request));
    // It may well end in an error: aborted by a fault, or by the client.
    let _ = http1::Builder::new().serve_connection(io, service).await;
}

async fn answer(
    state: Arc<State>,
    mut router: Router,
    control: Control,
    request: Request<Incoming>,
) -> Result<Response, Aborted> {
    let (parts, body) = request.into_parts();
    // Fails only when the client goes away.
    let Ok(body) = to_bytes(Body::new(body), usize::MAX).await else {
        return Err(Aborted);
    };
    let target = Target::of(parts.uri.path());
    lock(&state.stats).count(target, &parts.headers);
    lock(&state.recorder).record(|| ReceivedRequest::new(&parts, body.clone()));

    let fault = lock(&state.faults).take(|fault| fault.fits(target));
    let process = async {
        let Ok(response) = router
            .call(Request::from_parts(parts, Body::from(body)))
            .await;
        response
    };
    match fault {
        None => Ok(process.await),
        Some(fault) => {
            lock(&state.stats).faults += 1;
            fault.strike(&control, process).await
        }
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/luma/videos", post(videos))
        .route("/luma/tasks", post(tasks))
        .route("/media/{file}", get(media))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(state)
}

async fn videos(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    let result = match request(&state, &headers, &body) {
        Ok(body) => submit::handle(&state, body).await,
        Err(refused) => Err(refused),
    };
    respond(&state, result)
}

async fn tasks(Shared(state): Shared<Arc<State>>, headers: HeaderMap, body: Bytes) -> Response {
    let result = request(&state, &headers, &body).and_then(|body| lookup::handle(&state, &body));
    respond(&state, result)
}

async fn media(
    Shared(state): Shared<Arc<State>>,
    Path(file): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let file = file.split_once('.').and_then(|(video_id, extension)| {
        lock(&state.store).get_by_video_id(video_id)?;
        lock(&state.media).file(video_id, extension)
    });
    match file {
        Some(file) => file.serve(&method, &headers),
        None => unknown_path(Shared(state)).await,
    }
}

async fn unknown_path(Shared(state): Shared<Arc<State>>) -> Response {
    let refused = Refused::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here");
    respond(&state, Err(refused))
}

async fn wrong_method(Shared(state): Shared<Arc<State>>) -> Response {
    let refused = Refused::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "bad_request",
        "wrong method",
    );
    respond(&state, Err(refused))
}

/// The checks that both operations share.
fn request(state: &State, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refused> {
    state.authorize(headers)?;
    serde_json::from_slice(body).map_err(|_| Refused::bad_request("the body is not JSON"))
}

fn respond(state: &State, result: Result<Response, Refused>) -> Response {
    result.unwrap_or_else(|refused| {
        refused.into_response(|| lock(&state.store).new_name().to_string())
    })
}
