//! The operators of the newer list's filters. Nothing holds of a value that a call does not have,
//! except that it has none.

use serde_json::Value;

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Text(TextOp, String),
    Number(NumberOp, f64),
    Flag(bool),
    /// Both ends included.
    Range(f64, f64),
    OneOf(Vec<String>),
    Present(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOp {
    Is,
    IsNot,
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberOp {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// Reads a filter at `name`, which may be of these types. `Err` is the message of a 400.
    pub(super) fn read(name: &str, given: &Value, types: &[&str]) -> Result<Self, String> {
        let refusal = || format!("filter_criteria.{name} cannot be filtered by {given}");
        let kind = given["type"].as_str().filter(|kind| types.contains(kind)).ok_or_else(refusal)?;
        let op = given["op"].as_str().ok_or_else(refusal)?;
        Self::of(kind, op, &given["value"]).ok_or_else(refusal)
    }

    fn of(kind: &str, op: &str, value: &Value) -> Option<Self> {
        Some(match (kind, op) {
            ("string", _) => Self::Text(text_op(op)?, value.as_str()?.to_owned()),
            ("number", _) => Self::Number(number_op(op)?, value.as_f64()?),
            ("boolean", "eq") => Self::Flag(value.as_bool()?),
            ("range", "bt") => match value.as_array()?.as_slice() {
                [least, most] => Self::Range(least.as_f64()?, most.as_f64()?),
                _ => return None,
            },
            ("enum", "in") => {
                let words = value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned));
                Self::OneOf(words.collect::<Option<_>>()?)
            }
            ("present", "pr") => Self::Present(true),
            ("present", "np") => Self::Present(false),
            _ => return None,
        })
    }

    pub(super) fn holds(&self, fact: Option<&Value>) -> bool {
        let text = fact.and_then(Value::as_str);
        let number = fact.and_then(Value::as_f64);
        match self {
            Self::Text(op, value) => text.is_some_and(|text| op.holds(text, value)),
            Self::Number(op, value) => number.is_some_and(|number| op.holds(number, *value)),
            Self::Flag(value) => fact.and_then(Value::as_bool) == Some(*value),
            Self::Range(least, most) => number.is_some_and(|number| (*least..=*most).contains(&number)),
            Self::OneOf(words) => text.is_some_and(|text| words.iter().any(|word| word == text)),
            Self::Present(present) => fact.is_some_and(|fact| !fact.is_null()) == *present,
        }
    }
}

fn text_op(op: &str) -> Option<TextOp> {
    Some(match op {
        "eq" => TextOp::Is,
        "ne" => TextOp::IsNot,
        "sw" => TextOp::StartsWith,
        "ew" => TextOp::EndsWith,
        "co" => TextOp::Contains,
        _ => return None,
    })
}

fn number_op(op: &str) -> Option<NumberOp> {
    Some(match op {
        "eq" => NumberOp::Equal,
        "ne" => NumberOp::NotEqual,
        "gt" => NumberOp::Greater,
        "ge" => NumberOp::GreaterOrEqual,
        "lt" => NumberOp::Less,
        "le" => NumberOp::LessOrEqual,
        _ => return None,
    })
}

impl TextOp {
    fn holds(self, text: &str, value: &str) -> bool {
        match self {
            Self::Is => text == value,
            Self::IsNot => text != value,
            Self::StartsWith => text.starts_with(value),
            Self::EndsWith => text.ends_with(value),
            Self::Contains => text.contains(value),
        }
    }
}

impl NumberOp {
    #[expect(clippy::float_cmp, reason = "equal is what the protocol's eq says")]
    fn holds(self, number: f64, value: f64) -> bool {
        match self {
            Self::Equal => number == value,
            Self::NotEqual => number != value,
            Self::Greater => number > value,
            Self::GreaterOrEqual => number >= value,
            Self::Less => number < value,
            Self::LessOrEqual => number <= value,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [&str; 6] = ["string", "number", "boolean", "range", "enum", "present"];

    #[test]
    fn each_operator_holds_of_what_it_should() {
        for (kind, op, value, holds, fails) in [
            ("string", "eq", json!("ab"), json!("ab"), json!("abc")),
            ("string", "ne", json!("ab"), json!("abc"), json!("ab")),
            ("string", "sw", json!("ab"), json!("abc"), json!("cab")),
            ("string", "ew", json!("ab"), json!("cab"), json!("abc")),
            ("string", "co", json!("b"), json!("abc"), json!("ac")),
            ("number", "eq", json!(7), json!(7.0), json!("7")),
            ("number", "ne", json!(7), json!(8), json!(7)),
            ("number", "gt", json!(7), json!(8), json!(7)),
            ("number", "ge", json!(7), json!(7), json!(6)),
            ("number", "lt", json!(7), json!(6), json!(7)),
            ("number", "le", json!(7), json!(7), json!(8)),
            ("boolean", "eq", json!(false), json!(false), json!(true)),
            ("range", "bt", json!([1, 2]), json!(2), json!(2.5)),
            ("enum", "in", json!(["a", "b"]), json!("b"), json!("c")),
            ("present", "pr", json!(null), json!(0), json!(null)),
            ("present", "np", json!(null), json!(null), json!("")),
        ] {
            let filter = Filter::read("x", &json!({"type": kind, "op": op, "value": value}), &ALL);
            let filter = filter.expect("a filter");
            assert!(filter.holds(Some(&holds)) && !filter.holds(Some(&fails)), "{kind} {op}");
            assert_eq!(filter.holds(None), op == "np", "{kind} {op}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for given in [
            json!({"type": "string", "op": "gt", "value": "a"}),
            json!({"type": "string", "op": "eq", "value": 1}),
            json!({"type": "range", "op": "bt", "value": [1]}),
            json!({"type": "enum", "op": "in", "value": "a"}),
            json!({"type": "regex", "op": "eq", "value": "a"}),
            json!(["a"]),
        ] {
            assert!(Filter::read("x", &given, &ALL).is_err(), "{given}");
        }
        let text = json!({"type": "string", "op": "eq", "value": "a"});
        assert!(Filter::read("x", &text, &["enum"]).is_err());
    }
}
