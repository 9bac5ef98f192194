//! The way of a callback: from the simulator to a receiver, which parses it as a user's would.

use std::sync::{Arc, Mutex};

use luma_client::{
    Luma,
    webhook::{self, WebhookError},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{cases::Body, show, show_error};

/// How a callback fares.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// It never reaches the receiver whole.
    Lost,
    /// It comes this often.
    Times(usize),
    /// Another body comes.
    Other(Body),
    /// The service is redirected to the receiver by this status.
    Redirect(u16),
}

/// What the receiver made of it.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub verdict: Option<&'static str>,
    pub shown: Vec<String>,
}

/// Starts a relay; returns its URL, and what the receiver behind it gets.
pub async fn start(delivery: Delivery, luma: &Luma) -> (String, Arc<Mutex<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let received = Arc::new(Mutex::new(Received::default()));
    let (shared, luma) = (received.clone(), luma.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (is_redirected, callback) = read(&mut stream).await;
            let mut head = "204 No Content".to_owned();
            let bodies = match &delivery {
                Delivery::Lost => vec![],
                Delivery::Times(count) => vec![callback; *count],
                Delivery::Other(body) => {
                    let good = serde_json::from_slice(&callback).expect("a callback");
                    vec![body.bytes(&good)]
                }
                Delivery::Redirect(status) if !is_redirected => {
                    head = format!("{status} Elsewhere\r\nlocation: http://localhost:{port}/again");
                    vec![]
                }
                // A callback that became a GET has lost its body.
                Delivery::Redirect(_) if callback.is_empty() => vec![],
                Delivery::Redirect(_) => vec![callback],
            };
            for body in bodies {
                receive(&luma, &body, &mut shared.lock().expect("no panic"));
            }
            let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        }
    });
    (format!("http://127.0.0.1:{port}/hook"), received)
}

/// Reads a request; returns whether it was redirected here, and its body.
async fn read(stream: &mut TcpStream) -> (bool, Vec<u8>) {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a length"));
            let (begin, is_redirected) = (head.len() + 4, head.contains(" /again "));
            if request.len() >= begin + length {
                return (is_redirected, request.split_off(begin));
            }
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return (false, Vec::new());
        }
    }
}

/// A receiver as the documentation has it.
fn receive(luma: &Luma, body: &[u8], received: &mut Received) {
    received.verdict = Some(match webhook::parse(body) {
        Ok(task) => {
            received.shown.push(show(&task));
            luma.notify(task);
            "taken"
        }
        Err(error) => {
            received.shown.push(show_error(&error));
            match error {
                WebhookError::NotAnObject => "not an object",
                WebhookError::NoTaskId => "no task id",
                WebhookError::TooLarge(_) => "too large",
                _ => "?",
            }
        }
    });
}

/// The task that a callback names.
pub fn result(id: &str) -> Value {
    serde_json::json!({
        "success": true, "task_id": id, "video_id": "v", "state": "completed",
        "video_url": "https://example.com/v.mp4",
    })
}
