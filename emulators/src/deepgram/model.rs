//! The models that are known, and what results say of them.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Variants of each family; the first is meant by the family's name alone (§2).
const FAMILIES: [(&str, &[&str]); 5] = [
    ("nova-3", &["general", "medical"]),
    (
        "nova-2",
        &[
            "general",
            "meeting",
            "phonecall",
            "finance",
            "conversationalai",
            "voicemail",
            "video",
            "medical",
            "drivethru",
            "automotive",
            "atc",
        ],
    ),
    ("nova", OLDER),
    ("enhanced", OLDER),
    ("base", OLDER),
];

/// What the older families come in.
const OLDER: &[&str] =
    &["general", "meeting", "phonecall", "finance", "conversationalai", "voicemail", "video"];

/// A model that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) family: String,
    variant: String,
}

impl Model {
    /// Reads a name such as `nova-3` or `nova-2-phonecall`; a UUID is a custom model's.
    pub(super) fn named(name: &str) -> Option<Self> {
        if Uuid::parse_str(name).is_ok() {
            return Some(Self { family: "custom".into(), variant: name.into() });
        }
        FAMILIES.iter().find_map(|(family, variants)| {
            let rest = name.strip_prefix(family)?;
            let variant = if rest.is_empty() { variants[0] } else { rest.strip_prefix('-')? };
            let known = variants.contains(&variant);
            known.then(|| Self { family: (*family).into(), variant: variant.into() })
        })
    }

    /// `model_info` of a result; the version is the one of the protocol page's sample.
    pub(super) fn info(&self) -> Value {
        let name = format!("{}-{}", self.variant, self.family);
        json!({"name": name, "version": "2025-04-17.21547", "arch": self.family})
    }

    /// The same for the same model on every run.
    pub(super) fn uuid(&self) -> Uuid {
        let digest = Sha256::digest(format!("{}-{}", self.variant, self.family));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_alone_means_its_general_model() {
        let general = Model::named("nova-3").expect("known");
        assert_eq!(Model::named("nova-3-general"), Some(general.clone()));
        assert_eq!(general.info()["name"], "general-nova-3");
        assert_eq!(Model::named("nova-2-phonecall").expect("known").info()["arch"], "nova-2");
    }

    #[test]
    fn other_names_are_unknown_unless_they_are_ids() {
        for name in ["", "nova-4", "nova-3-phonecall", "nova-2-", "flux-general-en", "nova-"] {
            assert_eq!(Model::named(name), None, "{name}");
        }
        assert!(Model::named("6d3f3e0c-0000-4000-8000-000000000000").is_some());
    }
}
