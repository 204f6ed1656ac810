//! Parameters that only one model has: its provider's admins describe them by a JSON Schema, and people set them. A model that
//! comes out tomorrow with a knob of its own needs no release.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// Parameters of one model, and values for them in one call.
pub const MAX_OWN: usize = 32;
const NAME_BYTES: usize = 100;
const TITLE_CHARS: usize = 60;
const DESCRIPTION_CHARS: usize = 300;
const TEXT_BYTES: usize = 1_000;
const CHOICES: usize = 50;

/// Where the body of a call says whom and what is asked, which no parameter may change.
const RESERVED: [&str; 14] = [
    "model",
    "messages",
    "input",
    "contents",
    "prompt",
    "system",
    "systemInstruction",
    "instructions",
    "stream",
    "stream_options",
    "tools",
    "toolConfig",
    "tool_choice",
    "functions",
];

/// The part of JSON Schema that is understood: an object whose properties are numbers, switches, choices and texts. The name of
/// a property says where in the body of a call its value goes: `top_k`, or by dots `generationConfig.topK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParameterSchema {
    #[serde(rename = "type")]
    pub kind: ObjectKind,
    pub properties: BTreeMap<String, OwnParameter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    Object,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnParameter {
    #[serde(rename = "type")]
    pub kind: OwnKind,
    /// What people see; the name of the property when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the model does when nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<OwnValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub minimum: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub maximum: Option<Number>,
    /// The only texts that are taken.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnKind {
    Number,
    Integer,
    Boolean,
    String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OwnValue {
    Switch(bool),
    Number(Number),
    Text(String),
}

impl utoipa::PartialSchema for OwnValue {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::OneOfBuilder::new().item(bool::schema()).item(f64::schema()).item(String::schema()).into()
    }
}

impl utoipa::ToSchema for OwnValue {}

/// Values by the names of their parameters, all of them such as some model may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, OwnValue>")]
pub struct OwnValues(BTreeMap<String, OwnValue>);

impl OwnValues {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, OwnValue>> for OwnValues {
    type Error = OwnFault;

    fn try_from(values: BTreeMap<String, OwnValue>) -> Result<Self, OwnFault> {
        if values.len() > MAX_OWN {
            return fault(format!("at most {MAX_OWN} parameters of models are kept"));
        }
        for (name, value) in &values {
            check_name(name)?;
            if matches!(value, OwnValue::Text(text) if text.len() > TEXT_BYTES) {
                return fault(format!("`{name}` has at most {TEXT_BYTES} bytes"));
            }
        }
        Ok(Self(values))
    }
}

/// What is wrong with a schema or a value, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OwnFault(String);

impl ParameterSchema {
    pub fn check(&self) -> Result<(), OwnFault> {
        if self.properties.len() > MAX_OWN {
            return fault(format!("at most {MAX_OWN} properties are understood"));
        }
        for (name, parameter) in &self.properties {
            check_name(name)?;
            parameter.check().or_else(|OwnFault(what)| fault(format!("`{name}`: {what}")))?;
        }
        for name in self.properties.keys() {
            // One value cannot hold another.
            if self
                .properties
                .keys()
                .any(|other| other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.')))
            {
                return fault(format!("`{name}` stands in the way of another property"));
            }
        }
        Ok(())
    }

    /// Those values that are for this model: what is set for another is left aside, what this one does not take is refused.
    pub fn admit(&self, values: &OwnValues) -> Result<OwnValues, OwnFault> {
        let mut admitted = BTreeMap::new();
        for (name, value) in &values.0 {
            let Some(parameter) = self.properties.get(name) else { continue };
            parameter.admit(value).or_else(|OwnFault(what)| fault(format!("the parameter `{name}` {what}")))?;
            admitted.insert(name.clone(), value.clone());
        }
        Ok(OwnValues(admitted))
    }
}

impl OwnParameter {
    fn check(&self) -> Result<(), OwnFault> {
        let numeric = matches!(self.kind, OwnKind::Number | OwnKind::Integer);
        if self.title.as_ref().is_some_and(|title| title.trim().is_empty() || title.chars().count() > TITLE_CHARS) {
            return fault(format!("a title has 1 to {TITLE_CHARS} characters"));
        }
        if self.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS) {
            return fault(format!("a description has at most {DESCRIPTION_CHARS} characters"));
        }
        if !numeric && (self.minimum.is_some() || self.maximum.is_some()) {
            return fault("only numbers have a minimum and a maximum".to_owned());
        }
        if let (Some(minimum), Some(maximum)) = (&self.minimum, &self.maximum)
            && minimum.as_f64() > maximum.as_f64()
        {
            return fault("the minimum is above the maximum".to_owned());
        }
        if let Some(choices) = &self.choices {
            if self.kind != OwnKind::String {
                return fault("only texts can be an enum".to_owned());
            }
            if choices.is_empty() || choices.len() > CHOICES || choices.iter().any(|choice| choice.len() > NAME_BYTES) {
                return fault(format!("an enum has 1 to {CHOICES} texts of at most {NAME_BYTES} bytes"));
            }
        }
        match &self.default {
            Some(default) => self.admit(default).or_else(|OwnFault(what)| fault(format!("its default {what}"))),
            None => Ok(()),
        }
    }

    fn admit(&self, value: &OwnValue) -> Result<(), OwnFault> {
        match (self.kind, value) {
            (OwnKind::Boolean, OwnValue::Switch(_)) => Ok(()),
            (OwnKind::String, OwnValue::Text(text)) => match &self.choices {
                Some(choices) if !choices.contains(text) => fault(format!("must be one of {}", choices.join(", "))),
                _ if text.len() > TEXT_BYTES => fault(format!("has at most {TEXT_BYTES} bytes")),
                _ => Ok(()),
            },
            (OwnKind::Integer, OwnValue::Number(number)) if !(number.is_i64() || number.is_u64()) => {
                fault("must be a whole number".to_owned())
            }
            (OwnKind::Number | OwnKind::Integer, OwnValue::Number(number)) => {
                let value = number.as_f64();
                if self.minimum.as_ref().is_some_and(|minimum| value < minimum.as_f64()) {
                    return fault(format!("must be at least {}", shown(self.minimum.as_ref())));
                }
                if self.maximum.as_ref().is_some_and(|maximum| value > maximum.as_f64()) {
                    return fault(format!("must be at most {}", shown(self.maximum.as_ref())));
                }
                Ok(())
            }
            (OwnKind::Boolean, _) => fault("must be true or false".to_owned()),
            (OwnKind::String, _) => fault("must be a text".to_owned()),
            (OwnKind::Number | OwnKind::Integer, _) => fault("must be a number".to_owned()),
        }
    }
}

/// Those values that are for a model of this schema; none where it has none.
pub fn admitted(schema: Option<&ParameterSchema>, values: &OwnValues) -> Result<OwnValues, OwnFault> {
    schema.map_or_else(|| Ok(OwnValues::default()), |schema| schema.admit(values))
}

/// Writes values to their places in the body of a call.
pub fn write_values(body: &mut Value, values: &OwnValues) -> Result<(), OwnFault> {
    for (name, value) in &values.0 {
        let mut place = &mut *body;
        for step in name.split('.') {
            if place.is_null() {
                *place = Value::Object(serde_json::Map::new());
            }
            let Value::Object(object) = place else {
                return fault(format!("`{name}` leads through something that holds no parameters"));
            };
            place = object.entry(step).or_insert(Value::Null);
        }
        *place = match value {
            OwnValue::Switch(on) => Value::Bool(*on),
            OwnValue::Number(number) => Value::Number(number.clone()),
            OwnValue::Text(text) => Value::String(text.clone()),
        };
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), OwnFault> {
    let step = |step: &str| {
        !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if name.len() > NAME_BYTES || !name.split('.').all(step) {
        return fault(format!(
            "a name is made of letters, digits, `_`, `-`, and dots between parts, with at most {NAME_BYTES} bytes"
        ));
    }
    let first = name.split('.').next().unwrap_or_default();
    if RESERVED.contains(&first) {
        return fault(format!("`{first}` is no parameter: it says what is asked, and whom"));
    }
    Ok(())
}

fn shown(number: Option<&Number>) -> String {
    number.map(ToString::to_string).unwrap_or_default()
}

fn fault<T>(what: String) -> Result<T, OwnFault> {
    Err(OwnFault(what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(properties: &Value) -> ParameterSchema {
        serde_json::from_value(json!({"type": "object", "properties": properties})).unwrap()
    }

    fn values(values: Value) -> OwnValues {
        serde_json::from_value(values).unwrap()
    }

    #[test]
    fn what_is_for_another_model_is_left_aside_and_what_does_not_fit_is_refused() {
        let schema = schema(&json!({
            "top_k": {"type": "integer", "minimum": 1, "maximum": 100},
            "style": {"type": "string", "enum": ["plain", "rich"], "default": "plain"},
            "search": {"type": "boolean"},
        }));
        schema.check().unwrap();
        let given = values(json!({"top_k": 40, "style": "rich", "search": true, "of_another": 1}));
        assert_eq!(schema.admit(&given).unwrap(), values(json!({"top_k": 40, "style": "rich", "search": true})));
        for (wrong, what) in [
            (json!({"top_k": 0}), "at least 1"),
            (json!({"top_k": 101}), "at most 100"),
            (json!({"top_k": 1.5}), "whole number"),
            (json!({"top_k": "40"}), "must be a number"),
            (json!({"style": "loud"}), "plain, rich"),
            (json!({"search": 1}), "true or false"),
        ] {
            let error = schema.admit(&values(wrong.clone())).unwrap_err().to_string();
            assert!(error.contains(what), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_schema_that_cannot_be_kept_to_is_refused() {
        for (wrong, what) in [
            (json!({"messages": {"type": "string"}}), "says what is asked"),
            (json!({"stream.x": {"type": "string"}}), "says what is asked"),
            (json!({"a..b": {"type": "string"}}), "made of letters"),
            (json!({"a b": {"type": "string"}}), "made of letters"),
            (json!({"a": {"type": "number"}, "a.b": {"type": "number"}}), "in the way"),
            (json!({"a": {"type": "number", "minimum": 2, "maximum": 1}}), "above the maximum"),
            (json!({"a": {"type": "boolean", "minimum": 2}}), "only numbers"),
            (json!({"a": {"type": "number", "enum": ["1"]}}), "only texts"),
            (json!({"a": {"type": "string", "enum": []}}), "an enum has"),
            (json!({"a": {"type": "number", "maximum": 1, "default": 2}}), "its default must be at most 1"),
            (json!({"a": {"type": "string", "title": " "}}), "a title has"),
        ] {
            let error = schema(&wrong).check().unwrap_err().to_string();
            assert!(error.contains(what), "{wrong}: {error}");
        }
        for unknown in
            [json!({"type": "array", "properties": {}}), json!({"type": "object", "properties": {"a": {"$ref": "x"}}})]
        {
            assert!(serde_json::from_value::<ParameterSchema>(unknown).is_err());
        }
    }

    #[test]
    fn values_are_written_where_their_names_say() {
        let mut body = json!({"model": "m", "generationConfig": {"temperature": 1}, "list": []});
        let given = values(json!({"generationConfig.topK": 5, "a.b.c": "x", "seed": 7}));
        write_values(&mut body, &given).unwrap();
        assert_eq!(
            body,
            json!({
                "model": "m", "generationConfig": {"temperature": 1, "topK": 5}, "list": [], "a": {"b": {"c": "x"}}, "seed": 7,
            })
        );
        assert!(write_values(&mut body, &values(json!({"list.x": 1}))).is_err());
    }
}
