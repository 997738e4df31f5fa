//! Files of leads: begun, taken in page by page, gone on with after a crash, undone.
//!
//! Each page of rows is one transaction with the file's own place and counts, so that whoever takes it up
//! after a crash goes on behind it, and every row counts once. A file that was sent to the API is kept until
//! it is taken in, by a job; the command line reads its file itself.

use std::io::{Cursor, Read, Seek};

use outdial_workflows::Moment;
use outdial_workflows::happening::{CampaignEvent, Imported};
use outdial_workflows::ids::{CampaignId, ClientId, JobId, new_id};
use outdial_workflows::input::Command;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::bulk::{self, Filter, Operation};
use super::leads::{self, FilePage, LeadSpec, PAGE};
use super::{By, OperationError};
use crate::engine::Engine;
use crate::engine::wake::Signal;
use crate::import::{ImportError, Options, Problem, Row, Summary, read};
use crate::jobs::{Job, import::TakeIn};
use crate::store::audit::Entry;
use crate::store::imports::Counts;
pub use crate::store::imports::{Import, ImportState, Note, NoteKind};
use crate::store::queue::NewJob;
use crate::store::{self, StoreError};

/// How many problems of a file are kept with their line, column and reason; further ones are counted.
pub const PROBLEMS_KEPT: usize = 100_000;
/// How many rows that added nothing are kept with their line; further ones are counted.
pub const DUPLICATES_KEPT: usize = 1_000;
/// How much of a file one row of the database holds.
const PART_BYTES: usize = 1024 * 1024;
/// The most characters of a file's name.
pub const NAME_CHARS: usize = 200;

/// What somebody sends.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The tenant.
    pub client: ClientId,
    /// The campaign that it is for.
    pub campaign: CampaignId,
    /// What they call it; a longer name is cut.
    pub name: &'a str,
    /// What they say of it.
    pub options: &'a Options,
    /// Who they are.
    pub by: By<'a>,
}

impl Sent<'_> {
    fn import(&self, state: ImportState, digest: Option<&[u8; 32]>, now: Moment) -> Import {
        Import {
            client: self.client,
            id: new_id(now),
            campaign: self.campaign,
            name: self.name.chars().take(NAME_CHARS).collect(),
            digest: digest.map(|digest| digest.to_vec()),
            options: serde_json::to_value(self.options).unwrap_or_default(),
            state,
            failed_for: None,
            line: 0,
            counts: Counts::default(),
            leads: None,
            actor: self.by.actor.to_owned(),
            reason: self.by.reason.map(str::to_owned),
            created_at: now,
            changed_at: now,
        }
    }

    async fn insert(
        &self,
        conn: &mut PgConnection,
        new: &Import,
    ) -> Result<Result<(), OperationError>, StoreError> {
        if store::campaigns::lock_state(conn, self.client, self.campaign).await?.is_none() {
            return Ok(Err(OperationError::NotFound { kind: "campaign", given: self.campaign.to_string() }));
        }
        store::imports::insert(conn, new).await?;
        note(conn, new, "import", self.by, new.created_at).await?;
        Ok(Ok(()))
    }
}

/// Begins to take a file in whose content has this digest, or goes on with it: one that was begun with the
/// same content and the same options and has not ended is returned with the place where it stands.
///
/// # Errors
/// If the campaign does not exist.
pub async fn begin(engine: &Engine, sent: Sent<'_>, digest: &[u8; 32]) -> Result<Import, OperationError> {
    let begun = engine.allow(async |conn, now| {
        let new = sent.import(ImportState::Running, Some(digest), now);
        let before = store::imports::unfinished(conn, sent.client, sent.campaign, digest).await?;
        if let Some(before) = before.filter(|before| before.options == new.options) {
            return Ok(Ok(before));
        }
        Ok(sent.insert(conn, &new).await?.map(|()| new))
    });
    begun.await?
}

/// Takes a whole file in that can be read twice: once to know it by its content, and once for its rows.
///
/// # Errors
/// As [`begin`] and [`take_in`], or if it cannot be read.
pub async fn file(
    engine: &Engine,
    sent: Sent<'_>,
    mut file: impl Read + Seek + Send + 'static,
    progress: impl FnMut(&Import),
) -> Result<Import, OperationError> {
    let digest = digest(&mut file).map_err(|error| OperationError::from(sqlx::Error::Io(error)))?;
    let import = begin(engine, sent, &digest).await?;
    take_in(engine, import, file, progress).await
}

/// SHA-256 of a file, which is wound back.
///
/// # Errors
/// If it cannot be read.
pub fn digest(mut file: impl Read + Seek) -> std::io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => digest.update(&piece[..read]),
        }
    }
    file.rewind()?;
    Ok(digest.finalize().into())
}

/// What came of an import, with the first of its problems, and the one that ended the reading.
///
/// # Errors
/// The database.
pub async fn summary(engine: &Engine, import: &Import) -> Result<Summary, OperationError> {
    let kept = i64::try_from(crate::import::PROBLEMS_KEPT).unwrap_or(i64::MAX);
    let mut problems = notes(engine, import, Some(NoteKind::Problem), 0, kept).await?;
    let ended = import.counts.rest_unread && problems.last().is_some_and(|last| last.line < import.line);
    if ended {
        problems.pop();
        problems.extend(notes(engine, import, Some(NoteKind::Problem), import.line - 1, 1).await?);
    }
    Ok(Summary::of(import, problems))
}

/// A file that is coming in, piece by piece.
pub struct Receiving {
    engine: Engine,
    import: Import,
    part: i32,
    waiting: Vec<u8>,
    digest: Sha256,
}

/// Begins to receive a file.
///
/// # Errors
/// If the campaign does not exist.
pub async fn receive(engine: &Engine, sent: Sent<'_>) -> Result<Receiving, OperationError> {
    let begun = engine.allow(async |conn, now| {
        let new = sent.import(ImportState::Receiving, None, now);
        Ok(sent.insert(conn, &new).await?.map(|()| new))
    });
    let import = begun.await??;
    Ok(Receiving { engine: engine.clone(), import, part: 0, waiting: vec![], digest: Sha256::new() })
}

impl Receiving {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// The database.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), OperationError> {
        self.digest.update(bytes);
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= PART_BYTES {
            let rest = self.waiting.split_off(PART_BYTES);
            let part = std::mem::replace(&mut self.waiting, rest);
            self.keep(&part).await?;
        }
        Ok(())
    }

    async fn keep(&mut self, part: &[u8]) -> Result<(), OperationError> {
        let mut conn = self.engine.pool().acquire().await?;
        let kept = store::imports::keep(&mut conn, (self.import.client, self.import.id), self.part, part);
        store::in_time(kept).await?;
        self.part += 1;
        Ok(())
    }

    /// The import's id.
    pub fn id(&self) -> Uuid {
        self.import.id
    }

    /// That was all: a job takes it in. Once this returns, it is not forgotten.
    ///
    /// # Errors
    /// The database.
    pub async fn finish(self) -> Result<Import, OperationError> {
        self.finish_with(async |_: &mut PgConnection, _| Ok(true)).await
    }

    /// As [`Self::finish`], with what `also` writes in the same transaction. Should that say that it came to
    /// nothing, nobody wants the import any more, and it fails.
    ///
    /// # Errors
    /// If it came to nothing; the database.
    pub(crate) async fn finish_with(
        mut self,
        also: impl AsyncFnOnce(&mut PgConnection, Moment) -> Result<bool, StoreError>,
    ) -> Result<Import, OperationError> {
        let last = std::mem::take(&mut self.waiting);
        if !last.is_empty() {
            self.keep(&last).await?;
        }
        let (client, id) = (self.import.client, self.import.id);
        let digest: [u8; 32] = self.digest.finalize().into();
        let queued = self.engine.allow(async |conn, now| {
            if !also(conn, now).await? {
                let states = (ImportState::Receiving, ImportState::Failed);
                store::imports::turn(conn, (client, id), states, Some("it was overtaken"), now).await?;
                store::imports::erase_parts(conn, (client, id)).await?;
                return Ok(Err("it was overtaken"));
            }
            if !store::imports::received(conn, (client, id), &digest, now).await? {
                return Ok(Err("it took too long to come in; send it again"));
            }
            let args = serde_json::to_value(TakeIn { client, import: id }).unwrap_or_default();
            let kind = TakeIn::KIND;
            let job = NewJob { id: JobId::new(now), kind, step: None, args, priority: 3, born_claimed: None };
            store::queue::insert(conn, client, &[job], now).await?;
            store::notify(conn, &QUEUED.payload(client)).await?;
            Ok(Ok(()))
        });
        queued.await?.map_err(|why| OperationError::NotPossible(why.into()))?;
        self.engine.hub().signal(client, QUEUED);
        find(&self.engine, &id.to_string()).await
    }
}

const QUEUED: Signal = Signal { jobs: true, admission: false };

/// The content of a file that was sent to the API. It is read on a thread that may wait.
pub(crate) struct Content {
    handle: Handle,
    engine: Engine,
    key: (ClientId, Uuid),
    part: i32,
    bytes: Cursor<Vec<u8>>,
}

impl Content {
    pub(crate) fn of(engine: &Engine, key: (ClientId, Uuid)) -> Self {
        Self { handle: Handle::current(), engine: engine.clone(), key, part: 0, bytes: Cursor::default() }
    }
}

impl Read for Content {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let read = self.bytes.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            let part = self.handle.block_on(store::in_time(async {
                let mut conn = self.engine.pool().acquire().await?;
                store::imports::part(&mut conn, self.key, self.part).await
            }));
            match part.map_err(std::io::Error::other)? {
                None => return Ok(0),
                Some(bytes) => self.bytes = Cursor::new(bytes),
            }
            self.part += 1;
        }
    }
}

/// Rows that were read together.
struct Page {
    leads: Vec<LeadSpec>,
    lines: Vec<i64>,
    problems: Vec<Note>,
    last: i64,
    rest_unread: bool,
}

/// Takes the rows of a running import in, from where it stands; `progress` is told after every page. Rows are
/// read on a thread of their own, a page or two ahead of the database.
///
/// # Errors
/// If somebody else takes it in, or it was undone meanwhile; if the process is stopping; the database. It can be
/// gone on with after each.
pub async fn take_in(
    engine: &Engine,
    import: Import,
    file: impl Read + Send + 'static,
    mut progress: impl FnMut(&Import),
) -> Result<Import, OperationError> {
    let options: Options = serde_json::from_value(import.options.clone()).map_err(|problem| {
        let (table, problem) = ("imports", problem.to_string());
        StoreError::Unreadable { table, id: import.id, problem }
    })?;
    let (sender, mut pages) = mpsc::channel(1);
    let from = import.line;
    tokio::task::spawn_blocking(move || read_pages(file, &options, from, &sender));
    let mut import = import;
    while let Some(page) = pages.recv().await {
        let page = match page {
            Ok(page) => page,
            Err(ImportError::Read(error)) => return Err(StoreError::Database(sqlx::Error::Io(error)).into()),
            Err(error) => {
                end(engine, &import, ImportState::Failed, Some(&error.to_string())).await?;
                return find(engine, &import.id.to_string()).await;
            }
        };
        let counts = &import.counts;
        let room = |most: usize, used: i64| most.saturating_sub(usize::try_from(used).unwrap_or(most));
        let rows = FilePage {
            import: import.id,
            lines: (import.line, page.last),
            leads: &page.lines,
            problems: &page.problems,
            room: (room(PROBLEMS_KEPT, counts.problems), room(DUPLICATES_KEPT, counts.duplicates)),
            rest_unread: page.rest_unread,
        };
        let (client, campaign, actor) = (import.client, import.campaign, &import.actor);
        let accepted =
            leads::accept_rows(engine, client, campaign, &page.leads, None, actor, Some(&rows)).await?;
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        import.line = page.last;
        import.counts.rows += count(page.leads.len() + page.problems.len());
        import.counts.accepted += count(accepted.leads.len());
        import.counts.duplicates += count(accepted.duplicates);
        import.counts.consents += count(accepted.consents);
        import.counts.problems += count(page.problems.len());
        import.counts.rest_unread |= page.rest_unread;
        progress(&import);
        if engine.is_stopping() {
            return Err(crate::engine::EngineError::Stopping.into());
        }
    }
    end(engine, &import, ImportState::Done, None).await?;
    find(engine, &import.id.to_string()).await
}

/// Reads page by page what stands behind the line `from`.
fn read_pages(
    file: impl Read,
    options: &Options,
    from: i64,
    pages: &mpsc::Sender<Result<Page, ImportError>>,
) {
    let line = |line: u64| i64::try_from(line).unwrap_or(i64::MAX);
    let of = |row: &Result<Row, Problem>| match row {
        Ok(row) => line(row.line),
        Err(problem) => line(problem.line),
    };
    let mut rows = match read(file, options) {
        Ok(rows) => rows.skip_while(|row| of(row) <= from),
        // What was read before the file's own end stands; a header that was good is good.
        Err(error) => return drop(pages.blocking_send(Err(error))),
    };
    loop {
        let mut page =
            Page { leads: vec![], lines: vec![], problems: vec![], last: from, rest_unread: false };
        for row in rows.by_ref().take(PAGE) {
            page.last = of(&row);
            match row {
                Ok(row) => {
                    page.lines.push(line(row.line));
                    page.leads.push(row.spec);
                }
                Err(problem) => {
                    page.rest_unread |= problem.rest_unread;
                    page.problems.push(noted(problem));
                }
            }
        }
        if page.leads.is_empty() && page.problems.is_empty() || pages.blocking_send(Ok(page)).is_err() {
            return;
        }
    }
}

fn noted(problem: Problem) -> Note {
    let Problem { line, column, value, problem, rest_unread: _ } = problem;
    let line = i64::try_from(line).unwrap_or(i64::MAX);
    Note { line, note: NoteKind::Problem, column, value, problem }
}

/// Ends a running import, tells of it, and erases what was kept of its content.
async fn end(
    engine: &Engine,
    import: &Import,
    state: ImportState,
    failed_for: Option<&str>,
) -> Result<(), OperationError> {
    let key = (import.client, import.id);
    let ended = engine.allow(async |conn, now| {
        if store::imports::turn(conn, key, (ImportState::Running, state), failed_for, now).await? {
            let finished = CampaignEvent::ImportFinished(imported(import, failed_for));
            store::journal::tell(conn, (import.client, import.campaign), &finished, now).await?;
        }
        store::imports::erase_parts(conn, key).await
    });
    ended.await?;
    engine.hub().happen();
    Ok(())
}

fn imported(import: &Import, failed_for: Option<&str>) -> Imported {
    let Counts { rows, accepted, duplicates, consents, problems, rest_unread } = import.counts;
    let (import, failed_for) = (import.id, failed_for.map(str::to_owned));
    Imported { import, failed_for, rows, accepted, duplicates, consents, problems, rest_unread }
}

/// The import with this id.
///
/// # Errors
/// If there is none.
pub async fn find(engine: &Engine, given: &str) -> Result<Import, OperationError> {
    let not_found = || OperationError::NotFound { kind: "import", given: given.to_owned() };
    let id = Uuid::try_parse(given).map_err(|_| not_found())?;
    let mut conn = engine.pool().acquire().await?;
    store::imports::find(&mut conn, id).await?.ok_or_else(not_found)
}

/// A campaign's imports before `before`, the latest first.
///
/// # Errors
/// The database.
pub async fn list(
    engine: &Engine,
    client: ClientId,
    campaign: CampaignId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Import>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::imports::list(&mut conn, client, campaign, before, limit).await?)
}

/// What is noted about an import's rows behind the line `after`, in their order.
///
/// # Errors
/// The database.
pub async fn notes(
    engine: &Engine,
    import: &Import,
    kind: Option<NoteKind>,
    after: i64,
    limit: i64,
) -> Result<Vec<Note>, OperationError> {
    let mut conn = engine.pool().acquire().await?;
    Ok(store::imports::notes(&mut conn, (import.client, import.id), kind, after, limit).await?)
}

/// Undoes an import: those of its leads that were never called end, and can be imported anew; those that were
/// called stay. The consents that it recorded end. A job carries it out, page by page; one that is still
/// being taken in stops.
///
/// # Errors
/// If there is none, or it was undone before.
pub async fn undo(engine: &Engine, given: &str, by: By<'_>) -> Result<Operation, OperationError> {
    let import = find(engine, given).await?;
    let (client, key) = (import.client, (import.client, import.id));
    let undone = engine.allow(async |conn, now| {
        let mut undone = false;
        for state in [ImportState::Done, ImportState::Running, ImportState::Failed, ImportState::Receiving] {
            undone =
                undone || store::imports::turn(conn, key, (state, ImportState::Undone), None, now).await?;
        }
        if !undone {
            return Ok(None);
        }
        store::imports::erase_parts(conn, key).await?;
        note(conn, &import, "import undo", by, now).await?;
        let filter = Filter { campaign: Some(import.campaign), import: Some(import.id), ..Filter::default() };
        bulk::write(conn, client, &filter, Command::Undo, by, now).await.map(Some)
    });
    let undone = undone.await?;
    let undone = undone.ok_or_else(|| OperationError::NotPossible("it was undone already".into()))?;
    engine.hub().signal(client, bulk::QUEUED);
    Ok(Operation::of(client, undone))
}

/// Ends the consents that an import recorded, a page at a time; nobody is dialled meanwhile on their ground.
pub(crate) async fn end_consents(engine: &Engine, client: ClientId, import: Uuid) -> Result<(), StoreError> {
    let mut conn = engine.pool().acquire().await?;
    let Some(found) = store::imports::find(&mut conn, import).await? else { return Ok(()) };
    drop(conn);
    if found.counts.consents == 0 {
        return Ok(());
    }
    // Ids begin with the moment they were made at: its consents lie between its own first and last.
    let last = new_id(found.changed_at + chrono::TimeDelta::milliseconds(1));
    let mut after = found.id;
    loop {
        let page = engine.forbid(client, async |conn, now| {
            store::imports::end_consents(conn, (client, import), (after, last), bulk::PAGE, now).await
        });
        match page.await? {
            Some(passed) => after = passed,
            None => return Ok(()),
        }
    }
}

async fn note(
    conn: &mut PgConnection,
    import: &Import,
    action: &str,
    By { actor, reason }: By<'_>,
    now: Moment,
) -> Result<(), StoreError> {
    let details: Value = json!({ "name": import.name, "campaign": import.campaign });
    let entry = Entry { actor, action, subject: "import", id: import.id, reason, details: &details };
    store::audit::note(conn, import.client, entry, now).await
}
