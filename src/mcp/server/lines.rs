//! One session over a pair of byte streams, one message a line.

use std::{
    collections::HashSet,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::{
    RoleServer,
    model::{
        CancelledNotification, CancelledNotificationParam, ClientJsonRpcMessage, RequestId,
        ServerJsonRpcMessage,
    },
    transport::{Transport, async_rw::AsyncRwTransport},
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, Empty, empty};
use tokio_util::sync::CancellationToken;

use super::{MAX_MESSAGE, message};

/// Some systems begin a text with it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The requests whose answers wait for a video.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<Mutex<HashSet<RequestId>>>);

impl Held {
    fn ids(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, id: &RequestId) {
        self.ids().insert(id.clone());
    }

    pub(super) fn remove(&self, id: &RequestId) {
        self.ids().remove(id);
    }

    fn take(&self) -> Option<RequestId> {
        let mut ids = self.ids();
        let id = ids.iter().next()?.clone();
        ids.take(&id)
    }
}

/// How much of a line is kept. Far more than a message may have, so that the id of one that is too
/// large is found: many clients write it at the end.
const KEPT: usize = 16 * MAX_MESSAGE;

/// rmcp's transport, but for two things. What is no message is answered, since a host would wait
/// for it in vain. And a client that closes its side waits for no video any more: left alone, rmcp
/// would wait five seconds for the calls that are held, and then answer somebody who has stopped
/// reading.
pub(super) struct Lines<R, W: AsyncWrite> {
    reader: BufReader<R>,
    /// What has been read of a line. It outlives a `receive` that is dropped half-way.
    line: Vec<u8>,
    writer: AsyncRwTransport<RoleServer, Empty, W>,
    /// The answer to what was no message.
    refusing: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    held: Held,
    /// Cancelled at the end, so that nothing begins to wait.
    stop: CancellationToken,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(super) fn new(reader: R, writer: W, held: Held, stop: CancellationToken) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            writer: AsyncRwTransport::new(empty(), writer),
            refusing: None,
            held,
            stop,
        }
    }

    /// Completes the line; false at the end of the stream.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let room = KEPT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&available[..taken.min(room)]);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The next message; none at the end of the stream.
    async fn next(&mut self) -> io::Result<Option<ClientJsonRpcMessage>> {
        loop {
            if let Some(refusing) = &mut self.refusing {
                let sent = refusing.await;
                self.refusing = None;
                sent?;
            }
            if !self.read_line().await? {
                return Ok(None);
            }
            let line = self.line.strip_prefix(BYTE_ORDER_MARK);
            let line = line.unwrap_or(&self.line).trim_ascii();
            let message = match line {
                b"" => None,
                line => Some(message::read(line)),
            };
            self.line.clear();
            self.line.shrink_to(MAX_MESSAGE);
            match message {
                None => {}
                Some(Ok(message)) => return Ok(Some(message)),
                Some(Err(refusal)) => {
                    let (code, reason) = (refusal.error.code.0, &refusal.error.message);
                    tracing::warn!(code, %reason, "a message was refused");
                    let refusal = ServerJsonRpcMessage::Error(refusal);
                    self.refusing = Some(Box::pin(self.writer.send(refusal)));
                }
            }
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        self.writer.send(message)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        match self.next().await {
            Ok(Some(message)) => return Some(message),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the streams of the client broke"),
        }
        // As if the client had cancelled them one by one.
        let Some(id) = self.held.take() else {
            self.stop.cancel();
            return None;
        };
        let cancelled = CancelledNotificationParam::new(Some(id), None);
        let cancelled = CancelledNotification::new(cancelled);
        Some(ClientJsonRpcMessage::notification(cancelled.into()))
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.writer.close().await
    }
}
