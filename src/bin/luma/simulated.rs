//! `--simulate`: a simulated service inside this process, with a few tasks in it.

use std::time::Duration;

use luma_client::{
    Luma,
    simulator::{JobDuration, Simulator, TaskScript},
};

use crate::failure::Failure;

pub struct Simulated {
    pub luma: Luma,
    _simulator: Simulator,
}

impl Simulated {
    /// No word: a client takes its token out of what the service says.
    const TOKEN: &str = "sim-4d1c7f0e9b2a";
    /// How long a video takes.
    pub const USUAL: Duration = Duration::from_secs(3);
    /// How often to look.
    pub const PACE: Duration = Duration::from_millis(200);

    /// Starts it. Ids follow from the seed: `luma --simulate history` shows the tasks that the
    /// other commands find. One is done, one has failed, one is in work.
    pub async fn start() -> Result<Self, Failure> {
        let simulator = Simulator::builder()
            .duration(JobDuration::Fixed(Duration::ZERO))
            .start()
            .await?;
        let luma = Luma::builder()
            .token(Self::TOKEN)
            .base_url(simulator.url())
            .build()?;
        luma.generate("A lighthouse at dusk, waves, slow zoom in")
            .submit()
            .await?;
        simulator.on_submit(TaskScript::fails("api_error", "the simulated failure"));
        luma.generate("A task that fails").submit().await?;
        simulator.set_duration(JobDuration::Fixed(Self::USUAL));
        luma.generate("A fox in the snow, handheld camera")
            .submit()
            .await?;
        Ok(Self {
            luma,
            _simulator: simulator,
        })
    }
}
