//! A change of config: what a request sets and unsets, and what that makes of the config before it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::field::{FieldErrors, object};
use crate::intent::whitelist;
use crate::limit::{parse_cpu, parse_memory};
use crate::tag::{check_tag_key, check_tag_value};
use crate::{Config, ConfigKey, Environment, ProcessType};

/// The longest `KEY=value`, in bytes: the kernel starts no program with a longer one.
const MAX_VARIABLE_BYTES: usize = 128 * 1024 - 1;

/// What to set, and with `None` what to unset. Unsetting what is not set is no error.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConfigChange {
    values: BTreeMap<String, Option<String>>,
    memory: BTreeMap<String, Option<String>>,
    cpu: BTreeMap<String, Option<u16>>,
    tags: BTreeMap<String, Option<String>>,
}

impl fmt::Debug for ConfigChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ConfigChange").field("values", &self.values.keys()).finish_non_exhaustive()
    }
}

impl ConfigChange {
    /// Reads the fields `values`, `memory`, `cpu` and `tags` of a request; each may be missing.
    pub fn parse(fields: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let change = Self {
            values: group(fields, "values", &mut errors, value),
            memory: group(fields, "memory", &mut errors, memory),
            cpu: group(fields, "cpu", &mut errors, cpu),
            tags: group(fields, "tags", &mut errors, tag),
        };
        errors.into_result(change)
    }

    /// The config that this change makes of `base`.
    pub fn merge(&self, base: &Config, uuid: String, owner: String, now: OffsetDateTime) -> Config {
        Config {
            uuid,
            owner,
            values: Environment(merged(&base.values.0, &self.values)),
            memory: merged(&base.memory, &self.memory),
            cpu: merged(&base.cpu, &self.cpu),
            tags: merged(&base.tags, &self.tags),
            created: now,
            updated: now,
        }
    }
}

impl Config {
    /// The config of a new app.
    pub fn empty(uuid: String, owner: String, now: OffsetDateTime) -> Self {
        Self {
            uuid,
            owner,
            values: Environment::default(),
            memory: BTreeMap::new(),
            cpu: BTreeMap::new(),
            tags: BTreeMap::new(),
            created: now,
            updated: now,
        }
    }
}

fn merged<T: Clone>(base: &BTreeMap<String, T>, change: &BTreeMap<String, Option<T>>) -> BTreeMap<String, T> {
    let kept = base.iter().filter(|(key, _)| !change.contains_key(*key));
    let set = change.iter().filter_map(|(key, value)| value.as_ref().map(|value| (key, value)));
    kept.chain(set).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Reads one field: checks every entry with `check(key, text)`, where no text means unset.
fn group<T>(
    fields: &Map<String, Value>,
    field: &str,
    errors: &mut FieldErrors,
    check: fn(&str, Option<&str>) -> Result<Option<T>, String>,
) -> BTreeMap<String, Option<T>> {
    let entries = match object(fields, field) {
        Ok(entries) => entries,
        Err(message) => {
            errors.add(field, message);
            return BTreeMap::new();
        }
    };
    let mut group = BTreeMap::new();
    for (key, entry) in entries {
        match scalar(&entry).and_then(|text| check(&key, text.as_deref())) {
            Ok(value) => drop(group.insert(key, value)),
            Err(message) => errors.add(field, message),
        }
    }
    group
}

fn scalar(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => {
            Err("Values must be strings, numbers, true, false or null".to_owned())
        }
    }
}

fn value(key: &str, text: Option<&str>) -> Result<Option<String>, String> {
    ConfigKey::parse(key).map_err(|error| error.to_string())?;
    if text.is_some_and(|text| text.contains('\0')) {
        return Err(format!("The value of {key} contains the character NUL, which no environment can hold"));
    }
    if key.len() + 1 + text.map_or(0, str::len) > MAX_VARIABLE_BYTES {
        return Err(format!(
            "The value of {key} is longer than 128 KiB, which no program can be started with"
        ));
    }
    if key == whitelist::VARIABLE {
        whitelist::check(text.unwrap_or_default())?;
    }
    Ok(text.map(str::to_owned))
}

fn memory(process: &str, text: Option<&str>) -> Result<Option<String>, String> {
    check_process(process)?;
    text.map(|text| parse_memory(text).map(|_| text.to_owned()))
        .transpose()
        .map_err(|error| error.to_string())
}

fn cpu(process: &str, text: Option<&str>) -> Result<Option<u16>, String> {
    check_process(process)?;
    text.map(parse_cpu).transpose().map_err(|error| error.to_string())
}

fn tag(key: &str, text: Option<&str>) -> Result<Option<String>, String> {
    check_tag_key(key).map_err(|error| error.to_string())?;
    text.map_or(Ok(()), check_tag_value).map_err(|error| error.to_string())?;
    Ok(text.map(str::to_owned))
}

fn check_process(process: &str) -> Result<(), String> {
    let fits = process.starts_with(|c: char| c.is_ascii_lowercase()) && ProcessType::parse(process).is_ok();
    if fits { Ok(()) } else { Err("Process types can only contain [a-z]".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, expected: Result<&str, &str>) {
        let fields = serde_json::from_str(request).unwrap();
        let base = Config {
            values: Environment([("OLD".to_owned(), "1".to_owned())].into()),
            ..Config::empty(String::new(), String::new(), OffsetDateTime::UNIX_EPOCH)
        };
        let merged = ConfigChange::parse(&fields)
            .map(|change| change.merge(&base, String::new(), String::new(), OffsetDateTime::UNIX_EPOCH))
            .map(|config| {
                format!("{:?} {:?} {:?} {:?}", config.values.0, config.memory, config.cpu, config.tags)
            })
            .map_err(|errors| serde_json::to_string(&errors).unwrap());
        assert_eq!(merged, expected.map(str::to_owned).map_err(str::to_owned), "{request}");
    }

    #[test]
    fn a_change_sets_replaces_and_unsets() {
        check(r#"{}"#, Ok(r#"{"OLD": "1"} {} {} {}"#));
        check(
            r#"{"values": {"A": 1, "B": true, "C": "é"}}"#,
            Ok(r#"{"A": "1", "B": "true", "C": "é", "OLD": "1"} {} {} {}"#),
        );
        check(r#"{"values": {"OLD": null, "NEVER": null}}"#, Ok(r#"{} {} {} {}"#));
        check(r#"{"values": "{\"OLD\": \"2\"}"}"#, Ok(r#"{"OLD": "2"} {} {} {}"#));
        check(
            r#"{"cpu": {"web": "512"}, "memory": {"web": "1G"}}"#,
            Ok(r#"{"OLD": "1"} {"web": "1G"} {"web": 512} {}"#),
        );
        let listed = r#"{"values": {"DEIS_WHITELIST": "10.0.1.0/24:office,1.2.3.4"}}"#;
        check(listed, Ok(r#"{"DEIS_WHITELIST": "10.0.1.0/24:office,1.2.3.4", "OLD": "1"} {} {} {}"#));
        check(r#"{"tags": {"rack": "a_1"}}"#, Ok(r#"{"OLD": "1"} {} {} {"rack": "a_1"}"#));
    }

    #[test]
    fn bad_entries_are_refused_under_their_field() {
        let keys =
            r#"{"values":["Config keys must start with a letter or underscore and only contain [A-z0-9_]"]}"#;
        check(r#"{"values": {"FOO-BAR": "x"}}"#, Err(keys));
        check(r#"{"values": {"123": null}}"#, Err(keys));
        check(r#"{"cpu": {"web": "many"}}"#, Err(r#"{"cpu":["CPU shares must be an integer"]}"#));
        check(r#"{"cpu": {"WEB": 1}}"#, Err(r#"{"cpu":["Process types can only contain [a-z]"]}"#));
        check(
            r#"{"memory": {"web": "20MK"}}"#,
            Err(r#"{"memory":["Limit format: <number><unit>, where unit = B, K, M or G"]}"#),
        );
        check(r#"{"values": [1]}"#, Err(r#"{"values":["This field must be a JSON object."]}"#));
        check(r#"{"values": "no json"}"#, Err(r#"{"values":["This field must be a JSON object."]}"#));
    }
    #[test]
    fn a_whitelist_that_says_something_else_is_refused() {
        let fields = serde_json::from_str(r#"{"values": {"DEIS_WHITELIST": "office"}}"#).unwrap();
        let refused = serde_json::to_string(&ConfigChange::parse(&fields).unwrap_err()).unwrap();
        assert!(refused.contains("DEIS_WHITELIST") && refused.contains("10.0.1.0/24:office"), "{refused}");
        let fields = serde_json::from_str(r#"{"values": {"DEIS_WHITELIST": ""}}"#).unwrap();
        assert!(ConfigChange::parse(&fields).is_ok(), "an empty list is none");
    }
}
