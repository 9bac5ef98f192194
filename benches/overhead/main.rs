//! What a call costs over a hand-written one, and a client over a bare one: instructions and
//! allocations; and the time that the first client of a process takes to build.
//!
//! ```sh
//! cargo bench -p luma-benches --bench overhead                        # needs valgrind
//! cargo test -p luma-benches --bench overhead -- once     # only whether it works
//! ```
//!
//! [`hand`] is the hand-written side. Each side runs in a process of its own under callgrind, against
//! the same server; a figure is the difference between two runs of different length, so that what
//! comes once does not count. Instructions do not depend on what else the machine does. Times do, so
//! the two sides take turns, and the medians count.

mod hand;
mod ours;
mod service;

use std::{
    alloc::System,
    env,
    io::Write,
    process::{Command, ExitCode, Output},
    time::Instant,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What is done over and over.
#[derive(Clone, Copy)]
pub enum Work {
    Lookup,
    Batch,
    Submit,
    /// A client is built, and dropped.
    Start,
}

impl Work {
    const ALL: [(&str, Self); 4] = [
        ("lookup of one task", Self::Lookup),
        ("lookup of a batch of 50", Self::Batch),
        ("submit", Self::Submit),
        ("building a client", Self::Start),
    ];

    /// How often, in the shorter and in the longer run.
    const fn times(self) -> (u64, u64) {
        match self {
            Self::Start => (2, 12),
            _ => (20, 120),
        }
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments[..] {
        ["run", side, work, url, times] => {
            let (_, work) = Work::ALL[work.parse::<usize>()?];
            let times = times.parse()?;
            let begin = Instant::now();
            match side {
                "hand" => runtime.block_on(hand::run(work, url, times))?,
                _ => runtime.block_on(ours::run(work, times))?,
            }
            println!("microseconds: {}", begin.elapsed().as_micros());
            println!("allocations: {}", ALLOCATOR.stats().allocations);
        }
        // `cargo test --benches` only wants to know that it works.
        _ if arguments.contains(&"--test") || arguments.contains(&"once") => once()?,
        _ => {
            let server = tokio::runtime::Runtime::new()?;
            let url = server.block_on(service::serve())?;
            compare(&url)?;
            compare_start(&url)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Does everything once, and counts nothing.
fn once() -> Result<()> {
    let server = tokio::runtime::Runtime::new()?;
    let url = server.block_on(service::serve())?;
    for (number, (name, _)) in Work::ALL.into_iter().enumerate() {
        for side in ["hand", "ours"] {
            run(&mut Command::new(env::current_exe()?), side, number, &url, 1)?;
        }
        println!("{name}: works");
    }
    Ok(())
}

fn compare(url: &str) -> Result<()> {
    println!("| what | instructions by hand | ours | ratio | allocations by hand | ours |");
    println!("|---|---|---|---|---|---|");
    for (number, (name, work)) in Work::ALL.into_iter().enumerate() {
        let measure = |side| -> Result<_> {
            let (few, many) = work.times();
            let short = measure(side, number, url, few)?;
            let long = measure(side, number, url, many)?;
            let each = |short: u64, long: u64| (long as f64 - short as f64) / (many - few) as f64;
            Ok((each(short.0, long.0), each(short.1, long.1)))
        };
        let (hand, ours) = (measure("hand")?, measure("ours")?);
        let ratio = ours.0 / hand.0;
        println!(
            "| {name} | {:.0} | {:.0} | {ratio:.3} | {:.1} | {:.1} |",
            hand.0, ours.0, hand.1, ours.1
        );
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// How long the first client of a process takes.
fn compare_start(url: &str) -> Result<()> {
    const TURNS: usize = 41;
    const START: usize = Work::ALL.len() - 1;
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..TURNS {
        for (side, times) in ["hand", "ours"].into_iter().zip(&mut times) {
            let run = run(&mut Command::new(env::current_exe()?), side, START, url, 1)?;
            let out = String::from_utf8_lossy(&run.stdout);
            times.push(number_after("microseconds", &out).ok_or("no time")?);
        }
    }
    let [hand, ours] = times.map(|mut times| {
        times.sort_unstable();
        [times[TURNS / 2], times[0], times[TURNS - 1]]
    });
    println!();
    println!("| what | microseconds by hand (least, most) | ours (least, most) | ratio |");
    println!("|---|---|---|---|");
    let ratio = ours[0] as f64 / hand[0] as f64;
    let shown = |[median, least, most]: [u64; 3]| format!("{median} ({least}, {most})");
    println!("| first client of a process | {} | {} | {ratio:.3} |", shown(hand), shown(ours));
    Ok(())
}

/// Instructions and allocations of one run.
fn measure(side: &str, work: usize, url: &str, times: u64) -> Result<(u64, u64)> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe()?);
    let output = run(&mut valgrind, side, work, url, times)?;
    let report = String::from_utf8_lossy(&output.stderr);
    let instructions = number_after("Collected", &report).ok_or("no count of callgrind's")?;
    let out = String::from_utf8_lossy(&output.stdout);
    let allocations = number_after("allocations", &out).ok_or("no count of ours")?;
    Ok((instructions, allocations))
}

fn run(program: &mut Command, side: &str, work: usize, url: &str, times: u64) -> Result<Output> {
    let output = program
        .args(["run", side, &work.to_string(), url, &times.to_string()])
        // What `Luma::from_env` reads.
        .envs([("ACEDATACLOUD_API_TOKEN", TOKEN), ("ACEDATACLOUD_API_BASE_URL", url)])
        .output()?;
    match output.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// The number at the end of the line that has the word in it.
fn number_after(word: &str, text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(word))?;
    let number = line.rsplit(':').next()?.trim().replace(',', "");
    number.parse().ok()
}
