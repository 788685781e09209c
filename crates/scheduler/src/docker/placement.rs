//! Whether this engine is a host that a workload may run on.

use std::collections::BTreeMap;

use super::Docker;
use super::failure::away;
use crate::SchedulerError;

impl Docker {
    /// Refuses unless the engine carries all `tags` as its labels (`dockerd --label key=value`).
    pub(super) async fn check_tags(&self, tags: &BTreeMap<String, String>) -> Result<(), SchedulerError> {
        if tags.is_empty() {
            return Ok(());
        }
        let info = self.client.info().await.map_err(|error| away(self.socket(), &error))?;
        match lacking(tags, &info.labels.unwrap_or_default()) {
            Some(tag) => Err(SchedulerError::NoHost { tag }),
            None => Ok(()),
        }
    }
}

/// The first tag that is not among `labels`.
fn lacking(tags: &BTreeMap<String, String>, labels: &[String]) -> Option<String> {
    tags.iter().map(|(key, value)| format!("{key}={value}")).find(|tag| !labels.contains(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &[(&str, &str)], labels: &[&str], expected: Option<&str>) {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let labels: Vec<_> = labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(lacking(&tags, &labels).as_deref(), expected);
    }

    #[test]
    fn every_tag_must_be_a_label_of_the_host() {
        check(&[("disk", "ssd")], &["disk=ssd", "rack=1"], None);
        check(&[("disk", "ssd"), ("rack", "2")], &["disk=ssd", "rack=1"], Some("rack=2"));
        check(&[("disk", "ssd")], &[], Some("disk=ssd"));
    }
}
