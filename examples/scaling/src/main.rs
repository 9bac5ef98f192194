//! Videos from a durable queue. Any of its workers may be killed at any time: no video is paid for twice or
//! lost. `docs/scaling.md` explains it.
//!
//! ```sh
//! export DATABASE_URL=postgres://… ACEDATACLOUD_API_TOKEN=… CALLBACK_URL=https://…
//! luma-scaling setup
//! luma-scaling order "A fox in the snow" "An owl at dusk"
//! luma-scaling submit &     # any number of these two,
//! luma-scaling wait &       # on any number of machines
//! luma-scaling list
//! ```

mod queue;
mod submit;
mod wait;
mod work;

use std::env;

use anyhow::{Context, Result, bail};
use sqlx::PgPool;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let url = env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
    let pool = PgPool::connect(&url).await?;
    match arguments.as_slice() {
        ["setup"] => queue::setup(&pool).await,
        ["order", prompts @ ..] => queue::order(&pool, prompts).await,
        ["submit"] => submit::worker(pool).await,
        ["wait"] => wait::worker(pool).await,
        ["list"] => queue::list(&pool).await,
        _ => bail!("one of: setup, order PROMPT..., submit, wait, list"),
    }
}
