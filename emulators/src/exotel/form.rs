//! Reading the parameters of a connect request, in either of the two encodings.

use axum::{
    body::Body,
    extract::{FromRequest, Multipart, Request},
    http::header::CONTENT_TYPE,
};

/// Largest body read; ours are under 2 KB.
const BODY_MAX: usize = 64 * 1024;

/// Parameters in the order sent; names may repeat.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// `Err` says, in words for the caller, why the body cannot be read.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, String> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "multipart/form-data" => Self::multipart(request).await,
            "application/x-www-form-urlencoded" => Self::url_encoded(request).await,
            other => Err(format!(
                "Content-Type must be multipart/form-data or application/x-www-form-urlencoded, \
                 not '{other}'"
            )),
        }
    }

    async fn url_encoded(request: Request<Body>) -> Result<Self, String> {
        let body = axum::body::to_bytes(request.into_body(), BODY_MAX);
        let body = body.await.map_err(|error| format!("Body cannot be read: {error}"))?;
        Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect()))
    }

    async fn multipart(request: Request<Body>) -> Result<Self, String> {
        let unreadable = |error: &dyn std::fmt::Display| format!("Body cannot be read: {error}");
        let mut parts = Multipart::from_request(request, &()).await.map_err(|error| unreadable(&error))?;
        let mut pairs = Vec::new();
        while let Some(part) = parts.next_field().await.map_err(|error| unreadable(&error))? {
            let name = part.name().unwrap_or_default().to_owned();
            pairs.push((name, part.text().await.map_err(|error| unreadable(&error))?));
        }
        Ok(Self(pairs))
    }

    /// The last value of `name`, as PHP would have it; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of `name[]` and `name[0]`, `name[1]`….
    pub(super) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let mine = move |given: &&(String, String)| is_item_of(&given.0, name);
        self.0.iter().filter(mine).map(|(_, value)| value.as_str())
    }

    /// The spelling of `name` that was sent in another case, if any.
    pub(super) fn misspelt(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given != name && given.eq_ignore_ascii_case(name));
        found.map(|(given, _)| given.as_str())
    }

    /// How many parameters are neither in `names` nor items of `list`.
    pub(super) fn strangers(&self, names: &[&str], list: &str) -> usize {
        let known = |given: &str| names.contains(&given) || is_item_of(given, list);
        self.0.iter().filter(|(given, _)| !known(given)).count()
    }
}

fn is_item_of(given: &str, name: &str) -> bool {
    let index = given.strip_prefix(name).and_then(|rest| rest.strip_prefix('['));
    let index = index.and_then(|rest| rest.strip_suffix(']'));
    index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_items_come_with_and_without_an_index() {
        let pairs = [("E[]", "a"), ("E[1]", "b"), ("E", "c"), ("E[x]", "d"), ("EE[]", "e")];
        let form = Form(pairs.map(|(name, value)| (name.into(), value.into())).into());
        assert_eq!(form.list("E").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.strangers(&[], "E"), 3);
    }
}
