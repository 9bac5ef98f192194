//! One session over a pair of byte streams, one message a line.

use std::{
    collections::HashSet,
    future::Future,
    io,
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

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

/// rmcp's transport, but for the end: a client that closes its side waits for no video any more.
/// Left alone, rmcp would wait five seconds for the calls that are held, and then answer somebody
/// who has stopped reading.
pub(super) struct Lines<R: AsyncRead, W: AsyncWrite> {
    pub(super) inner: AsyncRwTransport<RoleServer, R, W>,
    pub(super) held: Held,
    /// Cancelled at the end, so that nothing begins to wait.
    pub(super) stop: CancellationToken,
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
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        if let Some(message) = self.inner.receive().await {
            return Some(message);
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
        self.inner.close().await
    }
}
