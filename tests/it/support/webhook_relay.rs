//! Callbacks on their way: from the simulator through a courier, who does with them what a case
//! wants, to a receiver as a user would write one.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
    routing::post,
};
use luma_client::{
    Luma,
    webhook::{self, WebhookError},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Body, Operation, show, show_error};

/// How a callback comes.
#[derive(Clone, Copy, Debug)]
pub enum Delivery {
    Whole,
    Twice,
    ResetBefore,
    /// When it has been read.
    ResetAfter,
    ClosedMidway,
    ResetMidway,
    /// The connection stays open.
    Silence,
    /// A byte at a time, for far longer than anybody waits.
    Drip,
    /// The courier sends the service on to the receiver, by this status.
    Redirect(u16),
}

/// What a courier carries in place of the service's callback.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub delivery: Delivery,
    /// Headers and body; `None` is what the service sent.
    pub content: Option<(Vec<(&'static str, String)>, Body)>,
}

/// Where callbacks go to, and what came of them.
#[derive(Clone, Debug)]
pub struct Receiver {
    luma: Luma,
    verdicts: Arc<Mutex<Vec<&'static str>>>,
    shown: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub fn new(luma: &Luma) -> Self {
        Self {
            luma: luma.clone(),
            verdicts: Arc::default(),
            shown: Arc::default(),
        }
    }

    /// Starts it, and a courier before it. Gives the courier's URL.
    pub async fn start(&self, parcel: Parcel) -> String {
        let app = Router::new()
            .route("/hook", post(receive))
            .layer(DefaultBodyLimit::max(webhook::MAX_BYTES))
            .with_state(self.clone());
        let receiver = serve(app).await;
        let app = Router::new()
            .route("/hook", post(carry))
            .with_state((parcel, receiver));
        format!("http://{}/hook", serve(app).await)
    }

    /// What the receiver made of what came.
    pub fn verdict(&self) -> &'static str {
        let verdicts = self.verdicts.lock().expect("no panic");
        verdicts.last().unwrap_or(&"never came")
    }

    pub fn shown(&self) -> Vec<String> {
        self.shown.lock().expect("no panic").clone()
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn receive(
    State(receiver): State<Receiver>,
    body: Result<Bytes, BytesRejection>,
) -> StatusCode {
    let mut shown = Vec::new();
    let (verdict, status) = match body.as_deref().map(webhook::parse) {
        Ok(Ok(task)) => {
            show(&task, &mut shown);
            receiver.luma.notify(task);
            ("taken", StatusCode::NO_CONTENT)
        }
        Ok(Err(error)) => {
            show_error(&error, &mut shown);
            let verdict = match error {
                WebhookError::NotAnObject => "not an object",
                WebhookError::NoTaskId => "no task id",
                _ => "?",
            };
            (verdict, StatusCode::BAD_REQUEST)
        }
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            ("too large", StatusCode::PAYLOAD_TOO_LARGE)
        }
        // Cut off: it never came.
        Err(rejection) => return rejection.status(),
    };
    receiver.verdicts.lock().expect("no panic").push(verdict);
    receiver.shown.lock().expect("no panic").extend(shown);
    status
}

async fn carry(
    State((parcel, receiver)): State<(Parcel, SocketAddr)>,
    callback: Bytes,
) -> Response {
    if let Delivery::Redirect(status) = parcel.delivery {
        let status = StatusCode::from_u16(status).expect("a status");
        let location = format!("http://localhost:{}/hook", receiver.port());
        return (status, [(LOCATION, location)]).into_response();
    }
    let sent: Value = serde_json::from_slice(&callback).expect("a callback");
    let id = sent["task_id"].as_str().expect("an id");
    let (headers, body) = match &parcel.content {
        Some((headers, body)) => (headers.clone(), body.of(Operation::Webhook, id)),
        None => (
            vec![("content-type", "application/json".into())],
            callback.into(),
        ),
    };
    let mut head = format!(
        "POST /hook HTTP/1.1\r\nhost: {receiver}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    deliver(receiver, parcel.delivery, head.into_bytes(), &body).await;
    StatusCode::NO_CONTENT.into_response()
}

/// Returns when the receiver has had all that it will get; what takes for ever goes on behind.
async fn deliver(to: SocketAddr, delivery: Delivery, mut message: Vec<u8>, body: &[u8]) {
    let half = message.len() + body.len() / 2;
    message.extend_from_slice(body);
    let mut stream = TcpStream::connect(to).await.expect("a receiver");
    match delivery {
        Delivery::Whole => send(&mut stream, &message).await,
        Delivery::Twice => {
            send(&mut stream, &message).await;
            let mut again = TcpStream::connect(to).await.expect("a receiver");
            send(&mut again, &message).await;
        }
        Delivery::ResetBefore => stream.set_zero_linger().expect("a socket"),
        Delivery::ResetAfter => {
            stream.write_all(&message).await.expect("sent");
            stream.peek(&mut [0]).await.expect("an answer");
            stream.set_zero_linger().expect("a socket");
        }
        Delivery::ClosedMidway => {
            stream.write_all(&message[..half]).await.expect("sent");
            stream.shutdown().await.expect("closed");
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        Delivery::ResetMidway => {
            stream.write_all(&message[..half]).await.expect("sent");
            stream.set_zero_linger().expect("a socket");
        }
        Delivery::Silence => {
            tokio::spawn(async move {
                let _open = stream;
                std::future::pending::<()>().await;
            });
        }
        Delivery::Drip => {
            tokio::spawn(async move {
                for byte in message {
                    let _ = stream.write_u8(byte).await;
                    tokio::time::sleep(Duration::from_millis(800)).await;
                }
            });
        }
        Delivery::Redirect(_) => unreachable!("nothing is carried"),
    }
}

/// Sends, and waits for the end of the answer. The receiver may have had enough before.
async fn send(stream: &mut TcpStream, message: &[u8]) {
    let _ = stream.write_all(message).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}
