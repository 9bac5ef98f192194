//! A submit as plain data.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::api::types::VideoRequest;

/// A checked request, ready to be sent once by [`Luma::submit`](crate::Luma::submit).
///
/// Store it before it is sent, and any process can find its task after a crash between the two: by
/// [`Luma::reconcile`](crate::Luma::reconcile). Give each submission a unique
/// [`callback_url`](crate::Generate::callback_url), such as `https://example.com/luma?job=17`: the
/// service shows it in the history, which tells submissions with the same prompt apart.
///
/// ```no_run
/// # async fn store(_: String) {}
/// # async fn example(luma: luma_client::Luma, stored: Option<String>)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use luma_client::{Reconciliation, Submission};
///
/// let task = match stored {
///     // A former process may have sent it.
///     Some(stored) => match luma.reconcile(&serde_json::from_str(&stored)?).await? {
///         Reconciliation::Found(task) => task,
///         other => return Err(format!("a person has to decide: {other:?}").into()),
///     },
///     None => {
///         let submission = luma
///             .generate("A fox in the snow")
///             .callback_url("https://example.com/luma?job=17")
///             .prepare()?; // nothing is sent
///         store(serde_json::to_string(&submission)?).await;
///         luma.submit(&submission).await?
///     }
/// };
/// # Ok(()) }
/// ```
///
/// [The tutorial](crate::guide::tutorial) does this in a service, and [scaling out](crate::guide::scaling) with
/// many workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    #[serde(with = "json_text")]
    pub(super) request: VideoRequest,
    pub(super) created_at: SystemTime,
    /// Tells this submission from an equal one.
    pub(super) key: u64,
    /// The trace id of the response, if one came that left the outcome open.
    pub(super) trace_id: Option<String>,
}

impl Submission {
    pub(super) fn new(request: VideoRequest) -> Self {
        Self { request, created_at: SystemTime::now(), key: fastrand::u64(..), trace_id: None }
    }

    /// Returns the request.
    pub fn request(&self) -> &VideoRequest {
        &self.request
    }

    /// Returns when it was prepared, by the clock of that machine.
    pub fn created_at(&self) -> SystemTime {
        self.created_at
    }
}

/// The request as JSON text in binary formats, which cannot omit fields.
mod json_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

    use crate::api::types::VideoRequest;

    pub(super) fn serialize<S: Serializer>(
        request: &VideoRequest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return request.serialize(serializer);
        }
        let text = serde_json::to_string(request).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<VideoRequest, D::Error> {
        if deserializer.is_human_readable() {
            return VideoRequest::deserialize(deserializer);
        }
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(de::Error::custom)
    }
}
