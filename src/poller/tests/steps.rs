//! What happens in a history, and how often.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Join(Join),
    /// Several tasks at once, so that batches fill.
    JoinMany(u16, Join),
    Leave(prop::sample::Index),
    Pass(u64),
    Land(prop::sample::Index, Answer),
    Notify(u8, bool),
    /// The actor's runtime goes.
    Abandon,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Join {
    pub(super) id: u8,
    /// Milliseconds, as all times here.
    pub(super) interval: u64,
    pub(super) knows_age: bool,
    pub(super) immediately: bool,
    pub(super) deadline: Option<u64>,
    pub(super) max_errors: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// Each task by its bit: ended, and missing.
    Reports {
        ended: u64,
        missing: u64,
    },
    Transient,
    Outage,
    Refused,
    Account,
    Busy(u8),
}

fn join() -> impl Strategy<Value = Join> {
    (
        0..6_u8,
        prop_oneof![Just(1_000), Just(3_000), 10..20_000_u64],
        any::<bool>(),
        any::<bool>(),
        prop::option::of(prop_oneof![1..30_000_u64, 900..1_300_u64, 2_900..3_600_u64]),
        0..4_u32,
    )
        .prop_map(|(id, interval, knows_age, immediately, deadline, max_errors)| Join {
            id,
            interval,
            knows_age,
            immediately,
            deadline,
            max_errors,
        })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(ended, a, b)| {
            Answer::Reports { ended, missing: a & b }
        }),
        2 => Just(Answer::Reports { ended: 0, missing: 0 }),
        2 => Just(Answer::Transient),
        2 => Just(Answer::Outage),
        1 => Just(Answer::Refused),
        1 => Just(Answer::Account),
        1 => (1..30_u8).prop_map(Answer::Busy),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => join().prop_map(Step::Join),
        1 => (1..180_u16, join()).prop_map(|(count, join)| Step::JoinMany(count, join)),
        3 => any::<prop::sample::Index>().prop_map(Step::Leave),
        6 => prop_oneof![0..50_u64, 0..8_000_u64].prop_map(Step::Pass),
        6 => (any::<prop::sample::Index>(), answer()).prop_map(|(i, a)| Step::Land(i, a)),
        1 => (0..6_u8, any::<bool>()).prop_map(|(id, is_end)| Step::Notify(id, is_end)),
        1 => Just(Step::Abandon),
    ]
}
