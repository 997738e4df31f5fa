//! The dashboard, as browsers get it: over HTTP, from a real server.

mod access;
mod orders;

use std::collections::BTreeMap;

use outdial_jobs::operations::By;
use outdial_jobs::operations::keys::{KeySpec, Role, create};
use outdial_jobs::providers::http_client;
use outdial_workflows::ids::ClientId;
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;

use crate::support::world::World;

const BY: By<'static> = By { actor: "a test", reason: None };

/// A page, or whatever else was answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |to| to.to_str().expect("text"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// What the forms of the page order: where each goes, and its hidden fields.
    fn forms(&self) -> Vec<(String, BTreeMap<String, String>)> {
        let forms = self.body.split("<form").skip(1).filter_map(|rest| {
            let form = rest.split("</form>").next()?;
            let head = form.split('>').next()?;
            head.contains("method=\"post\"").then_some((head, form))
        });
        forms
            .map(|(head, form)| {
                let hidden = form.split("<input").filter(|input| input.contains("type=\"hidden\""));
                let fields = hidden.filter_map(|input| Some((value(input, "name")?, value(input, "value")?)));
                (value(head, "action").expect("it goes somewhere"), fields.collect())
            })
            .collect()
    }
}

/// An attribute of a tag, as it was before it was written into HTML.
fn value(tag: &str, attribute: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {attribute}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let value = value.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#39;", "'");
    let value = value.replace("&lt;", "<").replace("&#60;", "<").replace("&#62;", ">");
    Some(value.replace("&amp;", "&").replace("&#38;", "&"))
}

/// A browser: it keeps cookies, and follows no redirects, so that they are seen.
struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
    /// With what orders prove where they come from, once a page was read.
    proof: String,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new(), proof: String::new() }
    }

    /// One that is signed in with a new key.
    async fn signed_in(world: &'a World, role: Role, client: Option<ClientId>) -> Self {
        let spec = KeySpec { name: "a key", role, client, expires_at: None };
        let (_, token) = create(&world.engine, spec, BY).await.expect("a key");
        let mut browser = Self::new(world);
        let answer = browser.log_in(token.expose_secret()).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/admin"), "{answer:?}");
        let page = browser.get("/admin/clients").await;
        browser.proof = page.forms()[0].1["csrf"].clone();
        browser
    }

    async fn log_in(&mut self, token: &str) -> Answer {
        let page = self.get("/admin/login").await;
        assert_eq!(page.status, StatusCode::OK);
        let (action, mut fields) = page.forms().remove(0);
        fields.insert("key".into(), token.to_owned());
        self.send(&action, &fields, &[]).await
    }

    async fn ask(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        for set in headers.get_all(SET_COOKIE) {
            let (pair, attributes) = set.to_str().expect("text").split_once(';').expect("attributes");
            for wanted in ["HttpOnly", "SameSite=Strict", "Path=/admin"] {
                assert!(attributes.contains(wanted), "{set:?}");
            }
            let (name, value) = pair.split_once('=').expect("a value");
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Answer { status, headers, body: response.text().await.unwrap_or_default() }
    }

    async fn get(&mut self, path: &str) -> Answer {
        let request = http_client().expect("a client").get(self.world.address(path));
        self.ask(request).await
    }

    /// Sends a form as it stands.
    async fn send(
        &mut self,
        path: &str,
        fields: &BTreeMap<String, String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = http_client().expect("a client").request(Method::POST, self.world.address(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.form(fields)).await
    }

    /// Orders something from a page of the session.
    async fn order(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all: BTreeMap<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.insert("csrf".into(), self.proof.clone());
        self.send(path, &all, &[]).await
    }
}

/// Asserts that something was done, and gives the page that says so.
async fn done(browser: &mut Browser<'_>, answer: Answer) -> Answer {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let page = browser.get(answer.location()).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert!(page.body.contains("data-toast"), "it says what was done: {page:?}");
    page
}
