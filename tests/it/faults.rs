//! Every call, and the callback, against everything that goes wrong, over real sockets.
//!
//! What holds for money is asserted for each cell; how each ends is a table, which a snapshot pins.

use std::time::Duration;

use futures::future::join_all;
use luma_client::Reconciliation;

use crate::support::{
    ATTEMPTS,
    cases::{Case, Cause, cases},
    fixture::{Fixture, Operation, Outcome},
};

#[tokio::test]
async fn matrix_of_faults_ends_as_reviewed() {
    let cases = cases();
    // What has to time out comes last, when nothing else takes time.
    let (quick, silent): (Vec<_>, Vec<_>) = cases.iter().partition(|case| !case.is_silent);
    let mut rows = join_all(quick.into_iter().map(row)).await;
    rows.extend(join_all(silent.into_iter().map(row)).await);
    let place = |row: &Vec<String>| cases.iter().position(|case| case.name == row[0]);
    rows.sort_by_key(place);
    let columns = Operation::ALL.map(|operation| format!("{operation:?}").to_lowercase());
    rows.insert(0, [vec!["fault".to_owned()], columns.to_vec()].concat());
    insta::assert_snapshot!("matrix", table(&rows));
}

async fn row(case: &Case) -> Vec<String> {
    let fixture = Fixture::start(case).await;
    let mut row = vec![case.name.to_owned()];
    for operation in Operation::ALL {
        let outcome = fixture.run(case, operation).await;
        assert_sent(case, operation, &outcome);
        row.push(match operation {
            Operation::Submit => submitted(&fixture, case, outcome).await,
            _ => format!("{} ({} sent)", outcome.name, outcome.requests),
        });
    }
    row
}

/// What is sent again, and how often.
fn assert_sent(case: &Case, operation: Operation, outcome: &Outcome) {
    let Outcome { name, requests, accepted, reset, .. } = outcome;
    let context = format!("{}, {operation:?}: {outcome:?}", case.name);
    let is_submit = operation == Operation::Submit;
    let attempts = u64::from(ATTEMPTS);
    // A batch that is answered by an error is looked up singly.
    let rounds = if operation == Operation::Batch { 3 } else { 1 };
    match operation {
        // A submit that is accepted, and a lookup if no callback was taken.
        Operation::Webhook => {
            assert_eq!(*accepted, 1, "{context}");
            assert_eq!(*requests, if name == "taken" { 1 } else { 2 }, "{context}");
        }
        Operation::Submit => {
            assert!(*accepted <= 1, "{context}");
            let is_repeated = *requests > 1;
            assert!(!is_repeated || case.name.starts_with("429"), "{context}");
        }
        _ => assert_eq!(*accepted, 0, "{context}"),
    }
    // A page of the history that is too large is asked for in smaller pages.
    let pages = if operation == Operation::History { 2 } else { 1 };
    assert!(*requests <= pages * rounds * attempts, "{context}");
    if let Cause::Gate = case.cause
        && operation != Operation::Webhook
    {
        assert_eq!(*reset, if is_submit { 1 } else { attempts }, "{context}");
    }
}

/// What is known after a submit, which is true, and how many videos are billed. If it is unconfirmed, the
/// search has the last word.
async fn submitted(fixture: &Fixture, case: &Case, outcome: Outcome) -> String {
    let Outcome { name, requests, accepted, submission, .. } = outcome;
    let context = format!("{}: {name}", case.name);
    let Some(submission) = submission else {
        assert_eq!(accepted == 1, name == "ok", "{context}");
        return format!("{name} ({requests} sent, {accepted} billed)");
    };
    let before = fixture.simulator.stats();
    // By the client that knows the earlier task for its own.
    let search = fixture.direct.reconcile(&submission);
    let search = search.settle(case.is_late.map_or(Duration::ZERO, |late| 10 * late));
    let found = match search.await.expect("a history") {
        Reconciliation::Found(task) => {
            let newest = fixture.simulator.tasks().pop().expect("a task");
            assert_eq!(newest["id"], task.id().as_str(), "{context}");
            true
        }
        Reconciliation::Inconclusive(reason) => panic!("{context}: {reason}"),
        _ => false,
    };
    let after = fixture.simulator.stats();
    let accepted = accepted + after.submits_accepted - before.submits_accepted;
    assert_eq!(u64::from(found), accepted, "{context}");
    // Whatever was looked for, nothing was sent again.
    assert_eq!(after.submits_received, before.submits_received, "{context}");
    let found = if found { "found" } else { "not found" };
    format!("{name} ({requests} sent, {found}, {accepted} billed)")
}

fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    });
    lines.collect::<Vec<_>>().join("\n")
}
