//! The same calls with this crate, as it is by default: retries and all.

use luma_client::{Luma, TaskId};

use crate::{Result, Work, service};

pub async fn run(work: Work, times: u64) -> Result<()> {
    let luma = Luma::from_env()?;
    let ids: Vec<TaskId> =
        (0..service::BATCH).map(|number| service::id(number).parse()).collect::<Result<_, _>>()?;
    let handle = luma.task(ids[0].clone());
    for _ in 0..times {
        match work {
            Work::Lookup => drop(handle.get().await?),
            Work::Batch => {
                let mut query = luma_client::api::types::TaskQuery::new(
                    luma_client::api::types::TaskAction::RetrieveBatch,
                );
                query.ids = ids.clone();
                drop(luma.api().query_tasks(&query).await.map_err(|_| "no batch")?);
            }
            Work::Submit => drop(luma.generate("A lighthouse at dusk").submit().await?),
            Work::Start => drop(Luma::from_env()?),
        }
    }
    Ok(())
}
