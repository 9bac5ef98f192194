//! The client in programs that have no async runtime.

use std::{io, sync::LazyLock};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    error::{Error, Result},
    http::ConfigError,
};

/// One thread that drives connections and waits, also while nobody blocks.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).thread_name("luma-client").enable_all().build()
});

/// Runs a submit, a wait, a download or any other call to its end, and blocks the thread meanwhile.
///
/// For programs without a runtime: this crate then runs one of its own, with one thread, from the
/// first call on. Any number of threads may block at once; all waits share one poller.
///
/// ```no_run
/// use luma_client::{Luma, block_on};
///
/// let luma = Luma::from_env()?;
/// let task = block_on(luma.generate("A lighthouse at dusk, slow zoom in").submit())?;
/// let video = block_on(task.wait().on_update(|task| println!("{}", task.state())))?;
/// block_on(luma.download(&video, "lighthouse.mp4"))?;
/// # Ok::<(), luma_client::Error>(())
/// ```
///
/// # Errors
///
/// Those of the call. Inside a runtime, where blocking would stop every task of the thread,
/// [`ConfigError::InsideRuntime`](crate::ConfigError::InsideRuntime) in an
/// [`Error::Config`]: nothing was sent; `.await` the call there.
pub fn block_on<F, T, E>(call: F) -> Result<T>
where
    F: IntoFuture<Output = Result<T, E>>,
    Error: From<E>,
{
    if Handle::try_current().is_ok() {
        return Err(ConfigError::InsideRuntime.into());
    }
    let runtime = RUNTIME.as_ref().map_err(|error| ConfigError::Runtime(error.to_string()))?;
    Ok(runtime.block_on(call.into_future())?)
}
