//! What an adapter file takes over from a built-in adapter: its requests (`dialect`), or all that it does not say itself (`based_on`).

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::adapter::Adapter;
use crate::strict_toml::{Source, TomlError};

/// The keys that `dialect` takes over.
const DIALECT: [&str; 10] = [
    "ready",
    "open",
    "prompt",
    "observation",
    "summary",
    "ends",
    "stored",
    "kept",
    "queue",
    "roles",
];
/// The keys that every adapter says for itself.
const OWN: [&str; 4] = ["name", "versions", "dialect", "based_on"];
/// The tables that `based_on` takes over key by key, with the tables in them.
const KEY_BY_KEY: [&str; 2] = ["needs", "start"];

/// An adapter file as a table, with what it takes over.
pub fn table<'a>(source: &Source<'a>) -> Result<Spanned<DeTable<'a>>, TomlError> {
    let mut table = source.table()?;
    if let Some(parent) = parent(source, table.get_ref(), "based_on")? {
        for (key, value) in self::table(&parent)?.into_inner() {
            let name = key.get_ref().to_string();
            if !OWN.contains(&name.as_str()) {
                lay_under(
                    table.get_mut(),
                    key,
                    value,
                    KEY_BY_KEY.contains(&name.as_str()),
                );
            }
        }
    }
    if let Some(parent) = parent(source, table.get_ref(), "dialect")? {
        for (key, value) in self::table(&parent)?.into_inner() {
            if DIALECT.contains(&key.get_ref().as_ref()) {
                lay_under(table.get_mut(), key, value, false);
            }
        }
    }
    Ok(table)
}

/// Puts a value where there is none; with `deep`, a table's values where the table has none of that key.
fn lay_under<'a>(
    table: &mut DeTable<'a>,
    key: Spanned<DeString<'a>>,
    value: Spanned<DeValue<'a>>,
    deep: bool,
) {
    match table.get_mut(key.get_ref().as_ref()) {
        None => {
            table.insert(key, value);
        }
        Some(own) if deep => {
            if let (DeValue::Table(own), DeValue::Table(taken)) =
                (own.get_mut(), value.into_inner())
            {
                for (key, value) in taken {
                    lay_under(own, key, value, true);
                }
            }
        }
        Some(_) => {}
    }
}

/// The built-in adapter that a key names.
fn parent(
    source: &Source<'_>,
    table: &DeTable<'_>,
    key: &str,
) -> Result<Option<Source<'static>>, TomlError> {
    let Some(value) = table.get(key) else {
        return Ok(None);
    };
    let wanted = value.get_ref().as_str().unwrap_or_default();
    let what = if key == "dialect" {
        "dialect"
    } else {
        "built-in adapter"
    };
    match Adapter::built_in_file(wanted) {
        // A built-in adapter that leads back to itself would have no end.
        Some(parent) if parent.file != source.file => Ok(Some(parent)),
        _ => Err(source.error(
            Some(value.span()),
            format!("there is no {what} `{}`", wanted.escape_debug()),
            Some(format!(
                "known {what}s: {}",
                Adapter::built_in_names().collect::<Vec<_>>().join(", ")
            )),
        )),
    }
}
