//! A server whose every byte is chosen, for responses that the simulator cannot send.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::AbortHandle,
};

/// Sends each connection one response, then closes it. It stops when it is dropped.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Sends these responses in order, then refuses connections.
    pub async fn start(responses: Vec<Vec<u8>>) -> Self {
        let mut responses = responses.into_iter();
        Self::answering(move |_| responses.next()).await
    }

    /// Sends the response to each request head, which is in lower case; `None` stops the server.
    pub async fn answering(
        mut respond: impl FnMut(&str) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v.mp4", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                let Some(response) = respond(&head) else {
                    return;
                };
                seen.lock().unwrap().push(head);
                // The client may have closed the connection by now.
                let _ = stream.write_all(&response).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, requests, task: task.abort_handle() }
    }

    /// The heads of the requests, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The `Range` of each request.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let range = |head: &String| {
            let line = head.lines().find_map(|line| line.strip_prefix("range: "))?;
            Some(line.to_owned())
        };
        self.requests().iter().map(range).collect()
    }
}

/// A response as it goes over the wire.
pub fn response(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut response = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        response += &format!("{header}\r\n");
    }
    response += "\r\n";
    let mut response = response.into_bytes();
    response.extend_from_slice(body);
    response
}
