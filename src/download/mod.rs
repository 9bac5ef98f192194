//! A video to disk: streamed, resumed after a cut, in place only when it is complete.
//!
//! What to do with an answer is decided in [`plan`] and [`client`], as pure functions; [`partial`]
//! keeps the file on its way, and [`transfer`] is the thin shell that asks and writes.

mod claim;
mod client;
mod error;
mod kind;
mod note;
mod partial;
mod plan;
mod sniff;
mod target;
mod transfer;
mod version;

use std::{
    fmt,
    future::IntoFuture,
    path::{Path, PathBuf},
    pin::Pin,
};

use url::Url;

pub(crate) use client::{Media, Timeouts};
pub use error::DownloadError;
use kind::Kind;
use partial::Partial;
use transfer::Transfer;

use crate::{
    retry::RetryPolicy,
    video::{Video, shown},
};

impl Video {
    /// Downloads the video to a file. Nothing is requested before it is awaited.
    ///
    /// ```no_run
    /// # async fn example(video: luma_client::Video) -> Result<(), luma_client::Error> {
    /// let file = video.download_to("lighthouse.mp4").await?;
    /// println!("{} bytes", file.bytes);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DownloadError`]. The file is there when it is complete, and not before.
    pub fn download_to(&self, path: impl AsRef<Path>) -> Download<'static> {
        Download::new(self, Kind::Video, path.as_ref())
    }

    /// Downloads the still picture to a file, as [`download_to`](Self::download_to) does the video.
    ///
    /// # Errors
    ///
    /// [`DownloadError`], of which [`NoThumbnail`](DownloadError::NoThumbnail) is the one where the
    /// service gave none.
    pub fn download_thumbnail_to(&self, path: impl AsRef<Path>) -> Download<'static> {
        Download::new(self, Kind::Thumbnail, path.as_ref())
    }
}

/// A download, from [`Video::download_to`]. Await it; before that nothing is requested.
///
/// The bytes go to a hidden file beside the target, `.<name>.part`, which gets the target's name
/// when it is complete, has the length that the server told, and is safely on the disk. So the
/// target is never half a file. Where a connection is cut, the rest is asked for. What an error, a
/// drop or a crash leaves of a download, the next call with the same target goes on with, after the
/// server has confirmed that the file is still the same: by its strong ETag, else by URL, length
/// and time of its last change. If it is not, or may not be, the download begins anew.
///
/// Two downloads to the same target at once do not meet: the first one has the hidden file for
/// itself, by a lock that ends with its process; the other one writes to a file of its own. Who
/// ends last replaces the other's file with [`overwrite`](Self::overwrite), and fails with
/// [`Exists`](DownloadError::Exists) without.
///
/// The API token never goes out with a download, nor a user name or password that the URL holds.
/// Up to five redirects are followed, none to plain http (but from this machine to itself).
///
/// ```no_run
/// # async fn example(video: luma_client::Video) -> Result<(), luma_client::Error> {
/// let file = video
///     .download_to("lighthouse.mp4")
///     .overwrite(true)
///     .max_bytes(1 << 30)
///     .on_progress(|progress| match progress.total {
///         Some(total) => println!("{} of {total} bytes", progress.bytes),
///         None => println!("{} bytes", progress.bytes),
///     })
///     .await?;
/// println!("{}", file.path.display());
/// # Ok(()) }
/// ```
#[must_use = "a download does nothing before it is awaited"]
pub struct Download<'a> {
    url: Option<String>,
    media: Option<Media>,
    kind: Kind,
    target: PathBuf,
    overwrite: bool,
    max_bytes: u64,
    retry: RetryPolicy,
    on_progress: Option<OnProgress<'a>>,
}

type OnProgress<'a> = Box<dyn FnMut(Progress) + Send + 'a>;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the file that are there, those of an earlier call included.
    pub bytes: u64,
    /// Bytes of the whole file, where the server told.
    pub total: Option<u64>,
}

/// A file that was downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// Where it is, as it was asked for.
    pub path: PathBuf,
    /// Its size in bytes, those of an earlier call included.
    pub bytes: u64,
    /// What the server says it is, such as `video/mp4`.
    pub content_type: Option<String>,
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("target", &self.target)
            .field("overwrite", &self.overwrite)
            .field("max_bytes", &self.max_bytes)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Download<'_> {
    /// The default limit: 2 GiB, far more than any video of the service has.
    pub const MAX_BYTES: u64 = 2 << 30;
}

impl<'a> Download<'a> {
    fn new(video: &Video, kind: Kind, target: &Path) -> Self {
        let url = match kind {
            Kind::Video => Some(video.url()),
            Kind::Thumbnail => video.thumbnail_url(),
        };
        let url = url.map(str::trim).filter(|url| !url.is_empty());
        Self {
            url: url.map(str::to_owned),
            media: video.media.clone(),
            kind,
            target: target.to_owned(),
            overwrite: false,
            max_bytes: Self::MAX_BYTES,
            retry: RetryPolicy::default(),
            on_progress: None,
        }
    }

    /// Whether to replace a file that is there already. By default it is refused: before anything
    /// is requested, and also where the file appears in the meantime. A symbolic link is replaced
    /// itself, not what it leads to.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// The largest file that is accepted, in bytes; 2 GiB by default. A larger one is refused before
    /// anything is written where the server tells its size, else when it gets there.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How often, and at what pace, to ask again after a cut, 408, 425, 429 and 5xx. What counts is
    /// attempts in a row that bring nothing: each one that gets further than any before it begins
    /// the count anew.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Calls `callback` at the start, with each piece, and at the end. It should be quick: it runs
    /// inside the download. Where a download has to begin anew, so does what it reports.
    pub fn on_progress<'b>(self, callback: impl FnMut(Progress) + Send + 'b) -> Download<'b> {
        Download {
            url: self.url,
            media: self.media,
            kind: self.kind,
            target: self.target,
            overwrite: self.overwrite,
            max_bytes: self.max_bytes,
            retry: self.retry,
            on_progress: Some(Box::new(callback)),
        }
    }

    async fn run(self) -> Result<Downloaded, DownloadError> {
        let Self {
            kind,
            target,
            overwrite,
            max_bytes,
            retry,
            on_progress,
            ..
        } = self;
        let url = file_url(self.url.as_deref())?;
        target::check(&target, overwrite).await?;
        let media = self
            .media
            .unwrap_or_else(|| Media::new(Timeouts::default()));
        let client = media.client(&url)?;
        let opened = Partial::open(&target, &url).await;
        let mut partial = opened.map_err(|error| DownloadError::of_io(&target, error))?;
        let mut transfer = Transfer {
            client,
            url,
            kind,
            max_bytes,
            retry,
            on_progress,
            target: &target,
        };
        let content_type = transfer.run(&mut partial).await?;
        let bytes = partial.length();
        let finished = partial.finish(target.clone(), overwrite).await;
        finished.map_err(|error| transfer.io(error))?;
        transfer.report(bytes, Some(bytes));
        drop(transfer);
        Ok(Downloaded {
            path: target,
            bytes,
            content_type,
        })
    }
}

impl<'a> IntoFuture for Download<'a> {
    type Output = Result<Downloaded, DownloadError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    /// The future can be dropped at any time. What is there by then is kept for the next call.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The URL of a file, without the user name and password that would go out with it.
fn file_url(url: Option<&str>) -> Result<Url, DownloadError> {
    let text = url.ok_or(DownloadError::NoThumbnail)?;
    let refuse = || DownloadError::Url { url: shown(text) };
    let mut url = Url::parse(text).map_err(|_| refuse())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse());
    }
    // Neither setter fails on a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files() {
        for (given, expected) in [
            (
                "https://a.example/v.mp4?s=1",
                Some("https://a.example/v.mp4?s=1"),
            ),
            ("http://user:s3cret@a.example/v", Some("http://a.example/v")),
            ("ftp://user:s3cret@a.example/v", None),
            ("file:///etc/passwd", None),
            ("data:s3cret", None),
            ("a.example/v.mp4?s3cret", None),
            ("", None),
        ] {
            let got = file_url(Some(given)).map(String::from);
            if let Err(error) = &got {
                let secret = given != "data:s3cret" && error.to_string().contains("s3cret");
                assert!(!secret, "{error}");
            }
            assert_eq!(got.ok().as_deref(), expected, "{given}");
        }
        assert!(matches!(file_url(None), Err(DownloadError::NoThumbnail)));
    }
}
