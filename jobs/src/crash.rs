//! Places where a test may kill the process.
//!
//! A build with the feature `crash-points` ends itself, as `kill -9` would, when
//! it reaches the point that was armed. Normal builds contain none of this: the
//! function is empty.

/// Every effect of a dial, in order. A crash test arms each in turn.
pub const POINTS: [&str; 10] = [
    "admission.before_commit",
    "admission.after_commit",
    "dial.claimed",
    "submit.before_commit",
    "submit.after_commit",
    "place.before_send",
    "place.after_send",
    "reply.before_commit",
    "reply.after_commit",
    "news.before_commit",
];

/// Ends the process here if this point is armed.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn point(_: &'static str) {}

/// Ends the process here if this point is armed.
#[cfg(feature = "crash-points")]
pub fn point(name: &'static str) {
    if armed::is(name) {
        let this = rustix::process::getpid();
        // No handler runs, nothing is flushed: the process is gone between two instructions.
        let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
        std::thread::park();
    }
}

/// A crash point that cannot be armed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotArm {
    /// Normal builds have none.
    #[error("this build has no crash points; build it with the feature `crash-points`")]
    NotBuiltIn,
    /// There is no such point.
    #[error("`{0}` is not a crash point; one of: {all}", all = POINTS.join(", "))]
    NoSuchPoint(String),
}

/// Arms the point that `text` names, as `place.after_send` or `place.after_send:3`: the process dies
/// when it is reached for the third time.
///
/// # Errors
/// If this build has no crash points, or none of that name.
pub fn arm(text: &str) -> Result<(), CannotArm> {
    let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
    let point = POINTS.iter().find(|point| **point == name);
    let (Some(point), Ok(nth)) = (point, nth.parse()) else {
        return Err(CannotArm::NoSuchPoint(text.to_owned()));
    };
    set(point, nth)
}

#[cfg(not(feature = "crash-points"))]
fn set(_: &'static str, _: u32) -> Result<(), CannotArm> {
    Err(CannotArm::NotBuiltIn)
}

#[cfg(feature = "crash-points")]
fn set(name: &'static str, nth: u32) -> Result<(), CannotArm> {
    armed::arm(name, nth);
    Ok(())
}

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::Mutex;

    static ARMED: Mutex<Option<(String, u32)>> = Mutex::new(None);

    pub(super) fn arm(name: &str, nth: u32) {
        let mut armed = ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *armed = Some((name.to_owned(), nth));
    }

    pub(super) fn is(name: &str) -> bool {
        let mut armed = ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some((point, left)) = armed.as_mut() else { return false };
        if point != name {
            return false;
        }
        *left = left.saturating_sub(1);
        *left == 0
    }
}
