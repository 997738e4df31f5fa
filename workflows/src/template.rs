//! Texts with places that a lead, a campaign or a client fills: what an agent is told before a call.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text such as `Hello {{ lead.name }}, you asked about {{ lead.attributes.area | our flats }}.`
///
/// What stands behind `|` is said where the variable has no value. A variable without one, and
/// without such a text, keeps the call from being made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Place { variable: Variable, otherwise: Option<String> },
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// `lead.name`
    LeadName,
    /// `lead.phone`
    LeadPhone,
    /// `lead.external_id`
    LeadExternalId,
    /// `lead.attributes.…`: a column of the list that the lead came in.
    LeadAttribute(String),
    /// `campaign.name`
    CampaignName,
    /// `client.name`
    ClientName,
}

/// Every form of a variable, for errors.
const KNOWN: &str =
    "lead.name, lead.phone, lead.external_id, lead.attributes.<name>, campaign.name or client.name";

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Braces that do not close.
    #[error("`{0}` opens a place that is not closed; write {{{{ lead.name }}}}")]
    Open(String),
    /// Nothing of that name can ever have a value.
    #[error("`{0}` is not a variable; one of {KNOWN}")]
    Unknown(String),
}

/// A variable without a value, where the template has nothing else to say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no value; give it one, or a text for that case: {{{{ {0} | … }}}}")]
pub struct Missing(pub Variable);

/// What fills the places of templates.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The person's name.
    pub lead_name: Option<&'a str>,
    /// The person's number.
    pub lead_phone: &'a str,
    /// What the list's owner calls the lead.
    pub lead_external_id: Option<&'a str>,
    /// The list's other columns.
    pub attributes: &'a BTreeMap<String, String>,
    /// The campaign's name.
    pub campaign_name: &'a str,
    /// The client's name.
    pub client_name: &'a str,
}

impl Values<'_> {
    fn of(&self, variable: &Variable) -> Option<&str> {
        let value = match variable {
            Variable::LeadName => self.lead_name,
            Variable::LeadPhone => Some(self.lead_phone),
            Variable::LeadExternalId => self.lead_external_id,
            Variable::LeadAttribute(name) => self.attributes.get(name).map(String::as_str),
            Variable::CampaignName => Some(self.campaign_name),
            Variable::ClientName => Some(self.client_name),
        };
        value.map(str::trim).filter(|value| !value.is_empty())
    }
}

impl Template {
    /// The text with every place filled.
    ///
    /// # Errors
    /// Names the first variable that has no value.
    pub fn fill(&self, values: &Values<'_>) -> Result<String, Missing> {
        let mut filled = String::with_capacity(self.text.len());
        for part in &self.parts {
            match part {
                Part::Words(words) => filled.push_str(words),
                Part::Place { variable, otherwise } => {
                    let value = values.of(variable).or(otherwise.as_deref());
                    filled.push_str(value.ok_or_else(|| Missing(variable.clone()))?);
                }
            }
        }
        Ok(filled)
    }

    /// The variables that it takes.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Words(_) => None,
            Part::Place { variable, .. } => Some(variable),
        })
    }
}

/// What an agent is told: the attributes, if it is told those, and the templates, which win.
///
/// # Errors
/// Names the first variable that has no value.
pub fn told(
    templates: &BTreeMap<String, Template>,
    pass_attributes: bool,
    values: &Values<'_>,
) -> Result<BTreeMap<String, String>, Missing> {
    let mut told = if pass_attributes { values.attributes.clone() } else { BTreeMap::new() };
    for (name, template) in templates {
        told.insert(name.clone(), template.fill(values)?);
    }
    Ok(told)
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((words, place)) = rest.split_once("{{") {
            let (inside, behind) =
                place.split_once("}}").ok_or_else(|| TemplateError::Open(format!("{{{{{place}")))?;
            if !words.is_empty() {
                parts.push(Part::Words(words.to_owned()));
            }
            let (name, otherwise) = match inside.split_once('|') {
                Some((name, otherwise)) => (name, Some(otherwise.trim().to_owned())),
                None => (inside, None),
            };
            parts.push(Part::Place { variable: name.trim().parse()?, otherwise });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Words(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl FromStr for Variable {
    type Err = TemplateError;

    fn from_str(name: &str) -> Result<Self, TemplateError> {
        Ok(match name {
            "lead.name" => Self::LeadName,
            "lead.phone" => Self::LeadPhone,
            "lead.external_id" => Self::LeadExternalId,
            "campaign.name" => Self::CampaignName,
            "client.name" => Self::ClientName,
            _ => match name.strip_prefix("lead.attributes.") {
                Some(attribute) if !attribute.trim().is_empty() => Self::LeadAttribute(attribute.to_owned()),
                _ => return Err(TemplateError::Unknown(name.to_owned())),
            },
        })
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeadName => f.write_str("lead.name"),
            Self::LeadPhone => f.write_str("lead.phone"),
            Self::LeadExternalId => f.write_str("lead.external_id"),
            Self::LeadAttribute(name) => write!(f, "lead.attributes.{name}"),
            Self::CampaignName => f.write_str("campaign.name"),
            Self::ClientName => f.write_str("client.name"),
        }
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let attributes =
            BTreeMap::from([("area".to_owned(), "Whitefield".to_owned()), ("budget".into(), " ".into())]);
        let values = Values {
            lead_name: Some("Asha"),
            lead_phone: "+919876543210",
            lead_external_id: None,
            attributes: &attributes,
            campaign_name: "Flats",
            client_name: "Example Homes",
        };
        let template: Template = text.parse().map_err(|error: TemplateError| error.to_string())?;
        assert_eq!(template.to_string(), text);
        template.fill(&values).map_err(|missing| missing.to_string())
    }

    #[test]
    fn places_are_filled_from_lead_campaign_and_client() {
        let filled =
            fill("Hello {{lead.name}} of {{ lead.attributes.area }}: {{campaign.name}}, {{client.name}}");
        assert_eq!(filled.as_deref(), Ok("Hello Asha of Whitefield: Flats, Example Homes"));
        assert_eq!(fill("no places at all }}").as_deref(), Ok("no places at all }}"));
    }

    #[test]
    fn what_has_no_value_is_said_otherwise_or_named() {
        assert_eq!(fill("{{ lead.attributes.budget | any budget }}").as_deref(), Ok("any budget"));
        assert_eq!(fill("{{ lead.external_id | }}").as_deref(), Ok(""));
        let missing = fill("{{ lead.attributes.city }}").expect_err("no value");
        assert!(missing.starts_with("lead.attributes.city has no value"), "{missing}");
    }

    #[test]
    fn what_can_never_have_a_value_is_no_template() {
        for (text, says) in [
            ("{{ lead.nmae }}", "`lead.nmae` is not a variable"),
            ("{{ }}", "`` is not a variable"),
            ("{{ lead.attributes. }}", "is not a variable"),
            ("Hello {{ lead.name", "not closed"),
        ] {
            let error = fill(text).expect_err(text);
            assert!(error.contains(says), "{error}");
        }
    }
}
