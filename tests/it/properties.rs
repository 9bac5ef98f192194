//! What holds for any bytes and any JSON: nothing panics, and a terminal state is stable.

use std::collections::BTreeMap;

use luma_client::{Task, TaskId, TaskState, fields::QueryResponse, webhook};
use proptest::{collection, option, prelude::*};
use serde_json::{Map, Value, json};

const COMPLETED: [&str; 6] =
    ["completed", "complete", "succeeded", "succeed", "success", "finished"];
const FAILED: [&str; 6] = ["failed", "failure", "error", "cancelled", "canceled", "rejected"];
const PENDING: [&str; 3] = ["pending", "queued", "submitted"];
const PROCESSING: [&str; 4] = ["processing", "running", "dreaming", "in_progress"];

fn known_words() -> impl Iterator<Item = &'static str> {
    [&COMPLETED[..], &FAILED, &PENDING, &PROCESSING].concat().into_iter()
}

/// Any JSON, with the names that mean something among the others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::btree_map(name(), inner, 0..8).prop_map(object),
        ]
    })
}

fn object(fields: BTreeMap<String, Value>) -> Value {
    Value::Object(Map::from_iter(fields))
}

fn text() -> impl Strategy<Value = String> {
    let words: Vec<&str> =
        known_words().chain(["https://h/v.mp4", "forbidden", "1785585600"]).collect();
    prop_oneof![any::<String>(), proptest::sample::select(words).prop_map(str::to_owned),]
}

fn name() -> impl Strategy<Value = String> {
    let names = vec![
        "id",
        "task_id",
        "response",
        "state",
        "status",
        "success",
        "error",
        "code",
        "message",
        "video_url",
        "finished_at",
        "created_at",
        "items",
        "count",
        "deleted",
        "trace_id",
        "prompt",
        "thumbnail_url",
        "video_width",
    ];
    prop_oneof![
        3 => proptest::sample::select(names).prop_map(str::to_owned),
        1 => "[a-z_]{1,8}",
    ]
}

/// A name that means nothing, and is not known to any version.
fn unknown_name() -> impl Strategy<Value = String> {
    "x_[a-z]{1,8}"
}

/// A word that no version knows.
fn unknown_word() -> impl Strategy<Value = String> {
    "[a-zA-Z_ ]{1,20}".prop_filter("known, or blank", |word| {
        let word = word.trim().to_lowercase();
        !word.is_empty() && !known_words().any(|known| known == word)
    })
}

/// A well-formed report, with every part that decides its state there or not.
fn report() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        proptest::sample::select(known_words().collect::<Vec<_>>()).prop_map(str::to_owned),
        unknown_word(),
    ];
    let error = prop_oneof![
        Just(json!({ "code": "forbidden", "message": "No." })),
        Just(json!("temporary")),
        Just(json!({})),
    ];
    (
        option::of(word),
        any::<bool>(),
        option::of(any::<bool>()),
        option::of(error),
        option::of(Just("https://h/v.mp4")),
        option::of(1.0_f64..2e9),
    )
        .prop_map(|(word, at_top, success, error, url, finished)| {
            let mut task = json!({ "id": "a", "response": {} });
            let mut put = |path: &str, value: Value| {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
                task.pointer_mut(parent).expect("an object")[name] = value;
            };
            if let Some(word) = word {
                put(if at_top { "/state" } else { "/response/state" }, word.into());
            }
            for (name, value) in [
                ("/response/success", success.map(Value::from)),
                ("/response/error", error),
                ("/response/video_url", url.map(Value::from)),
                ("/finished_at", finished.map(Value::from)),
            ] {
                value.into_iter().for_each(|value| put(name, value));
            }
            task
        })
}

fn task(value: &Value) -> Task {
    serde_json::from_str(&value.to_string()).expect("a task")
}

/// Reads all there is to read of a task.
fn read_all(task: &Task) {
    let state = task.state();
    assert_eq!(task.video().is_some(), state == TaskState::Completed);
    assert_eq!(task.failure().is_some(), state == TaskState::Failed);
    let _ = format!("{state} {task:?} {:?} {:?}", task.video(), task.failure());
    let again = serde_json::to_string(task).expect("JSON");
    let again: Task = serde_json::from_str(&again).expect("a task");
    assert_eq!(again.state(), state);
}

/// Cases that do not fit are drawn again, without a limit.
fn config() -> ProptestConfig {
    ProptestConfig { max_global_rejects: u32::MAX, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn callback_of_any_bytes_does_not_panic(body: Vec<u8>) {
        if let Ok(task) = webhook::parse(&body) {
            read_all(&task);
        }
    }

    #[test]
    fn callback_of_any_json_names_its_task(body in any_json()) {
        if let Ok(task) = webhook::parse(body.to_string().as_bytes()) {
            prop_assert!(task.id.as_deref().is_some_and(|id| id.parse::<TaskId>().is_ok()));
            read_all(&task);
        }
    }

    #[test]
    fn callback_cut_anywhere_is_refused(report in report(), at in 0.0..1.0) {
        let mut body = report["response"].clone();
        body["task_id"] = "a".into();
        let body = body.to_string();
        let cut = (body.len() as f64 * at) as usize;
        prop_assert!(webhook::parse(&body.as_bytes()[..cut]).is_err());
        prop_assert_eq!(webhook::parse(body.as_bytes()).map(|task| task.id), Ok(Some("a".to_owned())));
    }

    #[test]
    fn answer_of_any_json_is_read_or_refused(answer in any_json()) {
        match serde_json::from_str::<QueryResponse>(&answer.to_string()) {
            Ok(QueryResponse::Task(task)) => read_all(&task),
            Ok(QueryResponse::Batch(batch)) => batch.items.iter().for_each(read_all),
            Ok(QueryResponse::Deleted(deleted)) => {
                prop_assert_eq!(answer["id"].as_str().unwrap_or_default(), deleted.id)
            },
            Ok(other) => prop_assert!(false, "a new shape: {other:?}"),
            Err(_) => {}
        }
    }

    #[test]
    fn answer_of_any_bytes_does_not_panic(answer: Vec<u8>) {
        let _ = serde_json::from_slice::<QueryResponse>(&answer);
    }

    #[test]
    fn report_of_any_fields_has_a_state(report in report()) {
        read_all(&task(&report));
    }

    #[test]
    fn unknown_fields_do_not_change_the_state(
        report in report(),
        outer in collection::btree_map(unknown_name(), any_json(), 0..4),
        inner in collection::btree_map(unknown_name(), any_json(), 0..4),
    ) {
        let before = task(&report);
        // An empty response stays one: to be there at all is a statement.
        prop_assume!(report["response"] != json!({}) || inner.is_empty());
        let mut more = report.clone();
        more.as_object_mut().expect("an object").extend(outer);
        more["response"].as_object_mut().expect("an object").extend(inner);
        let after = task(&more);
        prop_assert_eq!(before.state(), after.state());
        prop_assert_eq!(before.failure(), after.failure());
    }

    /// Also when the service adds when the task ended.
    #[test]
    fn terminal_state_is_stable(report in report(), at in 1.0_f64..2e9) {
        let before = task(&report).state();
        prop_assume!(before.is_terminal());
        let mut more = report.clone();
        more["finished_at"] = at.into();
        more["elapsed"] = at.into();
        prop_assert_eq!(&task(&more).state(), &before);
        more["response"]["thumbnail_url"] = "https://h/t.jpg".into();
        prop_assert_eq!(&task(&more).state(), &before);
    }

    /// Unless the report also says that the task has ended.
    #[test]
    fn unknown_word_is_not_terminal(
        word in unknown_word(),
        success in option::of(any::<bool>()),
        url in option::of(Just("https://h/v.mp4")),
        name in proptest::sample::select(vec!["state", "status"]),
        at_top: bool,
    ) {
        let mut response = json!({ "task_id": "a" });
        for (name, value) in [("success", success.map(Value::from)), ("video_url", url.map(Value::from))] {
            value.into_iter().for_each(|value| response[name] = value);
        }
        let mut report = json!({ "id": "a", "response": response });
        match at_top {
            true => report[name] = word.as_str().into(),
            false => report["response"][name] = word.as_str().into(),
        }
        let state = task(&report).state();
        prop_assert!(matches!(state, TaskState::Unknown(_)), "{state:?} {report}");
        // Not in a callback either.
        if !at_top {
            let body = report["response"].to_string();
            let state = webhook::parse(body.as_bytes()).expect("a callback").state();
            prop_assert!(!state.is_terminal(), "{state:?} {report}");
        }
    }

    /// There is no completed task without a video, and no video of one that is not completed.
    #[test]
    fn known_word_in_any_case_is_read(
        word in proptest::sample::select(known_words().collect::<Vec<_>>()),
        upper: u32,
        space in "[ \t\n]{0,3}",
        url in option::of(Just("https://h/v.mp4")),
        success in option::of(any::<bool>()),
    ) {
        let odd: String = word
            .chars()
            .enumerate()
            .map(|(at, c)| if upper >> (at % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect();
        let state = |word: &str| {
            task(&json!({ "id": "a", "response": { "state": word, "video_url": url, "success": success } }))
                .state()
        };
        let plain = state(word);
        prop_assert_eq!(&state(&format!("{space}{odd}{space}")), &plain);
        let expected = match word {
            _ if COMPLETED.contains(&word) && url.is_some() => TaskState::Completed,
            _ if COMPLETED.contains(&word) || FAILED.contains(&word) => TaskState::Failed,
            _ if PENDING.contains(&word) => TaskState::Pending,
            _ => TaskState::Processing,
        };
        prop_assert_eq!(plain, expected);
    }
}
