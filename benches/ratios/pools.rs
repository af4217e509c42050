//! Whether a number costs more to choose in a large pool.

use std::path::Path;

use entremise::domain::policy::Rules;

use crate::{
    Result,
    opening::statements,
    report::{Goal, Report, Row, step},
    world::{Engine, Raw, World},
};

/// How many numbers the small pool has, and the large one at first.
const SMALL: u32 = 100;
/// How many the large one has then; [`GROW`] says it too.
const LARGE: u32 = 100_000;

/// Numbers that differ from the first one by id, digits and place alone.
const GROW: &str = "
    WITH RECURSIVE more (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM more WHERE n < 99999)
    INSERT INTO numbers (account, id, number, service, carrier, country, area, capabilities,
        registration, barred, reserved, shared, state, place, version, created_at, updated_at)
    SELECT m.account, substr(m.id, 1, 24) || CAST(1000000000 + more.n AS TEXT),
        '+33937' || substr(CAST(1000000 + more.n AS TEXT), 2), m.service, m.carrier, m.country,
        m.area, m.capabilities, m.registration, m.barred, m.reserved, m.shared, m.state,
        more.n, m.version, m.created_at, m.updated_at
    FROM more CROSS JOIN numbers m
    WHERE m.number = '+33937000000';
    INSERT INTO number_owners (number, account, id)
    SELECT number, account, id FROM numbers WHERE place >= 100;
    UPDATE pool_classes SET free = 100000;
    UPDATE services SET next_place = 100000";

async fn grow(world: &World) -> Result<()> {
    let mut raw = world.raw().await?;
    raw.run(GROW).await?;
    match raw {
        Raw::Sqlite(_) => raw.run("PRAGMA optimize").await?,
        // What its own cleaner would have done by then.
        Raw::Postgres(_) => raw.run("VACUUM ANALYZE").await?,
    }
    let numbers = raw.number("SELECT COUNT(*) FROM numbers").await?;
    raw.close().await?;
    if numbers == i64::from(LARGE) {
        Ok(())
    } else {
        Err(format!("the large pool has {numbers} numbers").into())
    }
}

/// Statements for each opening, and walks around the ring for each claim.
async fn count(world: &World) -> Result<(f64, f64)> {
    let live = world.open().await?;
    let counted = statements(world, &live).await;
    live.close().await;
    counted
}

async fn row(engine: &Engine, [small, large]: [&World; 2], report: &mut Report) -> Result<()> {
    grow(large).await?;
    let (before, after) = (count(small).await?, count(large).await?);
    report.add(Row {
        name: format!(
            "allocator probes per claim, pool of {LARGE} against {SMALL}, {}",
            engine.name()
        ),
        figure: format!("{:.3}, {:.1} statements an opening", after.1, after.0),
        reference: format!("{:.3}, {:.1} statements", before.1, before.0),
        ratio: format!("{:.3}", after.1 / before.1),
        judged: after.1 / before.1,
        goal: Goal::AtMost(1.05),
        goal_text: "≤ 1.05".to_owned(),
    });
    Ok(())
}

/// The row.
pub(crate) async fn run(engine: &Engine, folder: &Path, report: &mut Report) -> Result<()> {
    step(&format!("{}: a pool of {LARGE}", engine.name()));
    let mut made = Vec::new();
    for name in ["few", "many"] {
        let rules = Rules::new("Benchmark".to_owned());
        made.push(World::make(engine, folder, name, SMALL, rules).await?);
    }
    let done = match made.as_slice() {
        [small, large] => row(engine, [small, large], report).await,
        _ => Ok(()),
    };
    // Whatever happened: a server keeps what is not dropped.
    for world in made {
        world.drop(engine).await?;
    }
    done
}
