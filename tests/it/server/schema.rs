//! As much of JSON Schema 2020-12 as the description of the server uses.

use serde_json::Value;

/// Fails where `value` is not as `schema` describes it.
pub(super) fn check(root: &Value, schema: &Value, value: &Value, at: &str) {
    if let Err(reason) = test(root, schema, value, at) {
        panic!("{reason}");
    }
}

fn test(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{at}: {what}: {value}\n{schema}"));
    let Some(schema_fields) = schema.as_object() else {
        return Ok(());
    };
    if let Some(pointer) = schema_fields.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(pointer.strip_prefix('#').unwrap()).expect(pointer);
        return test(root, target, value, at);
    }
    for name in ["anyOf", "oneOf"] {
        if let Some(any) = schema_fields.get(name).and_then(Value::as_array)
            && !any.iter().any(|one| test(root, one, value, at).is_ok())
        {
            return wrong("is none of these");
        }
    }
    if let Some(words) = schema_fields.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return wrong("is none of these words");
    }
    if let Some(word) = schema_fields.get("const")
        && word != value
    {
        return wrong("is another word");
    }
    if let Some(types) = schema_fields.get("type") {
        let is = |name: &Value| match name.as_str().unwrap() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other}"),
        };
        let fits = types.as_array().map_or_else(|| is(types), |types| types.iter().any(is));
        if !fits {
            return wrong("has another type");
        }
    }
    if let (Some(items), Some(list)) = (schema_fields.get("items"), value.as_array()) {
        for (index, item) in list.iter().enumerate() {
            test(root, items, item, &format!("{at}/{index}"))?;
        }
    }
    let Some(fields) = value.as_object() else {
        return Ok(());
    };
    for name in schema_fields.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            return wrong(&format!("{name} is missing"));
        }
    }
    if let Some(properties) = schema_fields.get("properties").and_then(Value::as_object) {
        for (name, field) in fields {
            let Some(property) = properties.get(name) else {
                return wrong(&format!("{name} is not described"));
            };
            test(root, property, field, &format!("{at}/{name}"))?;
        }
    }
    Ok(())
}
