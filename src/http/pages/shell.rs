//! What every page has around it: navigation, who is signed in, what was just done.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use outdial_jobs::operations::keys::Role;
use outdial_jobs::operations::setup;
use outdial_workflows::Moment;
use outdial_workflows::ids::ClientId;
use uuid::Uuid;

use super::assets;
use super::outcome::{Failure, Said};
use super::session::{Signed, Theme};
use super::show::{self, Html};
use crate::http::v1::Caller;
use crate::http::{Api, Problem};

/// Somebody who looks at a page.
pub(super) struct Visit {
    pub(super) api: Api,
    pub(super) caller: Caller,
    pub(super) signed: Signed,
}

impl FromRequestParts<Api> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let signed = parts.extensions.get::<Signed>().cloned();
        let signed = signed.ok_or_else(|| Problem::unauthorized("sign in"))?;
        Ok(Self { api: api.clone(), caller: signed.caller.clone(), signed })
    }
}

impl Visit {
    /// A page about something of a client's, whom the visitor may see.
    pub(super) async fn shell(
        &self,
        client: ClientId,
        section: &'static str,
        title: impl Into<String>,
    ) -> Result<Shell, Failure> {
        self.caller.sees(client)?;
        let client = setup::client(&self.api.engine, client).await?;
        let mut shell = Shell::bare(&self.signed, title);
        shell.section = section;
        shell.client = Some(ClientShown { id: client.id.0, name: client.name, paused_by: client.paused_by });
        Ok(shell)
    }

    /// The client with this id, if they may see it.
    pub(super) async fn client(&self, client: Uuid) -> Result<ClientId, Failure> {
        Ok(self.caller.client(&self.api, client).await?)
    }
}

/// Whose things a page shows.
pub(super) struct ClientShown {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) paused_by: Option<String>,
}

/// What stands around a page.
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) section: &'static str,
    pub(super) client: Option<ClientShown>,
    pub(super) base: &'static str,
    pub(super) theme: Option<&'static str>,
    pub(super) proof: String,
    pub(super) said: Option<Said>,
    pub(super) path: String,
    pub(super) now: Moment,
    pub(super) who: String,
    pub(super) role: Role,
    /// Whether they see more than one client.
    pub(super) sees_all: bool,
}

impl Shell {
    /// Around a page that is of no client.
    pub(super) fn bare(signed: &Signed, title: impl Into<String>) -> Self {
        let key = signed.caller.key();
        Self {
            title: title.into(),
            section: "",
            client: None,
            base: assets::base(),
            theme: signed.theme.map(Theme::name),
            proof: signed.proof.clone(),
            said: signed.said.clone(),
            path: signed.path.clone(),
            now: signed.now,
            who: key.name.clone(),
            role: key.role,
            sees_all: key.client.is_none(),
        }
    }

    /// Whether they may run campaigns.
    pub(super) fn operates(&self) -> bool {
        self.role >= Role::Operator
    }

    /// Whether they may do everything.
    pub(super) fn administers(&self) -> bool {
        self.role >= Role::Admin
    }

    /// The role's name.
    pub(super) fn role_name(&self) -> &'static str {
        self.role.name()
    }

    /// Which page is on, for the one entry of the navigation that leads to it.
    pub(super) fn on(&self, section: &str) -> Html {
        Html(if self.section == section { " aria-current=\"page\"".into() } else { String::new() })
    }

    /// What is asked behind the page's address, with its question mark.
    pub(super) fn query(&self) -> &str {
        self.path.find('?').map_or("", |at| &self.path[at..])
    }

    /// The client's id, for addresses.
    pub(super) fn client_id(&self) -> String {
        self.client.as_ref().map(|client| client.id.to_string()).unwrap_or_default()
    }

    /// The beginning of a form that orders something; `</form>` ends it. The order's answer comes back here.
    pub(super) fn form(&self, action: &str) -> Html {
        self.form_of(action, "")
    }

    /// The same, with a class.
    pub(super) fn form_of(&self, action: &str, class: &str) -> Html {
        let (action, path, proof) =
            (show::escaped(action), show::escaped(&self.path), show::escaped(&self.proof));
        Html(format!(
            "<form method=\"post\" action=\"{action}\" class=\"{class}\"><input type=\"hidden\" name=\"csrf\" \
             value=\"{proof}\"><input type=\"hidden\" name=\"back\" value=\"{path}\">"
        ))
    }

    /// How long ago, or in how long, with the exact time where one looks closer.
    pub(super) fn time(&self, at: &Moment) -> Html {
        show::time(*at, self.now)
    }

    /// The same of what there may not be.
    pub(super) fn maybe_time(&self, at: &Option<Moment>) -> Html {
        at.map_or_else(|| Html("–".into()), |at| show::time(at, self.now))
    }
}

/// The page that asks who it is.
#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage {
    pub(super) base: &'static str,
    pub(super) theme: Option<&'static str>,
    pub(super) proof: String,
    pub(super) next: String,
    pub(super) refused: Option<String>,
}

/// The page that says what went wrong.
#[derive(Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage<'a> {
    pub(super) shell: Shell,
    pub(super) status: u16,
    pub(super) detail: &'a str,
}
