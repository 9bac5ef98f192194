//! Where a download goes, and what its files are called on the way.

use std::{
    ffi::OsString,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf, is_separator},
};

use tokio::fs;

use super::error::DownloadError;

/// File systems take names of 255 bytes; this leaves room for what is put round it.
const MAX_NAME: usize = 200;

/// The folder of a path.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Checks a target before anything is requested.
pub(crate) async fn check(path: &Path, overwrite: bool) -> Result<(), DownloadError> {
    let to_path = || path.to_owned();
    if !names_a_file(path) {
        return Err(DownloadError::NotAFile { path: to_path() });
    }
    let folder = folder(path);
    if !fs::metadata(folder).await.is_ok_and(|found| found.is_dir()) {
        let path = folder.to_owned();
        return Err(DownloadError::NoFolder { path });
    }
    match fs::symlink_metadata(path).await {
        // A link that leads nowhere is there, too.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // A name that is too long, for one: better told now than when all is there.
        Err(error) => return Err(DownloadError::of_io(path, error)),
    }
    match fs::metadata(path).await {
        Ok(found) if !found.is_file() => Err(DownloadError::NotAFile { path: to_path() }),
        _ if !overwrite => Err(DownloadError::Exists { path: to_path() }),
        _ => Ok(()),
    }
}

fn names_a_file(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    path.file_name().is_some() && !last.is_some_and(|byte| is_separator(char::from(*byte)))
}

/// A hidden file beside the target: `.<name>.<suffix>`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let mut hidden = OsString::from(".");
    match name.len() > MAX_NAME {
        true => hidden.push(format!("{:016x}", hash(name))),
        false => hidden.push(name),
    }
    hidden.push(".");
    hidden.push(suffix);
    folder(path).join(hidden)
}

/// A number in place of a value. Another version of Rust may give another number.
pub(crate) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, expected) in [
            ("a.mp4", "./.a.mp4.part"),
            ("videos/a.mp4", "videos/.a.mp4.part"),
            ("/a.mp4", "/.a.mp4.part"),
            ("../a b", "../.a b.part"),
        ] {
            assert!(names_a_file(Path::new(path)), "{path}");
            assert_eq!(
                beside(Path::new(path), "part"),
                Path::new(expected),
                "{path}"
            );
        }
        for path in ["", "/", "..", "a/..", "videos/", "."] {
            assert!(!names_a_file(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_long_name_stays_a_name() {
        let (one, other) = ("a".repeat(255), "b".repeat(255));
        let part = |name: &String| beside(Path::new(name), "part");
        assert!(part(&one).as_os_str().len() < 50);
        assert_ne!(part(&one), part(&other));
    }
}
