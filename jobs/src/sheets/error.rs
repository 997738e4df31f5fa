//! Why a sheet cannot be read, and what to do about it.

use std::time::Duration;

use thiserror::Error;

use super::link::MIN_ID_CHARS;

/// Why a link names no tab that could be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// Not a web address at all.
    #[error(
        "this is no link; open the sheet and copy the whole address from the browser, which begins with \
         `https://docs.google.com/spreadsheets/`"
    )]
    NotALink,
    /// An address of somebody else.
    #[error(
        "the link leads to {host}, which is not Google Sheets; open the sheet and copy the address from \
         the browser, which begins with `https://docs.google.com/spreadsheets/`"
    )]
    Elsewhere {
        /// Where it leads.
        host: String,
    },
    /// An address of Google's that is not one of Sheets, or of no single sheet.
    #[error(
        "the link is one of Google's, but not of a sheet; open the file in Google Sheets and copy the \
         address from the browser, which begins with `https://docs.google.com/spreadsheets/d/`"
    )]
    NotASheet,
    /// The id has other characters or another length than ids have.
    #[error(
        "the sheet's id in the link is not whole: it has at least {MIN_ID_CHARS} letters, digits, `-` and \
         `_`; copy the link again, to its end"
    )]
    BadId,
    /// The number of the tab is no number.
    #[error("`gid=` in the link is followed by no number; open the tab and copy the address again")]
    BadTab,
    /// Two numbers of tabs.
    #[error("the link names two tabs (`gid=` twice, with different numbers); open one and copy its address")]
    TwoTabs,
    /// A tab's name instead of its number.
    #[error(
        "the link names its tab by name (`sheet=`), which can silently give another tab; open the tab \
         and copy the address from the browser, which has its number (`gid=`)"
    )]
    TabByName,
    /// A query of the rows.
    #[error(
        "the link asks for a selection of rows (`tq=`), which is not supported; put the selection on a tab \
         of its own and copy that tab's address"
    )]
    Query,
    /// A single cell, as `Get link to this cell` gives it.
    #[error(
        "the link leads to the single cell {0}; take `range={0}` off the link to have the whole tab, or \
         name a part of it, such as `range=A1:D100`"
    )]
    OneCell(String),
    /// A range that cannot be read.
    #[error(
        "the link asks for a part of the tab (`range=`) that is neither written as `A1:D100` nor a name; \
         take it off to have the whole tab"
    )]
    BadRange,
}

/// Why a sheet was not read. Each variant is another thing to do.
#[derive(Debug, Error)]
pub enum SheetError {
    /// 404: never there, or deleted.
    #[error(
        "Google knows no sheet under this link: it was deleted, or the link is not whole; open the sheet \
         and copy its address again"
    )]
    NotFound,
    /// Only people who sign in may see it, or viewers may not download it.
    #[error(
        "the sheet is not shared; in Google Sheets choose Share and set General access to `Anyone with the \
         link – Viewer`, and let viewers download, print and copy"
    )]
    NotShared,
    /// 429 or 5xx.
    #[error("Google cannot give the sheet now (it answered {status}); try again in a few minutes")]
    Busy {
        /// The status of HTTP.
        status: u16,
    },
    /// Another status; 400 most often means that there is no such tab.
    #[error(
        "Google refused the link (it answered {status}); the tab may have been deleted: open the one that \
         is meant and copy its address again"
    )]
    Refused {
        /// The status of HTTP.
        status: u16,
    },
    /// A redirect to a host that keeps no sheets. Nothing was sent there.
    #[error(
        "the answer sends us to {origin}, where no sheets are; check that nothing stands between this \
         machine and Google, such as a sign-in page of the network"
    )]
    Redirected {
        /// Scheme, host and port of where it leads.
        origin: String,
    },
    /// More redirects than any way to a file has.
    #[error("Google sends us in circles; try again in a few minutes")]
    Circles,
    /// An error of Google's query service in place of the file.
    #[error(
        "Google answered with an error ({reason}) instead of the sheet; try again, and if it stays so, open \
         the tab and copy its address again"
    )]
    Query {
        /// Google's word for it, such as `invalid_query`.
        reason: String,
    },
    /// Something else than CSV.
    #[error("Google answered with {content_type} instead of CSV; check that the link is to a Google Sheet")]
    NotCsv {
        /// What it says it is.
        content_type: String,
    },
    /// Nothing is in the tab.
    #[error("the tab is empty; copy the address of the tab that has a header row and leads under it")]
    Empty,
    /// More than the caller takes.
    #[error(
        "the tab is larger than {} MB; divide it over several tabs, or remove columns that nobody needs",
        max_bytes / 1_000_000
    )]
    TooLarge {
        /// How much is taken.
        max_bytes: usize,
    },
    /// It took too long.
    #[error(
        "Google did not give the sheet within {} s; try again in a few minutes, and divide it over several \
         tabs if it is large",
        within.as_secs()
    )]
    TooSlow {
        /// How long was waited.
        within: Duration,
    },
    /// The connection could not be made, or broke.
    #[error("the connection to Google Sheets failed; check that this machine reaches it, and try again")]
    Connection(#[source] reqwest::Error),
}

impl SheetError {
    /// Whether trying again later, with nobody doing anything, may help. Google advises no interval
    /// for this address; wait a minute at least, and longer each time.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Circles | Self::TooSlow { .. } | Self::Connection(_) => true,
            // The one reason that is about Google alone.
            Self::Query { reason } => reason == "internal_error",
            Self::NotFound
            | Self::NotShared
            | Self::Refused { .. }
            | Self::Redirected { .. }
            | Self::NotCsv { .. }
            | Self::Empty
            | Self::TooLarge { .. } => false,
        }
    }
}
