//! The file on its way: a part of it that a later call can go on with, and its last step.
//!
//! Beside the target `a.mp4` there are two hidden files meanwhile: `.a.mp4.part` with the bytes,
//! and `.a.mp4.part.json`, the note of which file they are of. The part is locked for as long as it
//! is written to, and the lock ends with the process. Who finds it locked (or cannot lock at all)
//! writes to a part of its own, which no later call goes on with.

use std::{
    fs::{self, OpenOptions},
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use same_file::Handle;
use serde::{Deserialize, Serialize};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt},
    task::spawn_blocking,
    time::sleep,
};
use url::Url;

use super::{
    plan::{Resume, Version},
    target::{beside, hash},
};

/// How often, and at what interval, a lock is tried. A download that was dropped holds its lock
/// until its last write is done.
const TRIES: u32 = 10;
const TRY_EVERY: Duration = Duration::from_millis(50);

/// A file on its way to the target.
pub(crate) struct Partial {
    /// Before the file, so that what is left over goes while it is still locked.
    names: Names,
    file: File,
    /// Bytes written so far.
    length: u64,
    /// What they are of; `None` where that is not known.
    version: Option<Version>,
    url: Url,
}

/// The files beside the target. They go with this, unless they are worth keeping.
struct Names {
    part: PathBuf,
    /// Only where a later call may go on.
    note: Option<PathBuf>,
    keep: bool,
}

impl Drop for Names {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed does no harm.
            let _ = fs::remove_file(&self.part);
            self.remove_note();
        }
    }
}

impl Names {
    fn remove_note(&self) {
        if let Some(note) = &self.note {
            let _ = fs::remove_file(note);
        }
    }
}

/// What is kept beside a part.
#[derive(Serialize, Deserialize)]
struct Note {
    /// Where the part came from, as a hash: the URL of a file may hold a secret.
    source: u64,
    #[serde(flatten)]
    version: Version,
}

impl Note {
    fn new(url: &Url, version: &Version) -> Self {
        Self {
            source: source(url, version),
            version: version.clone(),
        }
    }

    /// What the part is of, if it came from this URL.
    fn of(self, url: &Url) -> Option<Version> {
        (self.source == source(url, &self.version)).then_some(self.version)
    }
}

/// What two URLs of the same file have in common. A query is mostly a signature, which is new with
/// each lookup; but it may choose the file, so it is left out only where an ETag vouches for that.
fn source(url: &Url, version: &Version) -> u64 {
    let mut url = url.clone();
    url.set_fragment(None);
    if version.strong_etag().is_some() {
        url.set_query(None);
    }
    hash(url.as_str())
}

impl Partial {
    /// Opens what an earlier call left of this file, or begins.
    pub(crate) async fn open(target: &Path, url: &Url) -> io::Result<Self> {
        let part = beside(target, "part");
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(TRY_EVERY).await;
            }
            let path = part.clone();
            match blocking(move || claim(&path)).await? {
                Claim::Mine(file) => return Self::shared(target, part, file, url).await,
                Claim::InUse => {}
                Claim::Unusable => break,
            }
        }
        let part = beside(target, &format!("{:016x}.part", fastrand::u64(..)));
        // Made before its name is guarded, so that a file of somebody else's is never removed.
        let file = File::create_new(&part).await?;
        Ok(Self {
            names: Names {
                part,
                note: None,
                keep: false,
            },
            file,
            length: 0,
            version: None,
            url: url.clone(),
        })
    }

    /// The part that calls share, one after the other.
    async fn shared(target: &Path, part: PathBuf, file: fs::File, url: &Url) -> io::Result<Self> {
        let note = beside(target, "part.json");
        let file = File::from_std(file);
        let length = file.metadata().await?.len();
        let version = match tokio::fs::read(&note).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .ok()
                .and_then(|note: Note| note.of(url)),
            Err(_) => None,
        };
        Ok(Self {
            names: Names {
                part,
                note: Some(note),
                keep: length > 0 && version.is_some(),
            },
            file,
            length,
            version,
            url: url.clone(),
        })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// How to go on; `None` where it has to begin anew.
    pub(crate) fn resume(&self) -> Option<Resume> {
        Resume::after(self.length, self.version.as_ref()?)
    }

    /// Throws away what is there, and takes note of what comes.
    pub(crate) async fn restart(&mut self, version: Version) -> io::Result<()> {
        self.names.keep = false;
        self.cut(0).await?;
        if let Some(note) = &self.names.note {
            tokio::fs::write(note, serde_json::to_vec(&Note::new(&self.url, &version))?).await?;
        }
        self.version = Some(version);
        Ok(())
    }

    /// Takes back what is there from this byte on.
    pub(crate) async fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length).await?;
        self.file.seek(SeekFrom::Start(length)).await?;
        self.length = length;
        Ok(())
    }

    /// What is there is of another file: the next request is for the whole one.
    pub(crate) fn forget(&mut self) {
        self.version = None;
        self.names.keep = false;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.length += bytes.len() as u64;
        let is_resumable = self.version.as_ref().is_some_and(Version::is_resumable);
        self.names.keep = is_resumable && self.names.note.is_some();
        Ok(())
    }

    /// Waits until all that was written has been handed to the system.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.file.flush().await
    }

    /// The last step: the file gets its name. Once begun it is not stopped by a drop.
    pub(crate) async fn finish(mut self, target: PathBuf, overwrite: bool) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let Self { names, file, .. } = self;
        // Held until the end, and the lock with it.
        let file = file.into_std().await;
        blocking(move || {
            let placed = place(names, &target, overwrite);
            drop(file);
            placed
        })
        .await
    }
}

/// What came of claiming a part.
enum Claim {
    Mine(fs::File),
    InUse,
    /// It is no file, or the file system has no locks.
    Unusable,
}

fn claim(path: &Path) -> io::Result<Claim> {
    loop {
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            return Ok(Claim::Unusable);
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Ok(Claim::InUse),
            Err(fs4::TryLockError::Error(_)) => return Ok(Claim::Unusable),
        }
        // Between opening and locking, its owner may have finished: then this is the target.
        let mine = Handle::from_file(file.try_clone()?)?;
        match Handle::from_path(path) {
            Ok(there) if there == mine => return Ok(Claim::Mine(file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives the part the name of the target; without `overwrite` only if nothing has that name.
///
/// A rename replaces what is there, on every system. A hard link does not: so the file gets its new
/// name as a link, then loses the old one. Where there are no hard links, the name is first taken by
/// an empty file, which nobody else can do at the same time, then that is replaced.
fn place(mut names: Names, target: &Path, overwrite: bool) -> io::Result<()> {
    if overwrite {
        fs::rename(&names.part, target)?;
    } else {
        match fs::hard_link(&names.part, target) {
            Ok(()) => {
                let _ = fs::remove_file(&names.part);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => rename_to_free(&names.part, target)?,
        }
    }
    // The old name may be somebody else's from now on.
    names.keep = true;
    names.remove_note();
    Ok(())
}

fn rename_to_free(part: &Path, target: &Path) -> io::Result<()> {
    drop(fs::File::create_new(target)?);
    fs::rename(part, target).inspect_err(|_| {
        let _ = fs::remove_file(target);
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn which_part_belongs_to_which_url() {
        let strong = Version {
            etag: Some("\"a\"".into()),
            ..Version::default()
        };
        let other = Version {
            total: Some(9),
            ..Version::default()
        };
        const FIRST: &str = "https://a.example/v.mp4?signature=1";
        for (second, by_etag, by_length) in [
            (FIRST, true, true),
            ("https://a.example/v.mp4?signature=1#t", true, true),
            ("https://a.example/v.mp4?signature=2", true, false),
            ("https://a.example/w.mp4?signature=1", false, false),
            ("https://b.example/v.mp4?signature=1", false, false),
        ] {
            for (version, expected) in [(&strong, by_etag), (&other, by_length)] {
                let note = serde_json::to_vec(&Note::new(&url(FIRST), version)).expect("JSON");
                assert!(!String::from_utf8_lossy(&note).contains("signature"));
                let note: Note = serde_json::from_slice(&note).expect("a note");
                assert_eq!(note.of(&url(second)).is_some(), expected, "{second}");
            }
        }
    }

    #[test]
    fn a_name_that_is_taken_stays_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let (part, target) = (folder.path().join("part"), folder.path().join("target"));
        for links in [true, false] {
            fs::write(&part, "new").expect("written");
            fs::write(&target, "old").expect("written");
            let place = |overwrite| {
                let names = Names {
                    part: part.clone(),
                    note: None,
                    keep: true,
                };
                match links || overwrite {
                    true => place(names, &target, overwrite),
                    false => rename_to_free(&part, &target),
                }
            };
            let taken = place(false).expect_err("taken");
            assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&target).expect("read"), b"old");
            fs::remove_file(&target).expect("removed");
            place(false).expect("free");
            assert_eq!(fs::read(&target).expect("read"), b"new");
            assert!(!part.exists());
            fs::write(&part, "newer").expect("written");
            place(true).expect("replaced");
            assert_eq!(fs::read(&target).expect("read"), b"newer");
            assert!(!part.exists());
        }
    }

    #[test]
    fn a_part_has_one_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let part = folder.path().join("part");
        let first = claim(&part).expect("opened");
        assert!(matches!(first, Claim::Mine(_)));
        assert!(matches!(claim(&part), Ok(Claim::InUse)));
        drop(first);
        assert!(matches!(claim(&part), Ok(Claim::Mine(_))));
        fs::remove_file(&part).expect("removed");
        fs::create_dir(&part).expect("a folder");
        assert!(matches!(claim(&part), Ok(Claim::Unusable)));
    }
}
