//! Gathers the inputs of each client into batches.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use outdial_workflows::ids::ClientId;
use outdial_workflows::input::Input;
use tokio::sync::{Notify, oneshot};

use super::{Engine, EngineError, Item, Reply, commit};
use crate::store::{self, Failure, PATIENCE, StoreError};
use crate::worker::words_of;

/// The most inputs in one commit. Beyond this a commit takes longer without costing less a head.
const BATCH: usize = 200;
/// The most inputs that may wait for a client. A webhook beyond it is answered 503, and the carrier sends it again.
const WAITING: usize = 20_000;
/// More quarantines than this within [`QUARANTINE_WINDOW`] are a bug, not rows: commits stop and alert.
const QUARANTINES: usize = 20;
/// See [`QUARANTINES`].
const QUARANTINE_WINDOW: Duration = Duration::from_secs(60);
/// How often a batch is tried again that met a conflict, before it waits as if the database were away.
const CONFLICTS: u32 = 5;
/// The longest pause between two tries while the database is away.
const AWAY_CAP: Duration = Duration::from_secs(2);

/// The most time that a commit is given while the database is slow.
const LONGEST_PATIENCE: Duration = Duration::from_secs(80);

type Answerer = oneshot::Sender<Result<Reply, EngineError>>;

/// The clients' queues.
#[derive(Default)]
pub(super) struct Gather {
    queues: Mutex<HashMap<ClientId, Queue>>,
    /// When workflows of a client were put into quarantine lately. Outlives a committer, which
    /// ends whenever its client's queue is empty.
    quarantined: Mutex<HashMap<ClientId, VecDeque<Instant>>>,
    /// Told each time that a workflow is put into quarantine.
    one_more: Notify,
}

impl Gather {
    fn note_quarantine(&self, client: ClientId) {
        let mut quarantined = self.quarantined.lock().unwrap_or_else(PoisonError::into_inner);
        quarantined.entry(client).or_default().push_back(Instant::now());
        self.one_more.notify_waiters();
    }

    /// The clients whose commits rest.
    pub(super) fn resting(&self) -> Vec<ClientId> {
        let clients: Vec<ClientId> =
            self.quarantined.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        clients.into_iter().filter(|client| self.too_many_quarantined(*client)).collect()
    }

    /// Returns once a client's commits rest; at once if they do.
    pub(super) async fn rests(&self, client: ClientId) {
        loop {
            let one_more = self.one_more.notified();
            if self.too_many_quarantined(client) {
                return;
            }
            one_more.await;
        }
    }

    /// Whether more of a client's workflows were put into quarantine lately than rows explain.
    pub(super) fn too_many_quarantined(&self, client: ClientId) -> bool {
        let mut quarantined = self.quarantined.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lately) = quarantined.get_mut(&client) else { return false };
        lately.retain(|at| at.elapsed() <= QUARANTINE_WINDOW);
        let too_many = lately.len() > QUARANTINES;
        if lately.is_empty() {
            quarantined.remove(&client);
        }
        too_many
    }
}

/// Takes a panic for the fault of one of the rows, to be found and put aside like any other.
pub(super) async fn unless_it_panics<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let panicked = |panic: Box<dyn Any + Send>| Err(StoreError::Panicked(words_of(panic.as_ref())));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(panicked)
}

/// Puts the workflow of an item aside on which a commit failed for its data.
pub(super) async fn put_aside(
    engine: &Engine,
    client: ClientId,
    item: &Item,
    error: &StoreError,
) -> EngineError {
    engine.inner.gather.note_quarantine(client);
    let text = chain(error);
    tracing::error!(client.id = %client, lead.id = %item.lead, error = text,
        "a workflow could not be processed and is put into quarantine");
    match store::in_time(commit::quarantine(engine, client, item, &text)).await {
        Ok(()) => EngineError::Quarantined(text),
        Err(error) => EngineError::Store(error),
    }
}

/// One client's waiting inputs. Inputs of calls already made go before new dials.
#[derive(Default)]
struct Queue {
    facts: VecDeque<(Item, Answerer)>,
    dials: VecDeque<(Item, Answerer)>,
}

impl Queue {
    fn push(&mut self, item: Item, answerer: Answerer) {
        let queue = match item.input {
            Input::Submit { .. } => &mut self.dials,
            _ => &mut self.facts,
        };
        queue.push_back((item, answerer));
    }

    fn take(&mut self) -> Vec<(Item, Answerer)> {
        let facts = self.facts.len().min(BATCH);
        let dials = self.dials.len().min(BATCH - facts);
        self.facts.drain(..facts).chain(self.dials.drain(..dials)).collect()
    }

    fn len(&self) -> usize {
        self.facts.len() + self.dials.len()
    }
}

/// Puts an item into its client's queue, and waits for the answer. The first item of an idle client
/// starts its committer, which ends when the queue is empty.
pub(super) async fn put(engine: &Engine, client: ClientId, item: Item) -> Result<Reply, EngineError> {
    let (answerer, answer) = oneshot::channel();
    let idle = {
        let mut queues = engine.inner.gather.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = !queues.contains_key(&client);
        let queue = queues.entry(client).or_default();
        if queue.len() >= WAITING {
            return Err(EngineError::Full);
        }
        queue.push(item, answerer);
        idle
    };
    if idle {
        engine.inner.tasks.spawn(Committer::new(engine.clone(), client).run());
    }
    answer.await.unwrap_or(Err(EngineError::Stopping))
}

struct Committer {
    engine: Engine,
    client: ClientId,
}

impl Committer {
    fn new(engine: Engine, client: ClientId) -> Self {
        Self { engine, client }
    }

    async fn run(self) {
        while let Some(batch) = self.next_batch() {
            let (items, answerers): (Vec<Item>, Vec<Answerer>) = batch.into_iter().unzip();
            let answers = self.commit(Arc::new(items)).await;
            for (answerer, answer) in answerers.into_iter().zip(answers) {
                // Whoever asked may have gone; what was decided stays decided.
                let _ = answerer.send(answer);
            }
        }
    }

    /// The next batch; or `None`, and the queue is gone, when nothing waits.
    fn next_batch(&self) -> Option<Vec<(Item, Answerer)>> {
        let mut queues = self.engine.inner.gather.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = queues.get_mut(&self.client).map(Queue::take).filter(|batch| !batch.is_empty());
        if batch.is_none() {
            queues.remove(&self.client);
        }
        batch
    }

    /// Commits items, halving them where one is at fault, until each has an answer.
    async fn commit(&self, items: Arc<Vec<Item>>) -> Vec<Result<Reply, EngineError>> {
        let mut answers = Vec::with_capacity(items.len());
        let mut ranges: VecDeque<Range<usize>> = std::iter::once(0..items.len()).collect();
        while let Some(range) = ranges.pop_front() {
            self.rest_if_too_many_quarantines().await;
            match self.try_until_decided(&items[range.clone()]).await {
                Ok(taken) => answers.extend(taken),
                Err(error) if range.len() == 1 => {
                    let item = &items[range.start];
                    answers.push(Err(put_aside(&self.engine, self.client, item, &error).await));
                }
                Err(_) => {
                    let middle = range.start + range.len() / 2;
                    ranges.push_front(middle..range.end);
                    ranges.push_front(range.start..middle);
                }
            }
        }
        answers
    }

    /// Tries until the batch has committed or a row of it is at fault.
    async fn try_until_decided(&self, items: &[Item]) -> Result<Vec<Result<Reply, EngineError>>, StoreError> {
        let mut pause = Duration::from_millis(20);
        let mut conflicts = 0;
        let mut patience = PATIENCE;
        loop {
            let batch = commit::batch(&self.engine, self.client, items, patience);
            let error = match unless_it_panics(batch).await {
                Ok(taken) => return Ok(taken),
                Err(error) => error,
            };
            if let StoreError::Silent { .. } = error {
                // It may be slow rather than gone, and then the same haste would never see an end.
                patience = (patience * 2).min(LONGEST_PATIENCE);
            }
            match error.failure() {
                Failure::Data => return Err(error),
                Failure::Conflict if conflicts < CONFLICTS => conflicts += 1,
                Failure::Conflict | Failure::Wait => {
                    tracing::warn!(client.id = %self.client, error = &error as &dyn std::error::Error,
                        inputs = items.len(), "a batch could not be committed and is tried again");
                    if self.engine.stopping().is_cancelled() && pause >= AWAY_CAP {
                        return Ok(items.iter().map(|_| Err(EngineError::Stopping)).collect());
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(AWAY_CAP);
                }
            }
        }
    }

    async fn rest_if_too_many_quarantines(&self) {
        if !self.engine.inner.gather.too_many_quarantined(self.client) {
            return;
        }
        tracing::error!(client.id = %self.client,
            "ALERT: too many workflows fail: this is a bug, not a row; the client's commits rest for a minute");
        tokio::select! {
            () = tokio::time::sleep(QUARANTINE_WINDOW) => {}
            () = self.engine.stopping().cancelled() => {}
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
