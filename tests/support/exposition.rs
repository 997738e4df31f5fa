//! What `/metrics` shows, and what its documentation says of it, read alike.

use std::collections::{BTreeMap, BTreeSet};

/// The documentation, as it is shipped.
const DOCUMENTED: &str = include_str!("../../dashboards/metrics.md");
/// The section of what is shown where conversations are held.
pub(crate) const CONVERSATIONS: &str = "Conversations";

/// A metric as it is shown, or as it is documented.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) labels: BTreeSet<String>,
}

pub(crate) type Families = BTreeMap<String, Family>;

/// As it is shown.
pub(crate) fn families(text: &str) -> Families {
    let mut families = Families::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("# HELP ") {
            let (name, help) = line.split_once(' ').expect("a name and a help");
            families.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some(line) = line.strip_prefix("# TYPE ") {
            let (name, kind) = line.split_once(' ').expect("a name and a type");
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let series = line.rsplit_once(' ').expect("a series and a value").0;
            let (sample, labels) = series.split_once('{').unwrap_or((series, ""));
            let of = ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.strip_suffix(end));
            let name = of.filter(|name| families.contains_key(*name)).unwrap_or(sample);
            let family = families.get_mut(name).expect("it was declared above");
            let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('='));
            family.labels.extend(labels.map(|(name, _)| name.to_owned()).filter(|name| name != "le"));
        }
    }
    families
}

/// As it is documented, by section.
pub(crate) fn documented() -> BTreeMap<String, Families> {
    let mut sections = BTreeMap::<String, Families>::new();
    let mut section = "";
    for line in DOCUMENTED.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if line.starts_with("| `") {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [name, kind, labels, help] = cells[..] else { panic!("not four cells: {line}") };
            let labels = labels.split(", ").filter(|label| !label.is_empty()).map(str::to_owned);
            let family = Family { kind: kind.into(), help: help.into(), labels: labels.collect() };
            sections.entry(section.to_owned()).or_default().insert(name.trim_matches('`').to_owned(), family);
        }
    }
    sections
}
