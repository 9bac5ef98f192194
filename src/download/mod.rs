//! A video to a file. (Skeleton: signatures only.)

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use crate::{client::Luma, model::Video};

/// A download. (Skeleton.)
pub struct Download<'a>(std::marker::PhantomData<&'a ()>);

impl<'a> Download<'a> {
    /// Replaces a file that exists.
    pub fn overwrite(self, overwrite: bool) -> Self {
        let _ = overwrite;
        self
    }

    /// Sets the largest file, in bytes.
    pub fn max_bytes(self, bytes: u64) -> Self {
        let _ = bytes;
        self
    }

    /// Calls back with the progress.
    pub fn on_progress<'b>(self, callback: impl FnMut(Progress) + Send + 'b) -> Download<'b> {
        let _ = callback;
        unimplemented!()
    }
}

impl Future for Download<'_> {
    type Output = Result<Downloaded, DownloadError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        unimplemented!()
    }
}

/// A finished download. (Skeleton.)
#[derive(Clone, Debug)]
pub struct Downloaded {
    path: PathBuf,
    bytes: u64,
}

impl Downloaded {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// How far a download is. (Skeleton.)
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes so far.
    pub bytes: u64,
    /// The whole size, if it is known.
    pub total: Option<u64>,
}

/// Why there is no file. (Skeleton.)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// Skeleton.
    #[error("skeleton")]
    Skeleton,
}

impl DownloadError {
    /// Whether the same download may succeed later.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

impl Luma {
    /// Downloads a video.
    pub fn download(&self, video: &Video, path: impl Into<PathBuf>) -> Download<'static> {
        let _ = (video, path.into(), self.media(), self.base_is_loopback());
        unimplemented!()
    }

    /// Downloads the thumbnail of a video.
    pub fn download_thumbnail(&self, video: &Video, path: impl Into<PathBuf>) -> Download<'static> {
        let _ = (video, path.into());
        unimplemented!()
    }
}
