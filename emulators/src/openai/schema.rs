//! JSON schemas as strict mode allows them (§4), and the least value that one takes.

use serde_json::{Map, Value, json};

/// Words that strict mode does not know.
const FORBIDDEN: [&str; 8] =
    ["allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties"];
/// Objects within objects, at most.
const DEPTH_MAX: usize = 10;
/// Schemas under each of these are checked as well.
const UNDER_NAMES: [&str; 2] = ["properties", "$defs"];

/// What strict mode has against a schema, in OpenAI's words as far as they are documented.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    if schema["type"] != "object" {
        return Err(format!(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: {}'.",
            schema["type"]
        ));
    }
    check_within(schema, &mut Vec::new(), 0)
}

fn check_within(schema: &Value, context: &mut Vec<String>, depth: usize) -> Result<(), String> {
    let Some(fields) = schema.as_object() else { return Ok(()) };
    if let Some(word) = FORBIDDEN.iter().find(|word| fields.contains_key(**word)) {
        return Err(format!("{}'{word}' is not permitted.", place(context)));
    }
    let is_object = schema["type"] == "object";
    if is_object && depth > DEPTH_MAX {
        return Err(format!("{}the schema is nested too deeply.", place(context)));
    }
    if is_object {
        check_object(fields, context)?;
    }
    let deeper = depth + usize::from(is_object);
    for under in UNDER_NAMES {
        for (name, inner) in fields.get(under).and_then(Value::as_object).into_iter().flatten() {
            context.extend([under.to_owned(), name.clone()]);
            check_within(inner, context, deeper)?;
            context.truncate(context.len() - 2);
        }
    }
    let several = fields.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    for inner in several.chain(fields.get("items")) {
        context.push(if fields.contains_key("anyOf") { "anyOf" } else { "items" }.to_owned());
        check_within(inner, context, deeper)?;
        context.pop();
    }
    Ok(())
}

fn check_object(fields: &Map<String, Value>, context: &[String]) -> Result<(), String> {
    if fields.get("additionalProperties") != Some(&json!(false)) {
        return Err(format!(
            "{}'additionalProperties' is required to be supplied and to be false.",
            place(context)
        ));
    }
    let required = fields.get("required").and_then(Value::as_array);
    let properties = fields.get("properties").and_then(Value::as_object);
    let missing =
        properties.into_iter().flatten().map(|(name, _)| name).find(|name| {
            !required.is_some_and(|required| required.iter().any(|known| known == name.as_str()))
        });
    missing.map_or(Ok(()), |name| {
        Err(format!(
            "{}'required' is required to be supplied and to be an array including every key in properties. \
             Missing '{name}'.",
            place(context)
        ))
    })
}

/// `In context=('properties', 'a'), `, as Python writes a tuple.
fn place(context: &[String]) -> String {
    let names: Vec<String> = context.iter().map(|name| format!("'{name}'")).collect();
    let comma = if names.len() == 1 { "," } else { "" };
    format!("In context=({}{comma}), ", names.join(", "))
}

/// The least value that a schema takes: the first of an enum, no text, no elements, zero or the minimum.
pub(super) fn least(schema: &Value, root: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let target = name.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| least(target, root));
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if !schema["const"].is_null() {
        return schema["const"].clone();
    }
    if let Some(first) = schema["anyOf"].as_array().and_then(|schemas| schemas.first()) {
        return least(first, root);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    match kind {
        "object" => least_object(schema, root),
        "array" => {
            let count = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap_or(0);
            std::iter::repeat_n(least(&schema["items"], root), count).collect()
        }
        "string" => json!(""),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        "boolean" => json!(false),
        _ => Value::Null,
    }
}

fn least_object(schema: &Value, root: &Value) -> Value {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let wanted = properties.filter(|(name, _)| order(schema).contains(&name.as_str()));
    Value::Object(wanted.map(|(name, inner)| (name.clone(), least(inner, root))).collect())
}

/// The order of an object's keys: that of `required`, which is the schema's in what clients send.
fn order(schema: &Value) -> Vec<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A value as JSON, with an object's keys in the order of its schema, as structured outputs have it.
pub(super) fn written(value: &Value, schema: &Value) -> String {
    write(value, schema, schema)
}

fn write(value: &Value, schema: &Value, root: &Value) -> String {
    let target = schema["$ref"].as_str().and_then(|name| root.pointer(name.strip_prefix('#')?));
    let schema = target.unwrap_or(schema);
    match value {
        Value::Object(fields) => {
            let order = order(schema);
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_by_key(|name| order.iter().position(|known| known == name).unwrap_or(usize::MAX));
            let field = |name: &String| {
                let inner = write(&fields[name], &schema["properties"][name], root);
                format!("{}:{inner}", json!(name))
            };
            format!("{{{}}}", names.into_iter().map(field).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| write(item, &schema["items"], root)).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        json!({
            "type": "object", "additionalProperties": false, "required": ["outcome", "notes", "after"],
            "properties": {
                "outcome": {"type": "string", "enum": ["interested", "not_interested"]},
                "notes": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "after": {"type": "array", "items": {"$ref": "#/$defs/Day"}, "minItems": 1},
            },
            "$defs": {"Day": {
                "type": "object", "additionalProperties": false, "required": ["day"],
                "properties": {"day": {"type": "integer", "minimum": 1}},
            }},
        })
    }

    #[test]
    fn a_strict_schema_passes_and_its_least_value_follows_it_in_its_order() {
        assert_eq!(check(&sample()), Ok(()));
        let least = least(&sample(), &sample());
        assert_eq!(written(&least, &sample()), r#"{"outcome":"interested","notes":"","after":[{"day":1}]}"#);
    }

    #[test]
    fn what_strict_mode_does_not_allow_is_named() {
        let without = |pointer: &str, key: &str| {
            let mut schema = sample();
            schema.pointer_mut(pointer).and_then(Value::as_object_mut).expect("there").remove(key);
            check(&schema).expect_err("not strict")
        };
        assert_eq!(
            without("", "additionalProperties"),
            "In context=(), 'additionalProperties' is required to be supplied and to be false."
        );
        assert!(without("/$defs/Day", "required").starts_with("In context=('$defs', 'Day'), 'required'"));
        let mut either = sample();
        either["properties"]["notes"]["allOf"] = json!([]);
        assert_eq!(
            check(&either).unwrap_err(),
            "In context=('properties', 'notes'), 'allOf' is not permitted."
        );
        assert!(check(&json!({"anyOf": []})).is_err());
    }
}
