//! This client beside the vendor's packages, in turn, against the same simulated service.
//!
//! ```sh
//! benches/peers/run            # about ten minutes: installs the peers first
//! benches/peers/run --quick    # whether it works: one run of everything, small
//! cargo build --release -p luma-cli && cargo bench -p luma-benches --bench peers    # without peers, offline
//! ```

mod figures;
mod load;
mod server;
mod waits;

use std::{env, path::PathBuf, time::Duration};

use figures::Row;
use luma_benches::{Result, service};

/// Where the peers are installed: a virtual environment of Python.
const PEERS: &str = "LUMA_PEERS";

/// How much is measured.
struct Scale {
    runs: usize,
    waits: &'static [usize],
    shortest: Duration,
    longest: Duration,
    interval: Duration,
    starts: usize,
    /// For so long a server is called.
    load: Duration,
}

const FULL: Scale = Scale {
    runs: 3,
    waits: &[100, 1_000],
    shortest: Duration::from_secs(15),
    longest: Duration::from_secs(25),
    interval: Duration::from_secs(3),
    starts: 15,
    load: Duration::from_secs(3),
};

const QUICK: Scale = Scale {
    runs: 1,
    waits: &[20],
    shortest: Duration::from_secs(2),
    longest: Duration::from_secs(3),
    interval: Duration::from_secs(1),
    starts: 1,
    load: Duration::from_millis(500),
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["service", min, max] => return service::run(min, max).await,
        ["waits", url, interval] => return waits::run(url, interval).await,
        _ => {}
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `cargo bench` passes --bench; `cargo test` only checks that it works.
    let is_full = has("--bench") && !has("--quick");
    let scale = if is_full { &FULL } else { &QUICK };
    let peers = env::var_os(PEERS).map(|folder| PathBuf::from(folder).join("bin"));
    let python = peers.as_ref().map(|bin| bin.join("python"));
    let server = peers.as_ref().map(|bin| bin.join("mcp-luma"));

    let only = |part: &str| has(part) || !(has("waits") || has("server"));
    let show = |row: Row| match is_full {
        true => println!("{row}"),
        // Goals are not for one small run, perhaps of a debug build.
        false => println!("{}", row.without_goal()),
    };
    println!("{}", figures::HEAD);
    if only("waits") {
        let rows = waits::measure(scale, python.as_deref()).await?;
        rows.into_iter().for_each(show);
    }
    if !only("server") {
        return Ok(());
    }
    let luma = luma()?;
    if !luma.exists() {
        println!("\nThe server was not measured: build it with `cargo build -p luma-cli`.");
        return Ok(());
    }
    let (rows, driver) = server::measure(scale, &luma, server.as_deref()).await?;
    rows.into_iter().for_each(show);
    println!("\nThe program that called the servers took {driver:.2} of a core at most.");
    Ok(())
}

/// The command line, built with the same profile: it is in the folder above this program's.
fn luma() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let profile = program.ancestors().nth(2).ok_or("no target folder")?;
    Ok(profile.join("luma").with_extension(env::consts::EXE_EXTENSION))
}
