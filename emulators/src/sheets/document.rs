//! What a spreadsheet holds.

use super::{dialect, range::Range};

/// A spreadsheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its title, which names the file that comes of it.
    pub title: String,
    /// Its tabs, as they stand from left to right.
    pub tabs: Vec<Tab>,
}

/// A tab of a spreadsheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    /// Its number in links. The first tab's is usually 0.
    pub gid: u64,
    /// Its name.
    pub name: String,
    /// Its cells, as they are displayed. Rows may be of different lengths.
    pub rows: Vec<Vec<String>>,
}

/// The rows of the protocol page's dialect vector: every way in which a cell can need quoting, an
/// empty row, an error, a number with a separator, and text beyond ASCII.
const SAMPLE: [[&str; 4]; 5] = [
    ["name", "phone", "note", "amount"],
    ["Asha Rao", "+91 98765 43210", r#"said "later", call 5pm"#, "1,200.50"],
    ["José", "0044 20 7946 0018", "line1\nline2", ""],
    ["", "", "", ""],
    ["李雷", "+8613800138000", "#N/A", "TRUE"],
];

impl Document {
    /// A spreadsheet of these tabs.
    pub fn new(title: impl Into<String>, tabs: impl IntoIterator<Item = Tab>) -> Self {
        Self { title: title.into(), tabs: tabs.into_iter().collect() }
    }

    /// What every scenario's spreadsheet holds at the start: a first tab of four columns (`name`,
    /// `phone`, `note`, `amount`) with gid 0, and a second one with gid 7.
    pub fn sample() -> Self {
        let leads = Tab::new(0, "Leads", SAMPLE.map(|row| row.map(str::to_owned).to_vec()));
        let other = [["day", "visits"], ["Monday", "12"], ["Tuesday", "9"]];
        let other = Tab::new(7, "Visits", other.map(|row| row.map(str::to_owned).to_vec()));
        Self::new("Spring Leads", [leads, other])
    }

    /// The tab with this number; the first one if none is asked for.
    pub(super) fn tab(&self, gid: Option<u64>) -> Option<&Tab> {
        match gid {
            Some(gid) => self.tabs.iter().find(|tab| tab.gid == gid),
            None => self.tabs.first(),
        }
    }
}

impl Tab {
    /// A tab with these cells.
    pub fn new(gid: u64, name: impl Into<String>, rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        Self { gid, name: name.into(), rows: rows.into_iter().collect() }
    }

    /// What export makes of it: UTF-8, line ends between the rows only, quotation marks where needed.
    pub fn csv(&self) -> String {
        dialect::export(&dialect::used(&self.rows, None))
    }

    /// What export makes of a part of it.
    pub(super) fn csv_of(&self, range: Option<Range>) -> String {
        dialect::export(&dialect::used(&self.rows, range))
    }

    /// What the query endpoint makes of it.
    pub(super) fn gviz(&self) -> String {
        dialect::gviz(&dialect::used(&self.rows, None))
    }
}
