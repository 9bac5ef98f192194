//! The limit of videos a day: a count in a file that all programs of a user share.
//!
//! It is written before a submit is sent, so a crash counts. Without it nothing may be submitted.

use std::{
    env,
    fs::{File, OpenOptions, TryLockError, create_dir_all},
    io::{self, ErrorKind, Read, Seek, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::NamedTempFile;
use time::{Date, OffsetDateTime, format_description::well_known::Iso8601};
use tokio::time::sleep;

/// How long another program may hold the lock. It takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// A limit of videos a day, counted in a file that all programs of a user share.
///
/// A day is one of UTC, from midnight to midnight. A program [takes](Self::take) the place of a video before
/// it submits it. The place counts, also if the program crashes or the response is lost, unless it is
/// [given back](DailyPlace::give_back).
///
/// ```
/// # async fn example() -> Result<(), luma_mcp::DailyLimitError> {
/// # let folder = std::env::temp_dir().join(format!("luma-mcp-example-{}", std::process::id()));
/// use luma_mcp::DailyLimit;
///
/// let limit = DailyLimit::new(1, folder.join("videos-of-the-day"));
/// let place = limit.take().await?;
/// assert!(limit.take().await.is_err());
/// // The service refused the submit: another one may use the place.
/// place.give_back().await;
/// limit.take().await?;
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyLimit {
    most: u32,
    file: PathBuf,
}

/// The place of one video in a [`DailyLimit`]. It counts unless it is given back.
#[derive(Debug)]
#[must_use = "a place that is not kept cannot be given back"]
pub struct DailyPlace {
    limit: DailyLimit,
    day: Date,
}

/// The error for a video that has no place in a [`DailyLimit`]. Nothing may be submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DailyLimitError {
    /// All places of the day are taken.
    #[error("the limit of {most} videos a day is used up; it renews at 00:00 UTC")]
    UsedUp {
        /// The most videos a day.
        most: u32,
    },
    /// The file cannot be read, written or locked, or it is damaged.
    #[error("the videos of the day cannot be counted in {}: {source}", file.display())]
    Uncounted {
        /// The file with the count.
        file: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl DailyLimit {
    /// Creates a limit that is counted in this file. The file and its folder are created if they are missing.
    pub fn new(most: u32, file: impl Into<PathBuf>) -> Self {
        Self { most, file: file.into() }
    }

    /// Returns the file of the user who runs this program, or none if the user has no home folder.
    ///
    /// It is `luma/videos-of-the-day` in the folder for state: `XDG_STATE_HOME`, on Windows `LOCALAPPDATA`,
    /// else `.local/state` in the home folder.
    pub fn default_file() -> Option<PathBuf> {
        let variable = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_STATE_HOME" };
        // The XDG specification ignores relative paths.
        let state = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = state.or_else(|| Some(env::home_dir()?.join(".local/state")))?;
        Some(state.join("luma/videos-of-the-day"))
    }

    /// Takes the place of one video.
    ///
    /// # Errors
    ///
    /// [`DailyLimitError`] if there is no place, or if the videos cannot be counted.
    pub async fn take(&self) -> Result<DailyPlace, DailyLimitError> {
        let day = OffsetDateTime::now_utc().date();
        self.change(|count| count.take(day, self.most)).await?;
        Ok(DailyPlace { limit: self.clone(), day })
    }

    async fn change(
        &self,
        change: impl FnOnce(Count) -> Option<Count>,
    ) -> Result<(), DailyLimitError> {
        let uncounted = |source| DailyLimitError::Uncounted { file: self.file.clone(), source };
        let mut file = self.lock().await.map_err(uncounted)?;
        let count = Count::load(&mut file).map_err(uncounted)?;
        let count = change(count).ok_or(DailyLimitError::UsedUp { most: self.most })?;
        count.store(&mut file).map_err(uncounted)
    }

    /// The file, locked until it is dropped.
    async fn lock(&self) -> io::Result<File> {
        let (file, begin) = (self.open()?, Instant::now());
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(10)).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another program holds its lock"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        let open = || OpenOptions::new().read(true).write(true).open(&self.file);
        match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let folder = self.file.parent().unwrap_or(Path::new("."));
                create_dir_all(folder)?;
                // It is never seen empty, so an empty file is a damaged one.
                let mut new = NamedTempFile::new_in(folder)?;
                Count { day: OffsetDateTime::UNIX_EPOCH.date(), videos: 0 }
                    .store(new.as_file_mut())?;
                match new.persist_noclobber(&self.file) {
                    Err(error) if error.error.kind() != ErrorKind::AlreadyExists => {
                        Err(error.error)
                    }
                    // Or another program was faster.
                    _ => open(),
                }
            }
            opened => opened,
        }
    }
}

impl DailyPlace {
    /// Gives the place back. Only a submit that the service refused, or that was never sent, may do so.
    ///
    /// If the file cannot be changed, the place counts, and the log says so.
    pub async fn give_back(self) {
        if let Err(error) = self.limit.change(|count| Some(count.give_back(self.day))).await {
            tracing::warn!(%error, "a video that was not submitted counts");
        }
    }
}

/// The videos of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    day: Date,
    videos: u32,
}

impl Count {
    fn take(self, today: Date, most: u32) -> Option<Self> {
        // A clock that was set back renews nothing.
        let used = if self.day < today { 0 } else { self.videos };
        (used < most).then(|| Self { day: today, videos: used + 1 })
    }

    fn give_back(self, day: Date) -> Self {
        let back = u32::from(self.day == day);
        Self { videos: self.videos.saturating_sub(back), ..self }
    }

    fn read(text: &str) -> Option<Self> {
        let (day, videos) = text.split_once(' ')?;
        let day = Date::parse(day, &Iso8601::DATE).ok()?;
        let count = Self { day, videos: videos.trim_end().parse().ok()? };
        (count.text() == text).then_some(count)
    }

    /// Always as long, so that it is replaced in one write.
    fn text(self) -> String {
        format!("{} {:010}\n", self.day, self.videos)
    }

    fn load(file: &mut File) -> io::Result<Self> {
        // To read from a pipe could take forever.
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut text = String::new();
        file.take(64).read_to_string(&mut text)?;
        Self::read(&text).ok_or_else(|| {
            io::Error::other("its content is damaged; delete it to count from 0 again")
        })
    }

    fn store(self, file: &mut File) -> io::Result<()> {
        file.rewind()?;
        file.write_all(self.text().as_bytes())?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Count {
        Count::read(text).expect(text)
    }

    #[test]
    fn count_follows_the_day() {
        let today = count("2026-11-26 0000000000\n").day;
        for (stored, most, expected) in [
            ("0000-01-01 0000000000\n", 2, Some("2026-11-26 0000000001\n")),
            ("2026-11-25 0000000009\n", 2, Some("2026-11-26 0000000001\n")),
            ("2026-11-26 0000000001\n", 2, Some("2026-11-26 0000000002\n")),
            ("2026-11-26 0000000002\n", 2, None),
            ("2026-11-26 4294967295\n", u32::MAX, None),
            // The clock was set back.
            ("2026-11-27 0000000001\n", 2, Some("2026-11-26 0000000002\n")),
            ("2026-11-27 0000000002\n", 2, None),
            ("2026-11-25 0000000000\n", 0, None),
        ] {
            let taken = count(stored).take(today, most).map(Count::text);
            assert_eq!(taken.as_deref(), expected, "{stored}");
        }
        for (stored, expected) in [
            ("2026-11-26 0000000002\n", "2026-11-26 0000000001\n"),
            ("2026-11-26 0000000000\n", "2026-11-26 0000000000\n"),
            // The place was one of yesterday.
            ("2026-11-27 0000000002\n", "2026-11-27 0000000002\n"),
        ] {
            assert_eq!(count(stored).give_back(today).text(), expected);
        }
    }

    #[test]
    fn damaged_count_is_refused() {
        for text in [
            "",
            "\n",
            "0",
            "2026-11-26",
            "2026-11-26 1\n",
            "2026-11-26 0000000001",
            "2026-13-26 0000000001\n",
            "2026-11-26 -000000001\n",
            "2026-11-26 9999999999\n",
            "2026-11-26 0000000001\n\0",
            "2026-11-26 0000000001\n2026-11-26 0000000001\n",
            "{}",
        ] {
            assert_eq!(Count::read(text), None, "{text:?}");
        }
    }
}
