//! What a program may count on when it moves the types of this crate around.

use luma_client::{
    Download, Error, Extend, Generate, History, Intent, Luma, LumaBuilder, Pace, PendingSubmission,
    Prepared, RetryPolicy, Task, TaskHandle, TaskId, Ticket, Updates, Video, Wait, WaitError,
    WaitFuture, Watch,
};

fn shared<T: Send + Sync + 'static>() {}
fn sent<T: Send + 'static>() {}

#[test]
fn types_move_between_threads() {
    shared::<Luma>();
    shared::<LumaBuilder>();
    shared::<TaskHandle>();
    shared::<Ticket>();
    shared::<TaskId>();
    shared::<Task>();
    shared::<Video>();
    shared::<Generate>();
    shared::<Extend>();
    shared::<Pace>();
    shared::<RetryPolicy>();
    shared::<PendingSubmission>();
    shared::<Prepared>();
    shared::<Intent>();
    shared::<Error>();
    shared::<WaitError>();
    sent::<Wait<'static>>();
    sent::<WaitFuture<'static>>();
    sent::<Updates>();
    sent::<Watch>();
    sent::<History>();
    sent::<Download<'static>>();
}

#[test]
fn errors_stay_small() {
    // Every call returns one, so a large one costs even where all goes well.
    assert!(size_of::<Error>() <= 80, "{}", size_of::<Error>());
    assert!(size_of::<WaitError>() <= 144, "{}", size_of::<WaitError>());
}
