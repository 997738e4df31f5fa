//! The encryption key: seals credentials at rest, and makes the unguessable part of
//! webhook addresses.

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::Mac;
use outdial_workflows::ids::{AccountId, CampaignId, ClientId, DialKey};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

type HmacSha256 = hmac::Hmac<Sha256>;

/// The key that everything secret in the database is sealed with: 32 bytes.
#[derive(Clone)]
pub struct SealKey(SecretSlice<u8>);

/// The text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an encryption key is 64 hexadecimal digits; make one with `openssl rand -hex 32`")]
pub struct NotAKey;

/// What was sealed cannot be opened with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored credentials cannot be opened: they were sealed with another key, or for another account")]
pub struct CannotOpen;

/// Bytes of a nonce, which stands before what it sealed.
const NONCE_BYTES: usize = 24;

impl SealKey {
    /// Reads a key as it is written in the environment or in a key file.
    ///
    /// # Errors
    /// If it is not 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let bytes = hex::decode(text.trim()).map_err(|_| NotAKey)?;
        if bytes.len() == 32 { Ok(Self(bytes.into())) } else { Err(NotAKey) }
    }

    /// A fresh key, as it is written in a key file.
    pub fn generate() -> String {
        hex::encode(chacha20poly1305::Key::generate())
    }

    /// Tells keys apart without telling what they are.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"outdial key fingerprint");
        hash.update(self.0.expose_secret());
        hex::encode(&hash.finalize()[..8])
    }

    /// Seals credentials, bound to their account: moved to another, they do not open.
    pub fn seal(&self, client: ClientId, account: AccountId, plain: &[u8]) -> Vec<u8> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: plain, aad: &bound_to(client, account) };
        let sealed = self.cipher().encrypt(&nonce, payload).expect("sealing in memory does not fail");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`SealKey::seal`] sealed.
    ///
    /// # Errors
    /// If another key sealed it, or for another account.
    pub fn open(&self, client: ClientId, account: AccountId, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(CannotOpen)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| CannotOpen)?;
        let payload = Payload { msg: sealed, aad: &bound_to(client, account) };
        self.cipher().decrypt(&nonce, payload).map_err(|_| CannotOpen)
    }

    /// The unguessable last part of an attempt's webhook and stream addresses: 128 bits, made
    /// from the key and the attempt's name, so that it is stored nowhere and checked without a look-up.
    pub fn secret_of(&self, key: DialKey) -> String {
        let mut mac = HmacSha256::new_from_slice(self.0.expose_secret()).expect("any length serves");
        mac.update(b"webhook address ");
        mac.update(key.to_string().as_bytes());
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// Whether `secret` is the one of this attempt. Takes the same time for any wrong one.
    pub fn is_secret_of(&self, key: DialKey, secret: &str) -> bool {
        self.secret_of(key).as_bytes().ct_eq(secret.as_bytes()).into()
    }

    /// The unguessable last part of the address of a campaign's status, for spreadsheets that can send no key:
    /// made as [`SealKey::secret_of`] makes an attempt's. It holds for as long as this key does.
    pub fn status_secret_of(&self, campaign: CampaignId) -> String {
        let mut mac = HmacSha256::new_from_slice(self.0.expose_secret()).expect("any length serves");
        mac.update(b"status address ");
        mac.update(campaign.to_string().as_bytes());
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// Whether `secret` is the one of this campaign. Takes the same time for any wrong one.
    pub fn is_status_secret_of(&self, campaign: CampaignId, secret: &str) -> bool {
        self.status_secret_of(campaign).as_bytes().ct_eq(secret.as_bytes()).into()
    }

    /// Seals what is given to somebody to keep, as a browser keeps a session: with the name of what it is for, for
    /// which alone it opens.
    ///
    /// # Panics
    /// If the system has no randomness, as [`SealKey::seal`] does.
    pub fn seal_for(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: plain, aad: &for_(purpose) };
        let sealed = self.cipher().encrypt(&nonce, payload).expect("sealing in memory does not fail");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for this.
    ///
    /// # Errors
    /// If it was sealed with another key, or for something else.
    pub fn open_for(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(CannotOpen)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| CannotOpen)?;
        let payload = Payload { msg: sealed, aad: &for_(purpose) };
        self.cipher().decrypt(&nonce, payload).map_err(|_| CannotOpen)
    }

    /// What only somebody who was told it by us can say about `text`, for this purpose.
    pub fn proof_of(&self, purpose: &str, text: &str) -> String {
        let mut mac = HmacSha256::new_from_slice(self.0.expose_secret()).expect("any length serves");
        for part in ["proof", purpose, text] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new_from_slice(self.0.expose_secret()).expect("a key is 32 bytes")
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealKey({})", self.fingerprint())
    }
}

/// No account is bound to as much: 32 bytes without a beginning.
fn for_(purpose: &str) -> Vec<u8> {
    [b"outdial keeps with somebody else, for ", purpose.as_bytes()].concat()
}

/// Whether a proof is the one that was expected, in a time that does not tell how much of it is.
pub fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

fn bound_to(client: ClientId, account: AccountId) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(client.0.as_bytes());
    bytes[16..].copy_from_slice(account.0.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use outdial_workflows::ids::{AttemptNumber, AttemptRef, LeadId};
    use uuid::Uuid;

    use super::*;

    fn key(fill: &str) -> SealKey {
        SealKey::parse(&fill.repeat(32)).expect("a key")
    }

    #[test]
    fn credentials_open_with_their_key_and_for_their_account_only() {
        let (client, account) = (ClientId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let sealed = key("a1").seal(client, account, b"token");
        assert_eq!(key("a1").open(client, account, &sealed), Ok(b"token".to_vec()));
        assert_eq!(key("b2").open(client, account, &sealed), Err(CannotOpen));
        assert_eq!(key("a1").open(client, AccountId(Uuid::from_u128(3)), &sealed), Err(CannotOpen));
        assert_eq!(key("a1").open(client, account, b"short"), Err(CannotOpen));
    }

    #[test]
    fn what_somebody_keeps_opens_with_its_key_and_for_its_purpose_only() {
        let sealed = key("a1").seal_for("session", b"who");
        assert_eq!(key("a1").open_for("session", &sealed), Ok(b"who".to_vec()));
        assert_eq!(key("a1").open_for("message", &sealed), Err(CannotOpen));
        assert_eq!(key("b2").open_for("session", &sealed), Err(CannotOpen));
        let proof = key("a1").proof_of("form", "session");
        assert!(same(&proof, &key("a1").proof_of("form", "session")));
        for other in [key("a1").proof_of("forms", "ession"), key("b2").proof_of("form", "session")] {
            assert!(!same(&other, &proof));
        }
    }

    #[test]
    fn an_address_secret_belongs_to_one_attempt_and_one_key() {
        let attempt = |n| {
            DialKey(AttemptRef {
                client: ClientId(Uuid::from_u128(1)),
                lead: LeadId(Uuid::from_u128(2)),
                number: AttemptNumber::new(n).expect("not zero"),
            })
        };
        let secret = key("a1").secret_of(attempt(1));
        assert_eq!(secret.len(), 32);
        assert!(key("a1").is_secret_of(attempt(1), &secret));
        assert!(!key("a1").is_secret_of(attempt(2), &secret));
        assert!(!key("b2").is_secret_of(attempt(1), &secret));
        assert!(!key("a1").is_secret_of(attempt(1), ""));
    }

    #[test]
    fn a_status_secret_belongs_to_one_campaign_and_one_key() {
        let campaign = |n| CampaignId(Uuid::from_u128(n));
        let secret = key("a1").status_secret_of(campaign(1));
        assert_eq!(secret.len(), 32);
        assert!(key("a1").is_status_secret_of(campaign(1), &secret));
        assert!(!key("a1").is_status_secret_of(campaign(2), &secret));
        assert!(!key("b2").is_status_secret_of(campaign(1), &secret));
        assert!(!key("a1").is_status_secret_of(campaign(1), ""));
    }

    #[test]
    fn what_is_not_a_key_is_refused_with_the_remedy() {
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(63)] {
            assert!(SealKey::parse(text).is_err(), "{text}");
        }
        let made = SealKey::generate();
        assert!(SealKey::parse(&format!("{made}\n")).is_ok());
    }
}
