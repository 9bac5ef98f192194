//! Where a file goes, checked before anything is paid for, and how it gets there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use luma_client::{DownloadError, TaskId, Video};

use crate::{
    failure::{Failure, Kind, with_cause},
    hint::retry,
    view::FileView,
};

/// A file to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    path: PathBuf,
    overwrite: bool,
    pub content: Content,
}

/// What of a task is downloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Content {
    #[default]
    Video,
    Thumbnail,
}

impl Target {
    /// A file that can be written, as far as that can be known: the folder is there and takes
    /// files, and nothing is replaced unasked.
    pub fn new(path: PathBuf, overwrite: bool, content: Content) -> Result<Self, Failure> {
        let refuse = |why: &str| {
            let message = format!("{} {why}", path.display());
            Err(Failure::new(Kind::BadInput, message))
        };
        if path == Path::new("-") {
            return refuse("is no name for a file: videos are not written to standard output");
        }
        let ends_as_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let Some(name) = path.file_name().filter(|_| !ends_as_folder) else {
            return refuse("is no name for a file");
        };
        let folder = folder(&path);
        if !folder.is_dir() {
            return refuse("cannot be written: there is no such folder");
        }
        match fs::metadata(&path) {
            Ok(found) if !found.is_file() => return refuse("is there already, and is no file"),
            // A link that leads nowhere is there, too.
            _ if !overwrite && fs::symlink_metadata(&path).is_ok() => {
                return Err(there_already(&path));
            }
            _ => {}
        }
        let mut probe = std::ffi::OsString::from(".");
        probe.push(name);
        probe.push(format!(".{}", std::process::id()));
        if let Err(error) = probe_write(&folder.join(probe)) {
            return refuse(&format!("cannot be written: {error}"));
        }
        Ok(Self {
            path,
            overwrite,
            content,
        })
    }

    /// The file that is there already.
    pub fn existing(path: &Path) -> Option<FileView> {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(FileView {
            path: path.to_owned(),
            bytes: found.len(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may replace a file.
    pub fn overwrite(&self) -> bool {
        self.overwrite
    }

    /// Downloads the file.
    pub async fn save(
        &self,
        video: &Video,
        mut on_progress: impl FnMut(u64, Option<u64>) + Send,
    ) -> Result<FileView, Failure> {
        let download = match self.content {
            Content::Video => video.download_to(&self.path),
            Content::Thumbnail => video.download_thumbnail_to(&self.path),
        };
        let file = download
            .overwrite(self.overwrite)
            .on_progress(|progress| on_progress(progress.bytes, progress.total))
            .await?;
        Ok(FileView {
            path: file.path,
            bytes: file.bytes,
        })
    }
}

/// The folder of a path.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether a file can be made there: permissions alone do not tell.
fn probe_write(path: &Path) -> io::Result<()> {
    fs::File::create_new(path)?;
    fs::remove_file(path)
}

/// The name of a task's file. An id comes from the service: nothing in it may lead elsewhere.
pub fn file_name(id: &TaskId, content: Content) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let stem: String = id
        .as_str()
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .take(100)
        .collect();
    let extension = match content {
        Content::Video => "mp4",
        Content::Thumbnail => "jpg",
    };
    match stem.starts_with('.') {
        true => format!("_{stem}.{extension}"),
        false => format!("{stem}.{extension}"),
    }
}

impl From<DownloadError> for Failure {
    fn from(error: DownloadError) -> Self {
        let kind = match &error {
            // It came while the video was made: by now something was sent.
            DownloadError::Exists { path } => {
                return Self {
                    kind: Kind::File,
                    ..there_already(path)
                };
            }
            DownloadError::Denied { .. }
            | DownloadError::DiskFull { .. }
            | DownloadError::Io { .. }
            | DownloadError::NoFolder { .. }
            | DownloadError::NotAFile { .. } => Kind::File,
            DownloadError::Transport(_) => Kind::Network,
            _ => Kind::Download,
        };
        Self {
            hint: error.retry_after().map(retry),
            ..Self::new(kind, with_cause(&error))
        }
    }
}

fn there_already(path: &Path) -> Failure {
    let path = path.display();
    let message = format!("{path} is there already: choose another name, or say --overwrite");
    Failure::new(Kind::BadInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (id, expected) in [
            ("b8976e18-32dc", "b8976e18-32dc.mp4"),
            ("../../etc/passwd", "_.._.._etc_passwd.mp4"),
            ("..", "_...mp4"),
            ("a\\b:c", "a_b_c.mp4"),
            ("é", "_.mp4"),
        ] {
            let id = id.parse().expect("an id");
            assert_eq!(file_name(&id, Content::Video), expected);
        }
        let long = "x".repeat(500).parse().expect("an id");
        assert_eq!(file_name(&long, Content::Thumbnail).len(), 104);
    }

    #[test]
    fn targets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("there.mp4"), "x").expect("a file");
        fs::create_dir(path("folder")).expect("a folder");
        for (name, overwrite, expected) in [
            ("new.mp4", false, None),
            ("there.mp4", false, Some("is there already: choose")),
            ("there.mp4", true, None),
            ("folder", true, Some("is no file")),
            ("none/new.mp4", false, Some("no such folder")),
            ("there.mp4/new.mp4", false, Some("no such folder")),
            ("folder/", false, Some("is no name for a file")),
            ("..", false, Some("is no name for a file")),
        ] {
            let got = Target::new(path(name), overwrite, Content::Video);
            match (got, expected) {
                (Ok(target), None) => assert_eq!(target.path(), path(name)),
                (Err(failure), Some(expected)) => {
                    assert!(failure.message.contains(expected), "{}", failure.message);
                    assert_eq!(failure.kind, Kind::BadInput);
                }
                (got, _) => panic!("{name}: {got:?}"),
            }
        }
        // The check leaves nothing behind.
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }
}
