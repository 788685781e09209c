//! How a host comes to be a member of etcd, and when a member is forgotten. Pure.
//!
//! Two rules keep the majority safe. A cluster is founded only when every host has said that it knows of none: a host
//! that is merely silent may be the one with the data. And a host joins without a vote first, so that adding it never
//! takes the majority away from those who are there.

use super::client::EtcdMember;

/// What another host says before etcd has anything to say.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Peer {
    /// Whether etcd has run there.
    pub(crate) has_etcd: bool,
    /// Whether it is founding a cluster that has not answered yet.
    pub(crate) founding: bool,
    /// Whether it has a database, of whatever age.
    pub(crate) has_data: bool,
}

/// What is known when a member starts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Situation {
    /// Whether etcd has run here.
    pub(crate) has_etcd: bool,
    /// The members as the majority of an existing cluster tells, if one answers.
    pub(crate) cluster: Option<Vec<EtcdMember>>,
    /// What each of the other hosts says: its name and its answer, or none.
    pub(crate) others: Vec<(String, Option<Peer>)>,
    /// Where this host listens for its peers.
    pub(crate) peer: String,
    /// The name of this host.
    pub(crate) name: String,
}

/// What a member does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on with what is there.
    Start,
    /// Found a cluster together with all others.
    Found,
    /// Have the others forget the member with this id: it was this host before it lost its disk.
    Forget(String),
    /// Give up what etcd has here: the others have removed this host, and take it in again without.
    Empty,
    /// Have the others add this host.
    Add,
    /// Start as a part of the cluster with these members, as `name=peer`.
    Join(Vec<String>),
    /// Try again later, for this reason.
    Wait(String),
}

/// Decides what the member does next.
pub(crate) fn plan(now: &Situation) -> Step {
    let listed = |members: &[EtcdMember]| members.iter().any(|member| member.peers.contains(&now.peer));
    match &now.cluster {
        Some(members) if now.has_etcd && !listed(members) => Step::Empty,
        _ if now.has_etcd => Step::Start,
        Some(members) => join(now, members),
        None => found(now),
    }
}

fn join(now: &Situation, members: &[EtcdMember]) -> Step {
    match members.iter().find(|member| member.peers.contains(&now.peer)) {
        Some(own) if own.name.is_empty() => Step::Join(initial(now, members)),
        Some(own) => Step::Forget(own.id.clone()),
        // etcd takes one member without a vote at a time.
        None if members.iter().any(|member| member.learner || member.name.is_empty()) => {
            Step::Wait("another host is joining".to_owned())
        }
        None => Step::Add,
    }
}

fn initial(now: &Situation, members: &[EtcdMember]) -> Vec<String> {
    let named = |member: &EtcdMember| {
        if member.peers.contains(&now.peer) { now.name.clone() } else { member.name.clone() }
    };
    let entries =
        members.iter().flat_map(|member| member.peers.iter().map(move |peer| (named(member), peer)));
    entries.filter(|(name, _)| !name.is_empty()).map(|(name, peer)| format!("{name}={peer}")).collect()
}

fn found(now: &Situation) -> Step {
    let silent: Vec<&str> =
        now.others.iter().filter(|(_, said)| said.is_none()).map(|(name, _)| name.as_str()).collect();
    if !silent.is_empty() {
        return Step::Wait(format!("{} must answer before a database is made", silent.join(", ")));
    }
    let older = |peer: &Peer| peer.has_etcd && !peer.founding;
    match now.others.iter().find(|(_, said)| said.as_ref().is_some_and(older)) {
        Some((name, _)) => Step::Wait(format!("{name} belongs to a cluster that has lost its majority")),
        None => Step::Found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, host: &str) -> EtcdMember {
        let peers = vec![format!("http://{host}:2380")];
        EtcdMember { id: format!("id-{host}"), name: name.into(), peers, ..EtcdMember::default() }
    }

    fn situation(cluster: Option<&[EtcdMember]>, others: &[(&str, Option<(bool, bool)>)]) -> Situation {
        let others = others.iter().map(|(name, said)| {
            let said = said.map(|(has_etcd, founding)| Peer { has_etcd, founding, has_data: false });
            ((*name).to_owned(), said)
        });
        Situation {
            has_etcd: false,
            cluster: cluster.map(<[_]>::to_vec),
            others: others.collect(),
            peer: "http://a:2380".into(),
            name: "a".into(),
        }
    }

    fn check(cluster: Option<&[EtcdMember]>, others: &[(&str, Option<(bool, bool)>)], expected: Step) {
        assert_eq!(plan(&situation(cluster, others)), expected);
    }

    #[test]
    fn a_cluster_is_founded_only_when_everybody_says_there_is_none() {
        check(None, &[], Step::Found);
        check(None, &[("b", Some((false, false))), ("c", Some((true, true)))], Step::Found);
        let silent = Step::Wait("b must answer before a database is made".into());
        check(None, &[("b", None), ("c", Some((false, false)))], silent);
        let older = Step::Wait("c belongs to a cluster that has lost its majority".into());
        check(None, &[("b", Some((false, false))), ("c", Some((true, false)))], older);
    }

    #[test]
    fn a_host_joins_a_cluster_that_answers() {
        let others = [member("b", "b"), member("c", "c")];
        check(Some(&others), &[], Step::Add);
        let added = [member("b", "b"), member("", "a")];
        check(Some(&added), &[], Step::Join(vec!["b=http://b:2380".into(), "a=http://a:2380".into()]));
        let lost = [member("b", "b"), member("a", "a")];
        check(Some(&lost), &[], Step::Forget("id-a".into()));
        let busy = [member("b", "b"), EtcdMember { learner: true, ..member("c", "c") }];
        check(Some(&busy), &[], Step::Wait("another host is joining".into()));
    }

    #[test]
    fn a_host_with_data_goes_on_with_it() {
        let mut now = situation(None, &[("b", None)]);
        now.has_etcd = true;
        assert_eq!(plan(&now), Step::Start);
        now.cluster = Some(vec![member("a", "a"), member("b", "b")]);
        assert_eq!(plan(&now), Step::Start);
    }

    #[test]
    fn a_host_that_was_removed_begins_anew() {
        let mut now = situation(Some(&[member("b", "b")]), &[("b", None)]);
        now.has_etcd = true;
        assert_eq!(plan(&now), Step::Empty);
    }
}
