//! Whether an account can be used, found out without ringing anybody.

use reqwest::StatusCode;

use super::reads::words;
use super::wire::{Envelope, PublicKey};
use super::{Telnyx, signature};

impl Telnyx {
    /// What reads say about the key, the application, the key that webhooks are verified with, and the name of
    /// the account if flows are to be dialled.
    pub(super) async fn try_out(&self) -> Result<String, String> {
        let connection = self.settings.connection_id.as_str();
        let mut url = self.v2(&["connections", connection, "active_calls"]);
        url.query_pairs_mut().append_pair("page[size]", "1");
        let answer = self.get(url).await?;
        let remedy = match answer.status {
            StatusCode::OK => {
                let told = self.compare_keys().await?;
                self.try_flows().await?;
                return Ok(told);
            }
            StatusCode::UNAUTHORIZED => "copy the API key from Keys & Credentials in Telnyx's portal",
            StatusCode::PAYMENT_REQUIRED => "add funds to the account",
            StatusCode::FORBIDDEN => "see in Telnyx's portal whether the account is active and has funds",
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                "check connection_id: it must be the id of a Call Control application of this account"
            }
            StatusCode::TOO_MANY_REQUESTS => "the account is busy; try again in a minute",
            status if status.is_redirection() => "check base_url: it sends us elsewhere",
            _ => "try again; if it stays so, check base_url",
        };
        Err(format!("Telnyx says {}: {remedy}", words(&answer)))
    }

    /// With a wrong name, calls of flows would be placed and could neither be asked about nor ended.
    async fn try_flows(&self) -> Result<(), String> {
        let Some(account) = &self.settings.account_sid else { return Ok(()) };
        let mut url = self.v2(&["texml", "Accounts", account, "Calls"]);
        url.query_pairs_mut().append_pair("PageSize", "1");
        let answer = self.get(url).await?;
        let remedy = match answer.status {
            StatusCode::OK => return Ok(()),
            StatusCode::NOT_FOUND => {
                "account_sid is not this account's: copy the AccountSid of its TeXML callbacks"
            }
            _ => "its TeXML calls cannot be read; try again",
        };
        Err(format!("Telnyx says {}: {remedy}", words(&answer)))
    }

    /// A wrong public key would let calls be placed and none of their webhooks be believed.
    async fn compare_keys(&self) -> Result<String, String> {
        let answer = self.get(self.v2(&["public_key"])).await?;
        let theirs = answer.json::<Envelope<PublicKey>>().and_then(|envelope| envelope.data.public);
        let taken = "Telnyx takes the API key, and knows the application";
        match theirs.filter(|_| answer.status.is_success()).and_then(|key| signature::key(&key).ok()) {
            Some(key) if key == self.public_key => Ok(taken.to_owned()),
            Some(_) => Err(format!(
                "{taken}, but public_key is not the account's, so no webhook would be believed: copy it from \
                 Keys & Credentials in Telnyx's portal"
            )),
            None => Ok(format!("{taken}; whether public_key is the account's could not be read")),
        }
    }
}
