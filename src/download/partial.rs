//! The temporary file beside the target, and the step that gives it the target's name.

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind, SeekFrom},
    path::{Path, PathBuf, is_separator},
};

use tempfile::{NamedTempFile, PathPersistError, TempPath};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt},
    task::spawn_blocking,
};

/// A file that is not complete. It is deleted when this is dropped.
pub(super) struct PartialFile {
    /// Before the file, so that the name goes first.
    temporary: TempPath,
    file: File,
    length: u64,
    target: PathBuf,
    overwrite: bool,
    /// Those of the complete file.
    permissions: Permissions,
}

impl PartialFile {
    /// Checks the target, and creates the temporary file.
    pub(super) async fn create(target: &Path, overwrite: bool) -> io::Result<Self> {
        let target = target.to_owned();
        spawn_blocking(move || {
            let replaced = check(&target, overwrite)?;
            let (temporary, permissions) = create(folder(&target), replaced)?;
            let (file, temporary) = temporary.into_parts();
            let file = File::from_std(file);
            Ok(Self { temporary, file, length: 0, target, overwrite, permissions })
        })
        .await?
    }

    /// Bytes written so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.file.write_all(bytes).await
    }

    /// Discards the bytes so far.
    pub(super) async fn clear(&mut self) -> io::Result<()> {
        self.length = 0;
        self.file.flush().await?;
        self.file.set_len(0).await?;
        self.file.seek(SeekFrom::Start(0)).await.map(drop)
    }

    /// Gives the file its name, once it is on the disk. This step completes even if the future is
    /// dropped.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        let file = self.file.into_std().await;
        spawn_blocking(move || {
            // Not every file system has permissions.
            let _ = file.set_permissions(self.permissions);
            file.sync_all()?;
            persist(self.temporary, &self.target, self.overwrite)
        })
        .await?
    }
}

/// Checks a target before anything is requested. Returns the permissions of the file that it
/// replaces.
fn check(path: &Path, overwrite: bool) -> io::Result<Option<Permissions>> {
    let last = path.as_os_str().as_encoded_bytes().last();
    if path.file_name().is_none() || last.is_some_and(|byte| is_separator(char::from(*byte))) {
        return Err(ErrorKind::InvalidFilename.into());
    }
    if !folder(path).is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(ErrorKind::IsADirectory.into()),
        // A link that leads nowhere exists, too.
        _ if !overwrite => Err(ErrorKind::AlreadyExists.into()),
        found => Ok(found.ok().map(|found| found.permissions())),
    }
}

/// Creates the temporary file, which only its owner may read until it is complete. Returns the
/// permissions that it gets then: those of the replaced file, else those of any new file.
fn create(
    folder: &Path,
    replaced: Option<Permissions>,
) -> io::Result<(NamedTempFile, Permissions)> {
    let mut builder = tempfile::Builder::new();
    // Without the name of the target, which may be as long as the file system allows.
    builder.prefix(".luma-").suffix(".part").rand_bytes(12);
    #[cfg(unix)]
    if replaced.is_none() {
        builder.permissions(Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder)?;
    let permissions = match replaced {
        Some(permissions) => permissions,
        // What the system makes of 0666, by the umask or by a default ACL of the folder.
        None => temporary.as_file().metadata()?.permissions(),
    };
    #[cfg(unix)]
    let _ = temporary.as_file().set_permissions(Permissions::from_mode(0o600));
    Ok((temporary, permissions))
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Renames the temporary file to the target; without `overwrite` only if the name is free.
fn persist(temporary: TempPath, target: &Path, overwrite: bool) -> io::Result<()> {
    // In the folder where the file is, even if the working directory has changed since.
    let target = temporary.with_file_name(target.file_name().unwrap_or_default());
    if overwrite {
        return Ok(temporary.persist(target)?);
    }
    match temporary.persist_noclobber(&target) {
        Err(PathPersistError { error, path }) if error.kind() != ErrorKind::AlreadyExists => {
            reserve_and_persist(path, &target)
        }
        persisted => Ok(persisted?),
    }
}

/// For file systems that have neither a rename that keeps existing files nor hard links: reserves
/// the name by an empty file, which only one process can create, then replaces that.
fn reserve_and_persist(temporary: TempPath, target: &Path) -> io::Result<()> {
    drop(fs::File::create_new(target)?);
    Ok(temporary.persist(target).inspect_err(|_| {
        let _ = fs::remove_file(target);
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(name).map(|name| name.display().to_string()).collect();
        names.sort();
        names
    }

    async fn written(target: &Path, overwrite: bool, bytes: &[u8]) -> PartialFile {
        let file = PartialFile::create(target, overwrite).await;
        let mut file = file.expect("created");
        file.write(bytes).await.expect("written");
        file
    }

    #[tokio::test]
    async fn finished_file_has_its_name_and_dropped_file_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.mp4");
        drop(written(&target, false, b"half").await);
        assert_eq!(names(folder.path()), [""; 0]);

        let mut file = written(&target, false, b"old and long").await;
        assert_eq!(names(folder.path()).len(), 1);
        assert!(!target.exists());
        file.clear().await.expect("cleared");
        assert_eq!(file.length(), 0);
        file.write(b"new").await.expect("written");
        file.finish().await.expect("finished");
        assert_eq!(fs::read(&target).expect("read"), b"new");
        assert_eq!(names(folder.path()), ["a.mp4"]);
    }

    #[tokio::test]
    async fn existing_file_stays_unless_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.mp4");
        // It appears while the download runs.
        let file = written(&target, false, b"new").await;
        fs::write(&target, "old").expect("written");
        let taken = file.finish().await.expect_err("taken");
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).expect("read"), b"old");
        assert_eq!(names(folder.path()), ["a.mp4"]);

        let file = written(&target, true, b"new").await;
        file.finish().await.expect("replaced");
        assert_eq!(fs::read(&target).expect("read"), b"new");
        assert_eq!(names(folder.path()), ["a.mp4"]);
    }

    #[test]
    fn reserved_name_is_replaced_and_taken_name_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.mp4");
        let temporary = |text: &str| {
            let (file, _) = create(folder.path(), None).expect("created");
            fs::write(file.path(), text).expect("written");
            file.into_temp_path()
        };
        reserve_and_persist(temporary("first"), &target).expect("free");
        let taken = reserve_and_persist(temporary("second"), &target).expect_err("taken");
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).expect("read"), b"first");
        assert_eq!(names(folder.path()), ["a.mp4"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn file_is_private_until_it_is_complete() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        let folder = tempfile::tempdir().expect("a folder");
        let (plain, target) = (folder.path().join("plain"), folder.path().join("a.mp4"));
        fs::write(&plain, "").expect("written");

        let file = written(&target, false, b"new").await;
        assert_eq!(mode(&file.temporary), 0o600);
        file.finish().await.expect("finished");
        assert_eq!(mode(&target), mode(&plain));

        fs::set_permissions(&target, Permissions::from_mode(0o640)).expect("set");
        let file = written(&target, true, b"newer").await;
        assert_eq!(mode(&file.temporary), 0o600);
        file.finish().await.expect("finished");
        assert_eq!(mode(&target), 0o640);
    }

    #[tokio::test]
    async fn impossible_target_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), "").expect("written");
        fs::create_dir(folder.path().join("videos")).expect("created");
        for (name, expected) in [
            ("videos", ErrorKind::IsADirectory),
            ("videos/", ErrorKind::InvalidFilename),
            ("new/", ErrorKind::InvalidFilename),
            ("..", ErrorKind::InvalidFilename),
            ("missing/a.mp4", ErrorKind::NotADirectory),
            ("file/a.mp4", ErrorKind::NotADirectory),
            (&"a".repeat(256), ErrorKind::InvalidFilename),
        ] {
            let refused = PartialFile::create(&folder.path().join(name), true).await;
            let error = refused.err().expect(name);
            assert_eq!(error.kind(), expected, "{name}");
        }
        for path in ["", "/", ".", "a/.."] {
            let refused = check(Path::new(path), true).expect_err(path);
            assert_eq!(refused.kind(), ErrorKind::InvalidFilename, "{path}");
        }
        assert_eq!(names(folder.path()), ["file", "videos"]);
    }
}
