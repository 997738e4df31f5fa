//! The closed sets of the schema, as the store reads and writes them.

use outdial_workflows::Moment;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::breaker::Breaker;
use outdial_workflows::call::{CallResult, CallStatus};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::transfer::TransferState;
use outdial_workflows::workflow::{Priority, State};
use sqlx::Postgres;
use sqlx::postgres::{PgTypeInfo, PgValueRef};

use super::StoreError;
use super::bulk::BulkState;
use super::error::unreadable;
use super::recurring::Action;
use crate::providers::Provider;

/// Declares a row enum and its conversions to and from the domain's, both exhaustive,
/// so that a variant added on one side stops the build.
macro_rules! row_enum {
    ($($row:ident $sql:literal = $domain:ident { $($variant:ident),+ $(,)? })+) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
        #[sqlx(type_name = $sql, rename_all = "snake_case")]
        pub(crate) enum $row { $($variant),+ }

        impl From<$domain> for $row {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }

        impl From<$row> for $domain {
            fn from(row: $row) -> Self {
                match row { $($row::$variant => Self::$variant),+ }
            }
        }
    )+};
}

row_enum! {
    ProviderRow "provider" = Provider { Exotel, Retell, Telnyx, LiveKit }
    CampaignStateRow "campaign_state" = CampaignState { Draft, Running, Paused, Ended }
    StateRow "workflow_state" = State { Waiting, Held, Dialling, Calling, Settling, Finished }
    PriorityRow "priority" = Priority { Urgent, High, Normal, Low }
    LedgerRow "ledger" = Ledger { Reserved, Withdrawn, Submitted, Bound, Refused, Unknown, Absent, BoundLate }
    CallStatusRow "call_status" = CallStatus {
        Scheduled, Initiated, Ringing, Connected, InProgress, Completed, Failed, Cancelled,
    }
    CallResultRow "call_result" = CallResult { Answered, NoAnswer, Busy, Voicemail, Failed, InvalidNumber, Lost }
    TransferStateRow "transfer_state" = TransferState { Ordered, Asked, UnderWay, Done, Refused, Unknown }
    BulkStateRow "bulk_state" = BulkState { Running, Done, Cancelled }
    ActionRow "recurring_action" = Action { Start, Pause, Again }
    PurposeRow "purpose" = Purpose { Marketing, Service, Collections }
    ConsentLevelRow "consent_level" = ConsentLevel { Express, ExpressWritten }
    OutcomeRow "outcome" = Outcome {
        Successful, AppointmentScheduled, QualifiedLead, SaleMade, NotInterested, NoAnswer, Voicemail,
        WrongNumber, DoNotCall, Failed, Busy, InvalidNumber, Unknown,
    }
}

/// A value that this version may not know: a row that holds one is unreadable by itself, and
/// the others of its query are read all the same.
#[derive(Debug)]
pub(super) struct Lenient<T>(Result<T, String>);

impl<T> Lenient<T> {
    /// The value, or what is wrong with the row.
    pub(super) fn read(self, table: &'static str, id: uuid::Uuid) -> Result<T, StoreError> {
        self.0.map_err(|problem| unreadable(table, id, problem))
    }
}

impl<T: sqlx::Type<Postgres>> sqlx::Type<Postgres> for Lenient<T> {
    fn type_info() -> PgTypeInfo {
        T::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        T::compatible(ty)
    }
}

impl<'r, T: sqlx::Decode<'r, Postgres>> sqlx::Decode<'r, Postgres> for Lenient<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        Ok(Self(T::decode(value).map_err(|problem| problem.to_string())))
    }
}

/// A count that the schema keeps from being negative.
pub(super) fn count(table: &'static str, id: uuid::Uuid, value: i16) -> Result<u16, StoreError> {
    u16::try_from(value).map_err(|_| unreadable(table, id, format!("negative count {value}")))
}

/// A count as the schema holds it; anything beyond its range is a bug that the schema refuses.
pub(super) fn small(value: u16) -> i16 {
    i16::try_from(value).unwrap_or(i16::MAX)
}

/// How a breaker stands, as three columns hold it.
pub(super) fn breaker(failing: i16, trips: i16, resting_until: Option<Moment>) -> Breaker {
    let number = |n| u16::try_from(n).unwrap_or(0); // The schema keeps it from being negative.
    Breaker { failing: number(failing), trips: number(trips), resting_until }
}
