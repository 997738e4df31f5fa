//! Places where a test may kill or freeze the process.
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

/// The effects of sending a request once more, which happen with carriers that tell copies apart.
pub const POINTS_OF_COPIES: [&str; 2] = ["resend.before_send", "resend.after_send"];

/// The effects of a transfer, which happen where one is ordered.
pub const POINTS_OF_TRANSFERS: [&str; 2] = ["transfer.before_send", "transfer.after_send"];

/// Ends the process here if this point is armed.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub fn point(_: &'static str) {}

/// Ends or freezes the process here if this point is armed.
#[cfg(feature = "crash-points")]
pub fn point(name: &'static str) {
    use rustix::process::{Signal, getpid, kill_process};
    match armed::at(name) {
        None => {}
        Some(Fate::Die) => {
            // No handler runs, nothing is flushed: the process is gone between two instructions.
            let _ = kill_process(getpid(), Signal::KILL);
            std::thread::park();
        }
        Some(Fate::Freeze) => {
            let _ = kill_process(getpid(), Signal::STOP);
            // Another thread may be the one that takes the signal: this one stands here until the whole
            // process does, and goes on once somebody else lets it.
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
}

/// What happens to the process at an armed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Die,
    Freeze,
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
/// when it is reached for the third time. With `place.after_send:3:freeze` it is stopped there instead.
///
/// # Errors
/// If this build has no crash points, or none of that name.
pub fn arm(text: &str) -> Result<(), CannotArm> {
    let mut parts = text.splitn(3, ':');
    let name = parts.next().unwrap_or_default();
    let point =
        POINTS.iter().chain(&POINTS_OF_COPIES).chain(&POINTS_OF_TRANSFERS).find(|point| **point == name);
    let nth = parts.next().unwrap_or("1").parse().ok();
    let fate = match parts.next() {
        None => Some(Fate::Die),
        Some("freeze") => Some(Fate::Freeze),
        Some(_) => None,
    };
    let (Some(point), Some(nth), Some(fate)) = (point, nth, fate) else {
        return Err(CannotArm::NoSuchPoint(text.to_owned()));
    };
    set(point, nth, fate)
}

#[cfg(not(feature = "crash-points"))]
fn set(_: &'static str, _: u32, _: Fate) -> Result<(), CannotArm> {
    Err(CannotArm::NotBuiltIn)
}

#[cfg(feature = "crash-points")]
fn set(name: &'static str, nth: u32, fate: Fate) -> Result<(), CannotArm> {
    armed::arm(name, nth, fate);
    Ok(())
}

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::Mutex;

    use super::Fate;

    static ARMED: Mutex<Option<(String, u32, Fate)>> = Mutex::new(None);

    pub(super) fn arm(name: &str, nth: u32, fate: Fate) {
        let mut armed = ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *armed = Some((name.to_owned(), nth, fate));
    }

    pub(super) fn at(name: &str) -> Option<Fate> {
        let mut armed = ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (point, left, fate) = armed.as_mut()?;
        if point != name {
            return None;
        }
        // Past the last time it stays quiet.
        *left = left.checked_sub(1)?;
        (*left == 0).then_some(*fate)
    }
}
