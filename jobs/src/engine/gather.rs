//! Gathers the inputs of each client into batches.

use std::any::Any;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use outdial_workflows::ids::{ClientId, LeadId};
use outdial_workflows::input::Input;
use tokio::sync::{Notify, oneshot};

use super::{Engine, EngineError, Item, Reply, commit};
use crate::store::{self, Failure, PATIENCE, StoreError};
use crate::worker::words_of;

/// The most inputs in one commit. Beyond this a commit takes longer without costing less a head.
const BATCH: usize = 200;
/// The most batches of a client that commit at once. While one waits for its turn, its round trips or
/// the disk, another has the processor.
const COMMITTERS: usize = 3;
/// As many inputs have to wait before another batch is begun beside those that commit: below
/// that, gathering further costs less than a commit of its own.
const WORTH_A_COMMIT: usize = 50;
/// With fewer waiting at the end of a commit, the next gathers for so long. Only under load is anything
/// waiting then; a statement costs about the same for one input as for ten.
const GATHERS_FOR: Duration = Duration::from_millis(3);
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

    /// How many inputs wait.
    pub(super) fn waiting(&self) -> usize {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).values().map(Queue::len).sum()
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
    engine.metrics().quarantined("workflow");
    let text = chain(error);
    tracing::error!(client.id = %client, lead.id = %item.lead, error = text,
        "a workflow could not be processed and is put into quarantine");
    match store::in_time(commit::quarantine(engine, client, item, &text)).await {
        Ok(()) => EngineError::Quarantined(text),
        Err(error) => EngineError::Store(error),
    }
}

type Waiting = (Item, Answerer);

/// One client's waiting inputs. Inputs of calls already made go before new dials.
#[derive(Default)]
struct Queue {
    facts: VecDeque<Waiting>,
    dials: VecDeque<Waiting>,
    committers: usize,
    /// The leads of the batches that commit now. Further inputs about them wait, so that each
    /// lead's are taken in the order in which they came, and no batch waits for another's locks.
    busy: HashSet<LeadId>,
}

impl Queue {
    fn push(&mut self, item: Item, answerer: Answerer) {
        let queue = match item.input {
            Input::Submit { .. } => &mut self.dials,
            _ => &mut self.facts,
        };
        queue.push_back((item, answerer));
    }

    fn take(&mut self) -> Vec<Waiting> {
        let mut batch = vec![];
        for queue in [&mut self.facts, &mut self.dials] {
            let mut passed_over = vec![];
            while batch.len() < BATCH
                && let Some(next) = queue.pop_front()
            {
                let chosen = if self.busy.contains(&next.0.lead) { &mut passed_over } else { &mut batch };
                chosen.push(next);
            }
            passed_over.into_iter().rev().for_each(|waiting| queue.push_front(waiting));
        }
        self.busy.extend(batch.iter().map(|(item, _)| item.lead));
        batch
    }

    /// Whether one more committer has something to do.
    fn wants_committer(&self) -> bool {
        self.committers == 0 || (self.committers < COMMITTERS && self.len() >= WORTH_A_COMMIT)
    }

    fn len(&self) -> usize {
        self.facts.len() + self.dials.len()
    }
}

/// Puts an item into its client's queue, and waits for the answer. The first item of an idle client
/// starts a committer, and a long queue starts more; they end when they find nothing to take.
pub(super) async fn put(engine: &Engine, client: ClientId, item: Item) -> Result<Reply, EngineError> {
    let (answerer, answer) = oneshot::channel();
    let start = {
        let mut queues = engine.inner.gather.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(client).or_default();
        if queue.len() >= WAITING {
            return Err(EngineError::Full);
        }
        queue.push(item, answerer);
        let start = queue.wants_committer();
        queue.committers += usize::from(start);
        start
    };
    if start {
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
        let mut done = vec![];
        while let Some(batch) = self.next_batch(&done) {
            let (items, answerers): (Vec<Item>, Vec<Answerer>) = batch.into_iter().unzip();
            done = items.iter().map(|item| item.lead).collect();
            let answers = self.commit(Arc::new(items)).await;
            for (answerer, answer) in answerers.into_iter().zip(answers) {
                // Whoever asked may have gone; what was decided stays decided.
                let _ = answerer.send(answer);
            }
            if self.is_worth_gathering_for() {
                tokio::time::sleep(GATHERS_FOR).await;
            }
        }
    }

    /// Whether something waits, and too little for a commit at once.
    fn is_worth_gathering_for(&self) -> bool {
        let queues = self.engine.inner.gather.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get(&self.client).is_some_and(|queue| (1..WORTH_A_COMMIT).contains(&queue.len()))
    }

    /// The next batch, now that the leads of the last one are `done`. Without one, this committer ends:
    /// what waits for the leads of another batch is taken by that one's committer.
    fn next_batch(&self, done: &[LeadId]) -> Option<Vec<Waiting>> {
        let mut queues = self.engine.inner.gather.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.get_mut(&self.client)?;
        for lead in done {
            queue.busy.remove(lead);
        }
        let batch = queue.take();
        if !batch.is_empty() {
            return Some(batch);
        }
        queue.committers -= 1;
        if queue.committers == 0 {
            queues.remove(&self.client);
        }
        None
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
            let failure = error.failure();
            match failure {
                Failure::Data => {}
                Failure::Conflict => self.engine.metrics().commit_retried("conflict"),
                Failure::Wait => self.engine.metrics().commit_retried("away"),
            }
            match failure {
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn waiting(lead: u128) -> Waiting {
        let item = Item { lead: LeadId(Uuid::from_u128(lead)), input: Input::Timer, lease: None };
        (item, oneshot::channel().0)
    }

    fn leads(batch: &[Waiting]) -> Vec<u128> {
        batch.iter().map(|(item, _)| item.lead.0.as_u128()).collect()
    }

    #[test]
    fn inputs_about_a_lead_whose_batch_commits_wait_for_it_in_their_order() {
        let mut queue = Queue::default();
        queue.facts.extend([1, 2, 1].map(waiting));
        assert_eq!(leads(&queue.take()), [1, 2, 1]);
        queue.facts.extend([3, 2, 4, 1, 2].map(waiting));
        assert_eq!(leads(&queue.take()), [3, 4]);
        assert_eq!(leads(&queue.take()), [0; 0]);
        queue.busy.remove(&LeadId(Uuid::from_u128(2)));
        assert_eq!(leads(&queue.take()), [2, 2]);
        assert_eq!(queue.len(), 1, "the first lead's is still held back");
    }

    #[test]
    fn a_second_batch_begins_only_when_it_is_worth_a_commit() {
        let mut queue = Queue::default();
        assert!(queue.wants_committer(), "an idle client's first input starts at once");
        queue.committers = 1;
        queue.facts.extend((1..50).map(waiting));
        assert!(!queue.wants_committer());
        queue.facts.push_back(waiting(50));
        assert!(queue.wants_committer());
        queue.committers = COMMITTERS;
        assert!(!queue.wants_committer());
    }
}
