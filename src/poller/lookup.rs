//! Where reports of tasks come from: the service, or a test.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    api,
    http::{RequestError, RetryPolicy},
    model::Task,
    tasks::{retrieve, retrieve_batch},
    util::TaskId,
};

pub(crate) trait Lookup: Send + Sync + 'static {
    /// Retrieves one id singly, and several as a batch.
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>, RequestError>>;
}

impl Lookup for api::Client {
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>, RequestError>> {
        let mut api = self.clone();
        // The poller repeats a failed lookup at its own pace.
        api.inner.retry = RetryPolicy::none();
        Box::pin(async move {
            match &*ids {
                [id] => Ok(vec![retrieve(&api, id).await?]),
                ids => retrieve_batch(&api, ids).await,
            }
        })
    }
}
