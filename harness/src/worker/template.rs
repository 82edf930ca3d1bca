//! Text with placeholders, as adapters write it: `{session}`, and `{{` for a brace of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The values behind placeholders.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<String, Value>);

impl Variables {
    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Forgets a variable.
    pub fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The value of a variable, if it has one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

/// A placeholder that has no value at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unset(pub String);

impl fmt::Display for Unset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}} has no value yet", self.0)
    }
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Slot(String),
}

impl Template {
    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names of its placeholders.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The placeholder that is all of the text, if it is one.
    pub fn only_slot(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Slot(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with its placeholders filled.
    ///
    /// # Errors
    ///
    /// A placeholder without a value.
    pub fn render(&self, variables: &Variables) -> Result<String, Unset> {
        self.fill(variables, |text, value| text.push_str(value))
    }

    /// As [`Template::render`], for a path of a URL: what is filled in is percent-encoded, so that no value can reach beyond its place.
    ///
    /// # Errors
    ///
    /// A placeholder without a value.
    pub fn render_path(&self, variables: &Variables) -> Result<String, Unset> {
        self.fill(variables, |text, value| {
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    text.push(char::from(byte));
                } else {
                    text.push_str(&format!("%{byte:02X}"));
                }
            }
        })
    }

    fn fill(
        &self,
        variables: &Variables,
        mut push: impl FnMut(&mut String, &str),
    ) -> Result<String, Unset> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Slot(name) => {
                    match variables.get(name).ok_or_else(|| Unset(name.clone()))? {
                        Value::String(value) => push(&mut text, value),
                        value => push(&mut text, &value.to_string()),
                    }
                }
            }
        }
        Ok(text)
    }

    /// The value that the text stands for in JSON: a text that is one placeholder alone becomes its value, of whatever type; every
    /// other one a string.
    fn render_value(&self, variables: &Variables) -> Result<Value, Unset> {
        match self.only_slot() {
            Some(name) => variables
                .get(name)
                .cloned()
                .ok_or_else(|| Unset(name.to_owned())),
            None => self.render(variables).map(Value::String),
        }
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let name = (brace == "{")
                .then(|| rest.split_once('}'))
                .flatten()
                .filter(|(name, _)| is_name(name));
            let Some((name, after)) = name else {
                return Err(format!(
                    "a lone `{brace}`: write `{brace}{brace}` for a brace, `{{name}}` for a placeholder"
                ));
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Slot(name.to_owned()));
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A text with placeholders such as {session}; {{ is a brace." })
    }
}

/// A JSON value whose texts hold placeholders: the body of a request, the contents of a settings file.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A text.
    Text(Template),
    /// A number or a truth value.
    Plain(Value),
    /// A list.
    List(Vec<Body>),
    /// An object, in the order in which it was written.
    Object(Vec<(String, Body)>),
}

impl Body {
    /// The value with its placeholders filled.
    ///
    /// # Errors
    ///
    /// A placeholder without a value.
    pub fn render(&self, variables: &Variables) -> Result<Value, Unset> {
        Ok(match self {
            Self::Text(template) => template.render_value(variables)?,
            Self::Plain(value) => value.clone(),
            Self::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| item.render(variables))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, body)| Ok((key.clone(), body.render(variables)?)))
                    .collect::<Result<Map<_, _>, _>>()?,
            ),
        })
    }

    /// Calls `see` with every template in it.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Template)) {
        match self {
            Self::Text(template) => see(template),
            Self::Plain(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.visit(see)),
            Self::Object(entries) => entries.iter().for_each(|(_, body)| body.visit(see)),
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(template) => template.serialize(serializer),
            Self::Plain(value) => value.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                serializer.collect_map(entries.iter().map(|(key, body)| (key, body)))
            }
        }
    }
}

// By hand rather than untagged: an untagged type loses the place of an error.
impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a truth value, a list or a table")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Body, E> {
        text.parse().map(Body::Text).map_err(E::custom)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Body, E> {
        Ok(Body::Plain(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Body, E> {
        Ok(Body::Plain(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Body, E> {
        Ok(Body::Plain(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Body, E> {
        Ok(Body::Plain(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Body, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Body::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Body, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Body::Object(object))
    }
}

impl JsonSchema for Body {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Body".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any JSON value; its texts hold placeholders such as {session}." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, Value)]) -> Variables {
        let mut variables = Variables::default();
        for (name, value) in pairs {
            variables.set(name, value.clone());
        }
        variables
    }

    #[test]
    fn placeholders_are_filled_and_doubled_braces_kept() {
        let template: Template = "a {{b}} {name}-{number}".parse().unwrap();
        let filled = template.render(&variables(&[("name", "x".into()), ("number", 3.into())]));
        assert_eq!(filled.unwrap(), "a {b} x-3");
        assert_eq!(
            template.render(&Variables::default()),
            Err(Unset("name".to_owned()))
        );
    }

    #[test]
    fn a_lone_brace_is_refused() {
        for text in ["{", "}", "a {b", "{b c}", "{}", "{1a}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }

    #[test]
    fn hostile_text_stays_in_its_place() {
        let hostile = "a\"},{\"x\":\"\u{0}\n\\ {session} ../?#%&\u{1f980}";
        let variables = variables(&[("session", hostile.into()), ("id", 7.into())]);
        let body: Body =
            toml::from_str("id = \"{session}\"\ntext = \"<{session}>\"\nnumber = \"{id}\"\ndeep = [{ a = \"{id}!\" }]").unwrap();
        let json = serde_json::to_string(&body.render(&variables).unwrap()).unwrap();
        let back: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["id"], hostile);
        assert_eq!(back["text"], format!("<{hostile}>"));
        assert_eq!(back["number"], 7);
        assert_eq!(back["deep"][0]["a"], "7!");
        assert_eq!(back.as_object().unwrap().len(), 4);

        let path: Template = "/sessions/{session}/init".parse().unwrap();
        let path = path.render_path(&variables).unwrap();
        assert!(path.starts_with("/sessions/a%22%7D%2C"), "{path}");
        assert!(path.ends_with("%F0%9F%A6%80/init"), "{path}");
        assert!(
            path.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#')
        );
    }
}
