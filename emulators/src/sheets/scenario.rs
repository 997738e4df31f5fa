//! What becomes of a request for a spreadsheet, by the spreadsheet's id.

/// How Google answers for a spreadsheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// A redirect to the content host, and the CSV there.
    Ok,
    /// The CSV at once, as has been seen now and then.
    OkWithoutRedirect,
    /// As [`Scenario::Ok`], compressed if the client takes gzip.
    Gzip,
    /// As [`Scenario::Ok`], after [`Config::pause`](super::Config::pause).
    Slow,
    /// As [`Scenario::Ok`], but the same address gives what it gave first: only another parameter
    /// gives what the sheet holds now. Google's lag is minutes, this one never ends.
    Lags,
    /// Whatever tab is asked for, the first one comes, as the query endpoint does with names it
    /// does not know.
    GvizFirstTab,
    /// CSV without a byte.
    Empty,
    /// Not shared: 401.
    Private401,
    /// Not shared: 403.
    Private403,
    /// Not shared: a redirect to a sign-in page on a host of the emulator, which answers 200 with HTML.
    PrivateHtml,
    /// Not shared: a redirect to the real `accounts.google.com`, for clients that know better than
    /// to follow it.
    PrivateSignIn,
    /// Not shared: 200 with the query endpoint's script, whose reason is `access_denied`.
    PrivateGviz,
    /// As if it had been deleted: 404 with HTML.
    NotFound,
    /// As if the tab had been deleted: 400 with HTML.
    BadGid,
    /// 200 with the query endpoint's script, whose reason is `invalid_query`.
    GvizErrorJs,
    /// 429 with HTML.
    TooMany,
    /// 500 with HTML.
    ServerError,
    /// Half of the CSV, then nothing more while the connection stays open.
    Stalls,
    /// Half of the CSV, then the connection is closed without the last chunk.
    BreaksOff,
    /// 25 MB of CSV.
    Huge,
    /// 25 MB of CSV in few bytes of gzip.
    GzipBomb,
    /// A redirect to a host that is not Google's, where CSV is waiting.
    ForeignRedirect,
    /// Redirects between the two hosts without end.
    RedirectLoop,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 23] = [
        Self::Ok,
        Self::OkWithoutRedirect,
        Self::Gzip,
        Self::Slow,
        Self::Lags,
        Self::GvizFirstTab,
        Self::Empty,
        Self::Private401,
        Self::Private403,
        Self::PrivateHtml,
        Self::PrivateSignIn,
        Self::PrivateGviz,
        Self::NotFound,
        Self::BadGid,
        Self::GvizErrorJs,
        Self::TooMany,
        Self::ServerError,
        Self::Stalls,
        Self::BreaksOff,
        Self::Huge,
        Self::GzipBomb,
        Self::ForeignRedirect,
        Self::RedirectLoop,
    ];

    /// Its name, as it stands in [`Scenario::id`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OkWithoutRedirect => "ok-without-redirect",
            Self::Gzip => "gzip",
            Self::Slow => "slow",
            Self::Lags => "lags",
            Self::GvizFirstTab => "gviz-first-tab",
            Self::Empty => "empty",
            Self::Private401 => "private-401",
            Self::Private403 => "private-403",
            Self::PrivateHtml => "private-html",
            Self::PrivateSignIn => "private-sign-in",
            Self::PrivateGviz => "private-gviz",
            Self::NotFound => "notfound-404",
            Self::BadGid => "badgid-400",
            Self::GvizErrorJs => "gviz-error-js",
            Self::TooMany => "toomany-429",
            Self::ServerError => "error-500",
            Self::Stalls => "stalls",
            Self::BreaksOff => "breaks-off",
            Self::Huge => "huge",
            Self::GzipBomb => "gzip-bomb",
            Self::ForeignRedirect => "foreign-redirect",
            Self::RedirectLoop => "redirect-loop",
        }
    }

    /// The id of a spreadsheet that is there from the start and behaves like this. It is made of the
    /// characters of Google's ids and at least as long as the shortest that is taken for one.
    pub fn id(self) -> String {
        format!("outdial_emulated_sheet_{}", self.name())
    }
}
