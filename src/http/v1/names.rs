//! Closed sets as the API names them: with their descriptions in its document, which `workflows` cannot give.

use outdial_jobs::operations::jobs::JobState;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::store::bulk::BulkState;
use outdial_jobs::store::recurring::Action;
use outdial_workflows::attempt::Ledger;
use outdial_workflows::call::{CallResult, CallStatus};
use outdial_workflows::gate::CampaignState;
use outdial_workflows::outcome::Outcome;
use outdial_workflows::packs::{ConsentLevel, Purpose};
use outdial_workflows::preview::Prospect;
use outdial_workflows::simulate::Brake;
use outdial_workflows::transfer::TransferState;
use outdial_workflows::workflow::{Priority, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares the API's names for a set of the domain, and how each is told from the other: exhaustively, so
/// that a variant added on one side stops the build.
macro_rules! names {
    ($($(#[$meta:meta])* $name:ident as $schema:ident = $domain:ident {
        $($(#[$variant_meta:meta])* $variant:ident,)+
    })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = $schema)]
        pub(crate) enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl From<$name> for $domain {
            fn from(name: $name) -> Self {
                match name { $($name::$variant => Self::$variant),+ }
            }
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }
    )+};
}

names! {
    /// What somebody with a key may do; each may do all that those before it may.
    RoleName as Role = Role {
        /// Look.
        Viewer,
        /// Run campaigns: leads, orders, pauses, suppressions.
        Operator,
        /// Everything else: accounts, limits, keys.
        Admin,
    }

    /// Where a campaign stands.
    CampaignStateName as CampaignState = CampaignState {
        /// Being put together; nobody is dialled.
        Draft,
        /// Its leads are dialled when they are due and may be called.
        Running,
        /// Nobody is dialled until it resumes.
        Paused,
        /// Over for good.
        Ended,
    }

    /// Where a lead stands.
    StateName as LeadState = State {
        /// It is called when it is due and may be.
        Waiting,
        /// It waits for somebody to mend what is wrong, or to let it go.
        Held,
        /// An attempt is being sent, or it is not known what became of it.
        Dialling,
        /// A call is under way.
        Calling,
        /// The call is over; results may still change its outcome.
        Settling,
        /// For good, unless it is retried.
        Finished,
    }

    /// How soon a lead is called; see the rules on priority.
    #[derive(Default)]
    PriorityName as Priority = Priority {
        /// Before everything else.
        Urgent,
        /// Before normal.
        High,
        /// As most are.
        #[default]
        Normal,
        /// After normal.
        Low,
    }

    /// What came of an attempt and, once no further attempt follows, of the lead.
    OutcomeName as Outcome = Outcome {
        /// A person answered, and nothing more particular was reported.
        Successful,
        /// A meeting was agreed.
        AppointmentScheduled,
        /// The person qualifies for the offer.
        QualifiedLead,
        /// Something was sold.
        SaleMade,
        /// The person declined.
        NotInterested,
        /// It rang and nobody answered.
        NoAnswer,
        /// A machine answered.
        Voicemail,
        /// Somebody else has this number.
        WrongNumber,
        /// The person asked not to be called again; the number is suppressed.
        DoNotCall,
        /// The carrier could not put the call through.
        Failed,
        /// The line was engaged.
        Busy,
        /// The carrier says that there is no such number.
        InvalidNumber,
        /// It cannot be known whether the call took place.
        Unknown,
    }

    /// How much was agreed to.
    LevelName as ConsentLevel = ConsentLevel {
        /// Said so.
        Express,
        /// Signed for it.
        ExpressWritten,
    }

    /// What calls are for.
    PurposeName as Purpose = Purpose {
        /// To sell something.
        Marketing,
        /// About what the person has or asked for.
        Service,
        /// About a debt.
        Collections,
    }

    /// What is ordered for a campaign again and again.
    ActionName as ScheduleAction = Action {
        /// Dial (again).
        Start,
        /// Stop until started.
        Pause,
        /// Start, and try every finished lead anew that may be called.
        Again,
    }

    /// Where a lead would stand if its campaign dialled now.
    ProspectName as Prospect = Prospect {
        /// It would be called as soon as limits leave room.
        Now,
        /// It would be called later, by itself.
        Later,
        /// Somebody has to mend something first.
        Held,
        /// It would be finished without another call.
        Never,
        /// It is being called, or its result is awaited.
        UnderWay,
        /// It is over.
        Finished,
    }

    /// What holds a campaign up.
    BrakeName as Brake = Brake {
        /// Leads were due, and as many calls under way as may be.
        CallsAtOnce,
        /// Leads were due, and as many calls begun as may be in the time.
        CallRate,
        /// Leads were due, and the day's money would not have paid for another call.
        Spending,
        /// Leads were due, and none of them within calling hours.
        CallingHours,
        /// No lead was due: they waited for their time or for another try.
        NothingDue,
    }

    /// Where a transfer stands.
    TransferStateName as TransferState = TransferState {
        /// It is ordered; nothing was sent.
        Ordered,
        /// The carrier is being asked, once.
        Asked,
        /// The carrier took it, and rings whom the call goes to.
        UnderWay,
        /// The call was handed over.
        Done,
        /// It certainly was not; the call goes on, if it is not over.
        Refused,
        /// It cannot be known, and nobody asks again.
        Unknown,
    }

    /// Where an attempt stands between us and the carrier.
    LedgerName as Ledger = Ledger {
        /// It holds a slot and the number; nothing may be sent yet.
        Reserved,
        /// Given up before anything was sent.
        Withdrawn,
        /// Committed to, and sent once.
        Submitted,
        /// The carrier accepted it.
        Bound,
        /// The carrier certainly did not.
        Refused,
        /// It cannot be known yet; the carrier is being asked.
        Unknown,
        /// The carrier has had all the time it allows, and knows no such call.
        Absent,
        /// News came of a call that had been concluded absent or refused.
        BoundLate,
    }

    /// How far a call has come.
    CallStatusName as CallStatus = CallStatus {
        /// Nothing has been sent.
        Scheduled,
        /// The dial request was committed to and may have been sent.
        Initiated,
        /// The phone rings.
        Ringing,
        /// Somebody or something answered.
        Connected,
        /// The conversation has begun.
        InProgress,
        /// The call ran its course, answered or not.
        Completed,
        /// The call could not be made.
        Failed,
        /// The call was given up before it was made.
        Cancelled,
    }

    /// How a call ended, as the carrier saw it.
    CallResultName as CallResult = CallResult {
        /// The called side picked up.
        Answered,
        /// It rang until the carrier gave up, or the person let it.
        NoAnswer,
        /// The line was engaged, or the call was declined.
        Busy,
        /// A machine picked up, and the carrier could tell.
        Voicemail,
        /// The carrier could not put the call through.
        Failed,
        /// The carrier says that there is no such number.
        InvalidNumber,
        /// The carrier accepted the call and then lost track of it.
        Lost,
    }

    /// Where a job stands.
    JobStateName as JobState = JobState {
        /// It runs as soon as a worker is free.
        Waiting,
        /// It failed, and is tried again in a while.
        BackingOff,
        /// A worker is at it.
        Running,
        /// It was put aside after its last try, or what it is about could not be processed.
        Quarantined,
        /// It was carried out.
        Done,
        /// Nothing was left to do for it: its attempt had resolved otherwise.
        Dropped,
        /// Somebody gave it up.
        Discarded,
    }

    /// Where an order for many leads stands.
    OperationStateName as OperationState = BulkState {
        /// It is carried out in the background.
        Running,
        /// Every lead was looked at.
        Done,
        /// It was stopped; what was changed stays changed.
        Cancelled,
    }
}
