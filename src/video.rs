//! What can be submitted, checked before it is billed; and what comes of it.

use std::{fmt, time::Duration};

use http::StatusCode;
use url::Url;

use crate::{
    api::{
        self,
        types::{VideoAction, VideoRequest, VideoResult},
    },
    client::Luma,
    download::Media,
    error::{ApiError, DecodeError, Error, ErrorCode, Result, read_failure},
    handle::TaskHandle,
    intent::{Intent, Prepared},
    orphan::PendingSubmission,
    task::{Task, TaskId, has_blanks, has_text},
    wire::{AspectRatio, ErrorInfo, Number},
};

/// Why a request was refused before it was sent. Nothing was billed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInput {
    /// The prompt is empty or white space.
    #[error("the prompt is blank: say what the video should show")]
    BlankPrompt,
    /// The id of the video to extend is empty or white space.
    #[error("the video id is blank: extend takes the id of a finished video")]
    BlankVideoId,
    /// The id of the video to extend has white space or control characters in it, as no id has.
    #[error("the video id has spaces or control characters in it: is it the prompt?")]
    MalformedVideoId,
    /// The aspect ratio is empty or white space.
    #[error("the aspect ratio is blank: give one such as 16:9, or none")]
    BlankAspectRatio,
    /// A URL is no absolute http or https URL.
    #[error("{field} is no http or https URL: {url:?}")]
    Url {
        /// The field of the request.
        field: &'static str,
        /// What was given, without user name, password and query.
        url: String,
    },
    /// The hold of a synchronous submit is zero.
    #[error("a held submit needs a hold of more than zero seconds")]
    ZeroHold,
}

/// Which video to extend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// By the id of the video. Not the id of its task.
    VideoId(String),
    /// By the URL that the service gave for it.
    Url(String),
}

impl From<&Video> for Source {
    /// The id where it is known, which wins, else the URL.
    fn from(video: &Video) -> Self {
        match video.id() {
            Some(id) => Self::VideoId(id.to_owned()),
            None => Self::Url(video.url().to_owned()),
        }
    }
}

/// A new video to be made. Build it, then [`submit`](Self::submit) it.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma) -> Result<(), luma_client::Error> {
/// use luma_client::AspectRatio;
///
/// let task = luma
///     .generate("The day goes by")
///     .start_image_url("https://example.com/dawn.jpg")
///     .end_image_url("https://example.com/dusk.jpg")
///     .aspect_ratio(AspectRatio::Ratio9x16)
///     .looped(true)
///     .enhancement(false)
///     .submit()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is submitted"]
pub struct Generate {
    luma: Luma,
    request: VideoRequest,
}

/// The continuation of a video to be made. Build it, then [`submit`](Self::submit) it.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, video: luma_client::Video)
/// # -> Result<(), luma_client::Error> {
/// use luma_client::Source;
///
/// let task = luma.extend(&video, "It walks into the wood").submit().await?;
/// // Where only the id was kept:
/// let source = Source::VideoId("5c0f9f0c".to_owned());
/// let task = luma.extend(source, "It walks into the wood").submit().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is submitted"]
pub struct Extend {
    luma: Luma,
    request: VideoRequest,
}

/// What both kinds of submit have in common.
macro_rules! submission {
    ($name:ident) => {
        impl $name {
            /// Width to height. The service takes 16:9 when nothing is set.
            pub fn aspect_ratio(mut self, ratio: AspectRatio) -> Self {
                self.request.aspect_ratio = Some(ratio);
                self
            }

            /// Whether the last frame leads back to the first. The service takes `false` when
            /// nothing is set.
            pub fn looped(mut self, looped: bool) -> Self {
                self.request.loop_ = Some(looped);
                self
            }

            /// Whether the service may rewrite the prompt for a clearer picture. It does when
            /// nothing is set.
            pub fn enhancement(mut self, enhancement: bool) -> Self {
                self.request.enhancement = Some(enhancement);
                self
            }

            /// An image to end with, by its public URL.
            pub fn end_image_url(mut self, url: impl Into<String>) -> Self {
                self.request.end_image_url = Some(url.into());
                self
            }

            /// Where the service POSTs the finished video, unsigned and possibly twice.
            pub fn callback_url(mut self, url: impl Into<String>) -> Self {
                self.request.callback_url = Some(url.into());
                self
            }

            /// The request as it would be sent by [`submit`](Self::submit), checked.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`], the first thing that is wrong.
            ///
            /// ```
            /// use luma_client::{InvalidInput, Luma};
            ///
            /// let luma = Luma::builder().token("my-token").build()?;
            /// assert_eq!(luma.generate(" ").request(), Err(InvalidInput::BlankPrompt));
            /// # Ok::<(), luma_client::Error>(())
            /// ```
            pub fn request(&self) -> Result<VideoRequest, InvalidInput> {
                check(&self.request)?;
                Ok(VideoRequest {
                    async_: Some(true),
                    ..self.request.clone()
                })
            }

            /// Checks the request and makes it ready to be sent, so that its [`Intent`] can be
            /// stored before.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`], the first thing that is wrong.
            pub fn prepare(mut self) -> Result<Prepared, InvalidInput> {
                check(&self.request)?;
                self.request.async_ = Some(true);
                Ok(Prepared::new(self.luma, self.request))
            }

            /// Submits: one request, **billed once**, that returns as soon as the service has
            /// accepted it.
            ///
            /// Await it to its end: where the future is dropped, like by a timeout around it, the
            /// task may have been accepted and its id is lost. Bound it by the client's
            /// [`timeout`](crate::LumaBuilder::timeout).
            ///
            /// It is repeated only where it certainly was not accepted: after a failure to
            /// connect and after 429, as the client's [`RetryPolicy`](crate::RetryPolicy) allows.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`](Error::InvalidInput) before anything is sent;
            /// [`Api`](Error::Api) and [`Transport`](Error::Transport) where the submit was not
            /// accepted; [`Unconfirmed`](Error::Unconfirmed) where it may have been.
            pub async fn submit(self) -> Result<TaskHandle> {
                self.prepare()?.submit().await
            }

            /// Submits and holds the connection until the video is there, at most for `hold`.
            ///
            /// Prefer [`submit`](Self::submit): what is lost with a broken connection here is a
            /// paid video, which then has to be looked for. With a
            /// [`callback_url`](Self::callback_url) the service answers at once all the same, and
            /// the task is still pending; so it is where the hold ran out and the service names the
            /// task. Then [wait](Luma::task) for it by its id.
            ///
            /// # Errors
            ///
            /// As [`submit`](Self::submit). A hold that ran out without a task's name is
            /// [`Unconfirmed`](Error::Unconfirmed): the video may still come, and is billed.
            pub async fn submit_held(self, hold: Duration) -> Result<Task> {
                let request = held(&self.request, hold)?;
                submit_held(self.luma, request, hold).await
            }
        }
    };
}

submission!(Generate);
submission!(Extend);

impl Generate {
    pub(crate) fn new(luma: Luma, prompt: String) -> Self {
        Self {
            luma,
            request: VideoRequest {
                action: Some(VideoAction::Generate),
                prompt: Some(prompt),
                ..VideoRequest::default()
            },
        }
    }

    /// An image to begin with, by its public URL. Alone it is brought to life; with an end image
    /// the video leads from one to the other.
    pub fn start_image_url(mut self, url: impl Into<String>) -> Self {
        self.request.start_image_url = Some(url.into());
        self
    }
}

impl Extend {
    pub(crate) fn new(luma: Luma, source: Source, prompt: String) -> Self {
        let mut request = VideoRequest {
            action: Some(VideoAction::Extend),
            prompt: Some(prompt),
            ..VideoRequest::default()
        };
        match source {
            Source::VideoId(id) => request.video_id = Some(id),
            Source::Url(url) => request.video_url = Some(url),
        }
        Self { luma, request }
    }
}

fn held(request: &VideoRequest, hold: Duration) -> Result<VideoRequest, InvalidInput> {
    check(request)?;
    if hold.is_zero() {
        return Err(InvalidInput::ZeroHold);
    }
    Ok(VideoRequest {
        timeout: Some(hold.as_secs_f64()),
        ..request.clone()
    })
}

fn check(request: &VideoRequest) -> Result<(), InvalidInput> {
    if !request.prompt.as_deref().is_some_and(is_visible) {
        return Err(InvalidInput::BlankPrompt);
    }
    if let Some(id) = &request.video_id {
        if id.trim().is_empty() {
            return Err(InvalidInput::BlankVideoId);
        }
        if has_blanks(id) {
            return Err(InvalidInput::MalformedVideoId);
        }
    }
    if request
        .aspect_ratio
        .as_ref()
        .is_some_and(|ratio| ratio.as_str().trim().is_empty())
    {
        return Err(InvalidInput::BlankAspectRatio);
    }
    for (field, url) in [
        ("start_image_url", &request.start_image_url),
        ("end_image_url", &request.end_image_url),
        ("video_url", &request.video_url),
        ("callback_url", &request.callback_url),
    ] {
        if let Some(url) = url {
            check_url(field, url)?;
        }
    }
    Ok(())
}

/// Whether a text shows anything at all.
fn is_visible(text: &str) -> bool {
    let is_invisible = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    !text.chars().all(is_invisible)
}

fn check_url(field: &'static str, text: &str) -> Result<(), InvalidInput> {
    // The parser mends what other programs will not: white space, and missing slashes.
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let has_slashes = lower.starts_with("https://") || lower.starts_with("http://");
    let is_clean = !has_blanks(text);
    match Url::parse(text) {
        Ok(url) if has_slashes && is_clean && url.has_host() && !text.contains(":///") => Ok(()),
        _ => Err(InvalidInput::Url {
            field,
            url: shown(text),
        }),
    }
}

/// A URL fit for a message: signed URLs carry their secret in the query, others before the `@`.
pub(crate) fn shown(text: &str) -> String {
    let head = text.split(['?', '#']).next().unwrap_or_default();
    let head: String = head.chars().take(100).collect();
    match head.rsplit_once('@') {
        Some((_, tail)) => format!("…@{tail}"),
        None => head,
    }
}

pub(crate) async fn submit(pending: PendingSubmission) -> Result<TaskHandle> {
    let luma = pending.client().clone();
    let _under_way = pending.begin();
    let id = match send(&luma, pending.request()).await {
        Ok((id, result)) => id.ok_or_else(|| no_task_id(&result)),
        Err(Error::Api(error)) if !error.is_refusal() => {
            error.task_id.clone().ok_or(Error::Api(error))
        }
        Err(error) => Err(error),
    };
    match id {
        Ok(id) => {
            pending.answered(&id);
            Ok(TaskHandle::submitted_now(luma, id))
        }
        Err(error) => Err(refused_or_lost(error, pending)),
    }
}

async fn submit_held(luma: Luma, request: VideoRequest, hold: Duration) -> Result<Task> {
    let pending = PendingSubmission::new(luma.clone(), Intent::new(request));
    let _under_way = pending.begin();
    // The service's own timeout, which says more, comes first.
    let patient = luma.with_limits(|limits| limits.timeout = limits.timeout.saturating_add(hold));
    let result = match send(&patient, pending.request()).await {
        Err(Error::Api(error)) => result_of(&error).ok_or(Error::Api(error)),
        answer => answer,
    };
    match result {
        Ok((id, result)) => {
            if let Some(id) = &id {
                pending.answered(id);
            }
            Ok(Task {
                id: id.map(String::from),
                ..Task::from(result)
            })
        }
        Err(error) => Err(refused_or_lost(error, pending)),
    }
}

/// Sends a submit. `Ok` is an accepted one, and the task that it names.
async fn send(luma: &Luma, request: &VideoRequest) -> Result<(Option<TaskId>, VideoResult)> {
    match luma.core.api.create_video(request).await {
        Ok(answer) => accepted(answer.into_inner()),
        Err(api::Error::InvalidResponsePayload(body, reason)) => {
            match crate::wire::salvage_result(&body).map(accepted) {
                Some(Ok(accepted)) => Ok(accepted),
                _ => Err(DecodeError::new(reason, &body).into()),
            }
        }
        Err(failure) => Err(read_failure(failure).await),
    }
}

/// A 200 with a task id or a video is an accepted submit, whatever else it says.
fn accepted(mut result: VideoResult) -> Result<(Option<TaskId>, VideoResult)> {
    let id: Option<TaskId> = result.task_id.as_deref().and_then(|id| id.parse().ok());
    let error = result.error.as_ref().filter(|info| info.is_some());
    let error =
        error.map(|info| ApiError::new(StatusCode::OK, Some(info), result.trace_id.as_deref()));
    if id.is_none() && !has_text(&result.video_url) {
        return Err(error.map_or_else(|| no_task_id(&result), Error::from));
    }
    if error.and_then(|error| error.code) == Some(ErrorCode::Timeout) {
        // The hold has ended, not the task.
        (result.success, result.error) = (None, None);
    }
    Ok((id, result))
}

/// What an error that names a task says of it: that it was refused after all, or nothing yet.
fn result_of(error: &ApiError) -> Option<(Option<TaskId>, VideoResult)> {
    let id = error.task_id.clone()?;
    let mut result = VideoResult {
        task_id: Some(id.to_string()),
        trace_id: error.trace_id.clone(),
        ..VideoResult::default()
    };
    if error.is_refusal() {
        let code = error.code.as_ref().map_or("", ErrorCode::as_str);
        result.state = Some("failed".into());
        result.error = Some(ErrorInfo::new(code, &error.message));
    }
    Some((Some(id), result))
}

fn no_task_id(result: &VideoResult) -> Error {
    DecodeError::other("it has no task_id", result).into()
}

/// What is no clear no is unconfirmed.
fn refused_or_lost(error: Error, pending: PendingSubmission) -> Error {
    let is_refused = match &error {
        Error::Api(error) => error.is_refusal(),
        Error::Transport(error) => error.is_connect(),
        Error::Config(_) | Error::InvalidInput(_) => true,
        _ => false,
    };
    match is_refused {
        true => error,
        false => pending.lost(error),
    }
}

/// A finished video.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
/// # -> Result<(), luma_client::Error> {
/// let video = luma.task(id).await?;
/// if let (Some(width), Some(height)) = (video.width(), video.height()) {
///     println!("{width} x {height} pixels");
/// }
/// video.download_to("video.mp4").await?;
/// video.download_thumbnail_to("video.jpg").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Video {
    task_id: Option<TaskId>,
    url: String,
    result: VideoResult,
    /// For downloads; a video read from a snapshot of a task has none.
    pub(crate) media: Option<Media>,
}

impl Video {
    /// The video of a result that has one.
    pub(crate) fn from_result(task_id: Option<&str>, result: &VideoResult) -> Option<Self> {
        let url = result.video_url.as_deref()?.trim();
        let task_id = task_id.or(result.task_id.as_deref());
        (!url.is_empty()).then(|| Self {
            task_id: task_id.and_then(|id| id.parse().ok()),
            url: url.to_owned(),
            result: result.clone(),
            media: None,
        })
    }

    pub(crate) fn with_client(mut self, media: Media) -> Self {
        self.media = Some(media);
        self
    }

    /// The id of the video, as [`extend`](Luma::extend) takes it. The service is not bound to
    /// send one.
    pub fn id(&self) -> Option<&str> {
        let id = self.result.video_id.as_deref()?.trim();
        (!id.is_empty()).then_some(id)
    }

    /// The task that made it.
    pub fn task_id(&self) -> Option<&TaskId> {
        self.task_id.as_ref()
    }

    /// Where it can be downloaded. The URL may expire; a new lookup of the task gives a fresh one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Width in pixels.
    pub fn width(&self) -> Option<u32> {
        self.result.video_width.as_ref().and_then(Number::as_pixels)
    }

    /// Height in pixels.
    pub fn height(&self) -> Option<u32> {
        self.result
            .video_height
            .as_ref()
            .and_then(Number::as_pixels)
    }

    /// Where a still picture can be downloaded.
    pub fn thumbnail_url(&self) -> Option<&str> {
        self.result.thumbnail_url.as_deref()
    }

    /// Width and height of the still picture in pixels.
    pub fn thumbnail_size(&self) -> Option<(u32, u32)> {
        let width = self.result.thumbnail_width.as_ref()?.as_pixels()?;
        let height = self.result.thumbnail_height.as_ref()?.as_pixels()?;
        Some((width, height))
    }

    /// The prompt as the service used it.
    pub fn prompt(&self) -> Option<&str> {
        self.result.prompt.as_deref()
    }

    /// All that the service said of it, unknown fields included.
    pub fn raw(&self) -> &VideoResult {
        &self.result
    }
}

impl fmt::Display for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id().unwrap_or("video"))?;
        if let (Some(width), Some(height)) = (self.width(), self.height()) {
            write!(f, " ({width}x{height})")?;
        }
        write!(f, " at {}", self.url)
    }
}
