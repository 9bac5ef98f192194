//! Every call, and the callback, against everything that goes wrong, over real sockets.
//!
//! What each cell must come to stands in [`EXPECTED`], written by hand from what the client can
//! know; the outcomes are printed as a table, which a snapshot pins.

mod support;

use std::time::Duration;

use luma_client::Search;
use support::{Case, Operation, Outcome, Strike, World, cases::cases, each, run};

/// What is known after a submit.
#[derive(Clone, Copy, Debug)]
enum Submitted {
    /// The handle is there.
    Ok,
    /// It was surely not accepted: why.
    No(&'static str),
    /// It may have been accepted: what came in place of an answer.
    Unsure(&'static str),
}

/// What is known after a lookup, a batch lookup and a look into the history.
#[derive(Clone, Copy, Debug)]
enum Read {
    Ok,
    All(&'static str),
    /// One task; several.
    Each(&'static str, &'static str),
}

/// Name of the case; a submit, how often it is sent and billed; a lookup, how often it is sent;
/// what becomes of a callback, where it was not taken a lookup has to do; a download, how often it
/// is sent.
type Row = (
    &'static str,
    (Submitted, u64, u64),
    (Read, u64),
    &'static str,
    (Read, u64),
);

/// The callback was taken, so that no lookup was needed.
const TAKEN: &str = "taken";

#[rustfmt::skip] // one line a case
const EXPECTED: &[Row] = {
    use Submitted::{No, Ok, Unsure};
    const NOT_JSON: &str = "not an object";
    const NO_ID: &str = "no task id";
    const NEVER: &str = "never came";
    &[
        ("no fault", (Ok, 1, 1), (Read::Ok, 1), TAKEN, (Read::Ok, 1)),
("twice", (Ok, 1, 1), (Read::Ok, 1), TAKEN, (Read::Ok, 1)),
        ("DNS failure", (No("no connection"), 0, 0), (Read::All("no connection"), 0), NEVER, (Read::All("no connection"), 0)),
        ("connection refused", (No("no connection"), 0, 0), (Read::All("no connection"), 0), NEVER, (Read::All("no connection"), 0)),
        // A connection was there, so who knows; the service saw nothing of it.
        ("reset before any request", (Unsure("broken"), 0, 0), (Read::All("broken"), 0), NEVER, (Read::All("broken"), 0)),
        ("reset before the answer", (Unsure("broken"), 1, 0), (Read::All("broken"), 3), NEVER, (Read::All("broken"), 3)),
        ("reset before the answer, once", (Unsure("broken"), 1, 0), (Read::Ok, 2), NEVER, (Read::Ok, 2)),
        ("reset after the request", (Unsure("broken"), 1, 1), (Read::All("broken"), 3), TAKEN, (Read::All("broken"), 3)),
        ("closed mid-body", (Unsure("broken"), 1, 1), (Read::All("broken"), 3), NEVER, (Read::Ok, 2)),
        ("reset mid-body", (Unsure("broken"), 1, 1), (Read::All("broken"), 3), NEVER, (Read::Ok, 2)),
        ("silence", (Unsure("timeout"), 1, 0), (Read::All("timeout"), 3), NEVER, (Read::All("timeout"), 3)),
        ("silence, accepted", (Unsure("timeout"), 1, 1), (Read::All("timeout"), 3), NEVER, (Read::All("timeout"), 3)),
        ("slow drip", (Unsure("timeout"), 1, 1), (Read::All("timeout"), 3), NEVER, (Read::All("timeout"), 3)),
        ("truncated JSON", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        ("truncated JSON that ends well", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        ("empty 200", (Unsure("unreadable"), 1, 0), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("empty"), 3)),
        ("empty 200, accepted", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("empty"), 3)),
        ("[] 200", (Unsure("unreadable"), 1, 0), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        ("[] 200, accepted", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        // The service's way to say that there is no such task.
        ("{} 200, accepted", (Unsure("unreadable"), 1, 1), (Read::Each("not found", "unreadable"), 1), NO_ID, (Read::All("no video"), 1)),
        ("null 200, accepted", (Unsure("unreadable"), 1, 1), (Read::Each("not found", "unreadable"), 1), NOT_JSON, (Read::All("no video"), 1)),
        ("HTML 200", (Unsure("unreadable"), 1, 0), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        ("HTML 200, accepted", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        ("wrong content type", (Ok, 1, 1), (Read::Ok, 1), TAKEN, (Read::All("no video"), 1)),
        ("HTML 200 of no type", (Unsure("unreadable"), 1, 0), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        ("HTML 200 as bytes", (Unsure("unreadable"), 1, 0), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        // Nothing of this is any better the next time.
        ("100 MB body", (Unsure("unreadable"), 1, 0), (Read::All("unreadable"), 1), "too large", (Read::All("too large"), 1)),
        ("100 MB body, accepted", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 1), "too large", (Read::All("too large"), 1)),
        ("deeply nested JSON, accepted", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 1), NOT_JSON, (Read::All("no video"), 1)),
        ("invalid UTF-8, accepted", (Unsure("unreadable"), 1, 1), (Read::All("unreadable"), 3), NOT_JSON, (Read::All("no video"), 1)),
        // The code counts, whatever the status.
        ("200 with code forbidden", (No("200 forbidden"), 1, 0), (Read::All("200 forbidden"), 1), NO_ID, (Read::All("no video"), 1)),
        ("200 with code api_error", (Unsure("200 api_error"), 1, 0), (Read::All("200 api_error"), 1), NO_ID, (Read::All("no video"), 1)),
        ("200 with code not_found", (No("200 not_found"), 1, 0), (Read::Each("not found", "200 not_found"), 1), NO_ID, (Read::All("no video"), 1)),
        ("400 bad_request", (No("400 bad_request"), 1, 0), (Read::All("400 bad_request"), 1), NO_ID, (Read::All("HTTP 400"), 1)),
        ("400 token_mismatched", (No("400 token_mismatched"), 1, 0), (Read::All("400 token_mismatched"), 1), NO_ID, (Read::All("HTTP 400"), 1)),
        ("400 api_not_implemented", (No("400 api_not_implemented"), 1, 0), (Read::All("400 api_not_implemented"), 1), NO_ID, (Read::All("HTTP 400"), 1)),
        ("400 without a code", (No("HTTP 400"), 1, 0), (Read::All("HTTP 400"), 1), NO_ID, (Read::All("HTTP 400"), 1)),
        ("401 invalid_token", (No("401 invalid_token"), 1, 0), (Read::All("401 invalid_token"), 1), NO_ID, (Read::All("HTTP 401"), 1)),
        ("401 token_expired", (No("401 token_expired"), 1, 0), (Read::All("401 token_expired"), 1), NO_ID, (Read::All("HTTP 401"), 1)),
        ("401 no_token", (No("401 no_token"), 1, 0), (Read::All("401 no_token"), 1), NO_ID, (Read::All("HTTP 401"), 1)),
        ("401 that quotes the token", (No("HTTP 401"), 1, 0), (Read::All("HTTP 401"), 1), NO_ID, (Read::All("HTTP 401"), 1)),
        ("401 that quotes the token, escaped", (No("HTTP 401"), 1, 0), (Read::All("HTTP 401"), 1), NO_ID, (Read::All("HTTP 401"), 1)),
        ("402 payment_required", (No("402 payment_required"), 1, 0), (Read::All("402 payment_required"), 1), NO_ID, (Read::All("HTTP 402"), 1)),
        ("402 without a code", (No("HTTP 402"), 1, 0), (Read::All("HTTP 402"), 1), NOT_JSON, (Read::All("HTTP 402"), 1)),
        ("403 forbidden", (No("403 forbidden"), 1, 0), (Read::All("403 forbidden"), 1), NO_ID, (Read::All("expired"), 1)),
        ("403 used_up", (No("403 used_up"), 1, 0), (Read::All("403 used_up"), 1), NO_ID, (Read::All("expired"), 1)),
        ("403 disabled", (No("403 disabled"), 1, 0), (Read::All("403 disabled"), 1), NO_ID, (Read::All("expired"), 1)),
        ("403 HTML", (No("HTTP 403"), 1, 0), (Read::All("HTTP 403"), 3), NOT_JSON, (Read::All("expired"), 1)),
        ("404 not_found", (No("404 not_found"), 1, 0), (Read::Each("not found", "404 not_found"), 1), NO_ID, (Read::All("expired"), 1)),
        ("404 HTML", (No("HTTP 404"), 1, 0), (Read::All("HTTP 404"), 3), NOT_JSON, (Read::All("expired"), 1)),
        ("408", (Unsure("HTTP 408"), 1, 0), (Read::All("HTTP 408"), 3), NOT_JSON, (Read::All("HTTP 408"), 3)),
        ("408, accepted", (Unsure("HTTP 408"), 1, 1), (Read::All("HTTP 408"), 3), NOT_JSON, (Read::All("HTTP 408"), 3)),
        ("409", (No("HTTP 409"), 1, 0), (Read::All("HTTP 409"), 1), NOT_JSON, (Read::All("HTTP 409"), 1)),
        ("500 with code used_up", (No("500 used_up"), 1, 0), (Read::All("500 used_up"), 1), NO_ID, (Read::All("HTTP 500"), 3)),
        // The service did nothing: also a submit goes out again.
        ("429 for ever", (No("429 too_many_requests"), 3, 0), (Read::All("429 too_many_requests"), 3), NO_ID, (Read::All("HTTP 429"), 3)),
        ("429 once", (Ok, 2, 1), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        ("429 once, Retry-After: 0", (Ok, 2, 1), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        ("429 once, Retry-After: 1", (Ok, 2, 1), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        ("429 once, Retry-After: 0.5", (Ok, 2, 1), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        ("429 once, a date to come", (Ok, 2, 1), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        ("429 once, a date gone by", (Ok, 2, 1), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        // Longer than the policy allows.
        ("429 once, a far date", (No("HTTP 429"), 1, 0), (Read::All("HTTP 429"), 1), NOT_JSON, (Read::All("HTTP 429"), 1)),
        ("429 once, Retry-After: 86400", (No("HTTP 429"), 1, 0), (Read::All("HTTP 429"), 1), NOT_JSON, (Read::All("HTTP 429"), 1)),
        ("429 once, Retry-After: soon", (Ok, 2, 1), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        ("500 once", (Unsure("500 api_error"), 1, 0), (Read::Ok, 2), NO_ID, (Read::Ok, 2)),
        ("500 once, accepted", (Unsure("500 api_error"), 1, 1), (Read::Ok, 2), NO_ID, (Read::Ok, 2)),
        ("500 for ever", (Unsure("500 api_error"), 1, 0), (Read::All("500 api_error"), 3), NO_ID, (Read::All("HTTP 500"), 3)),
        ("500 for ever, accepted", (Unsure("500 api_error"), 1, 1), (Read::All("500 api_error"), 3), NO_ID, (Read::All("HTTP 500"), 3)),
        ("HTML 502", (Unsure("HTTP 502"), 1, 0), (Read::All("HTTP 502"), 3), NOT_JSON, (Read::All("HTTP 502"), 3)),
        ("HTML 502, accepted", (Unsure("HTTP 502"), 1, 1), (Read::All("HTTP 502"), 3), NOT_JSON, (Read::All("HTTP 502"), 3)),
        ("503 once, Retry-After: 1", (Unsure("HTTP 503"), 1, 0), (Read::Ok, 2), NOT_JSON, (Read::Ok, 2)),
        ("503, Retry-After: 0", (Unsure("HTTP 503"), 1, 0), (Read::All("HTTP 503"), 3), NOT_JSON, (Read::All("HTTP 503"), 3)),
        ("503, Retry-After: 0, accepted", (Unsure("HTTP 503"), 1, 1), (Read::All("HTTP 503"), 3), NOT_JSON, (Read::All("HTTP 503"), 3)),
        ("504 timeout", (Unsure("504 timeout"), 1, 0), (Read::All("504 timeout"), 3), NO_ID, (Read::All("HTTP 504"), 3)),
        ("504 timeout, accepted", (Unsure("504 timeout"), 1, 1), (Read::All("504 timeout"), 3), NO_ID, (Read::All("HTTP 504"), 3)),
        ("504 HTML, accepted", (Unsure("HTTP 504"), 1, 1), (Read::All("HTTP 504"), 3), NOT_JSON, (Read::All("HTTP 504"), 3)),
        // As without a body: what a gateway says at length is no other thing.
        ("400, 9 MiB", (No("HTTP 400"), 1, 0), (Read::All("HTTP 400"), 1), "too large", (Read::All("HTTP 400"), 1)),
        ("404, 9 MiB", (No("HTTP 404"), 1, 0), (Read::Each("not found", "HTTP 404"), 1), "too large", (Read::All("expired"), 1)),
        ("429 once, 9 MiB", (Ok, 2, 1), (Read::Ok, 2), "too large", (Read::Ok, 2)),
        ("429 for ever, 9 MiB", (No("HTTP 429"), 3, 0), (Read::All("HTTP 429"), 3), "too large", (Read::All("HTTP 429"), 3)),
        ("500 once, 9 MiB", (Unsure("HTTP 500"), 1, 0), (Read::Ok, 2), "too large", (Read::Ok, 2)),
        ("503 for ever, 9 MiB", (Unsure("HTTP 503"), 1, 0), (Read::All("HTTP 503"), 3), "too large", (Read::All("HTTP 503"), 3)),
        ("503 for ever, 9 MiB, accepted", (Unsure("HTTP 503"), 1, 1), (Read::All("HTTP 503"), 3), "too large", (Read::All("HTTP 503"), 3)),
        // 302 and 303 can be the answer to what was taken.
        ("301 elsewhere", (No("HTTP 301"), 1, 0), (Read::All("HTTP 301"), 1), NEVER, (Read::Ok, 1)),
        ("302 elsewhere", (Unsure("HTTP 302"), 1, 0), (Read::All("HTTP 302"), 1), NEVER, (Read::Ok, 1)),
        ("303 elsewhere, accepted", (Unsure("HTTP 303"), 1, 1), (Read::All("HTTP 303"), 1), NEVER, (Read::Ok, 1)),
        ("307 elsewhere", (No("HTTP 307"), 1, 0), (Read::All("HTTP 307"), 1), TAKEN, (Read::Ok, 1)),
        ("308 elsewhere", (No("HTTP 308"), 1, 0), (Read::All("HTTP 308"), 1), TAKEN, (Read::Ok, 1)),
        ("302 to plain http", (Unsure("HTTP 302"), 1, 0), (Read::All("HTTP 302"), 1), NEVER, (Read::All("redirect refused"), 1)),
        ("307 to plain http", (No("HTTP 307"), 1, 0), (Read::All("HTTP 307"), 1), TAKEN, (Read::All("redirect refused"), 1)),
    ]
};

/// What a cell must come to, as the report shows it.
fn expected(row: &Row, operation: Operation) -> String {
    let (_, (submitted, sent, billed), (read, lookups), callback, (file, files)) = *row;
    let (read, lookups) = match operation {
        Operation::Download => (file, files),
        _ => (read, lookups),
    };
    let (name, sent) = match (operation, submitted, read) {
        (Operation::Submit | Operation::HeldSubmit, submitted, _) => {
            let found = match billed {
                0 => "not there",
                _ => "found",
            };
            return match submitted {
                Submitted::Ok => format!("ok ({sent} sent, {billed} billed)"),
                Submitted::No(why) => format!("{why} ({sent} sent, {billed} billed)"),
                Submitted::Unsure(why) => {
                    format!("unconfirmed: {why} ({sent} sent, {billed} billed, {found})")
                }
            };
        }
        (Operation::Webhook, ..) => {
            let sent = if callback == TAKEN { 1 } else { 2 };
            return format!("{callback}: ok ({sent} sent, 1 billed)");
        }
        (_, _, Read::Ok) => ("ok", lookups),
        (_, _, Read::All(why)) => (why, lookups),
        (Operation::Lookup, _, Read::Each(one, _)) => (one, lookups),
        (_, _, Read::Each(_, many)) => (many, lookups),
    };
    format!("{name} ({sent} sent)")
}

/// What a cell came to. Where a submit is unconfirmed, the search has the last word.
async fn actual(world: &World, case: &Case, operation: Operation) -> String {
    let Outcome {
        name,
        requests,
        cut_off,
        billed,
        pending,
        ..
    } = run(world, case, operation).await;
    if let Strike::Gate = case.strike {
        let tries = match operation {
            Operation::Webhook => 0,
            _ if operation.is_submit() => 1,
            _ => u64::from(support::ATTEMPTS),
        };
        assert_eq!(cut_off, tries, "{operation:?}");
    }
    if operation == Operation::Webhook {
        return format!("{name}: ok ({requests} sent, {billed} billed)");
    }
    if !operation.is_submit() {
        assert_eq!(billed, 0, "{case:?}");
        return format!("{name} ({requests} sent)");
    }
    let Some(pending) = pending else {
        return format!("{name} ({requests} sent, {billed} billed)");
    };
    let submits = world.simulator.stats().submits_received;
    let found = match pending.settle(Duration::ZERO).find().await {
        Ok(Search::Found(task)) => {
            let newest = world.simulator.tasks().pop().expect("a task");
            assert_eq!(newest["id"], task.id().as_str());
            "found"
        }
        Ok(Search::NotThere) => "not there",
        other => panic!("{case:?}: {other:?}"),
    };
    // Whatever was looked for, nothing was sent again.
    assert_eq!(world.simulator.stats().submits_received, submits);
    format!("{name} ({requests} sent, {billed} billed, {found})")
}

#[tokio::test]
async fn the_matrix() {
    let cases = cases();
    let rows = each(&cases, actual).await;

    let mut report = vec![header()];
    let mut wrong = Vec::new();
    for (case, outcomes) in cases.iter().zip(rows) {
        let row = EXPECTED.iter().find(|row| row.0 == case.name);
        let row = row.unwrap_or_else(|| panic!("nothing is expected of {}", case.name));
        let mut line = vec![case.name.to_owned()];
        for (operation, outcome) in Operation::ALL.into_iter().zip(outcomes) {
            let expected = expected(row, operation);
            if outcome != expected {
                wrong.push(format!(
                    "{}, {}: {outcome}, but expected {expected}",
                    case.name,
                    column(operation)
                ));
            }
            line.push(outcome);
        }
        report.push(line);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(EXPECTED.len(), cases.len(), "a case is missing");
    let report = table(&report);
    println!("{report}");
    insta::assert_snapshot!("matrix", report);
}

fn column(operation: Operation) -> &'static str {
    match operation {
        Operation::Submit => "submit",
        Operation::HeldSubmit => "held submit",
        Operation::Lookup => "lookup",
        Operation::BatchLookup => "batch lookup",
        Operation::History => "history",
        Operation::Webhook => "webhook",
        Operation::Download => "download",
    }
}

fn header() -> Vec<String> {
    let columns = Operation::ALL.map(|operation| column(operation).to_owned());
    [vec!["fault".to_owned()], columns.to_vec()].concat()
}

fn table(lines: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let lines = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("| {} |", cells.join(" | "))
    });
    lines.collect::<Vec<_>>().join("\n")
}
