//! The two queues and the table, in one database, so that one transaction changes both.

use anyhow::Result;
use apalis::prelude::TaskBuilder;
use apalis_postgres::{PostgresStorage, queries::push_tasks};
use sqlx::{PgConnection, PgPool};

pub const SUBMIT: &str = "submit";
pub const WAIT: &str = "wait";

/// Creates the tables that do not exist.
pub async fn setup(pool: &PgPool) -> Result<()> {
    PostgresStorage::setup(pool).await?;
    sqlx::raw_sql(include_str!("../schema.sql")).execute(pool).await?;
    Ok(())
}

/// Orders videos: each is in the table and in the queue, or in neither.
pub async fn order(pool: &PgPool, prompts: &[&str]) -> Result<()> {
    let mut transaction = pool.begin().await?;
    for prompt in prompts {
        let insert = "INSERT INTO videos (prompt) VALUES ($1) RETURNING id";
        let insert = sqlx::query_scalar(insert).bind(prompt);
        let id: i64 = insert.fetch_one(&mut *transaction).await?;
        push(&mut transaction, SUBMIT, id).await?;
    }
    Ok(transaction.commit().await?)
}

/// Puts a video into a queue when the transaction is committed.
pub async fn push(transaction: &mut PgConnection, queue: &str, id: i64) -> Result<()> {
    let job = TaskBuilder::new(serde_json::to_vec(&id)?).build();
    Ok(push_tasks(transaction, queue, vec![job]).await?)
}

/// Prints all videos.
pub async fn list(pool: &PgPool) -> Result<()> {
    const ALL: &str = "SELECT id, coalesce(url, problem, CASE
        WHEN task IS NOT NULL THEN 'in work'
        WHEN submission IS NOT NULL THEN 'submitting'
        ELSE 'ordered' END), prompt FROM videos ORDER BY id";
    let videos: Vec<(i64, String, String)> = sqlx::query_as(ALL).fetch_all(pool).await?;
    for (id, state, prompt) in videos {
        println!("{id:>6}  {state}  {prompt}");
    }
    Ok(())
}
