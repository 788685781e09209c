//! Which hosts may run what asks for tags: those that carry all of them as labels.

use std::collections::BTreeMap;

use crate::SchedulerError;

/// How many of `hosts` carry all `tags`; refuses when none does, naming the tag that is furthest from being met.
pub(crate) fn check<'a>(
    tags: &BTreeMap<String, String>,
    hosts: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> Result<usize, SchedulerError> {
    let hosts: Vec<_> = hosts.collect();
    let lacking = |labels: &BTreeMap<String, String>| {
        tags.iter().filter(|(key, value)| labels.get(*key) != Some(*value)).collect::<Vec<_>>()
    };
    let fitting = hosts.iter().filter(|labels| lacking(labels).is_empty()).count();
    if fitting > 0 || tags.is_empty() {
        return Ok(fitting);
    }
    // A tag that no host has at all says more than one that only the others' hosts lack.
    let lacked_by_all =
        tags.iter().find(|(key, value)| hosts.iter().all(|host| host.get(*key) != Some(*value)));
    let nearest = hosts.iter().map(|labels| lacking(labels)).min_by_key(Vec::len);
    let missing = lacked_by_all.or_else(|| nearest?.first().copied()).or_else(|| tags.iter().next());
    let (key, value) = missing.expect("there is a tag");
    Err(SchedulerError::NoHost { tag: format!("{key}={value}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn check(tags: &str, hosts: &[&str], expected: Result<usize, &str>) {
        let hosts: Vec<_> = hosts.iter().map(|text| labels(text)).collect();
        let found = super::check(&labels(tags), hosts.iter());
        let expected = expected.map_err(|tag| format!("no host has the label {tag}"));
        assert_eq!(found.map_err(|error| error.to_string()), expected, "{tags:?} on {hosts:?}");
    }

    #[test]
    fn one_host_must_carry_all_tags() {
        check("", &["", "a=1"], Ok(2));
        check("a=1", &["", "a=1", "a=1 b=2"], Ok(2));
        check("a=1 b=2", &["a=1", "b=3"], Err("b=2"));
        check("a=1 b=2", &["a=1", "b=2"], Err("b=2"));
        check("a=1", &[], Err("a=1"));
    }
}
