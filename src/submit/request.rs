//! What can be submitted: `Generate` and `Extend`.

use super::{
    check::{InvalidInput, check},
    error::SubmitError,
    submission::Submission,
};
use crate::{
    api::types::{VideoAction, VideoRequest},
    client::Luma,
    model::{AspectRatio, Video},
    wait::TaskHandle,
};

/// Which video to extend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VideoSource {
    /// By the id of the video. This is not the id of its task.
    VideoId(String),
    /// By the URL that the service gave for it.
    Url(String),
}

impl From<&Video> for VideoSource {
    /// The id if known, otherwise the URL.
    fn from(video: &Video) -> Self {
        match video.id() {
            Some(id) => Self::VideoId(id.to_owned()),
            None => Self::Url(video.url().to_owned()),
        }
    }
}

/// A new video to make. Build it, then [`submit`](Self::submit) it.
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
///     .loop_video(true)
///     .enhancement(false)
///     .submit()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `submit`"]
pub struct Generate {
    luma: Luma,
    request: VideoRequest,
}

/// A request to extend a video. Build it, then [`submit`](Self::submit) it.
///
/// ```no_run
/// # async fn example(luma: luma_client::Luma, video: luma_client::Video)
/// # -> Result<(), luma_client::Error> {
/// use luma_client::VideoSource;
///
/// let task = luma.extend(&video, "It walks into the wood").submit().await?;
/// // If only the id was stored:
/// let source = VideoSource::VideoId("5c0f9f0c".to_owned());
/// let task = luma.extend(source, "It walks into the wood").submit().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `submit`"]
pub struct Extend {
    luma: Luma,
    request: VideoRequest,
}

/// What both kinds of submit have in common.
macro_rules! submit_methods {
    ($name:ident) => {
        impl $name {
            /// Sets the aspect ratio. The service's default is 16:9.
            pub fn aspect_ratio(mut self, ratio: AspectRatio) -> Self {
                self.request.aspect_ratio = Some(ratio);
                self
            }

            /// Sets whether the last frame leads back to the first. The service's default is false.
            pub fn loop_video(mut self, loop_video: bool) -> Self {
                self.request.loop_ = Some(loop_video);
                self
            }

            /// Sets whether the service may rewrite the prompt for a clearer picture. The service's
            /// default is true.
            pub fn enhancement(mut self, enhancement: bool) -> Self {
                self.request.enhancement = Some(enhancement);
                self
            }

            /// Sets the image to end with, by its public URL.
            pub fn end_image_url(mut self, url: impl Into<String>) -> Self {
                self.request.end_image_url = Some(url.into());
                self
            }

            /// Sets where the service POSTs the result, unsigned and possibly twice. A unique URL also
            /// identifies the submission for [`Luma::reconcile`].
            pub fn callback_url(mut self, url: impl Into<String>) -> Self {
                self.request.callback_url = Some(url.into());
                self
            }

            /// Checks the request and makes it ready to be stored, then sent by [`Luma::submit`].
            /// Nothing is sent. Unset fields are omitted.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`], the first thing that is wrong.
            ///
            /// ```
            /// use luma_client::{InvalidInput, Luma};
            ///
            /// let luma = Luma::builder().token("my-token").build()?;
            /// let refused = luma.generate(" ").prepare().unwrap_err();
            /// assert_eq!(refused, InvalidInput::BlankPrompt);
            /// # Ok::<(), luma_client::Error>(())
            /// ```
            pub fn prepare(mut self) -> Result<Submission, InvalidInput> {
                check(&self.request)?;
                self.request.async_ = Some(true);
                Ok(Submission::new(self.request))
            }

            /// Submits the request, and returns once the service has accepted it.
            ///
            /// It is retried only after a failure to connect and after 429, as the client's
            /// [`RetryPolicy`](crate::RetryPolicy) allows. A submit that may have been accepted is never
            /// sent again.
            ///
            /// **Do not drop the future of a submit**, or its task id is lost ([costs and
            /// retries](crate::guide::costs)).
            ///
            /// # Errors
            ///
            /// [`SubmitError`]: its variant says whether the service may have accepted the request.
            ///
            /// # Panics
            ///
            /// Panics outside a tokio runtime with I/O and time enabled.
            pub async fn submit(self) -> Result<TaskHandle, SubmitError> {
                let luma = self.luma.clone();
                let submission = self.prepare()?;
                luma.submit(&submission).await
            }
        }
    };
}

submit_methods!(Generate);
submit_methods!(Extend);

impl Generate {
    /// Sets the image to begin with, by its public URL. Without an end image it is animated; with one,
    /// the video leads from one to the other, as in the example
    /// [`image_to_video`](crate::guide::examples::image_to_video).
    pub fn start_image_url(mut self, url: impl Into<String>) -> Self {
        self.request.start_image_url = Some(url.into());
        self
    }
}

impl Luma {
    /// Builds a new video from a prompt. Nothing is sent before [`Generate::submit`].
    pub fn generate(&self, prompt: impl Into<String>) -> Generate {
        Generate { luma: self.clone(), request: request(VideoAction::Generate, prompt) }
    }

    /// Builds the continuation of a video. Nothing is sent before [`Extend::submit`].
    ///
    /// A finished [`Video`] is a source: `luma.extend(&video, "…")`. If only its id was stored, use
    /// [`VideoSource::VideoId`]. The example [`longer_film`](crate::guide::examples::longer_film) extends a
    /// video twice.
    pub fn extend(&self, source: impl Into<VideoSource>, prompt: impl Into<String>) -> Extend {
        let mut request = request(VideoAction::Extend, prompt);
        match source.into() {
            VideoSource::VideoId(id) => request.video_id = Some(id),
            VideoSource::Url(url) => request.video_url = Some(url),
        }
        Extend { luma: self.clone(), request }
    }
}

fn request(action: VideoAction, prompt: impl Into<String>) -> VideoRequest {
    VideoRequest { action: Some(action), prompt: Some(prompt.into()), ..VideoRequest::default() }
}
