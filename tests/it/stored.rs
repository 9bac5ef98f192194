//! Values that programs store are read back, also from binary formats.

use std::fmt::Debug;

use luma_client::{AspectRatio, Submission, TaskId, TaskRef, Video};
use serde::{Serialize, de::DeserializeOwned};

use crate::support::{id, start};

fn assert_stored<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_vec(value).expect("JSON");
    assert_eq!(serde_json::from_slice::<T>(&json).expect("JSON"), *value);
    let postcard = postcard::to_stdvec(value).expect("postcard");
    assert_eq!(postcard::from_bytes::<T>(&postcard).expect("postcard"), *value);
    let bincode = bincode::serialize(value).expect("bincode");
    assert_eq!(bincode::deserialize::<T>(&bincode).expect("bincode"), *value);
    let compact = rmp_serde::to_vec(value).expect("MessagePack");
    assert_eq!(rmp_serde::from_slice::<T>(&compact).expect("MessagePack"), *value);
    let named = rmp_serde::to_vec_named(value).expect("MessagePack");
    assert_eq!(rmp_serde::from_slice::<T>(&named).expect("MessagePack"), *value);
}

#[tokio::test]
async fn stored_value_of_each_format_is_read_back() {
    let (_simulator, luma) = start().await;
    let bare: Submission = luma.generate("A fox").prepare().expect("valid");
    let full = luma
        .extend(luma_client::VideoSource::VideoId("v".into()), "On – 😀\n")
        .aspect_ratio(AspectRatio::Other("5:4".into()))
        .loop_video(true)
        .enhancement(false)
        .end_image_url("https://h/e.jpg")
        .callback_url("https://h/hook?job=1");
    assert_stored(&bare);
    assert_stored(&full.prepare().expect("valid"));

    let task_id: TaskId = id("b8976e18-32dc-4718-9ed8-1ea090fcb6ea");
    assert_stored(&task_id);
    assert_stored(&TaskRef::from(&task_id));
    let task = luma.submit(&bare).await.expect("accepted");
    assert_stored(&task.to_ref());
    let video: Video = task.get().await.expect("a task").video().expect("a video");
    assert_stored(&video);
}

/// What was stored is text from outside: an id that no id can be is refused.
#[test]
fn stored_value_with_a_bad_id_is_refused() {
    for bad in ["\"\"", "\"a b\"", "\"a\\nb\"", "7", "null"] {
        assert!(serde_json::from_str::<TaskId>(bad).is_err(), "{bad}");
    }
    let long = postcard::to_stdvec(&"x".repeat(201)).expect("postcard");
    assert!(postcard::from_bytes::<TaskId>(&long).is_err());
    let long = bincode::serialize(&"x".repeat(201)).expect("bincode");
    assert!(bincode::deserialize::<TaskId>(&long).is_err());
}

/// What version 0.1.0 wrote. Later versions must read it: the tasks are paid for.
#[test]
fn stored_json_of_the_first_version_is_read() {
    let time = r#"{"secs_since_epoch":1700000000,"nanos_since_epoch":0}"#;
    let task = format!(r#"{{"id":"b8976e18","submitted_at":{time}}}"#);
    let task: TaskRef = serde_json::from_str(&task).expect("a task");
    assert_eq!(task.id.as_str(), "b8976e18");
    let submission = format!(
        r#"{{"request":{{"action":"generate","prompt":"A fox","async":true}},
            "created_at":{time},"key":7,"trace_id":null}}"#
    );
    let submission: Submission = serde_json::from_str(&submission).expect("a submission");
    assert_eq!(submission.request().prompt.as_deref(), Some("A fox"));
    let video = format!(
        r#"{{"task_id":"b8976e18","id":"5c0f9f0c","url":"https://h/v.mp4","width":1360,"height":752,
            "thumbnail_url":"https://h/v.jpg","thumbnail_width":1360,"thumbnail_height":752,
            "prompt":"A fox","finished_at":{time},"seen_at":null}}"#
    );
    let video: Video = serde_json::from_str(&video).expect("a video");
    assert_eq!((video.url(), video.width()), ("https://h/v.mp4", Some(1360)));
}
