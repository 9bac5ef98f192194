//! A video to a file: streamed, resumed after a cut, in place only when it is complete.
//!
//! [`response`] and [`media_type`] decide, as pure functions; [`partial`] keeps the file until it is
//! complete; [`transfer`] sends the requests.

mod error;
mod media_type;
mod partial;
mod response;
mod transfer;

use std::{
    fmt,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use url::Url;

pub use self::{error::DownloadError, transfer::Progress};
use self::{media_type::Kind, partial::PartialFile, transfer::Transfer};
use crate::{
    client::Luma,
    http::RetryPolicy,
    model::Video,
    util::url::{check_media_url, shown},
};

/// How long after its task ended a video counts as new.
const NEW_FOR: Duration = Duration::from_secs(120);

impl Luma {
    /// Downloads a video to a file. Nothing is requested until the download is awaited.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, video: luma_client::Video)
    /// # -> Result<(), luma_client::Error> {
    /// let file = luma.download(&video, "lighthouse.mp4").await?;
    /// println!("{} bytes", file.bytes);
    /// # Ok(()) }
    /// ```
    pub fn download<'a>(&self, video: &Video, path: impl Into<PathBuf>) -> Download<'a> {
        Download::new(self, video, Some(video.url()), Kind::Video, path.into())
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
        Download::new(
            self,
            video,
            video.thumbnail_url(),
            Kind::Thumbnail,
            path.into(),
        )
    }
}

/// A download, from [`Luma::download`]. It is a future: await it.
///
/// **The file.** The bytes go to a temporary file beside the target, `.luma-<random>.part`, which
/// only its owner can read. It is renamed to the target once it is complete and on the disk, with
/// the permissions of a new file, or those of the file that it replaces. So the target is never half
/// a file. After an error, or if the future is dropped, the temporary file is deleted; only a
/// process that is killed leaves it behind. A future that is dropped during the final rename may
/// still complete it.
///
/// **Retries.** After a cut the rest is requested, if the server can confirm by a strong ETag that
/// the file is the same; otherwise the whole file. A new call starts from the beginning. If the
/// task ended less than two minutes ago, HTTP 403 and 404 are retried for 30 seconds: the URL may be
/// known before the file is there.
///
/// **Media types.** The first bytes decide: MP4, QuickTime, WebM and Matroska are videos; JPEG, PNG,
/// GIF, WebP, AVIF and HEIF are thumbnails. An unknown format is accepted if the `Content-Type` names
/// a video (an image), is `application/octet-stream`, or is missing. Text, such as HTML, JSON or
/// a playlist, is always refused.
///
/// **URLs.** Only https URLs with a public host are requested. If the API's base URL is on loopback,
/// plain http and loopback hosts are allowed, too. Up to five redirects are followed, never from
/// https to http. The API token is not sent.
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
/// println!("{}", file.path.display());
/// # Ok(()) }
/// ```
#[must_use = "a download does nothing until it is awaited"]
pub struct Download<'a> {
    /// Until it is polled.
    settings: Option<Settings<'a>>,
    running: Option<Pin<Box<dyn Future<Output = Result<Downloaded, DownloadError>> + Send + 'a>>>,
}

struct Settings<'a> {
    url: Option<String>,
    finished_at: Option<SystemTime>,
    target: PathBuf,
    overwrite: bool,
    transfer: Transfer<'a>,
}

/// A file that was downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// The target, as it was given.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it is, such as `video/mp4`: by its first bytes, or by the server if they are unknown.
    pub media_type: String,
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.settings.as_ref().map(|settings| &settings.target);
        f.debug_struct("Download")
            .field("target", &target)
            .finish_non_exhaustive()
    }
}

impl<'a> Download<'a> {
    /// The default limit: 2 GiB, far more than any video of the service.
    pub const MAX_BYTES: u64 = 2 << 30;

    fn new(luma: &Luma, video: &Video, url: Option<&str>, kind: Kind, target: PathBuf) -> Self {
        let clients = luma.media().clone();
        Self {
            settings: Some(Settings {
                url: url.map(str::to_owned),
                finished_at: video.finished_at(),
                target,
                overwrite: false,
                transfer: Transfer::new(clients, luma.base_is_loopback(), kind, Self::MAX_BYTES),
            }),
            running: None,
        }
    }

    /// Sets whether an existing file is replaced. By default the download fails, before anything is
    /// requested if possible. If the target is a symbolic link, the link itself is replaced.
    pub fn overwrite(self, overwrite: bool) -> Self {
        self.with(|settings| settings.overwrite = overwrite)
    }

    /// Sets the size limit in bytes; [`MAX_BYTES`](Self::MAX_BYTES) by default.
    pub fn max_bytes(self, bytes: u64) -> Self {
        self.with(|settings| settings.transfer.max_bytes = bytes)
    }

    /// Sets how often and how fast cuts and the statuses 408, 425, 429 and 5xx are retried. Only
    /// attempts without progress count.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.with(|settings| settings.transfer.retry = policy)
    }

    /// Calls `callback` at the start and after each piece. If the download starts again, so does
    /// the number of bytes. A slow callback slows the download down.
    pub fn on_progress(self, callback: impl FnMut(Progress) + Send + 'a) -> Self {
        self.with(|settings| settings.transfer.on_progress = Some(Box::new(callback)))
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

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(settings) = self.settings.take() {
            self.running = Some(Box::pin(run(settings)));
        }
        let running = self.running.as_mut().expect("set by the first poll");
        running.as_mut().poll(context)
    }
}

async fn run(settings: Settings<'_>) -> Result<Downloaded, DownloadError> {
    let mut transfer = settings.transfer;
    let url = parse(settings.url.as_deref(), transfer.base_is_loopback)?;
    let mut file = PartialFile::create(settings.target, settings.overwrite).await?;
    let is_new = is_new(settings.finished_at, SystemTime::now());
    let media_type = transfer.run(&url, &mut file, is_new).await?;
    let bytes = file.length();
    let path = file.finish().await?;
    Ok(Downloaded {
        path,
        bytes,
        media_type,
    })
}

fn parse(text: Option<&str>, base_is_loopback: bool) -> Result<Url, DownloadError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let text = text.ok_or(DownloadError::NoThumbnail)?;
    let refuse = |reason| DownloadError::Url {
        url: shown(text),
        reason,
    };
    let url = Url::parse(text).map_err(|_| refuse("it is not a valid URL"))?;
    check_media_url(&url, None, base_is_loopback).map_err(refuse)?;
    Ok(url)
}

/// A task that ends in the future has ended just now: the clocks differ.
fn is_new(finished_at: Option<SystemTime>, now: SystemTime) -> bool {
    finished_at
        .is_some_and(|finished_at| now.duration_since(finished_at).unwrap_or_default() < NEW_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_parsed_or_refused_without_its_secret() {
        for (given, expected) in [
            (
                " https://a.example/v.mp4?s=1\n",
                Some("https://a.example/v.mp4?s=1"),
            ),
            ("https://user:s3cret@a.example/v", None),
            ("http://a.example/v?s3cret", None),
            ("file:///etc/passwd", None),
            ("a.example/v.mp4?s3cret", None),
        ] {
            let got = parse(Some(given), false).map(String::from);
            if let Err(error) = &got {
                assert!(
                    !format!("{error} {error:?}").contains("s3cret"),
                    "{error:?}"
                );
            }
            assert_eq!(got.ok().as_deref(), expected, "{given}");
        }
        for missing in [None, Some(" ")] {
            assert!(matches!(
                parse(missing, false),
                Err(DownloadError::NoThumbnail)
            ));
        }
    }

    #[test]
    fn video_is_new_for_two_minutes() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (age, expected) in [(0, true), (119, true), (120, false), (-600, true)] {
            let finished_at =
                SystemTime::UNIX_EPOCH + Duration::from_secs((1_000_000 - age) as u64);
            assert_eq!(is_new(Some(finished_at), now), expected, "{age}");
        }
        assert!(!is_new(None, now));
    }
}
