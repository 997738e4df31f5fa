//! The queries that run all the time use their indexes: by the server's own counters, on tables
//! large enough that reading them whole would be noticed.

use chrono::TimeDelta;
use outdial_jobs::store;
use outdial_jobs::store::attempts::Unpriced;
use outdial_jobs::store::bulk::Place;
use outdial_jobs::store::jobs::Fits;
use outdial_jobs::store::lead_lists;
use outdial_jobs::store::ledger::Made;
use outdial_jobs::store::paging::{Direction, Part};
use outdial_workflows::Moment;
use outdial_workflows::call::CallId;
use outdial_workflows::ids::{CampaignId, LeadId, NodeId};
use outdial_workflows::packs;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::support::world::World;

/// Many of everything; few of what the queries look for.
async fn fill(world: &World) {
    let campaign = world.campaign(json!({})).await;
    let ids = format!(
        "'{}'::uuid as client, '{campaign}'::uuid as campaign, '{}'::uuid as account",
        world.client, world.account
    );
    let numbers = format!("(select {ids}, n, md5(n::text)::uuid as lead from generate_series(1, 20000) n) x");
    for statement in [
        format!("insert into leads (client_id, lead_id, campaign_id, phone, created_at)
            select client, lead, campaign, '+9198' || lpad(n::text, 8, '0'), now() from {numbers}"),
        format!("insert into workflows (client_id, lead_id, campaign_id, lane_id, state, priority, wake_at, why, attempts, counted)
            select client, lead, campaign, (select lane_id from lanes limit 1),
                (case when n % 100 < 10 then 'waiting' when n % 100 = 10 then 'calling' else 'finished' end)::workflow_state,
                'normal', case when n % 100 < 10 then now() + n * interval '1 minute' when n % 100 = 10 then now() + n * interval '1 s' end,
                '{{\"why\": \"new\"}}', 1, 1 from {numbers}"),
        format!("insert into attempts (client_id, lead_id, number, campaign_id, revision, account_id, phone, ledger, counts,
                barrier_version, dial_by, reserved_at, submitted_at, submit_token, replied_at, call_id, status, ended_at, result)
            select client, lead, 1, campaign, 1, account, '+9198' || lpad(n::text, 8, '0'), 'bound', true, 0, at, at, at,
                gen_random_uuid(), at, n::text, 'completed', case when n % 100 <> 10 then at end,
                case when n % 100 <> 10 then 'answered'::call_result end
            from {numbers}, lateral (select now() - n * interval '1 second' as at) t"),
        format!("insert into dial_requests (client_id, lead_id, number, submitted_at, body)
            select client, lead, 1, now() - n * interval '1 second', 'From=' from {numbers}"),
        format!("insert into jobs (client_id, job_id, kind, run_at, created_at, lease_owner, lease_token, lease_until)
            select client, lead, 'test.v' || n % 4, now() + (n - 100) * interval '1 second', now(),
                case when n % 2 = 0 then lead end, case when n % 2 = 0 then lead end,
                case when n % 2 = 0 then now() + (n - 100) * interval '1 second' end from {numbers}"),
        "analyze".to_owned(),
    ] {
        world.run(&statement).await;
    }
}

/// Asserts that what `ask` asks uses this index, and reads none of these tables whole.
async fn uses<T>(world: &World, index: &str, ask: impl AsyncFnOnce(&mut PgConnection) -> T) -> T {
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let before = counters(&mut conn, index).await;
    let answer = ask(&mut conn).await;
    let after = counters(&mut conn, index).await;
    assert_eq!(after.0, before.0, "{index}: a table is read whole");
    assert!(after.1 > before.1, "{index} is not used");
    answer
}

/// How often large tables were read whole, and how often the index was used, by all sessions.
async fn counters(conn: &mut PgConnection, index: &str) -> (i64, i64) {
    sqlx::query("select pg_stat_force_next_flush()").execute(&mut *conn).await.expect("asked");
    let whole = "select sum(seq_scan)::bigint from pg_stat_user_tables
        where relname in ('workflows', 'attempts', 'jobs', 'leads', 'lanes', 'webhook_inbox', 'dial_requests', 'consents', 'suppressions', 'audit', 'quarantine')";
    let whole = sqlx::query_scalar(whole).fetch_one(&mut *conn).await.expect("counted");
    let used = "select idx_scan from pg_stat_user_indexes where indexrelname = $1";
    (whole, sqlx::query_scalar(used).bind(index).fetch_one(conn).await.expect("there is such an index"))
}

#[tokio::test]
async fn what_runs_all_the_time_reads_by_index() {
    let mut world = World::new().await;
    fill(&world).await;
    let client = world.client;
    let now: Moment = world.database_time().await;
    let later = now + TimeDelta::minutes(1);
    let lanes: Vec<Uuid> =
        sqlx::query_scalar("select lane_id from lanes").fetch_all(world.db.pool()).await.expect("lanes");
    for index in ["jobs_free", "jobs_leased"] {
        let kinds: Vec<String> = (0..3).map(|n| format!("test.v{n}")).collect();
        let claimed = uses(&world, index, async |conn| {
            let node = NodeId(Uuid::new_v4());
            store::queue::claim(conn, node, &kinds, &[4, 4, 4], now, later).await.expect("claimed")
        })
        .await;
        assert_eq!(claimed.len(), 12);
    }
    let due = uses(&world, "workflows_waiting", async |conn| {
        let soon = now + TimeDelta::hours(1);
        store::admission::due(conn, client, &lanes, soon, 20).await.expect("read")
    })
    .await;
    assert!(!due.is_empty());
    let next = uses(&world, "workflows_waiting", async |conn| {
        store::admission::next_due(conn, client, &lanes).await.expect("read")
    })
    .await;
    assert!(next.is_some());
    uses(&world, "workflows_timers", async |conn| {
        store::workflows::timers_due(conn, later, &[], 1_000).await.expect("read")
    })
    .await;
    let campaign = due[0].lead;
    let campaign = uses(&world, "workflows_pkey", async |conn| {
        store::workflows::campaign_of(conn, client, campaign).await.expect("read").expect("it has one")
    })
    .await;
    let walked = uses(&world, "leads_by_campaign", async |conn| {
        let start = Place(campaign, LeadId(Uuid::nil()));
        let end = Place(campaign, LeadId(Uuid::max()));
        store::bulk::walk(conn, client, start, end, 1_000).await.expect("read")
    })
    .await;
    assert_eq!(walked.len(), 1_000);
    let standing = uses(&world, "leads_by_campaign", async |conn| {
        store::leads::standing(conn, client, campaign, LeadId(Uuid::nil()), 1_000).await.expect("read")
    })
    .await;
    assert_eq!(standing.len(), 1_000);
    for index in ["one_live_attempt_per_number", "attempts_rate"] {
        let since = Some(now - TimeDelta::minutes(1));
        uses(&world, index, async |conn| {
            store::admission::usage(conn, client, &[world.account.0], since, None).await.expect("read")
        })
        .await;
    }
    uses(&world, "attempts_rate", async |conn| {
        let wanted = Unpriced {
            ended_by: later,
            ended_after: now - TimeDelta::days(1),
            answered_after: now - TimeDelta::days(2),
        };
        store::attempts::unpriced(conn, client, world.account, &wanted, 20).await.expect("read")
    })
    .await;
    for direction in [Direction::NewestFirst, Direction::OldestFirst] {
        let mut after = None;
        // The first page, and one that goes on.
        for _ in 0..2 {
            let page = uses(&world, "attempts_by_campaign", async |conn| {
                let span = (now - TimeDelta::days(1), later);
                let page = store::ledger::of_campaign(conn, campaign, span, direction, after, 50).await;
                page.expect("read")
            })
            .await;
            assert_eq!(page.len(), 50);
            after = page.last().map(Made::place);
        }
        let lead = after.expect("a place").lead;
        uses(&world, "attempts_pkey", async |conn| {
            store::ledger::of_lead(conn, client, lead, direction, None, 50).await.expect("read")
        })
        .await;
    }
    let numbers: Vec<String> = (1..4).map(|n| format!("+9198{n:08}")).collect();
    let tried = uses(&world, "attempts_by_phone", async |conn| {
        store::attempts::tried(conn, client, &numbers, now - TimeDelta::days(31)).await.expect("read")
    })
    .await;
    assert_eq!(tried.len(), 3);
    world
        .run(
            "insert into consents (client_id, consent_id, phone, level, source, given_at, actor, created_at)
        select client_id, lead_id, phone, 'express', 'a form', created_at, 'a test', created_at from leads",
        )
        .await;
    world.run("analyze consents").await;
    let consents = uses(&world, "consents_by_phone", async |conn| {
        store::consents::of_phones(conn, client, &numbers).await.expect("read")
    })
    .await;
    assert_eq!(consents.len(), 3);
    world.run(
        "insert into suppressions (client_id, suppression_id, phone, campaign_id, source, actor, created_at)
        select client_id, lead_id, phone, case when phone < '+919800000100' then campaign_id end, 'a list', 'a test',
            created_at from leads",
    )
    .await;
    world.run("analyze suppressions").await;
    for direction in [Direction::NewestFirst, Direction::OldestFirst] {
        let part = Part { direction, after: Some(Uuid::from_u128(1 << 127)), limit: 20 };
        for (index, of) in [("suppressions_listed", None), ("suppressions_of_campaign", Some(campaign))] {
            let listed = uses(&world, index, async |conn| {
                store::suppressions::list(conn, client, of, part, now).await.expect("read")
            })
            .await;
            assert_eq!(listed.len(), 20, "{index}");
        }
        let phone = numbers[0].parse().expect("a number");
        uses(&world, "suppressions_by_phone", async |conn| {
            let of_phone = store::suppressions::of_phone(conn, client, None, &phone, part, now);
            of_phone.await.expect("read")
        })
        .await;
    }
    uses(&world, "leads_by_phone", async |conn| {
        store::consents::held_for_want(conn, client, &numbers).await.expect("read")
    })
    .await;
    uses(&world, "dial_requests_by_age", async |conn| {
        store::dial_requests::erase(conn, now - TimeDelta::hours(5), 100).await.expect("erased")
    })
    .await;
    world.run(
        "insert into webhook_inbox (client_id, inbox_id, account_id, provider, call_id, input, received_at)
        select client_id, lead_id, account_id, 'exotel', call_id || case when ctid < '(1,0)' then '' else ' of nobody' end,
            '{}', now() from attempts",
    )
    .await;
    world.run("analyze webhook_inbox").await;
    let calls: Vec<CallId> = (1..4).map(|n| CallId(n.to_string())).collect();
    for index in ["attempts_by_call", "webhook_inbox_unmatched"] {
        uses(&world, index, async |conn| {
            store::inbox::matched_calls(conn, client, &calls).await.expect("read")
        })
        .await;
    }
    // These rows are nobody's story: there is nothing to judge.
    world.settle().await;
}

#[tokio::test]
async fn what_people_look_through_is_read_by_index() {
    let world = World::new().await;
    let (client, now) = (world.client, world.database_time().await);
    for statement in [
        format!("insert into audit (client_id, audit_id, at, actor, action, subject, subject_id, details)
            select '{client}', md5(n::text)::uuid, now(), 'person ' || n % 500, 'pause', 'campaign',
                md5((n % 500)::text)::uuid, '{{}}' from generate_series(1, 20000) n"),
        format!("insert into quarantine (client_id, quarantine_id, job_kind, item, error, created_at, released_at)
            select '{client}', md5(n::text)::uuid, 'bulk.v1', '{{}}', 'it panicked', now(),
                case when n > 100 then now() end from generate_series(1, 20000) n"),
        format!("insert into jobs (client_id, job_id, kind, run_at, created_at)
            select '{client}', md5(n::text)::uuid, 'bulk.v1', now(), now() from generate_series(1, 20000) n"),
        "analyze".to_owned(),
    ] {
        world.run(&statement).await;
    }
    let subject = sqlx::query_scalar("select subject_id from audit limit 1").fetch_one(world.db.pool()).await;
    let subject: Uuid = subject.expect("a subject");
    for direction in [Direction::NewestFirst, Direction::OldestFirst] {
        let part = Part { direction, after: Some(Uuid::from_u128(1 << 127)), limit: 10 };
        for (index, subject, actor) in [
            ("audit_pkey", None, None),
            ("audit_of_subject", Some(subject), None),
            ("audit_of_actor", None, Some("person 7")),
        ] {
            let listed = uses(&world, index, async |conn| {
                store::audit::list(conn, client, subject, actor, part).await.expect("read")
            })
            .await;
            assert_eq!(listed.len(), 10, "{index}");
        }
        uses(&world, "quarantine_listed", async |conn| {
            store::jobs::aside(conn, client, Fits::default(), part).await.expect("read")
        })
        .await;
        uses(&world, "jobs_pkey", async |conn| {
            store::jobs::live(conn, client, Fits::default(), part, now).await.expect("read")
        })
        .await;
        uses(&world, "finished_jobs_pkey", async |conn| {
            store::jobs::finished(conn, client, Fits::default(), part).await.expect("read")
        })
        .await;
    }
    let mut world = world;
    world.settle().await;
}

#[tokio::test]
async fn a_round_reads_the_leads_of_open_lanes_alone() {
    const LANES: u32 = 2_000;
    const OPEN: usize = 20;
    let world = World::new().await;
    let campaign = world.campaign(json!({})).await;
    let state = format!("1, '{}'", packs::edition());
    let lanes = |campaign: CampaignId| {
        format!(
            "insert into lanes (client_id, lane_id, campaign_id, place, served_at, revision, edition, opens_at, why)
            select '{}', md5('{campaign}' || n)::uuid, '{campaign}', 'place ' || n, now(), {state},
                now() + case when n <= {OPEN} then - interval '1 hour' else interval '1 hour' end,
                case when n > {OPEN} then '{{}}'::jsonb end
            from generate_series(1, {LANES}) n",
            world.client
        )
    };
    for _ in 0..10 {
        world.run(&lanes(world.draft(json!({})).await)).await;
    }
    for statement in [
        lanes(campaign),
        format!("insert into leads (client_id, lead_id, campaign_id, phone, created_at)
            select '{}', md5(n::text)::uuid, '{campaign}', '+9198' || lpad(n::text, 8, '0'), now()
            from generate_series(1, 20000) n", world.client),
        format!("insert into workflows (client_id, lead_id, campaign_id, lane_id, state, priority, wake_at, why)
            select client_id, lead_id, campaign_id, md5('{campaign}' || (1 + right(phone, 8)::int % {LANES}))::uuid,
                'waiting', 'normal', now(), '{{\"why\": \"new\"}}' from leads"),
        "analyze".to_owned(),
    ] {
        world.run(&statement).await;
    }
    let now = world.database_time().await;
    let found = uses(&world, "lanes_are_distinct", async |conn| {
        let edition = packs::edition();
        store::lanes::of_account(conn, world.client, world.account, edition, now).await.expect("read")
    })
    .await;
    assert_eq!((found.open.len(), found.stale.len()), (OPEN + 1, 0));
    assert!(found.next_opening.is_some_and(|at| at > now));
    let mut conn = world.db.pool().acquire().await.expect("a connection");
    let before = counters(&mut conn, "workflows_waiting").await;
    let open: Vec<Uuid> = found.open.iter().map(|lane| lane.lane.0).collect();
    let due = store::admission::due(&mut conn, world.client, &open, now, 200).await.expect("read");
    let after = counters(&mut conn, "workflows_waiting").await;
    // Ten leads a lane; four priorities.
    assert_eq!(due.len(), 10 * OPEN);
    assert_eq!((after.0 - before.0, after.1 - before.1), (0, 4 * (OPEN as i64 + 1)));
    drop(conn);
    let mut world = world;
    world.settle().await;
}

#[tokio::test]
async fn lists_of_leads_are_searched_and_sorted_by_index() {
    let mut world = World::new().await;
    fill(&world).await;
    world
        .run(
            "update leads set name = 'Person ' || right(phone, 8), terms = array[right(phone, 8)::bigint, 7]",
        )
        .await;
    world.run("analyze leads").await;
    let (client, now) = (world.client, world.database_time().await);
    let campaign =
        sqlx::query_scalar("select campaign_id from leads limit 1").fetch_one(world.db.pool()).await;
    let place = (client, CampaignId(campaign.expect("a campaign")));
    // One that few have, and one that all have: no more than the limit is read of either.
    for (term, found) in [(42, 1), (7, 100)] {
        let leads = uses(&world, "leads_by_term", async |conn| {
            lead_lists::with_terms(conn, client, &[term], 100).await.expect("read")
        });
        assert_eq!(leads.await.len(), found);
    }
    let (leads, more) = uses(&world, "leads_by_phone", async |conn| {
        lead_lists::with_phone(conn, client, "+919800001", 100).await.expect("read")
    })
    .await;
    assert_eq!((leads.len(), more), (100, true));
    let leads = uses(&world, "leads_by_name", async |conn| {
        lead_lists::with_name(conn, client, place.1, "person 0000012", 100).await.expect("read")
    });
    assert_eq!(leads.await.len(), 10);
    let lead = LeadId(Uuid::from_u128(1 << 127));
    for direction in [Direction::NewestFirst, Direction::OldestFirst] {
        for first in [true, false] {
            let listed = uses(&world, "leads_by_campaign", async |conn| {
                let after = (!first).then_some(lead);
                lead_lists::by_acceptance(conn, place, direction, after, 20).await.expect("read")
            });
            assert_eq!(listed.await.len(), 20);
            let listed = uses(&world, "leads_by_name", async |conn| {
                let after = (!first).then_some(("person 00010000", lead));
                lead_lists::by_name(conn, place, direction, "", after, 20).await.expect("read")
            });
            assert_eq!(listed.await.len(), 20);
            let listed = uses(&world, "workflows_waiting", async |conn| {
                let after = (!first).then_some((now + TimeDelta::minutes(10_000), lead));
                lead_lists::by_due_time(conn, place, direction, after, 20).await.expect("read")
            });
            assert_eq!(listed.await.len(), 20);
        }
    }
    world.settle().await;
}

#[tokio::test]
async fn pages_of_the_dashboard_read_by_index() {
    let mut world = World::new().await;
    fill(&world).await;
    let client = world.client;
    let now: Moment = world.database_time().await;
    let campaigns: Vec<Uuid> = sqlx::query_scalar("select campaign_id from campaigns")
        .fetch_all(world.db.pool())
        .await
        .expect("campaigns");
    world
        .run(
            "insert into statistics (client_id, campaign_id, lane_id, state, hour, count)
            select client_id, gen_random_uuid(), lane_id, 'waiting', now(), 1 from lanes, generate_series(1, 20000)",
        )
        .await;
    let other = world.draft(json!({})).await;
    let lanes = format!(
        "insert into lanes (client_id, lane_id, campaign_id, place, served_at)
        select '{client}', gen_random_uuid(), '{other}', 'place ' || n, now() from generate_series(1, 20000) n"
    );
    world.run(&lanes).await;
    world.run("analyze statistics, lanes").await;
    let standing = uses(&world, "statistics_key", async |conn| {
        store::statistics::of_campaigns(conn, client, &campaigns).await.expect("read")
    });
    assert!(standing.await.is_empty(), "those are of other campaigns");
    let places = uses(&world, "lanes_are_distinct", async |conn| {
        store::lanes::places_of(conn, client, &campaigns).await.expect("read")
    });
    assert_eq!(places.await.len(), 1);
    let live = uses(&world, "one_live_attempt_per_number", async |conn| {
        store::ledger::live(conn, client, 50).await.expect("read")
    });
    assert_eq!(live.await.len(), 50);
    let counted = uses(&world, "one_live_attempt_per_number", async |conn| {
        store::attempts::count_live(conn, client).await.expect("read")
    });
    assert_eq!(counted.await.iter().map(|(_, n)| n).sum::<i64>(), 200);
    let answered = uses(&world, "attempts_rate", async |conn| {
        store::attempts::answered_since(conn, client, now - TimeDelta::seconds(600), 100).await.expect("read")
    });
    assert_eq!(answered.await, 100, "no more are counted");
    let lead: Uuid = sqlx::query_scalar("select job_id from jobs limit 1")
        .fetch_one(world.db.pool())
        .await
        .expect("a job");
    let arguments = uses(&world, "jobs_pkey", async |conn| {
        store::jobs::arguments(conn, client, lead).await.expect("read")
    });
    assert!(arguments.await.is_some());
    world.settle().await;
}

/// Beside such a primary key, another index that begins with the client serves a look-up by the whole
/// key just as well in the planner's eyes while it knows no statistics, and reads all of the client's rows.
#[tokio::test]
async fn no_index_of_a_large_table_can_be_taken_for_its_primary_key() {
    let world = World::new().await;
    let rivals = world
        .count(
            "select count(*) from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
            where i.indrelid in ('leads'::regclass, 'workflows'::regclass, 'attempts'::regclass, 'jobs'::regclass,
                    'dial_requests'::regclass, 'workflow_events'::regclass)
                and not i.indisprimary and i.indpred is null and a.attname = 'client_id'",
        )
        .await;
    assert_eq!(rivals, 0);
    world.end().await;
}
