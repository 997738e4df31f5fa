//! The database: its version, schema, clock, and what was put aside in it.

use outdial_jobs::node::wall;
use outdial_jobs::operations::setup;
use outdial_jobs::store;
use outdial_workflows::clocks;
use sqlx::PgConnection;

use super::Finding;
use crate::app::App;

/// The oldest Postgres that is supported, as it numbers itself: it is the first that notices by itself that
/// whoever asked is gone.
const OLDEST: u32 = 140_000;

/// Looks at it. Returns whether the rest of what is stored can be looked at, too.
pub(super) async fn look(app: &App, findings: &mut Vec<Finding>) -> anyhow::Result<bool> {
    let mut conn = app.engine.pool().acquire().await?;
    findings.push(version(&conn));
    findings.push(clock(app, &mut conn).await?);
    let (applied, known) = store::installation::versions(&mut conn).await?;
    let schema = schema(applied, known);
    let current = schema.ok;
    findings.push(schema);
    if !current {
        return Ok(false);
    }
    let quarantined = store::quarantine::open(&mut conn, 1_000).await?;
    findings.push(match quarantined.first() {
        None => Finding::ok("quarantine", "empty"),
        Some(newest) => {
            let says = format!("{} put aside; the newest: {}", quarantined.len(), newest.error);
            Finding::problem("quarantine", says)
        }
    });
    drop(conn);
    if let Err(error) = setup::check_key(&app.engine).await {
        findings.push(Finding::problem("encryption key", error.to_string()));
    }
    Ok(true)
}

fn version(conn: &PgConnection) -> Finding {
    let Some(number) = conn.server_version_num() else {
        return Finding::ok("database", "reached; it does not say its version");
    };
    let says = format!("Postgres {}.{}", number / 10_000, number % 10_000);
    match number >= OLDEST {
        true => Finding::ok("database", says),
        false => {
            Finding::problem("database", says).remedy(format!("use Postgres {} or newer", OLDEST / 10_000))
        }
    }
}

/// What is applied against what this program knows.
fn schema(applied: Option<i64>, known: Option<i64>) -> Finding {
    let shown = |version: Option<i64>| version.map_or("none".into(), |version| version.to_string());
    let (has, wants) = (shown(applied), shown(known));
    match applied.cmp(&known) {
        std::cmp::Ordering::Equal => Finding::ok("schema", format!("{has}, up to date")),
        std::cmp::Ordering::Less => {
            Finding::problem("schema", format!("{has}, and this program needs {wants}"))
                .remedy("run `outdial migrate`; any other command does it as well")
        }
        std::cmp::Ordering::Greater => {
            Finding::problem("schema", format!("{has} is newer than this program, which knows {wants}"))
                .remedy("use the version of outdial that brought the schema there, or a newer one")
        }
    }
}

async fn clock(app: &App, conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let asked = wall();
    let theirs = app.engine.now_in(conn).await?;
    let off = clocks::off_by(asked, wall(), theirs);
    let says = format!("{} ms from the database's", off.num_milliseconds());
    Ok(match clocks::may_dial(off) {
        true => Finding::ok("clock", says),
        false => Finding::problem("clock", says).remedy(format!(
            "set the clocks of both machines, as NTP does: nothing is dialled from one that is more than {} s off",
            clocks::MAY_BE_OFF.num_seconds()
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_behind_or_ahead_is_told_with_what_to_do() {
        let told = |applied, known| schema(applied, known).line();
        assert_eq!(told(Some(2), Some(2)), "ok      schema: 2, up to date");
        assert!(told(None, Some(2)).contains("outdial migrate"), "{}", told(None, Some(2)));
        assert!(told(Some(1), Some(2)).starts_with("problem schema: 1, and this program needs 2"));
        assert!(told(Some(3), Some(2)).contains("newer than this program"));
    }
}
