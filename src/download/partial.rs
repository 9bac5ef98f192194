//! The temporary file beside the target, and the step that gives it the target's name.

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    path::{Path, is_separator},
};

use tempfile::NamedTempFile;
use tokio::{fs::File, io::AsyncWriteExt, task::spawn_blocking};

/// A file that is not complete. It is deleted when this is dropped.
pub(super) struct PartialFile {
    file: NamedTempFile<File>,
    /// Those of the complete file.
    permissions: Permissions,
    /// Bytes written so far.
    pub(super) length: u64,
}

impl PartialFile {
    /// Checks the target, and creates the temporary file, which only its owner may read until it is
    /// complete. Then it gets the permissions of the file that it replaces, or of any new file.
    pub(super) async fn create(target: &Path, overwrite: bool) -> io::Result<Self> {
        let target = target.to_owned();
        spawn_blocking(move || {
            let replaced = check(&target, overwrite)?;
            // Without the name of the target, which may be as long as the file system allows.
            let mut builder = tempfile::Builder::new();
            builder.prefix(".luma-").suffix(".part").rand_bytes(12);
            #[cfg(unix)]
            builder.permissions(replaced.clone().unwrap_or(Permissions::from_mode(0o666)));
            let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
            let (file, path) = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?.into_parts();
            // What the system gives a new file: by the umask, or by a default ACL of the folder.
            let created = file.metadata()?.permissions();
            #[cfg(unix)]
            let _ = file.set_permissions(Permissions::from_mode(0o600));
            let file = NamedTempFile::from_parts(File::from_std(file), path);
            Ok(Self { file, permissions: replaced.unwrap_or(created), length: 0 })
        })
        .await?
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.file.as_file_mut().write_all(bytes).await
    }

    /// Gives the file its name, once it is on the disk.
    pub(super) async fn finish(mut self, target: &Path, overwrite: bool) -> io::Result<()> {
        let file = self.file.as_file_mut();
        file.flush().await?;
        // Not every file system has permissions.
        let _ = file.set_permissions(self.permissions).await;
        file.sync_all().await?;
        // In the folder where the file is, even if the working directory has changed since.
        let target = self.file.path().with_file_name(target.file_name().unwrap_or_default());
        let persisted = match overwrite {
            true => self.file.persist(target),
            false => self.file.persist_noclobber(target),
        };
        Ok(persisted.map(drop)?)
    }
}

/// Checks a target before anything is requested. Returns the permissions of the file that it
/// replaces.
fn check(path: &Path, overwrite: bool) -> io::Result<Option<Permissions>> {
    let last = path.as_os_str().as_encoded_bytes().last();
    if path.file_name().is_none() || last.is_some_and(|byte| is_separator(char::from(*byte))) {
        return Err(ErrorKind::InvalidFilename.into());
    }
    match (fs::symlink_metadata(path), fs::metadata(path)) {
        (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(None),
        (Err(error), _) => Err(error),
        (_, Ok(found)) if !found.is_file() => Err(ErrorKind::IsADirectory.into()),
        // A link that leads nowhere exists, too.
        _ if !overwrite => Err(ErrorKind::AlreadyExists.into()),
        (_, found) => Ok(found.ok().map(|found| found.permissions())),
    }
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

        let file = written(&target, false, b"new").await;
        assert_eq!(names(folder.path()).len(), 1);
        assert!(!target.exists());
        file.finish(&target, false).await.expect("finished");
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
        let taken = file.finish(&target, false).await.expect_err("taken");
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).expect("read"), b"old");
        assert_eq!(names(folder.path()), ["a.mp4"]);

        let file = written(&target, true, b"new").await;
        file.finish(&target, true).await.expect("replaced");
        assert_eq!(fs::read(&target).expect("read"), b"new");
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
        assert_eq!(mode(file.file.path()), 0o600);
        file.finish(&target, true).await.expect("finished");
        assert_eq!(mode(&target), mode(&plain));

        fs::set_permissions(&target, Permissions::from_mode(0o640)).expect("set");
        let file = written(&target, true, b"newer").await;
        assert_eq!(mode(file.file.path()), 0o600);
        file.finish(&target, true).await.expect("finished");
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
            ("missing/a.mp4", ErrorKind::NotFound),
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
