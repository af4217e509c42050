//! What many open sessions cost beside time: starting, memory, disk.

use crate::{
    Result, Scale,
    child::Server,
    machine,
    opening::Worlds,
    report::{Goal, Report, Row, float, median},
    webhooks,
};

const MIB: f64 = 1_048_576.0;

/// Starts servers on both databases in turns.
pub(crate) async fn run(worlds: &Worlds<'_>, scale: Scale, report: &mut Report) -> Result<()> {
    let (name, sessions) = (worlds.engine.name(), scale.sessions);
    let mut starts = [Vec::new(), Vec::new()];
    let mut memory = [0.0; 2];
    for _ in 0..scale.starts {
        for (place, world) in [worlds.empty, worlds.full].into_iter().enumerate() {
            let server = Server::start(&["serve-app", &world.url, &world.key, "127.0.0.1:1"])?;
            starts[place].push(server.started_in.as_secs_f64());
            webhooks::strangers(&server, scale.texts).await?;
            memory[place] = machine::resident(server.pid()).map_or(f64::NAN, float);
            server.stop().await;
        }
    }
    let [empty, full] = starts.map(median);
    report.add(Row {
        name: format!("start with {sessions} open, {name}"),
        figure: format!("{:.0} ms", full * 1000.0),
        reference: format!("{:.0} ms when empty", empty * 1000.0),
        ratio: format!("{:.2} ×", full / empty),
        judged: if full < 2.0 { full / empty } else { f64::INFINITY },
        goal: Goal::AtMost(2.0),
        goal_text: "< 2 × and < 2 s".to_owned(),
    });
    let more = (memory[1] - memory[0]) / MIB;
    report.add(Row {
        name: format!("memory with {sessions} open against empty, {name}"),
        figure: format!("{:.1} MiB", memory[1] / MIB),
        reference: format!("{:.1} MiB when empty", memory[0] / MIB),
        ratio: format!("{more:+.1} MiB"),
        judged: more,
        goal: Goal::AtMost(200.0),
        goal_text: "< 200 MiB more".to_owned(),
    });
    Ok(())
}

/// Bytes on disk for each open session; called before anything else is written.
pub(crate) async fn disk(worlds: &Worlds<'_>, scale: Scale, report: &mut Report) -> Result<()> {
    let mut sizes = [0; 2];
    for (place, world) in [worlds.empty, worlds.full].into_iter().enumerate() {
        let mut raw = world.raw().await?;
        sizes[place] = raw.size().await?;
        raw.close().await?;
    }
    let each = float(u64::try_from((sizes[1] - sizes[0]).max(0))?) / f64::from(scale.sessions);
    report.add(Row {
        name: format!("size on disk per open session, {}", worlds.engine.name()),
        figure: format!("{each:.0} bytes"),
        reference: "–".to_owned(),
        ratio: "–".to_owned(),
        judged: each,
        goal: Goal::AtMost(2048.0),
        goal_text: "< 2 kB".to_owned(),
    });
    Ok(())
}
