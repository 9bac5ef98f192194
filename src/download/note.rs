//! The note beside a part: which file its bytes are of.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{claim::open_to_read, target::hash, version::Version};

/// A note has a few hundred bytes.
const MAX_BYTES: u64 = 64 << 10;

/// What is kept beside a part.
#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    /// Where the part came from, as a hash: the URL of a file may hold a secret.
    source: u64,
    #[serde(flatten)]
    version: Version,
}

impl Note {
    pub(super) fn new(url: &Url, version: &Version) -> Self {
        Self {
            source: source(url, version),
            version: version.clone(),
        }
    }

    /// What the part is of, if it came from this URL.
    pub(super) fn of(self, url: &Url) -> Option<Version> {
        (self.source == source(url, &self.version)).then_some(self.version)
    }

    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        open_to_read(path)?.take(MAX_BYTES).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Puts the note in place of what is there, and if that is a link, of the link itself.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{:016x}", fastrand::u64(..)));
        let fresh = PathBuf::from(fresh);
        let mut file = File::create_new(&fresh)?;
        let written = file.write_all(&serde_json::to_vec(self)?);
        drop(file);
        let placed = written.and_then(|()| fs::rename(&fresh, path));
        placed.inspect_err(|_| {
            let _ = fs::remove_file(&fresh);
        })
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

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (note, behind) = (folder.path().join("note"), folder.path().join("behind"));
        fs::write(&behind, "mine").expect("written");
        std::os::unix::fs::symlink(&behind, &note).expect("a link");
        assert!(Note::read(&note).is_err());
        let a = url("https://a.example/v.mp4");
        let version = Version {
            total: Some(9),
            ..Version::default()
        };
        Note::new(&a, &version).write(&note).expect("written");
        assert_eq!(fs::read(&behind).expect("read"), b"mine");
        let read = Note::read(&note).expect("a note");
        assert_eq!(read.of(&a), Some(version));
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2);
    }
}
