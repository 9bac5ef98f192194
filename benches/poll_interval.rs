//! How good the default pace is, by numbers: requests x mean lag, in seconds a task.
//!
//! ```sh
//! cargo bench -p luma-benches --bench poll_interval
//! ```
//!
//! For a job whose time to completion has the density f and the survival function S, and a poll
//! every `i(t)` seconds at the age t, there are about `integral of S / i` polls and the mean lag is
//! about `integral of f i / 2`. Their product is least where i is proportional to sqrt(S / f), and
//! is `(integral of sqrt(f S))^2 / 2` then; a fixed interval gives `E[T] / 2` whatever it is. Jitter
//! counts: it is 5 % in the mean. `tests/it/poll_interval.rs` checks the goals.

#[path = "../tests/it/poll_interval/evaluate.rs"]
mod evaluate;

use evaluate::{Duration, evaluate};

fn main() {
    println!(
        "| jobs | requests | mean lag s | product | optimum | of the optimum | of a fixed interval |"
    );
    println!("|---|---|---|---|---|---|---|");
    for job in Duration::all() {
        let cost = evaluate(&job);
        println!(
            "| {job} | {:.1} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} |",
            cost.requests,
            cost.lag,
            cost.product(),
            cost.optimum,
            cost.of_optimum(),
            cost.of_fixed(),
        );
    }
}
