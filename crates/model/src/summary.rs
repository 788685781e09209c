//! The one line that says what a release changed. The texts are part of the API.

use std::collections::BTreeMap;

use crate::{Build, Config, ReleaseVersion};

/// The summary of v1.
pub fn initial(owner: &str) -> String {
    format!("{owner} created initial release")
}

/// The summary of a rollback.
pub fn rollback(user: &str, target: ReleaseVersion) -> String {
    format!("{user} rolled back to {target}")
}

/// The summary of a release with a new build on an unchanged config.
pub fn deployed(build: &Build) -> String {
    let what = match build.sha.is_empty() {
        true => &build.image,
        false => build.sha.get(..7).unwrap_or(&build.sha),
    };
    format!("{} deployed {what}", build.owner)
}

/// The summary of a release whose config went from `before` to `after`.
pub fn configured(before: &Config, after: &Config) -> String {
    let parts = [
        keys(&before.values.0, &after.values.0, ""),
        limits(before, after),
        keys(&before.tags, &after.tags, "tag "),
    ];
    let parts: Vec<String> =
        parts.into_iter().flatten().map(|part| format!("{} {part}", after.owner)).collect();
    match parts.is_empty() {
        true => format!("{} changed nothing", after.owner),
        false => parts.join(" and "),
    }
}

/// `added A, B, changed C, deleted D`, without the empty groups.
fn keys(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, noun: &str) -> Option<String> {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    let changed = after.iter().filter(|(key, value)| before.get(*key).is_some_and(|old| old != *value));
    let deleted = before.keys().filter(|key| !after.contains_key(*key));
    let groups = [
        group("added", noun, added),
        group("changed", noun, changed.map(|(key, _)| key)),
        group("deleted", noun, deleted),
    ];
    let groups: Vec<String> = groups.into_iter().flatten().collect();
    (!groups.is_empty()).then(|| groups.join(", "))
}

fn group<'a>(verb: &str, noun: &str, names: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("{verb} {noun}{}", names.join(", ")))
}

fn limits(before: &Config, after: &Config) -> Option<String> {
    let memory = (before.memory != after.memory).then_some("memory");
    let cpu = (before.cpu != after.cpu).then_some("cpu");
    let changed: Vec<&str> = [memory, cpu].into_iter().flatten().collect();
    (!changed.is_empty()).then(|| format!("changed limits for {}", changed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_change::ConfigChange;
    use crate::formation::tests::build;

    fn check(first: &str, second: &str, expected: &str) {
        let change = |text: &str| {
            let fields = serde_json::from_str(text).unwrap();
            ConfigChange::parse(&fields).unwrap()
        };
        let empty = Config::empty(String::new(), "ann".to_owned(), time::OffsetDateTime::UNIX_EPOCH);
        let merged = |base: &Config, text: &str| {
            change(text).merge(base, String::new(), "ann".to_owned(), time::OffsetDateTime::UNIX_EPOCH)
        };
        let before = merged(&empty, first);
        assert_eq!(configured(&before, &merged(&before, second)), expected);
    }

    #[test]
    fn a_summary_names_what_changed() {
        check("{}", r#"{"values": {"B": "2", "A": "1"}}"#, "ann added A, B");
        check(
            r#"{"values": {"C": "1", "D": "2"}}"#,
            r#"{"values": {"A": 1, "B": 2, "C": 3, "D": null}}"#,
            "ann added A, B, changed C, deleted D",
        );
        check("{}", r#"{"memory": {"web": "1G"}}"#, "ann changed limits for memory");
        check("{}", r#"{"memory": {"web": "1G"}, "cpu": {"web": 1}}"#, "ann changed limits for memory, cpu");
        check(
            r#"{"tags": {"y": "a", "z": "b"}}"#,
            r#"{"tags": {"x": "a", "y": "b", "z": null}}"#,
            "ann added tag x, changed tag y, deleted tag z",
        );
        check(
            "{}",
            r#"{"values": {"A": "1"}, "cpu": {"web": 1}, "tags": {"x": "a"}}"#,
            "ann added A and ann changed limits for cpu and ann added tag x",
        );
        check("{}", "{}", "ann changed nothing");
    }

    #[test]
    fn a_summary_names_the_commit_or_the_image() {
        assert_eq!(deployed(&build("buildpack", "web")), "ann deployed 0123456");
        assert_eq!(deployed(&build("image", "")), "ann deployed example/blog");
    }
}
