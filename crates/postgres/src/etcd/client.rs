//! The few questions that this role asks etcd, over its JSON gateway.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{Config, Member};
use crate::error::DatabaseError;
use crate::http::{Http, address};

/// One member as etcd knows it. Numbers of 64 bits are texts in its JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct EtcdMember {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    /// Empty until it has started for the first time.
    pub(crate) name: String,
    #[serde(rename = "peerURLs")]
    pub(crate) peers: Vec<String>,
    #[serde(rename = "clientURLs")]
    pub(crate) clients: Vec<String>,
    /// Follows, and does not vote yet.
    #[serde(rename = "isLearner")]
    pub(crate) learner: bool,
}

#[derive(Deserialize)]
struct Members {
    #[serde(default)]
    members: Vec<EtcdMember>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// Absent when it is empty.
    #[serde(default)]
    value: String,
}

/// Asks etcd on one host.
#[derive(Clone)]
pub(crate) struct EtcdClient {
    http: Http,
    base: String,
}

impl EtcdClient {
    pub(crate) fn new(http: &Http, config: &Config, member: &Member) -> Self {
        Self { http: http.clone(), base: address(config.scheme(), member.address, config.ports.etcd) }
    }

    /// The members, if the majority of them agrees that it is one.
    pub(crate) async fn members(&self) -> Result<Vec<EtcdMember>, DatabaseError> {
        // A list of members is told from memory; only a read makes a cut-off member say that it is cut off.
        self.read("deis").await?;
        let members: Members =
            self.call("list the members of etcd", "cluster/member/list", json!({})).await?;
        Ok(members.members)
    }

    /// What is kept under `key`, if anything is.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<String>, DatabaseError> {
        let question = json!({ "key": STANDARD.encode(key) });
        let range: Range = self.call("read from etcd", "kv/range", question).await?;
        let text = |entry: Entry| {
            String::from_utf8_lossy(&STANDARD.decode(entry.value).unwrap_or_default()).into_owned()
        };
        Ok(range.kvs.into_iter().next().map(text))
    }

    /// Forgets what is kept under `key`.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), DatabaseError> {
        let question = json!({ "key": STANDARD.encode(key) });
        self.call::<Value>("delete from etcd", "kv/deleterange", question).await.map(drop)
    }

    /// Adds a member that follows without a vote: one that never starts costs the others nothing.
    pub(crate) async fn add(&self, peer: &str) -> Result<(), DatabaseError> {
        let member = json!({ "peerURLs": [peer], "isLearner": true });
        self.call::<Value>("add a member to etcd", "cluster/member/add", member).await.map(drop)
    }

    /// Gives a member that has caught up its vote.
    pub(crate) async fn promote(&self, id: &str) -> Result<(), DatabaseError> {
        let action = "give a member of etcd its vote";
        self.call::<Value>(action, "cluster/member/promote", json!({ "ID": id })).await.map(drop)
    }

    /// Forgets a member.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), DatabaseError> {
        let action = "remove a member from etcd";
        self.call::<Value>(action, "cluster/member/remove", json!({ "ID": id })).await.map(drop)
    }

    async fn call<T: for<'a> Deserialize<'a>>(
        &self,
        action: &'static str,
        path: &str,
        body: Value,
    ) -> Result<T, DatabaseError> {
        self.http.post(action, &format!("{}/v3/{path}", self.base), &body).await
    }
}
