//! What new accounts and campaigns are like where neither flags nor a rules file say otherwise.
//!
//! They are looked at once, when something is made: what was made before does not change with them.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use outdial_workflows::calendar::{Calendar, TimeOfDay};
use outdial_workflows::call::CallerId;
use outdial_workflows::rules::{Agent, Rules};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

/// What Exotel's dashboard shows under "API settings".
#[derive(Args, Clone, Debug)]
pub struct Exotel {
    /// The account SID that `account add` takes where it is given none.
    #[arg(id = "exotel.account_sid", long = "account-sid", env = "EXOTEL_ACCOUNT_SID", value_name = "SID")]
    pub account_sid: Option<String>,

    /// The API key that `account add` takes where it is given none.
    #[arg(
        id = "exotel.api_key",
        long = "api-key",
        env = "EXOTEL_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub api_key: Option<SecretString>,

    /// The API token that `account add` takes where it is given none.
    #[arg(
        id = "exotel.api_token",
        long = "api-token",
        env = "EXOTEL_API_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub api_token: Option<SecretString>,
}

/// What Retell's dashboard shows under "API keys".
#[derive(Args, Clone, Debug)]
pub struct Retell {
    /// The API key that `account add --provider retell` takes where it is given none.
    #[arg(
        id = "retell.api_key",
        long = "retell-api-key",
        env = "RETELL_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub api_key: Option<SecretString>,

    /// The key that signs Retell's webhooks, where that is another one.
    #[arg(
        id = "retell.webhook_key",
        long = "retell-webhook-key",
        env = "RETELL_WEBHOOK_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub webhook_key: Option<SecretString>,
}

/// What Telnyx' portal shows under "Keys & credentials".
#[derive(Args, Clone, Debug)]
pub struct Telnyx {
    /// The API key that `account add --provider telnyx` takes where it is given none.
    #[arg(
        id = "telnyx.api_key",
        long = "telnyx-api-key",
        env = "TELNYX_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub api_key: Option<SecretString>,

    /// The public key that webhooks are checked with, in base64.
    #[arg(
        id = "telnyx.public_key",
        long = "telnyx-public-key",
        env = "TELNYX_PUBLIC_KEY",
        value_name = "KEY"
    )]
    pub public_key: Option<String>,
}

/// What a LiveKit project shows under "Keys".
#[derive(Args, Clone, Debug)]
pub struct LiveKit {
    /// Where the project is reached, as https://example.livekit.cloud.
    #[arg(id = "livekit.url", long = "livekit-url", env = "LIVEKIT_URL", value_name = "URL")]
    pub url: Option<Url>,

    /// The API key that `account add --provider livekit` takes where it is given none.
    #[arg(
        id = "livekit.api_key",
        long = "livekit-api-key",
        env = "LIVEKIT_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub api_key: Option<SecretString>,

    /// The API key's secret.
    #[arg(
        id = "livekit.api_secret",
        long = "livekit-api-secret",
        env = "LIVEKIT_API_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub api_secret: Option<SecretString>,
}

/// What new accounts are like.
#[derive(Args, Clone, Debug)]
pub struct NewAccount {
    /// The most calls at once from an account that is added.
    #[arg(
        id = "new_account.max_concurrent",
        long = "max-concurrent",
        env = "MAX_CONCURRENT_CALLS",
        default_value_t = 10,
        value_name = "N"
    )]
    pub max_concurrent: u32,
}

/// What new campaigns are like.
#[derive(Args, Clone, Debug, Default)]
pub struct NewCampaign {
    /// The numbers that calls of a new campaign come from, as its account knows them.
    #[arg(
        id = "new_campaign.caller_ids",
        long = "caller-id",
        env = "EXOTEL_VIRTUAL_NUMBER",
        value_delimiter = ',',
        value_name = "NUMBER"
    )]
    pub caller_ids: Vec<String>,

    /// The carrier's flow that answers the calls of a new campaign. Without it the carrier streams to us.
    #[arg(id = "new_campaign.flow", long = "flow", env = "EXOTEL_EXOPHLO_ID", value_name = "ID")]
    pub flow: Option<String>,

    /// When calling hours of a new campaign begin, by the called person's clock, as 10:00 or 10. Where only one
    /// of the two is given, the other is 10:00 or 19:00; days are Monday to Saturday.
    #[arg(
        id = "new_campaign.hours_start",
        long = "hours-start",
        env = "CALLING_HOURS_START",
        value_parser = time_of_day,
        value_name = "TIME"
    )]
    pub hours_start: Option<TimeOfDay>,

    /// When they end.
    #[arg(
        id = "new_campaign.hours_end",
        long = "hours-end",
        env = "CALLING_HOURS_END",
        value_parser = time_of_day,
        value_name = "TIME"
    )]
    pub hours_end: Option<TimeOfDay>,

    /// The longest call of a new campaign, as 10min, up to 4h. In the environment a bare number counts minutes.
    /// Without it: 10min.
    #[arg(
        id = "new_campaign.max_call",
        long = "max-call",
        env = "MAX_CALL_DURATION_MINUTES",
        value_parser = call_length,
        value_name = "TIME"
    )]
    pub max_call: Option<Duration>,
}

impl NewCampaign {
    /// The rules that a new campaign begins with.
    ///
    /// # Errors
    /// If they cannot be kept, as hours that end before they begin.
    pub fn rules(&self) -> anyhow::Result<Rules> {
        let mut rules = Rules::default();
        if self.hours_start.is_some() || self.hours_end.is_some() {
            rules.calendar = hours(None, self.hours_start, self.hours_end)?;
        }
        let trimmed = self.caller_ids.iter().map(|number| CallerId(number.trim().to_owned()));
        rules.caller_ids = trimmed.collect();
        if let Some(flow_id) = &self.flow {
            rules.agent = Agent::Flow { flow_id: flow_id.clone() };
        }
        if let Some(longest) = self.max_call {
            rules.call_time_limit_s = u32::try_from(longest.as_secs()).unwrap_or(u32::MAX);
        }
        rules.check()?;
        Ok(rules)
    }
}

/// Hours of a week: by default 10:00 to 19:00, Monday to Saturday.
///
/// # Errors
/// If a day is none, or they end before they begin.
pub fn hours(
    days: Option<&[String]>,
    start: Option<TimeOfDay>,
    end: Option<TimeOfDay>,
) -> anyhow::Result<Calendar> {
    let usual = ["mon", "tue", "wed", "thu", "fri", "sat"].map(str::to_owned);
    let time =
        |given: Option<TimeOfDay>, usual: &str| given.map_or(usual.to_owned(), |time| time.to_string());
    let window = json!([{
        "days": days.unwrap_or(&usual),
        "from": time(start, "10:00"),
        "to": time(end, "19:00"),
    }]);
    serde_json::from_value(window).context("calling hours")
}

/// A time of day as people write it: `10:00`, or `10`.
///
/// # Errors
/// If it is none.
pub fn time_of_day(text: &str) -> Result<TimeOfDay, String> {
    let text = text.trim();
    let whole = if text.contains(':') { text.to_owned() } else { format!("{text}:00") };
    whole.parse().map_err(|_| "not a time of day; give it as 10:00 or 10".into())
}

/// The length of a call with its unit, as `10min`; a bare number counts minutes, as it does in
/// `MAX_CALL_DURATION_MINUTES`.
///
/// # Errors
/// If it is none.
pub fn call_length(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let with_unit = if bare { format!("{text}min") } else { text.to_owned() };
    humantime::parse_duration(&with_unit)
        .map_err(|_| "not a length of time; give it with its unit, as 10min".into())
}
