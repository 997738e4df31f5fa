//! The judge: sound histories pass, and each rule catches the history that breaks it.

mod across;
mod allowed;
mod law;
mod lost;
mod told;
mod twice;

use outdial_workflows::Moment;
use outdial_workflows::attempt::{Attempt, Submission};
use outdial_workflows::call::CallResult;
use outdial_workflows::history::{Event, Recorded};
use outdial_workflows::judge::{Judge, LeadRecord, Rule, Verdict, World};

use crate::life::{number, rules};
use crate::telling::{DIAL, Step, lived, seconds, steps, token};

/// What a case spoils: everything that the judge is shown about one lead.
struct Case {
    record: LeadRecord,
    world: World,
    now: Moment,
}

impl Case {
    fn of(told: &[Step]) -> Self {
        let (life, _) = lived(rules("{}"), told);
        Self { record: life.record(), world: life.world(), now: life.now }
    }

    fn judge(&self) -> Verdict {
        let mut judge = Judge::new(self.world.clone(), self.now);
        judge.lead(&self.record);
        judge.finish()
    }

    fn attempt(&mut self, n: u16) -> &mut Attempt {
        &mut self.record.attempts[usize::from(n) - 1]
    }

    /// Puts an event behind the first that `after` picks, at the same time, and counts it.
    fn insert(&mut self, after: impl Fn(&Event) -> bool, event: Event) {
        let place = self.place(after) + 1;
        let at = self.record.events[place - 1].at;
        self.record.events.insert(place, Recorded { seq: 0, at, event });
        self.renumber();
    }

    fn remove(&mut self, which: impl Fn(&Event) -> bool) {
        let place = self.place(which);
        self.record.events.remove(place);
        self.renumber();
    }

    fn place(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.record.events.iter().position(|recorded| which(&recorded.event)).expect("the event is there")
    }

    fn renumber(&mut self) {
        for (seq, recorded) in (1..).zip(&mut self.record.events) {
            recorded.seq = seq;
        }
        self.record.workflow.events = i64::try_from(self.record.events.len()).expect("a short history");
    }

    /// Moves the whole first call to another time of the day.
    fn call_at(&mut self, at: &str) {
        let at: Moment = at.parse().expect("a time");
        let attempt = self.attempt(1);
        attempt.reserved_at = at;
        attempt.dial_by = at + seconds(5);
        attempt.submission = Some(Submission { at, token: token(number(1)) });
        attempt.ended = attempt.ended.take().map(|(_, end)| (at, end));
        for recorded in &mut self.record.events {
            recorded.at = at;
            if let Event::Reserved { dial_by, .. } = &mut recorded.event {
                *dial_by = at + seconds(5);
            }
        }
    }
}

fn answered() -> Vec<Step> {
    steps(&[&DIAL, &[Step::Wait("30s"), Step::Ends(CallResult::Answered)]])
}

/// Nobody answered at noon, somebody did at two.
fn reached_later() -> Vec<Step> {
    let second =
        [Step::Wake, Step::Submit, Step::Accepted, Step::Wait("1m"), Step::Ends(CallResult::Answered)];
    steps(&[&DIAL, &[Step::Wait("30s"), Step::Ends(CallResult::NoAnswer)], &second])
}

/// Absent by noon, dialled again at two.
fn concluded_absent() -> Vec<Step> {
    let lost = [Step::Admit, Step::Submit, Step::Dropped, Step::Wait("15m"), Step::NotListed];
    steps(&[&lost, &[Step::Wake, Step::Submit, Step::Accepted, Step::Ends(CallResult::Answered)]])
}

fn is(name: &'static str) -> impl Fn(&Event) -> bool {
    move |event| event.name() == name
}

/// Spoils a sound case, and expects the judge to name the rule; the sound one must pass.
fn caught(told: &[Step], spoil: impl FnOnce(&mut Case), rule: Rule) {
    let verdict = spoilt(told, spoil);
    assert!(verdict.violations.iter().any(|finding| finding.rule == rule), "{rule:?} not found: {verdict}");
    assert!(verdict.counts.contains_key(&rule.promise()));
    assert!(!verdict.kept());
}

fn warned(told: &[Step], spoil: impl FnOnce(&mut Case), rule: Rule) {
    let verdict = spoilt(told, spoil);
    assert!(verdict.kept(), "{verdict}");
    assert!(verdict.warnings.iter().any(|finding| finding.rule == rule), "{rule:?} not found: {verdict}");
}

fn spoilt(told: &[Step], spoil: impl FnOnce(&mut Case)) -> Verdict {
    let mut case = Case::of(told);
    let sound = case.judge();
    assert!(sound.kept() && sound.warned == 0, "the sound case: {sound}");
    spoil(&mut case);
    case.judge()
}
