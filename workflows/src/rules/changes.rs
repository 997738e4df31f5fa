//! What an edit of rules changed.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

/// One rule that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// Its name, as `retry.max_attempts`.
    pub rule: String,
    /// What it was; null where it was not there.
    pub before: Value,
    /// What it is.
    pub after: Value,
}

/// Which rules differ, as they are stored. Objects are compared by what they hold, so that one changed retry
/// time is one change.
pub fn changes(before: &Value, after: &Value) -> Vec<RuleChange> {
    let mut found = vec![];
    differences("", before, after, &mut found);
    found
}

fn differences(place: &str, before: &Value, after: &Value, found: &mut Vec<RuleChange>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                let of = |rules: &Map<String, Value>| rules.get(name).cloned().unwrap_or_default();
                differences(&place, &of(before), &of(after), found);
            }
        }
        (before, after) if before != after => {
            let (rule, before, after) = (place.to_owned(), before.clone(), after.clone());
            found.push(RuleChange { rule, before, after });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::Rules;

    #[test]
    fn an_edit_is_told_rule_by_rule() {
        let before = serde_json::to_value(Rules::default()).expect("rules");
        let mut after = before.clone();
        after["ring_timeout_s"] = json!(20);
        after["retry"]["max_attempts"] = json!(5);
        let told = changes(&before, &after);
        let told: Vec<&str> = told.iter().map(|change| change.rule.as_str()).collect();
        assert_eq!(told, ["retry.max_attempts", "ring_timeout_s"]);
    }
}
