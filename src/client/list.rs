//! Lists, page after page.

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Call, Client, ClientError};

/// As many as a page may hold.
const PAGE: usize = 200;

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Page<T> {
    items: Vec<T>,
    /// An id, or a line.
    next: Option<Value>,
}

impl Client {
    /// What a list has behind `query`, at most so many, in its order.
    ///
    /// # Errors
    /// Whatever keeps one of its pages from being read.
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<T>, ClientError> {
        let mut found: Vec<T> = vec![];
        let mut cursor = None;
        while found.len() < most {
            let page = self.page(path, query, cursor.as_ref(), most - found.len()).await?;
            found.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }

    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        cursor: Option<&Value>,
        wanted: usize,
    ) -> Result<Page<T>, ClientError> {
        let mut call = Call::new(Method::GET, path);
        for (name, value) in query {
            call = call.query(name, *value);
        }
        call = call.query("limit", wanted.min(PAGE).to_string());
        if let Some(cursor) = cursor {
            call = call.query("cursor", cursor.as_str().map_or_else(|| cursor.to_string(), str::to_owned));
        }
        self.read(&call).await
    }
}
