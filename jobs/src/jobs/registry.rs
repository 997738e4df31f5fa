//! Every kind of job, a line each.

use outdial_workflows::ids::AttemptNumber;
use outdial_workflows::input::JobOrder;

use super::{
    Ctx, Job, JobError, analyse::Analyse, await_status::AwaitStatus, bulk::Bulk, consented::Consented,
    converse::Converse, deliver::Deliver, dial::Dial, end_campaign::EndCampaign, hang_up::HangUp,
    import::TakeIn, refresh_sheet::RefreshSheet, transfer::Transfer,
};

/// Declares the registry: what each kind is called, how many run at once, how often
/// one is tried, and how its arguments become a run.
macro_rules! registry {
    ($($job:ty),+ $(,)?) => {
        /// The kinds with their slots a process.
        pub const SLOTS: &[(&str, usize)] = &[$((<$job>::KIND, <$job>::SLOTS)),+];

        /// How often a job of this kind is tried; `None` for a kind of another version.
        pub fn tries(kind: &str) -> Option<i16> {
            $(if kind == <$job>::KIND { return Some(<$job>::TRIES); })+
            None
        }

        /// Runs a job of this kind with these arguments.
        ///
        /// # Errors
        /// What the job answers, or that the arguments are not this kind's.
        pub async fn run(kind: &str, args: serde_json::Value, ctx: &Ctx) -> Result<(), JobError> {
            $(if kind == <$job>::KIND {
                return serde_json::from_value::<$job>(args)?.run(ctx).await;
            })+
            unreachable!("only kinds with slots are claimed")
        }
    };
}

registry![
    Dial,
    AwaitStatus,
    HangUp,
    EndCampaign,
    Bulk,
    Consented,
    TakeIn,
    Deliver,
    RefreshSheet,
    Transfer,
    Converse,
    Analyse
];

/// The kind of job that carries out a decision's order.
pub fn step(order: JobOrder) -> (&'static str, AttemptNumber) {
    match order {
        JobOrder::Dial(number) => (Dial::KIND, number),
        JobOrder::AwaitStatus(number) => (AwaitStatus::KIND, number),
        JobOrder::HangUp(number) => (HangUp::KIND, number),
        JobOrder::Transfer(number, _) => (Transfer::KIND, number),
    }
}
