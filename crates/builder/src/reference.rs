//! The branches and tags of a push, and which one of them is deployed.

use serde::{Deserialize, Serialize};

use crate::error::PushError;

/// One line of what a push changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefUpdate {
    /// Where it pointed; zeros if it is new.
    pub(crate) old: String,
    /// Where it will point; zeros if it is deleted.
    pub(crate) new: String,
    /// As in `refs/heads/main`.
    pub(crate) name: String,
}

/// What is to be done about a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The branch and commit to deploy.
    pub(crate) deploy: Option<Deployment>,
    /// What is taken without being deployed.
    pub(crate) kept: Vec<String>,
}

/// A branch and the commit it moves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// As in `main`.
    pub(crate) branch: String,
    /// All 40 digits, or 64.
    pub(crate) sha: String,
}

/// Decides what a push of `updates` leads to, where `branches` are deployed, the most important first.
pub(crate) fn plan(updates: &[RefUpdate], branches: &[String]) -> Result<Plan, PushError> {
    let mut plan = Plan { deploy: None, kept: Vec::new() };
    for branch in branches {
        let name = format!("refs/heads/{branch}");
        match updates.iter().find(|update| update.name == name) {
            Some(update) if is_zero(&update.new) => {
                return Err(PushError::DeployBranchDeleted(branch.clone()));
            }
            Some(update) if plan.deploy.is_none() => {
                plan.deploy = Some(Deployment { branch: branch.clone(), sha: update.new.clone() });
            }
            Some(update) if plan.deploy.as_ref().is_some_and(|it| it.sha != update.new) => {
                plan.kept.push(branch.clone());
            }
            _ => {}
        }
    }
    let others = updates.iter().filter(|update| !is_zero(&update.new));
    let others = others.filter_map(|update| match update.name.strip_prefix("refs/heads/") {
        Some(branch) if branches.iter().any(|deployed| deployed == branch) => None,
        Some(branch) => Some(branch.to_owned()),
        None => Some(update.name.trim_start_matches("refs/").to_owned()),
    });
    plan.kept.extend(others);
    Ok(plan)
}

/// Whether an update to `sha` deletes.
pub(crate) fn is_zero(sha: &str) -> bool {
    sha.bytes().all(|digit| digit == b'0')
}

/// Whether git lets a ref have this name (git-check-ref-format(1)).
pub(crate) fn is_sound(name: &str) -> bool {
    let is_bad = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.starts_with("refs/")
        && !name.contains(is_bad)
        && !["..", "@{"].iter().any(|bad| name.contains(bad))
        && !name.ends_with('.')
        && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(updates: &[(&str, &str)], expected: Result<(Option<&str>, &[&str]), &str>) {
        let updates: Vec<_> = updates
            .iter()
            .map(|(name, new)| RefUpdate { old: "0".into(), new: (*new).into(), name: (*name).into() })
            .collect();
        let found =
            plan(&updates, &["main".to_owned(), "master".to_owned()]).map_err(|error| error.to_string());
        match (found, expected) {
            (Ok(found), Ok((deploy, kept))) => {
                let deployed = found.deploy.map(|it| format!("{}@{}", it.branch, it.sha));
                assert_eq!(deployed.as_deref(), deploy, "{updates:?}");
                assert_eq!(found.kept, kept, "{updates:?}");
            }
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, _) => panic!("{updates:?} led to {found:?}"),
        }
    }

    #[test]
    fn main_and_master_are_deployed_once() {
        check(&[("refs/heads/main", "a")], Ok((Some("main@a"), &[])));
        check(&[("refs/heads/master", "a")], Ok((Some("master@a"), &[])));
        check(&[("refs/heads/master", "a"), ("refs/heads/main", "a")], Ok((Some("main@a"), &[])));
        check(&[("refs/heads/master", "b"), ("refs/heads/main", "a")], Ok((Some("main@a"), &["master"])));
    }

    #[test]
    fn other_branches_and_tags_are_only_kept() {
        check(&[("refs/heads/topic", "a"), ("refs/tags/v1", "a")], Ok((None, &["topic", "tags/v1"])));
        check(&[("refs/heads/topic", "b"), ("refs/heads/main", "a")], Ok((Some("main@a"), &["topic"])));
    }

    #[test]
    fn only_deploy_branches_cannot_be_deleted() {
        check(&[("refs/heads/main", "000")], Err("cannot be deleted"));
        check(&[("refs/heads/topic", "000")], Ok((None, &[])));
    }

    #[test]
    fn names_are_sound_as_git_says() {
        for name in ["refs/heads/main", "refs/tags/v1.0", "refs/heads/a/b@c", "refs/heads/gr\u{fc}n"] {
            assert!(is_sound(name), "{name}");
        }
        let bad = [
            "main",
            "refs/heads/",
            "refs//x",
            "refs/heads/.x",
            "refs/heads/x.lock",
            "refs/heads/x.",
            "refs/a..b",
        ];
        for name in
            bad.into_iter().chain(["refs/heads/a b", "refs/heads/a\nb", "refs/heads/a@{1}", "refs/heads/a:b"])
        {
            assert!(!is_sound(name), "{name}");
        }
    }
}
