//! Many waits at a time, beside the vendor's Python SDK `acedatacloud`.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use luma_benches::{
    Result,
    process::{Process, peak},
    service::{Service, end},
};
use luma_client::{Luma, PollInterval, TaskId, TaskRef};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    task::JoinSet,
};

use super::{
    Scale,
    figures::{Goal, Row},
};

/// What one side did.
struct Figures {
    requests: f64,
    connections: f64,
    cpu: f64,
    peak: f64,
    mean_lag: f64,
    max_lag: f64,
}

pub async fn measure(scale: &Scale, peer: Option<&Path>) -> Result<Vec<Row>> {
    let mut service = Service::start(scale.shortest, scale.longest).await?;
    let mut rows = Vec::new();
    for &count in scale.waits {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..scale.runs {
            ours.push(side(scale, &mut service, None, count).await?);
            if let Some(python) = peer {
                theirs.push(side(scale, &mut service, Some(python), count).await?);
            }
        }
        let at_most = |goal| match count {
            1_000 => Goal::AtMost(goal),
            _ => Goal::None,
        };
        let row = |what: &str, goal, figure: fn(&Figures) -> f64| Row {
            what: format!("{count} waits: {what}"),
            ours: ours.iter().map(figure).collect(),
            theirs: theirs.iter().map(figure).collect(),
            more_is_better: false,
            goal,
        };
        rows.extend([
            row("requests", at_most(200.0), |f| f.requests),
            row("connections", at_most(2.0), |f| f.connections),
            row("CPU s", at_most(0.15), |f| f.cpu),
            row("peak memory, MB", at_most(15.0), |f| f.peak),
            row("mean lag, s", at_most(1.6), |f| f.mean_lag),
            row("greatest lag, s", Goal::None, |f| f.max_lag),
        ]);
    }
    Ok(rows)
}

async fn side(
    scale: &Scale,
    service: &mut Service,
    python: Option<&Path>,
    count: usize,
) -> Result<Figures> {
    let interval = scale.interval.as_secs_f64().to_string();
    let mut client = match python {
        None => Process::role(&["waits", &service.url, &interval])?,
        Some(python) => Process::start(python, |command| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/waits.py");
            command.arg(script).args([&service.url, &interval]);
        })?,
    };
    // Its start does not count.
    client.line().await?;
    let before = service.seen().await?;
    let ids = service.submit(count).await?;
    client.send(&format!("{}\n\n", ids.join("\n"))).await?;
    let (cpu, peak) = (client.line().await?.parse()?, client.line().await?.parse()?);
    let told = client.paragraph().await?;
    let told = told.iter().map(|line| end(line)).collect::<Result<HashMap<_, _>>>()?;
    let after = service.seen().await?;
    if told.len() != count {
        return Err(format!("{} of {count} waits finished", told.len()).into());
    }
    let ends = service.ends().await?;
    let lags: Vec<f64> = told.iter().map(|(id, time)| time - ends[id]).collect();
    Ok(Figures {
        requests: (after.lookups - before.lookups) as f64,
        connections: (after.connections - before.connections) as f64,
        cpu,
        peak,
        mean_lag: lags.iter().sum::<f64>() / count as f64,
        max_lag: lags.iter().copied().fold(0.0, f64::max),
    })
}

/// The role of our client.
pub async fn run(url: &str, interval: &str) -> Result<()> {
    let interval = PollInterval::fixed(Duration::from_secs_f64(interval.parse()?));
    let luma = Luma::builder().token("any").base_url(url).build()?;
    let mut input = BufReader::new(stdin()).lines();
    println!("ready");
    let begin = cpu_seconds();
    let mut waits = JoinSet::<Result<_>>::new();
    while let Some(id) = input.next_line().await?.filter(|line| !line.is_empty()) {
        // A submit would give the same: id and time.
        let mut task = TaskRef::from(id.parse::<TaskId>()?);
        task.submitted_at = Some(SystemTime::now());
        let wait = luma.task(task).wait().interval(interval);
        waits.spawn(async move {
            wait.await?;
            let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
            Ok((id, time))
        });
    }
    let mut ends = Vec::new();
    while let Some(end) = waits.join_next().await {
        ends.push(end??);
    }
    println!("{}\n{}", cpu_seconds() - begin, peak("self")?);
    for (id, time) in ends {
        println!("{id} {time}");
    }
    println!();
    Ok(())
}

pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
