//! What stands in the database, read when it is asked for.
//!
//! Every process shows the same of it: who adds up over processes takes the largest, not the sum.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Days;
use outdial_workflows::Moment;
use outdial_workflows::analytics::Abandonment;
use outdial_workflows::attempt::Revision;
use outdial_workflows::gate::CampaignState;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId};
use outdial_workflows::limits::Limit;
use outdial_workflows::workflow::State;
use prometheus::Registry;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{NONE, real};
use crate::engine::Engine;
use crate::metrics;
use crate::store::gauges::{self, Account, Live, Shown};
use crate::store::{self, StoreError};

/// Whoever asks again so soon is told the same: however many ask, the database is asked by one of them.
const FRESH: Duration = Duration::from_secs(1);
/// Longer than this the database is not waited for: what happens in this process is shown all the same.
const PATIENCE: Duration = Duration::from_secs(3);

metrics! {
    /// What stands in the database.
    struct Gauges {
        database_up: IntGaugeVec = "outdial_database_up" []
            "1 if the database answered when the metrics were read; if not, nothing that stands in it is shown.";
        read: GaugeVec = "outdial_database_read_seconds" []
            "How long it took to read what stands in the database, the last time.";
        leads: IntGaugeVec = "outdial_leads" ["client", "campaign", "state", "reason"]
            "Leads of campaigns under way that are not finished, by state and, for those who wait or are held, by reason.";
        finished: IntGaugeVec = "outdial_leads_finished" ["client", "campaign", "outcome"]
            "Finished leads of campaigns under way, by outcome; none if they ended before anything came of them.";
        due: GaugeVec = "outdial_leads_due_oldest_seconds" ["client", "campaign"]
            "How long the longest has been due, of the leads in open lanes of running campaigns whose account is not paused or disabled; 0 if nobody is due.";
        campaigns: IntGaugeVec = "outdial_campaign_running" ["client", "campaign"]
            "1 for a running campaign, 0 for a paused one.";
        person_answered: IntGaugeVec = "outdial_person_answered_30d" ["client", "campaign"]
            "Calls of our own agent that a person answered, over 30 days up to today (UTC), of the 500 campaigns with the most.";
        abandoned: IntGaugeVec = "outdial_abandoned_30d" ["client", "campaign"]
            "Of the calls that a person answered, over 30 days, those in which nobody spoke within what the law allows (2 s), or ever.";
        live: IntGaugeVec = "outdial_attempts_live" ["client", "campaign", "account", "provider", "ledger"]
            "Attempts that hold a slot and a number: reserved, submitted, bound (ringing or talking), unknown.";
        unknown: GaugeVec = "outdial_attempts_unknown_oldest_seconds" []
            "How long the longest has been submitted, of the attempts of which it is not known whether they rang; 0 if there are none.";
        second_calls: IntGaugeVec = "outdial_second_calls" []
            "Attempts for which a carrier named two calls. Must be 0 for ever.";
        accounts: IntGaugeVec = "outdial_accounts" ["client", "account", "provider", "state"]
            "1 for the state that an account is in: ready, resting (its breaker is open), held (its carrier turns it down), paused or disabled.";
        used: IntGaugeVec = "outdial_limit_calls" ["client", "scope", "of"]
            "Calls that count against a limit of calls at once, of a client, an account or a campaign.";
        allowed: IntGaugeVec = "outdial_limit_calls_allowed" ["client", "scope", "of"]
            "The most calls at once of a client, an account or a campaign.";
        rate: GaugeVec = "outdial_limit_dials_allowed_hertz" ["client", "scope", "of"]
            "The most dial requests a second of a client, an account or a campaign, over the narrowest of its windows.";
        jobs: IntGaugeVec = "outdial_jobs" ["kind", "state"]
            "Jobs in the queue, by kind and state: waiting or running.";
        jobs_oldest: GaugeVec = "outdial_jobs_oldest_seconds" ["kind"]
            "How long the longest waiting job could have run by now; 0 if none could.";
        aside: IntGaugeVec = "outdial_quarantined" ["kind"]
            "Workflows and jobs in quarantine, not released yet.";
        news_waiting: IntGaugeVec = "outdial_webhook_inbox" []
            "News that waits for its attempt to be known, or for its lead to leave the quarantine.";
        subscribers: IntGaugeVec = "outdial_event_subscribers" ["client", "state"]
            "Subscribers to events: well, failing or disabled.";
        events: IntGaugeVec = "outdial_events_waiting" ["client"]
            "Events that wait to be delivered.";
        events_oldest: GaugeVec = "outdial_events_oldest_seconds" ["client"]
            "How long the longest waiting event could have been delivered by now; 0 if none could.";
        nodes: GaugeVec = "outdial_node_seen_seconds" ["node", "host", "roles"]
            "How long ago a working process last said that it is there. One that stops takes its leave, and is shown no more; one that dies is shown until it is forgotten.";
        clocks: GaugeVec = "outdial_node_clock_off_seconds" ["node", "host"]
            "How far the clock of a process's machine is off the database's. From 1 s on it dials nobody.";
        overdue: GaugeVec = "outdial_sweep_overdue_seconds" ["sweep"]
            "How late the next run of a sweep is.";
        inputs: IntGaugeVec = "outdial_inputs_waiting" []
            "Inputs in this process that wait for a commit.";
        resting: IntGaugeVec = "outdial_clients_resting" []
            "Clients whose commits this process has rest, because too many of their workflows fail.";
        slots: IntGaugeVec = "outdial_job_slots" ["kind", "state"]
            "Slots for jobs in this process: free or taken.";
        connections: IntGaugeVec = "outdial_database_connections" ["state"]
            "Connections of this process's pool: idle or used.";
        connections_most: IntGaugeVec = "outdial_database_connections_allowed" []
            "The most connections of this process's pool.";
        transactions: IntCounterVec = "outdial_postgres_transactions_total" ["result"]
            "Transactions of the database: commit or rollback.";
        deadlocks: IntCounterVec = "outdial_postgres_deadlocks_total" []
            "Deadlocks that the server ended.";
        pages: IntCounterVec = "outdial_postgres_pages_total" ["from"]
            "Pages that the server needed: from its memory (hit), or read.";
        wal: IntCounterVec = "outdial_postgres_wal_bytes_total" []
            "Write-ahead log since the server was made.";
        size: IntGaugeVec = "outdial_postgres_database_bytes" []
            "Size of the database.";
        sessions: IntGaugeVec = "outdial_postgres_sessions" ["state"]
            "Sessions of the database: active, idle or waiting for a lock.";
        sessions_most: IntGaugeVec = "outdial_postgres_sessions_allowed" []
            "The most sessions of the server.";
        oldest: GaugeVec = "outdial_postgres_oldest_transaction_seconds" []
            "How long the longest transaction has been open.";
        replicas: IntGaugeVec = "outdial_postgres_replicas" []
            "Replicas that follow the server.";
        behind: GaugeVec = "outdial_postgres_replication_lag_seconds" []
            "How far the furthest replica is behind; 0 without any.";
        dead: IntGaugeVec = "outdial_postgres_dead_rows" ["table"]
            "Rows of the largest tables that vacuum has not removed yet.";
        table_bytes: IntGaugeVec = "outdial_postgres_table_bytes" ["table"]
            "Size of the largest tables with their indexes, as vacuum last found it.";
    }
}

/// What stands in the database, as it was last read.
pub(super) struct Standing {
    gauges: Gauges,
    read: tokio::sync::Mutex<Option<Instant>>,
    /// What the server counted when it was last asked.
    counted: Mutex<HashMap<&'static str, u64>>,
}

impl Standing {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauges = Gauges::registered(registry)?;
        Ok(Self { gauges, read: tokio::sync::Mutex::default(), counted: Mutex::default() })
    }
}

impl super::Metrics {
    /// Reads what stands in the database, unless somebody just did. Without an answer nothing of it is shown.
    pub async fn read(&self, engine: &Engine) {
        let mut read = self.standing.read.lock().await;
        if read.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let began = Instant::now();
        let unnamed = self.names.unknown();
        let reading = store::within(PATIENCE, Reading::read(engine, &unnamed));
        let gauges = &self.standing.gauges;
        gauges.here(engine);
        match reading.await {
            Ok(reading) => {
                reading.learn(&self.names);
                gauges.show(&reading, engine);
                self.standing.count(&reading.server);
                gauges.database_up.with_label_values(NONE).set(1);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what stands in the database is not read"
                );
                gauges.clear();
                gauges.database_up.with_label_values(NONE).set(0);
            }
        }
        gauges.read.with_label_values(NONE).set(began.elapsed().as_secs_f64());
        *read = Some(Instant::now());
    }
}

/// Everything that was read together.
struct Reading {
    now: Moment,
    standing: Vec<gauges::Standing>,
    abandonment: Vec<gauges::Abandonment>,
    campaigns: Vec<Shown>,
    /// The limits of the campaigns, in their order.
    limits: Vec<Vec<Limit>>,
    accounts: Vec<Account>,
    live: Vec<Live>,
    due: Vec<(ClientId, CampaignId, Moment)>,
    queue: Vec<gauges::Queued>,
    odds: gauges::Odds,
    events: Vec<gauges::Events>,
    nodes: Vec<gauges::Seen>,
    sweeps: Vec<(String, Moment)>,
    server: gauges::Server,
    tables: Vec<gauges::Table>,
}

impl Reading {
    async fn read(engine: &Engine, unnamed: &[(ClientId, CampaignId)]) -> Result<Self, StoreError> {
        let mut session = engine.sessions().take().await?;
        let conn: &mut PgConnection = &mut session;
        let now = engine.now_in(conn).await?;
        let unnamed: Vec<Uuid> = unnamed.iter().map(|(_, campaign)| campaign.0).collect();
        let campaigns = gauges::campaigns(conn, &unnamed).await?;
        let mut limits = Vec::with_capacity(campaigns.len());
        for shown in &campaigns {
            // Read once for each revision of each campaign.
            let revision = Revision(shown.revision);
            let rules = engine.rules_in(conn, shown.client, shown.campaign, revision).await?;
            limits.push(rules.map(|rules| rules.limits.clone()).unwrap_or_default());
        }
        let reading = Self {
            now,
            standing: gauges::standing(conn).await?,
            abandonment: gauges::abandonment(
                conn,
                now.date_naive() - Days::new(u64::from(Abandonment::DAYS) - 1),
            )
            .await?,
            campaigns,
            limits,
            accounts: gauges::accounts(conn).await?,
            live: gauges::live(conn).await?,
            due: gauges::due_since(conn, now).await?,
            queue: gauges::queue(conn, now).await?,
            odds: gauges::odds(conn).await?,
            events: gauges::events(conn).await?,
            nodes: gauges::nodes(conn).await?,
            sweeps: gauges::sweeps(conn).await?,
            server: gauges::server(conn).await?,
            tables: gauges::tables(conn).await?,
        };
        session.done();
        Ok(reading)
    }

    fn learn(&self, names: &super::Names) {
        names.learn(self.campaigns.iter().flat_map(|shown| {
            [(shown.client.0, shown.client_name.clone()), (shown.campaign.0, shown.name.clone())]
        }));
        names.learn(
            self.abandonment
                .iter()
                .flat_map(|of| [(of.client.0, of.client_name.clone()), (of.campaign.0, of.name.clone())]),
        );
        names.learn(self.accounts.iter().map(|account| (account.account.0, account.name.clone())));
    }

    /// How long ago, in seconds; nothing counts as now, and so does what is yet to come.
    fn ago(&self, since: Option<Moment>) -> f64 {
        since.map_or(0.0, |since| real((self.now - since).num_milliseconds().max(0)) / 1_000.0)
    }

    fn under_way(&self) -> impl Iterator<Item = (&Shown, &Vec<Limit>)> {
        let under_way = |shown: &Shown| matches!(shown.state, CampaignState::Running | CampaignState::Paused);
        self.campaigns.iter().zip(&self.limits).filter(move |(shown, _)| under_way(shown))
    }
}

impl Gauges {
    /// What this process itself has.
    fn here(&self, engine: &Engine) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (waiting, resting) = engine.waiting();
        self.inputs.with_label_values(NONE).set(count(waiting));
        self.resting.with_label_values(NONE).set(count(resting));
        for (kind, free, all) in engine.job_slots() {
            self.slots.with_label_values(&[kind, "free"]).set(count(free));
            self.slots.with_label_values(&[kind, "taken"]).set(count(all.saturating_sub(free)));
        }
        let pool = engine.pool();
        let (size, idle) = (i64::from(pool.size()), count(pool.num_idle()));
        self.connections.with_label_values(&["idle"]).set(idle);
        self.connections.with_label_values(&["used"]).set((size - idle).max(0));
        let most = i64::from(pool.options().get_max_connections());
        self.connections_most.with_label_values(NONE).set(most);
    }

    /// What is not there any more is not shown any more.
    fn clear(&self) {
        for gauges in [
            &self.leads,
            &self.finished,
            &self.campaigns,
            &self.person_answered,
            &self.abandoned,
            &self.live,
            &self.second_calls,
            &self.accounts,
            &self.used,
            &self.allowed,
            &self.jobs,
            &self.aside,
            &self.news_waiting,
            &self.subscribers,
            &self.events,
            &self.size,
            &self.sessions,
            &self.sessions_most,
            &self.replicas,
            &self.dead,
            &self.table_bytes,
        ] {
            gauges.reset();
        }
        for gauges in [
            &self.due,
            &self.unknown,
            &self.rate,
            &self.jobs_oldest,
            &self.events_oldest,
            &self.nodes,
            &self.clocks,
            &self.overdue,
            &self.oldest,
            &self.behind,
        ] {
            gauges.reset();
        }
    }

    fn show(&self, reading: &Reading, engine: &Engine) {
        self.clear();
        self.show_leads(reading);
        self.show_calls(reading);
        self.show_limits(reading);
        self.show_queue(reading, engine);
        self.show_processes(reading);
        self.show_server(reading);
    }

    fn show_leads(&self, reading: &Reading) {
        for standing in &reading.standing {
            let (client, campaign) = (standing.client.to_string(), standing.campaign.to_string());
            let (client, campaign) = (client.as_str(), campaign.as_str());
            match standing.state {
                State::Finished => {
                    let outcome = standing.outcome.map_or("none", |outcome| outcome.name());
                    self.finished.with_label_values(&[client, campaign, outcome]).add(standing.count);
                }
                state => {
                    let reason = standing.reason.as_deref().unwrap_or_default();
                    let labels = [client, campaign, state.name(), reason];
                    self.leads.with_label_values(&labels).add(standing.count);
                }
            }
        }
        for (shown, _) in reading.under_way() {
            let labels = [shown.client.to_string(), shown.campaign.to_string()];
            let running = shown.state == CampaignState::Running;
            self.campaigns.with_label_values(&labels).set(running.into());
            self.due.with_label_values(&labels).set(0.0);
        }
        for of in &reading.abandonment {
            let labels = [of.client.to_string(), of.campaign.to_string()];
            self.person_answered.with_label_values(&labels).set(of.answered);
            self.abandoned.with_label_values(&labels).set(of.abandoned);
        }
        for (client, campaign, since) in &reading.due {
            let labels = [client.to_string(), campaign.to_string()];
            self.due.with_label_values(&labels).set(reading.ago(Some(*since)));
        }
    }

    fn show_calls(&self, reading: &Reading) {
        let provider = |account: AccountId| {
            let found = reading.accounts.iter().find(|known| known.account == account);
            found.map_or("unknown", |account| account.provider.name())
        };
        for live in &reading.live {
            let (client, campaign) = (live.client.to_string(), live.campaign.to_string());
            let account = live.account.to_string();
            let labels = [
                client.as_str(),
                campaign.as_str(),
                account.as_str(),
                provider(live.account),
                live.ledger.name(),
            ];
            self.live.with_label_values(&labels).set(live.count);
        }
        self.unknown.with_label_values(NONE).set(reading.ago(reading.odds.unknown_since));
        self.second_calls.with_label_values(NONE).set(reading.odds.second_calls);
        for account in &reading.accounts {
            let (client, name) = (account.client.to_string(), account.account.to_string());
            let state = match account {
                Account { enabled: false, .. } => "disabled",
                Account { held: true, .. } => "held",
                Account { paused: true, .. } => "paused",
                account if account.resting_until.is_some_and(|until| until > reading.now) => "resting",
                _ => "ready",
            };
            let labels = [client.as_str(), name.as_str(), account.provider.name(), state];
            self.accounts.with_label_values(&labels).set(1);
        }
    }

    fn show_limits(&self, reading: &Reading) {
        let live = |is: &dyn Fn(&Live) -> bool| -> i64 {
            reading.live.iter().filter(|live| is(live)).map(|live| live.count).sum()
        };
        for account in &reading.accounts {
            let mut limits = readable(&account.limits);
            let carriers = account.carrier_calls.and_then(|calls| u32::try_from(calls).ok());
            limits.extend(carriers.map(|max| Limit::Concurrent { max }));
            let used = live(&|live| live.account == account.account);
            self.show_limit([account.client.0, account.account.0], "account", &limits, used);
            let used = live(&|live| live.client == account.client);
            let limits = readable(&account.client_limits);
            self.show_limit([account.client.0, account.client.0], "client", &limits, used);
        }
        for (shown, limits) in reading.under_way() {
            let used = live(&|live| live.campaign == shown.campaign);
            self.show_limit([shown.client.0, shown.campaign.0], "campaign", limits, used);
        }
    }

    fn show_limit(&self, [client, of]: [Uuid; 2], scope: &str, limits: &[Limit], used: i64) {
        let (client, of) = (client.to_string(), of.to_string());
        let labels = [client.as_str(), scope, of.as_str()];
        let at_once = limits.iter().filter_map(|limit| match limit {
            Limit::Concurrent { max } => Some(i64::from(*max)),
            Limit::Rate { .. } | Limit::Delay { .. } | Limit::Spend { .. } => None,
        });
        if let Some(most) = at_once.min() {
            self.allowed.with_label_values(&labels).set(most);
            self.used.with_label_values(&labels).set(used);
        }
        let rates = limits.iter().filter_map(Limit::rate);
        let rates = rates.map(|(max, per)| f64::from(max) * 1_000.0 / real(per.num_milliseconds().max(1)));
        if let Some(least) = rates.reduce(f64::min) {
            self.rate.with_label_values(&labels).set(least);
        }
    }

    fn show_queue(&self, reading: &Reading, engine: &Engine) {
        for (kind, ..) in engine.job_slots() {
            self.jobs.with_label_values(&[kind, "waiting"]).set(0);
            self.jobs.with_label_values(&[kind, "running"]).set(0);
            self.jobs_oldest.with_label_values(&[kind]).set(0.0);
        }
        for queued in &reading.queue {
            let kind = queued.kind.as_str();
            self.jobs.with_label_values(&[kind, "waiting"]).set(queued.waiting);
            self.jobs.with_label_values(&[kind, "running"]).set(queued.running);
            self.jobs_oldest.with_label_values(&[kind]).set(reading.ago(queued.since));
        }
        self.aside.with_label_values(&["workflow"]).set(reading.odds.workflows_aside);
        self.aside.with_label_values(&["job"]).set(reading.odds.jobs_aside);
        self.news_waiting.with_label_values(NONE).set(reading.odds.news_waiting);
        for events in &reading.events {
            let client = events.client.to_string();
            let states = [("well", events.well), ("failing", events.failing), ("disabled", events.disabled)];
            for (state, count) in states {
                self.subscribers.with_label_values(&[client.as_str(), state]).set(count);
            }
            self.events.with_label_values(&[&client]).set(events.waiting);
            self.events_oldest.with_label_values(&[&client]).set(reading.ago(events.since));
        }
    }

    fn show_processes(&self, reading: &Reading) {
        for node in &reading.nodes {
            let labels = [node.name.as_str(), node.host.as_str(), &node.roles.join(",")];
            self.nodes.with_label_values(&labels).set(reading.ago(Some(node.seen_at)));
            let off = f64::from(node.clock_off_ms) / 1_000.0;
            self.clocks.with_label_values(&labels[..2]).set(off);
        }
        for (sweep, next_at) in &reading.sweeps {
            self.overdue.with_label_values(&[sweep]).set(reading.ago(Some(*next_at)));
        }
    }

    fn show_server(&self, reading: &Reading) {
        let server = &reading.server;
        self.size.with_label_values(NONE).set(server.bytes);
        for (state, count) in [("active", server.active), ("idle", server.idle), ("lock", server.locked)] {
            self.sessions.with_label_values(&[state]).set(count);
        }
        self.sessions_most.with_label_values(NONE).set(server.most.into());
        self.oldest.with_label_values(NONE).set(server.oldest_s);
        self.replicas.with_label_values(NONE).set(server.replicas);
        self.behind.with_label_values(NONE).set(server.behind_s);
        for table in &reading.tables {
            self.dead.with_label_values(&[&table.name]).set(table.dead);
            self.table_bytes.with_label_values(&[&table.name]).set(table.bytes);
        }
    }
}

impl Standing {
    /// What the server counts goes on from where it stood, and anew where the server began anew.
    fn count(&self, server: &gauges::Server) {
        let gauges = &self.gauges;
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, counter, now) in [
            ("commits", gauges.transactions.with_label_values(&["commit"]), server.commits),
            ("rollbacks", gauges.transactions.with_label_values(&["rollback"]), server.rollbacks),
            ("deadlocks", gauges.deadlocks.with_label_values(NONE), server.deadlocks),
            ("hit", gauges.pages.with_label_values(&["hit"]), server.pages_hit),
            ("read", gauges.pages.with_label_values(&["read"]), server.pages_read),
            ("wal", gauges.wal.with_label_values(NONE), server.wal_bytes),
        ] {
            let now = u64::try_from(now).unwrap_or_default();
            let before = counted.insert(name, now).unwrap_or_default();
            counter.inc_by(now.checked_sub(before).unwrap_or(now));
        }
    }
}

fn readable(limits: &Value) -> Vec<Limit> {
    // Those that cannot be read are alerted by admission, which dials nothing that they bound.
    Vec::deserialize(limits).unwrap_or_default()
}
