//! Shared Google Sheets, read as CSV over plain HTTP.
//!
//! [`SheetLink`] is what people paste, understood; [`SheetReader::fetch`] gives the CSV of the tab
//! that it names, or a [`SheetError`] that says what a person can do. No account with Google is
//! needed: the sheet is shared with everybody who has its link, or published to the web.
//!
//! Google gives no contract for the addresses that are used; what is known of them comes from a
//! capture and from what many clients report. So nothing is taken for CSV that does not look like
//! it. Whether it is the tab that was meant, only its header row can tell, and the caller has to
//! look: where Google does not know a tab, it may answer with the first one.
//!
//! The pasted address is never fetched. Ids and numbers are taken from it, and an address is built
//! from those; redirects are followed only to hosts that are listed.

mod classify;
mod error;
mod hosts;
mod link;
mod reader;
mod settings;
#[cfg(test)]
mod tests;
mod title;

pub use error::{LinkError, SheetError};
pub use link::SheetLink;
pub use reader::{Fetched, Limits, SheetReader};
pub use settings::{Settings, SettingsError};
