//! What the members are like, in words.

use crate::config::Config;
use crate::patroni::PatroniMember;

/// A copy that is so many bytes behind is told of.
const LAG_LIMIT: u64 = 64 << 20;

pub(crate) fn is_primary(members: &[PatroniMember], host: &str) -> bool {
    members.iter().any(|member| member.name == host && member.is_primary() && member.state == "running")
}

/// Whether the member on `host` is as it should be: it takes writes, or follows who does.
pub(crate) fn is_well(members: &[PatroniMember], host: &str) -> bool {
    is_primary(members, host) || members.iter().any(|member| member.name == host && member.follows())
}

/// What one member is.
pub(super) fn role(own: &PatroniMember) -> String {
    match (own.is_primary(), own.role.as_str()) {
        (true, _) => "the primary".to_owned(),
        (false, "sync_standby") => "a copy of every write".to_owned(),
        (false, _) => match own.lag.as_u64() {
            Some(lag) => format!("a copy, {}, {lag} bytes behind", own.state),
            None => format!("a copy, {}", own.state),
        },
    }
}

/// What all members are: `lab1 is the primary; lab2 is a copy of every write`.
pub(super) fn roles(members: &[PatroniMember]) -> String {
    let told: Vec<_> = members.iter().map(|member| format!("{} is {}", member.name, role(member))).collect();
    told.join("; ")
}

/// What is wrong with the members, and the cure.
pub(super) fn trouble(config: &Config, members: &[PatroniMember]) -> Option<(String, String)> {
    if !members.iter().any(|member| is_primary(members, &member.name)) {
        let cure =
            "wait a moment; if it stays so, start more of the database's hosts: the majority has to agree";
        return Some(("no host is the primary; writes wait".to_owned(), cure.to_owned()));
    }
    let wrong = |host: &str| {
        let cure = format!("see `deisctl journal database@{host}`; lost for good: `deisctl remove {host}`");
        match members.iter().find(|member| member.name == host) {
            None => Some((format!("{host} has no copy of the database"), cure)),
            Some(member) if !member.is_primary() && !member.follows() => {
                Some((format!("{host} does not copy the primary ({})", member.state), cure))
            }
            Some(member) => member.lag.as_u64().filter(|lag| *lag > LAG_LIMIT).map(|lag| {
                let cause = format!("{host} is {} MB behind the primary", lag >> 20);
                (cause, format!("see whether the disk or the network of {host} is slow"))
            }),
        }
    };
    config.members.iter().find_map(|host| wrong(&host.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn member(name: &str, role: &str, state: &str, lag: u64) -> PatroniMember {
        PatroniMember { name: name.into(), role: role.into(), state: state.into(), lag: json!(lag) }
    }

    fn check(members: &[PatroniMember], expected: Option<&str>) {
        let config = crate::config::tests::config("a=127.0.0.1,b=127.0.0.2");
        assert_eq!(trouble(&config, members).map(|(cause, _)| cause).as_deref(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let (primary, copy) = (member("a", "leader", "running", 0), member("b", "replica", "running", 5));
        check(&[primary.clone(), copy.clone()], None);
        check(std::slice::from_ref(&copy), Some("no host is the primary; writes wait"));
        check(std::slice::from_ref(&primary), Some("b has no copy of the database"));
        let stopped = member("b", "replica", "stopped", 0);
        check(&[primary.clone(), stopped], Some("b does not copy the primary (stopped)"));
        let slow = member("b", "sync_standby", "running", 100 << 20);
        check(&[primary, slow], Some("b is 100 MB behind the primary"));
    }

    #[test]
    fn what_members_are_is_said_in_one_line() {
        let members = [
            member("a", "leader", "running", 0),
            member("b", "sync_standby", "streaming", 0),
            member("c", "replica", "streaming", 7),
        ];
        let expected = "a is the primary; b is a copy of every write; c is a copy, streaming, 7 bytes behind";
        assert_eq!(roles(&members), expected);
    }
}
