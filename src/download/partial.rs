//! The file on its way: a part of it that a later call can go on with, and its last step.
//!
//! Beside the target `a.mp4` there are two hidden files meanwhile: `.a.mp4.part` with the bytes,
//! and `.a.mp4.part.json`, the note of which file they are of. The part is locked for as long as it
//! is written to, and the lock ends with the process. Who finds it locked (or cannot lock at all)
//! writes to a part of its own, which no later call goes on with.

use std::{
    fs,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt},
    task::spawn_blocking,
    time::sleep,
};
use url::Url;

use super::{
    claim::{Claim, claim},
    note::Note,
    target::beside,
    version::{Resume, Version},
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
        let path = note.clone();
        let found = blocking(move || Note::read(&path)).await;
        let version = found.ok().and_then(|note| note.of(url));
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
        if let Some(path) = self.names.note.clone() {
            let note = Note::new(&self.url, &version);
            if let Err(error) = blocking(move || note.write(&path)).await {
                // Somebody else's, perhaps. The file comes all the same, but in one go.
                tracing::debug!(%error, "no note beside the part");
                self.names.remove_note();
                self.names.note = None;
            }
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
}
