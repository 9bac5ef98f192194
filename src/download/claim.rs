//! Opening files beside the target whose names anybody can foresee: no link is followed, and a part
//! has one owner at a time.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use same_file::Handle;

/// What came of claiming a part.
pub(super) enum Claim {
    Mine(File),
    InUse,
    /// It is no file, or somebody else's, or the file system has no locks.
    Unusable,
}

/// Opens the part, or makes it, and locks it. The lock ends with the process.
pub(super) fn claim(path: &Path) -> io::Result<Claim> {
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // If nothing can be made in the folder, the part that is tried next will say so.
        let Ok(file) = open(path, options) else {
            return Ok(Claim::Unusable);
        };
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

/// Opens a file to read it.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    open(path, options)
}

/// Opens what is a file itself: no link to one, and nothing to wait for, like a pipe.
fn open(path: &Path, mut options: OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        /// The link, not what it leads to.
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no file")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, behind) = (folder.path().join("link"), folder.path().join("behind"));
        std::os::unix::fs::symlink(&behind, &link).expect("a link");
        assert!(matches!(claim(&link), Ok(Claim::Unusable)));
        assert!(!behind.exists());
        fs::write(&behind, "mine").expect("written");
        assert!(matches!(claim(&link), Ok(Claim::Unusable)));
        assert!(open_to_read(&link).is_err());
        assert!(open_to_read(&behind).is_ok());
        assert!(open_to_read(Path::new("/dev/null")).is_err());
    }
}
