//! Signals: what a commit made possible, told to whoever waits for it, in this process
//! at once and in others by one notification a commit.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use outdial_workflows::ids::{AttemptRef, ClientId};
use tokio::sync::{Notify, broadcast, watch};

/// What a commit made possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    /// Jobs were queued.
    pub jobs: bool,
    /// A lead is due, a slot is free, or a campaign runs: admission has work.
    pub admission: bool,
}

impl Signal {
    /// Jobs were queued, and nothing else happened.
    pub const JOBS: Self = Self { jobs: true, admission: false };
    /// Admission has work, and nothing else happened.
    pub const ADMISSION: Self = Self { jobs: false, admission: true };

    /// Nothing.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// As it travels between processes: letters, then the client.
    pub fn payload(self, client: ClientId) -> String {
        let jobs = if self.jobs { "j" } else { "" };
        let admission = if self.admission { "a" } else { "" };
        format!("{jobs}{admission}:{client}")
    }

    fn parse(payload: &str) -> Option<(Self, ClientId)> {
        let (letters, client) = payload.split_once(':')?;
        let signal = Self { jobs: letters.contains('j'), admission: letters.contains('a') };
        Some((signal, client.parse().ok()?))
    }
}

/// Where signals meet. A signal that nobody waits for yet is kept until somebody does.
#[derive(Debug)]
pub struct Hub {
    jobs: Notify,
    admission: Notify,
    dirty: Mutex<HashSet<ClientId>>,
    /// Something was committed, here or elsewhere: journals may hold more.
    happened: watch::Sender<()>,
    /// Subscribers came or went since somebody looked.
    subscribers: AtomicBool,
    /// Conversations in which something was said.
    said: broadcast::Sender<AttemptRef>,
}

/// So many turns may be told of before whoever follows a conversation has to look by itself what it missed.
const UNHEARD: usize = 256;

impl Default for Hub {
    fn default() -> Self {
        Self {
            jobs: Notify::default(),
            admission: Notify::default(),
            dirty: Mutex::default(),
            happened: watch::Sender::default(),
            subscribers: AtomicBool::default(),
            said: broadcast::Sender::new(UNHEARD),
        }
    }
}

/// What is announced when subscribers come or go.
pub(crate) const SUBSCRIBERS: &str = "subscribers";

impl Hub {
    /// Passes a signal on.
    pub fn signal(&self, client: ClientId, signal: Signal) {
        self.happen();
        if signal.jobs {
            self.jobs.notify_one();
        }
        if signal.admission {
            self.dirty.lock().unwrap_or_else(PoisonError::into_inner).insert(client);
            self.admission.notify_one();
        }
    }

    /// Something was committed.
    pub fn happen(&self) {
        self.happened.send_replace(());
    }

    /// Tells of commits from now on.
    pub fn happenings(&self) -> watch::Receiver<()> {
        self.happened.subscribe()
    }

    /// Something was said in a conversation, or it has ended.
    pub fn say(&self, attempt: AttemptRef) {
        // Nobody may be following.
        let _ = self.said.send(attempt);
    }

    /// Tells in which conversations something is said from now on.
    pub fn sayings(&self) -> broadcast::Receiver<AttemptRef> {
        self.said.subscribe()
    }

    /// Subscribers came or went.
    pub fn change_subscribers(&self) {
        self.subscribers.store(true, Ordering::Release);
        self.happen();
    }

    /// Whether subscribers came or went since this was last asked.
    pub fn subscribers_changed(&self) -> bool {
        self.subscribers.swap(false, Ordering::AcqRel)
    }

    /// Passes on what another process announced. What cannot be read is passed over:
    /// it may come from a newer version, and the slow sweeps cover it.
    pub fn heard(&self, payload: &str) {
        self.happen();
        if payload == SUBSCRIBERS {
            self.change_subscribers();
        }
        if let Some((signal, client)) = Signal::parse(payload) {
            self.signal(client, signal);
        }
    }

    /// Something may have been missed: wakes everybody who waits for jobs.
    pub fn missed_some(&self) {
        self.jobs.notify_one();
        self.admission.notify_one();
        self.change_subscribers();
    }

    /// Waits for jobs.
    pub async fn jobs(&self) {
        self.jobs.notified().await;
    }

    /// Waits for clients that admission should look at.
    pub async fn admission(&self) {
        self.admission.notified().await;
    }

    /// The clients that admission should look at.
    pub fn take_dirty(&self) -> HashSet<ClientId> {
        std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_reads_back_as_what_was_announced() {
        let client = ClientId(uuid::Uuid::from_u128(7));
        for signal in [
            Signal { jobs: true, admission: false },
            Signal { jobs: false, admission: true },
            Signal { jobs: true, admission: true },
        ] {
            assert_eq!(Signal::parse(&signal.payload(client)), Some((signal, client)));
        }
        assert_eq!(Signal::parse("from a newer version"), None);
    }
}
