//! One session over a pair of byte streams, one message a line.

use std::{future::Future, io, pin::Pin};

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CancelledNotification, CancelledNotificationParam, ClientJsonRpcMessage,
        ClientNotification, ClientRequest, GetMeta, JsonRpcError, ProtocolVersion, RequestId,
        ServerJsonRpcMessage,
    },
    transport::{Transport, async_rw::AsyncRwTransport},
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, Empty, empty};
use tokio_util::sync::CancellationToken;

use super::{MAX_MESSAGE, calls::Calls, message};

/// Some systems begin a text with it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How much of a line is kept. Far more than a message may have, so that the id of one that is too
/// large is found: many clients write it at the end.
const KEPT: usize = 16 * MAX_MESSAGE;

/// rmcp's transport, but for what it leaves open. What is no message is answered, since a host would
/// wait for it in vain. A session begins with a request, and what comes before is passed over; rmcp
/// would end it. An id that is in use is refused: rmcp would answer one of its requests alone. And
/// a client that closes its side waits for no video any more, but for the other answers: rmcp would
/// wait five seconds for all of them alike. (Some clients break over an answer after their end.)
pub(super) struct Lines<R, W: AsyncWrite> {
    reader: BufReader<R>,
    /// What has been read of a line. It outlives a `receive` that is dropped half-way.
    line: Vec<u8>,
    writer: AsyncRwTransport<RoleServer, Empty, W>,
    /// The answer to what was no message.
    refusing: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    /// Whether rmcp takes more than the request that begins a session.
    has_begun: bool,
    calls: Calls,
    /// Cancelled at the end, so that no call waits for its video any more.
    stop: CancellationToken,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(super) fn new(reader: R, writer: W, calls: Calls, stop: CancellationToken) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            writer: AsyncRwTransport::new(empty(), writer),
            refusing: None,
            has_begun: false,
            calls,
            stop,
        }
    }

    /// Completes the line; false at the end of the stream.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                // The last line need not be ended.
                return Ok(!self.line.is_empty());
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
            let place = self.calls.place().await;
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
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(refusal)) => {
                    self.refuse(refusal);
                    continue;
                }
                None => continue,
            };
            match &message {
                ClientJsonRpcMessage::Request(request) => {
                    if let Some(error) = self.bad_beginning(&request.request) {
                        self.refuse(JsonRpcError::new(Some(request.id.clone()), error));
                        continue;
                    }
                    if self.calls.begin(request.id.clone(), place).is_err() {
                        // With its id, this would pass for the answer to the one under way.
                        let reason = "a request with the same id is under way; nothing was done";
                        let error = ErrorData::invalid_request(reason, None);
                        self.refuse(JsonRpcError::new(None, error));
                        continue;
                    }
                    self.has_begun |= begins(&request.request);
                }
                _ if !self.has_begun => {
                    tracing::warn!("a message before the first request was passed over");
                    continue;
                }
                ClientJsonRpcMessage::Notification(notification) => {
                    if let ClientNotification::CancelledNotification(cancelled) =
                        &notification.notification
                        && let Some(id) = &cancelled.params.request_id
                    {
                        self.calls.cancel(id);
                    }
                }
                _ => {}
            }
            return Ok(Some(message));
        }
    }

    /// An `initialize` that rmcp cannot read would pass for a request of another revision.
    fn bad_beginning(&self, request: &ClientRequest) -> Option<ErrorData> {
        match request {
            ClientRequest::CustomRequest(request)
                if request.method == "initialize" && !self.has_begun =>
            {
                Some(message::misread_initialize(request.params.as_ref()))
            }
            _ => None,
        }
    }

    /// Answers, before anything else is read.
    fn refuse(&mut self, refusal: JsonRpcError) {
        let (code, reason) = (refusal.error.code.0, &refusal.error.message);
        tracing::warn!(code, %reason, "a message was refused");
        let refusal = ServerJsonRpcMessage::Error(refusal);
        self.refusing = Some(Box::pin(self.writer.send(refusal)));
    }
}

/// Whether rmcp begins a session with this request.
fn begins(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        request => {
            let meta = request.get_meta();
            let missing = meta.missing_required_keys(&ProtocolVersion::V_2026_07_28);
            let version = meta.protocol_version();
            missing.is_empty()
                && version.is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}

/// The id of the request that a message answers.
fn answered(message: &ServerJsonRpcMessage) -> Option<RequestId> {
    match message {
        ServerJsonRpcMessage::Response(response) => Some(response.id.clone()),
        ServerJsonRpcMessage::Error(error) => error.id.clone(),
        _ => None,
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
        let calls = self.calls.clone();
        let answered = answered(&message);
        if let Some(id) = &answered {
            calls.answer(id);
        }
        let sending = self.writer.send(message);
        async move {
            let sent = sending.await;
            if let Some(id) = &answered {
                calls.end(id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        match self.next().await {
            Ok(Some(message)) => return Some(message),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the streams of the client broke"),
        }
        // As if the client had cancelled them one by one.
        if let Some(id) = self.calls.cancel_held() {
            let cancelled = CancelledNotificationParam::new(Some(id), None);
            let cancelled = CancelledNotification::new(cancelled);
            return Some(ClientJsonRpcMessage::notification(cancelled.into()));
        }
        self.stop.cancel();
        self.calls.answered().await;
        None
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.writer.close().await
    }
}
