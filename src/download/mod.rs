//! Downloads: streamed, resumed after a cut, and visible only when they are complete.
//!
//! [`response`] and [`media_type`] decide, as pure functions; [`partial`] keeps the file until it is
//! complete; [`transfer`] sends requests until then.

mod error;
mod media_type;
mod partial;
mod response;
mod transfer;

use std::{
    fmt,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use futures_util::future::{BoxFuture, FutureExt};

pub use self::error::DownloadError;
use crate::{client::Luma, http::RetryPolicy, model::Video};

/// How long after its task ended a video counts as new.
const NEW_FOR: Duration = Duration::from_secs(120);

impl Luma {
    /// Downloads a video to a file. Nothing is requested until the download is awaited.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, video: luma_client::Video)
    /// # -> Result<(), luma_client::Error> {
    /// let file = luma.download(&video, "lighthouse.mp4").await?;
    /// println!("{} bytes", file.bytes());
    /// # Ok(()) }
    /// ```
    pub fn download<'a>(&self, video: &Video, path: impl Into<PathBuf>) -> Download<'a> {
        Download::new(self, video, "video", path.into())
    }

    /// Downloads the thumbnail of a video to a file. Nothing is requested until the download is
    /// awaited.
    ///
    /// It fails with [`NoThumbnail`](DownloadError::NoThumbnail) if the video has none.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, video: luma_client::Video)
    /// # -> Result<(), luma_client::Error> {
    /// luma.download_thumbnail(&video, "lighthouse.jpg").await?;
    /// # Ok(()) }
    /// ```
    pub fn download_thumbnail<'a>(&self, video: &Video, path: impl Into<PathBuf>) -> Download<'a> {
        Download::new(self, video, "image", path.into())
    }
}

/// The progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes of the whole file, if the server sent its length.
    pub total: Option<u64>,
}

/// A downloaded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    path: PathBuf,
    bytes: u64,
    media_type: &'static str,
}

impl Downloaded {
    /// Returns the path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the media type by the first bytes, such as `video/mp4`.
    pub fn media_type(&self) -> &str {
        self.media_type
    }
}

/// What is downloaded where, and how.
struct Settings<'a> {
    luma: Luma,
    url: Option<String>,
    /// Whether the file may not be at its URL yet.
    is_new: bool,
    /// The first half of its media type: `video` or `image`.
    expected: &'static str,
    target: PathBuf,
    overwrite: bool,
    max_bytes: u64,
    retry: RetryPolicy,
    on_progress: Box<dyn FnMut(Progress) + Send + 'a>,
}

/// A download, from [`Luma::download`]. It is a future: await it.
///
/// **The file.** The bytes go to a temporary file beside the target, `.luma-<random>.part`, which
/// only its owner can read. It is renamed to the target once it is complete and on the disk, with
/// the permissions of a new file, or those of the file that it replaces. So the target is never half
/// a file. After an error, or if the future is dropped, the temporary file is deleted; only a
/// process that is killed leaves it behind.
///
/// **Retries.** After a cut the rest is requested if the server confirms by a strong ETag that the
/// file is the same; otherwise the whole file is requested. A new call starts from the beginning. If
/// the task ended less than two minutes ago, or at an unknown time, HTTP 403 and 404 are retried for 30
/// seconds: the URL may be known before the file exists.
///
/// **Media types.** The first bytes decide: MP4 of any brand but those of sound and pictures, QuickTime,
/// WebM, Matroska, AVI and MPEG are videos; JPEG, PNG, GIF, WebP, AVIF and HEIF are images. Everything
/// else is refused, whatever its `Content-Type` says.
///
/// **URLs.** Only https URLs with a public host are requested. If the API's base URL is on loopback,
/// plain http and loopback hosts are allowed, too. Names other than `localhost` are not resolved to check
/// their addresses. Up to five redirects are followed, never from https to http. The API token is not sent.
///
/// # Panics
///
/// Panics outside a tokio runtime with I/O and time enabled.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, video: luma_client::Video)
/// # -> Result<(), luma_client::Error> {
/// let file = luma
///     .download(&video, "lighthouse.mp4")
///     .overwrite(true)
///     .max_bytes(1 << 30)
///     .on_progress(|progress| match progress.total {
///         Some(total) => println!("{} of {total} bytes", progress.bytes),
///         None => println!("{} bytes", progress.bytes),
///     })
///     .await?;
/// println!("{}", file.path().display());
/// # Ok(()) }
/// ```
#[must_use = "a download does nothing until it is awaited"]
pub struct Download<'a> {
    /// Until the first poll.
    settings: Option<Settings<'a>>,
    running: Option<BoxFuture<'a, Result<Downloaded, DownloadError>>>,
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the URL, which may be signed.
        f.debug_struct("Download").finish_non_exhaustive()
    }
}

impl<'a> Download<'a> {
    /// The default limit: 2 GiB, far more than any video of the service.
    pub const MAX_BYTES: u64 = 2 << 30;

    fn new(luma: &Luma, video: &Video, expected: &'static str, target: PathBuf) -> Self {
        let url = if expected == "video" { Some(video.url()) } else { video.thumbnail_url() };
        let settings = Settings {
            luma: luma.clone(),
            url: url.map(str::to_owned),
            is_new: video.is_younger_than(NEW_FOR, SystemTime::now()),
            expected,
            target,
            overwrite: false,
            max_bytes: Self::MAX_BYTES,
            retry: RetryPolicy::default(),
            on_progress: Box::new(|_| ()),
        };
        Self { settings: Some(settings), running: None }
    }

    /// Sets whether an existing file is replaced. By default the download fails, before anything is
    /// requested if possible. If the target is a symbolic link, the link itself is replaced.
    pub fn overwrite(self, overwrite: bool) -> Self {
        self.with(|settings| settings.overwrite = overwrite)
    }

    /// Sets the size limit in bytes; [`MAX_BYTES`](Self::MAX_BYTES) by default.
    pub fn max_bytes(self, bytes: u64) -> Self {
        self.with(|settings| settings.max_bytes = bytes)
    }

    /// Sets how often and how fast cuts and the statuses 408, 425, 429 and 5xx are retried. Only
    /// attempts without progress count.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|settings| settings.retry = policy)
    }

    /// Calls `callback` at the start, after each piece, and at the end. If the download starts
    /// again, so does the number of bytes. A slow callback slows the download down.
    pub fn on_progress(self, callback: impl FnMut(Progress) + Send + 'a) -> Self {
        self.with(|settings| settings.on_progress = Box::new(callback))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings<'a>)) -> Self {
        if let Some(settings) = &mut self.settings {
            change(settings);
        }
        self
    }
}

impl Future for Download<'_> {
    type Output = Result<Downloaded, DownloadError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { settings, running } = self.get_mut();
        let start = || transfer::run(settings.take().expect("the first poll")).boxed();
        running.get_or_insert_with(start).as_mut().poll(context)
    }
}
