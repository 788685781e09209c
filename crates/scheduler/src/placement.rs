//! Which hosts may run what asks for tags: those that carry all of them as labels; and which container of a workload
//! should rather be on another of them.

use std::collections::BTreeMap;

use crate::SchedulerError;

/// A container that has a host.
pub(crate) struct Held {
    /// Which of its workload.
    pub(crate) number: u32,
    /// The host, as the engine calls it.
    pub(crate) host: String,
}

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

/// The highest number on the fullest host, while all `wanted` containers run and a host has none.
pub(crate) fn surplus(placed: &[Held], wanted: usize, hosts: &[String]) -> Option<u32> {
    let mut numbers: BTreeMap<&String, Vec<u32>> = hosts.iter().map(|host| (host, Vec::new())).collect();
    for held in placed {
        // One that is where none should be is on its way already.
        numbers.get_mut(&held.host)?.push(held.number);
    }
    let has_empty = numbers.values().any(Vec::is_empty);
    let fullest = numbers.values().max_by_key(|numbers| (numbers.len(), numbers.iter().max()))?;
    (placed.len() == wanted && has_empty && fullest.len() > 1).then(|| fullest.iter().max().copied())?
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

    /// `held` are the hosts of containers 1, 2, …; `-` has none.
    fn check_surplus(hosts: &str, held: &str, expected: Option<u32>) {
        let names: Vec<_> = hosts.split_whitespace().map(str::to_owned).collect();
        let wanted: Vec<_> = held.split_whitespace().collect();
        let numbered = (1..).zip(&wanted).filter(|(_, host)| **host != "-");
        let placed: Vec<_> =
            numbered.map(|(number, host)| Held { number, host: (*host).to_owned() }).collect();
        assert_eq!(surplus(&placed, wanted.len(), &names), expected, "{held} on {hosts}");
    }

    #[test]
    fn one_container_at_a_time_leaves_a_host_with_several_for_one_with_none() {
        check_surplus("a b c", "a a", Some(2));
        check_surplus("a b c", "b a a", Some(3));
        check_surplus("a b c", "a a b b b", Some(5));
        check_surplus("a b c", "a b", None);
        check_surplus("a b c", "a b c a a", None);
        check_surplus("a", "a a", None);
        check_surplus("a b", "", None);
    }

    #[test]
    fn nothing_is_moved_while_not_all_run_where_they_should() {
        check_surplus("a b c", "a a -", None);
        check_surplus("a b", "a a lost", None);
    }
}
