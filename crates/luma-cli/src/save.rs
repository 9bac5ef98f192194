//! Where files go, checked before anything is paid for, and how they get there.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use luma_client::{Luma, TaskId, Video};

use crate::{
    error::{Error, Kind},
    output::File,
    proxy,
};

/// What becomes of the video.
#[derive(Clone, Debug, clap::Args)]
pub struct SaveOptions {
    /// Save the video to this file, or to PATH/TASK_ID.mp4 if PATH ends with a slash
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// Replace existing files
    #[arg(long)]
    pub overwrite: bool,

    /// Open the saved file with the system's player
    #[arg(long)]
    pub open: bool,
}

/// What of a task is downloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Content {
    #[default]
    Video,
    Thumbnail,
}

/// Saves the files of a command.
#[derive(Debug)]
pub struct Saver {
    place: Place,
    overwrite: bool,
    open: bool,
    pub content: Content,
    /// In a folder, files that exist are left as they are, and are not an error.
    pub skips_existing: bool,
}

#[derive(Debug, PartialEq)]
enum Place {
    Nowhere,
    File(PathBuf),
    Folder(PathBuf),
}

impl Saver {
    /// Checks the place for the videos of `tasks` tasks; a folder is created. Nothing is replaced
    /// without `--overwrite`.
    pub fn new(options: SaveOptions, tasks: usize) -> Result<Self, Error> {
        let refuse = |message| Err(Error::bad_input(message));
        let place = match options.output {
            None if options.overwrite => {
                return refuse("--overwrite needs --output <PATH>".to_owned());
            }
            None if options.open => return refuse("--open needs --output <PATH>".to_owned()),
            None => Place::Nowhere,
            // An empty path, which cannot be typed, is the current folder.
            Some(path) if matches!(path.as_os_str().as_encoded_bytes(), [] | [.., b'/']) => {
                make_folder(&path)?;
                Place::Folder(path)
            }
            Some(path) if tasks > 1 => {
                let path = path.display();
                return refuse(format!("{path} is one file: for several, use -o {path}/"));
            }
            Some(path) => {
                check(&path, options.overwrite)?;
                Place::File(path)
            }
        };
        let (content, skips_existing) = (Content::Video, false);
        let SaveOptions { overwrite, open, .. } = options;
        Ok(Self { place, overwrite, open, content, skips_existing })
    }

    /// Refuses a file in a folder that exists before anything is requested.
    pub fn check(&self, id: &TaskId) -> Result<(), Error> {
        match (&self.place, self.path(id)) {
            (Place::Folder(_), Some(path)) => check(&path, self.overwrite),
            _ => Ok(()),
        }
    }

    /// The arguments that save to the same place, or beside a file that has appeared there.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = match &self.place {
            Place::Nowhere => Vec::new(),
            Place::Folder(path) if path.as_os_str().is_empty() => vec!["-o".into(), "./".into()],
            Place::Folder(path) => vec!["-o".into(), path.to_string_lossy().into_owned()],
            Place::File(path) => {
                let path = if self.overwrite { path.clone() } else { free_name(path) };
                vec!["-o".into(), path.to_string_lossy().into_owned()]
            }
        };
        for (is_set, option) in [
            (self.overwrite, "--overwrite"),
            (self.content == Content::Thumbnail, "--thumbnail"),
            (self.open, "--open"),
        ] {
            arguments.extend(is_set.then(|| option.to_owned()));
        }
        arguments
    }

    fn path(&self, id: &TaskId) -> Option<PathBuf> {
        match &self.place {
            Place::Nowhere => None,
            Place::File(path) => Some(path.clone()),
            Place::Folder(folder) => Some(folder.join(file_name(id, self.content))),
        }
    }

    /// Downloads the file of a task, if it is wanted.
    pub async fn save(
        &self,
        luma: &Luma,
        id: &TaskId,
        video: &Video,
        mut on_progress: impl FnMut(u64, Option<u64>) + Send,
    ) -> Result<Option<File>, Error> {
        let Some(path) = self.path(id) else {
            return Ok(None);
        };
        let skips = self.skips_existing && !self.overwrite;
        if skips && let (Place::Folder(_), Ok(found)) = (&self.place, fs::symlink_metadata(&path)) {
            return Ok(Some(File { path, bytes: found.len(), is_foreign: true }));
        }
        let download = match self.content {
            Content::Video => luma.download(video, &path),
            Content::Thumbnail => luma.download_thumbnail(video, &path),
        };
        proxy::check(video.url())?;
        // The wait is over, even if the first bytes take their time.
        on_progress(0, None);
        let saved = download
            .overwrite(self.overwrite)
            .on_progress(|now| on_progress(now.bytes, now.total))
            .await;
        let saved = saved.map_err(|error| Error::download(error, video.url()))?;
        if self.open {
            open(saved.path())?;
        }
        let (path, bytes) = (saved.path().to_owned(), saved.bytes());
        Ok(Some(File { path, bytes, is_foreign: false }))
    }
}

/// Creates a folder, and checks that it takes files.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    // Without the slash at the end, which the name of a file cannot have.
    let plain: PathBuf = path.components().collect();
    if let Some(file) = plain.ancestors().find(|path| path.is_file()) {
        let (path, file) = (path.display(), file.display());
        let message = format!("cannot write to {path}: {file} is a file, not a folder");
        return Err(Error::bad_input(message).next_step("Choose another folder."));
    }
    fs::create_dir_all(path).and_then(|()| probe(&path.join("luma"))).map_err(|error| {
        Error::bad_input(format!("cannot write to {}: {error}", path.display()))
            .next_step("Choose another folder.")
    })
}

/// Whether a file can be written, as far as that can be known: the folder exists and takes files, and
/// nothing is replaced unasked.
fn check(path: &Path, overwrite: bool) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::bad_input(format!("{} {why}", path.display())));
    if path == Path::new("-") {
        return refuse("is not a file name: videos are not written to standard output");
    }
    if path.is_dir() {
        return refuse("is a folder: end it with / to save into it");
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if path.file_name().is_none() {
        return refuse("is not a file name");
    }
    if let Some(file) = folder.ancestors().find(|path| path.is_file()) {
        return refuse(&format!("cannot be written: {} is a file, not a folder", file.display()));
    }
    if !folder.is_dir() {
        return refuse("cannot be written: its folder does not exist");
    }
    match fs::symlink_metadata(path) {
        Ok(_) if !overwrite => {
            return refuse("already exists: choose another name, or add --overwrite");
        }
        Ok(found) if !found.is_file() && !found.is_symlink() => return refuse("is not a file"),
        _ => {}
    }
    probe(path).or_else(|error| refuse(&format!("cannot be written: {error}")))
}

/// The path, or if it exists the first of `fox-2.mp4`, `fox-3.mp4` ... that does not.
fn free_name(path: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{number}"));
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        path.with_file_name(name)
    };
    let mut names = std::iter::once(path.to_owned()).chain((2..).map(numbered));
    names.find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_default()
}

/// Whether a file of such a name can be created: permissions alone do not tell.
fn probe(path: &Path) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let path = path.with_file_name(name);
    fs::File::create_new(&path)?;
    fs::remove_file(path)
}

/// The name of a task's file. An id comes from the service: no part of it may lead elsewhere. An id
/// that cannot be a name everywhere gets a hash, so that no two tasks share a file, also where upper and
/// lower case are the same.
fn file_name(id: &TaskId, content: Content) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let lower = id.as_str().to_ascii_lowercase();
    let plain: String =
        lower.chars().map(|c| if is_plain(c) { c } else { '_' }).take(100).collect();
    let extension = match content {
        Content::Video => "mp4",
        Content::Thumbnail => "jpg",
    };
    if plain == id.as_str() && !plain.starts_with(['.', '_']) && !is_device(&plain) {
        return format!("{plain}.{extension}");
    }
    // FNV-1a: the same name in every run.
    let hash = id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("_{plain}-{hash:016x}.{extension}")
}

/// Whether Windows takes the lower-case name for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let is_port = |prefix| {
        let number = stem.strip_prefix(prefix);
        number.is_some_and(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(stem, "con" | "prn" | "aux" | "nul") || is_port("com") || is_port("lpt")
}

/// Opens a file with the system's player, which outlives this program.
fn open(path: &Path) -> Result<(), Error> {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let path = std::path::absolute(path)?;
    let mut command = Command::new(program);
    command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop).map_err(|error| {
        Error::new(Kind::File, format!("saved, but {program} cannot open it: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: &str) -> String {
        file_name(&id.parse().expect("an id"), Content::Video)
    }

    #[test]
    fn file_name_of_a_common_id_is_the_id() {
        for id in ["b8976e18-32dc-4718-9ed8-1ea090fcb6ea", "a_1", "42", "console", "com", "com10"] {
            assert_eq!(name(id), format!("{id}.mp4"));
        }
    }

    #[test]
    fn file_name_of_an_odd_id_stays_in_its_folder_and_is_its_own() {
        for (id, begin) in [
            ("a:1", "_a_1-"),
            ("../../etc/passwd", "_.._.._etc_passwd-"),
            ("..", "_..-"),
            (".hidden", "_.hidden-"),
            ("_a", "__a-"),
            ("a\\b", "_a_b-"),
            ("B8976E18-32DC", "_b8976e18-32dc-"),
            ("con", "_con-"),
            ("CON", "_con-"),
            ("nul.x", "_nul.x-"),
            ("com1", "_com1-"),
            ("Lpt0", "_lpt0-"),
        ] {
            let name = name(id);
            let hash = name.strip_prefix(begin).and_then(|name| name.strip_suffix(".mp4"));
            assert!(hash.is_some_and(|hash| hash.len() == 16), "{id}: {name}");
        }
        let (one, two) = (name(&"x".repeat(150)), name(&"x".repeat(151)));
        assert!(one != two && one.len() < 140);
    }

    #[test]
    fn file_names_differ_even_if_case_is_ignored() {
        let hashed = name("a:1");
        let taken = hashed.strip_suffix(".mp4").expect("a name");
        let ids =
            ["a:1", "a_1", "a/1", "a\\1", "A_1", "A:1", "b", "B", "con", "Con", "_con", taken];
        let names: std::collections::HashSet<_> =
            ids.iter().map(|id| name(id).to_ascii_lowercase()).collect();
        assert_eq!(names.len(), ids.len(), "{names:?}");
    }

    #[test]
    fn place_that_cannot_be_written_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        fs::write(path("exists.mp4"), "x").expect("a file");
        fs::create_dir(path("folder")).expect("a folder");
        let saver = |name: &str, overwrite, tasks| {
            let output = Some(PathBuf::from(format!("{}/{name}", root.path().display())));
            Saver::new(SaveOptions { output, overwrite, open: false }, tasks)
        };
        for (name, overwrite, expected) in [
            ("new.mp4", false, None),
            ("exists.mp4", false, Some("already exists: choose")),
            ("exists.mp4", true, None),
            ("folder", true, Some("is a folder: end it with /")),
            ("none/new.mp4", false, Some("its folder does not exist")),
            ("exists.mp4/new.mp4", false, Some("exists.mp4 is a file, not a folder")),
            ("exists.mp4/deep/new.mp4", false, Some("exists.mp4 is a file, not a folder")),
            ("folder/", false, None),
            ("new/deep/", false, None),
            ("exists.mp4/", false, Some("exists.mp4 is a file, not a folder")),
            ("exists.mp4/deep/", true, Some("exists.mp4 is a file, not a folder")),
            ("..", false, Some("is a folder")),
        ] {
            match (saver(name, overwrite, 1), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(expected)) => {
                    assert!(error.message.contains(expected), "{}", error.message);
                    assert_eq!(error.kind, Kind::BadInput);
                }
                (got, _) => panic!("{name}: {got:?}"),
            }
        }
        let error = saver("new.mp4", false, 2).expect_err("one file for two");
        assert!(error.message.ends_with("new.mp4/"), "{}", error.message);
        // The checks leave no file behind.
        assert_eq!(fs::read_dir(path("folder")).expect("a folder").count(), 0);
    }

    #[test]
    fn option_without_a_file_is_refused() {
        for (overwrite, open) in [(true, false), (false, true)] {
            let options = SaveOptions { output: None, overwrite, open };
            let error = Saver::new(options, 1).expect_err("no file");
            assert!(error.message.ends_with("needs --output <PATH>"), "{}", error.message);
        }
    }
}
