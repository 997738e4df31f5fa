//! Reads a sheet.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::RngExt;
use reqwest::redirect;
use sha2::{Digest, Sha256};
use url::Url;

use super::classify::{self, Head};
use super::error::SheetError;
use super::hosts::Hosts;
use super::link::SheetLink;
use super::settings::{Settings, SettingsError};
use super::title;
use crate::tls;

/// How many redirects are followed. One is usual; no way to a file has been seen with more than two.
const MAX_REDIRECTS: usize = 5;

/// How much is taken of a sheet, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of CSV, unpacked.
    pub max_bytes: usize,
    /// The time from the first request to the last byte.
    pub within: Duration,
}

impl Default for Limits {
    /// 20 MB, some hundred thousand leads, and half a minute: large sheets take Google long.
    fn default() -> Self {
        Self { max_bytes: 20_000_000, within: Duration::from_secs(30) }
    }
}

/// A tab as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// CSV, neither empty nor a web page. It is UTF-8, as far as is known of Google.
    pub bytes: Bytes,
    /// Its SHA-256. Google tells no version of a sheet, so that this alone shows whether it changed.
    pub sha256: [u8; 32],
    /// `<Document> - <Tab>`, if Google said it. The sheet's owner chose it, but for a length and
    /// the lack of control characters.
    pub title: Option<String>,
}

/// The rows are people's data, which is kept out of logs.
impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("bytes", &self.bytes.len())
            .field("sha256", &hex::encode(self.sha256))
            .field("title", &self.title)
            .finish()
    }
}

/// Reads shared sheets. One serves all.
#[derive(Debug)]
pub struct SheetReader {
    http: reqwest::Client,
    base_url: Url,
    hosts: Hosts,
}

impl SheetReader {
    /// A reader of the sheets at `settings.base_url`.
    ///
    /// It takes no proxy from the environment, as dialling does not, and keeps no cookies.
    ///
    /// # Errors
    /// If the settings cannot work. Nothing is sent.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let hosts = Hosts::of(settings)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("outdial/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::http11())
            .http1_only()
            .no_proxy()
            .gzip(true)
            // They are followed here, one by one, so that each refusal has its name.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(SettingsError::Client)?;
        Ok(Self { http, base_url: settings.base_url.clone(), hosts })
    }

    /// Reads a tab, as it is now.
    ///
    /// # Errors
    /// If it could not be read whole and within the limits, or is not CSV.
    pub async fn fetch(&self, link: &SheetLink, limits: &Limits) -> Result<Fetched, SheetError> {
        let Limits { max_bytes, within } = *limits;
        let read = tokio::time::timeout(within, self.read(link, max_bytes)).await;
        read.unwrap_or(Err(SheetError::TooSlow { within }))
    }

    async fn read(&self, link: &SheetLink, max_bytes: usize) -> Result<Fetched, SheetError> {
        let mut response = self.follow(link).await?;
        let headers = std::mem::take(response.headers_mut());
        let bytes = whole(response, max_bytes).await?;
        classify::body(&headers, &bytes)?;
        Ok(Fetched { sha256: Sha256::digest(&bytes).into(), title: title::of(&headers), bytes })
    }

    /// The answer at the end of the redirects. It may be the file.
    async fn follow(&self, link: &SheetLink) -> Result<reqwest::Response, SheetError> {
        let mut url = link.export_url(&self.base_url, rand::rng().random());
        for _ in 0..=MAX_REDIRECTS {
            let response = self.http.get(url.clone()).send().await.map_err(connection)?;
            match classify::head(response.status(), response.headers(), &url, &self.hosts)? {
                Head::Moved(to) => url = to,
                Head::File => return Ok(response),
            }
        }
        Err(SheetError::Circles)
    }
}

async fn whole(mut response: reqwest::Response, max_bytes: usize) -> Result<Bytes, SheetError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(connection)? {
        if chunk.len() > max_bytes - bytes.len() {
            return Err(SheetError::TooLarge { max_bytes });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// The address of the second host opens the sheet to whoever reads it in a log.
fn connection(error: reqwest::Error) -> SheetError {
    SheetError::Connection(error.without_url())
}
