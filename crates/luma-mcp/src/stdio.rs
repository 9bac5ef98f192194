//! One session over a pair of byte streams, one message a line.
//!
//! rmcp's own transport drops lines that are not messages and a last line without an end, ends a session
//! whose first message is not a request, and at the end of the input waits five seconds for every answer
//! alike. A paid submit can take longer, and a held lookup need not be awaited at all (tests:
//! `broken_lines_are_answered`, `last_line_without_end_is_read`,
//! `notifications_before_the_session_are_ignored`, `client_that_leaves_is_answered_except_held_lookups`).

use std::{future::Future, io, pin::Pin};

use rmcp::{
    ErrorData, RoleServer,
    model::{
        ClientJsonRpcMessage, ClientNotification, ClientRequest, GetMeta, JsonRpcError,
        ProtocolVersion, RequestId, ServerJsonRpcMessage,
    },
    transport::{Transport, async_rw::AsyncRwTransport},
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, Empty, empty};
use tokio_util::sync::CancellationToken;

use crate::{
    calls::{Calls, MAX_CALLS, Refused},
    log,
    message::{self, MAX_MESSAGE},
};

/// How much of a line is kept: far more than a message may have, so that the id of a message that is too
/// large is found. Many clients write it at the end.
const MAX_LINE: usize = 16 * MAX_MESSAGE;

pub(crate) struct Lines<R, W: AsyncWrite> {
    reader: BufReader<R>,
    /// The line so far. It outlives a `receive` that is dropped half-way.
    line: Vec<u8>,
    writer: AsyncRwTransport<RoleServer, Empty, W>,
    /// The answer to a message that was refused. Nothing is read before it is written.
    refusal: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    /// Whether rmcp takes more than the request that begins a session.
    has_begun: bool,
    calls: Calls,
    /// Cancelled if the output breaks: nothing is submitted any more.
    stop: CancellationToken,
    /// Cancelled at the end of the input: calls do not wait for videos any more.
    leaving: CancellationToken,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(crate) fn new(
        reader: R,
        writer: W,
        calls: Calls,
        stop: CancellationToken,
        leaving: CancellationToken,
    ) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            writer: AsyncRwTransport::new(empty(), writer),
            refusal: None,
            has_begun: false,
            calls,
            stop,
            leaving,
        }
    }

    /// Completes the line; false at the end of the stream.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                // The last line need not have an end.
                return Ok(!self.line.is_empty());
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let room = MAX_LINE.saturating_sub(self.line.len());
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
            if let Some(refusal) = &mut self.refusal {
                let sent = refusal.await;
                self.refusal = None;
                sent?;
            }
            let room = self.calls.room().await;
            if !self.read_line().await? {
                return Ok(None);
            }
            let line = self.line.trim_ascii();
            let message = (!line.is_empty()).then(|| message::read(line));
            self.line.clear();
            self.line.shrink_to(MAX_MESSAGE);
            match message {
                Some(Ok((ClientJsonRpcMessage::Request(request), _))) => {
                    let is_tool = matches!(request.request, ClientRequest::CallToolRequest(_));
                    match self.calls.begin(request.id.clone(), is_tool, room) {
                        Ok(()) => {
                            self.has_begun |= begins(&request.request);
                            return Ok(Some(ClientJsonRpcMessage::Request(request)));
                        }
                        Err(refused) => self.refuse(refusal(request.id, refused)),
                    }
                }
                Some(Ok(_)) if !self.has_begun => {
                    tracing::debug!("ignored a message before the first request");
                }
                Some(Ok((message, _))) => {
                    if let ClientJsonRpcMessage::Notification(notification) = &message
                        && let ClientNotification::CancelledNotification(cancelled) =
                            &notification.notification
                        && let Some(id) = &cancelled.params.request_id
                    {
                        self.calls.cancel(id);
                    }
                    return Ok(Some(message));
                }
                Some(Err(refusal)) => self.refuse(refusal),
                None => {}
            }
        }
    }

    /// Answers, before anything else is read.
    fn refuse(&mut self, refusal: JsonRpcError) {
        if let Some(unwritten) = log::due("refused message") {
            let (code, reason) = (refusal.error.code.0, &refusal.error.message);
            tracing::warn!(code, %reason, unwritten, "refused a message");
        }
        let refusal = ServerJsonRpcMessage::Error(refusal);
        self.refusal = Some(Box::pin(self.writer.send(refusal)));
    }
}

fn refusal(id: RequestId, refused: Refused) -> JsonRpcError {
    match refused {
        // With its id, this would pass for the answer to the request in flight.
        Refused::Repeated => {
            let reason = "a request with the same id is in flight; this one was not run";
            JsonRpcError::new(None, ErrorData::invalid_request(reason, None))
        }
        Refused::TooMany => {
            let reason = format!("{MAX_CALLS} calls are in flight; wait for one of their answers");
            JsonRpcError::new(Some(id), ErrorData::invalid_request(reason, None))
        }
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
        let (calls, stop) = (self.calls.clone(), self.stop.clone());
        let answered = answered(&message);
        let is_wanted = answered.as_ref().is_none_or(|id| calls.answer(id));
        let sending = is_wanted.then(|| self.writer.send(message));
        async move {
            let sent = match sending {
                Some(sending) => sending.await,
                None => Ok(()),
            };
            if let Some(id) = &answered {
                calls.end(id);
            }
            if let Err(error) = &sent
                && !stop.is_cancelled()
            {
                tracing::warn!(%error, "the client cannot be answered any more");
                stop.cancel();
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        match self.next().await {
            Ok(Some(message)) => return Some(message),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the connection to the client broke");
                self.stop.cancel();
            }
        }
        self.leaving.cancel();
        self.calls.drop_held();
        self.calls.answered().await;
        None
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.writer.close().await
    }
}
