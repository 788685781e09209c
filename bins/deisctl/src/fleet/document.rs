//! Documents: what the cluster remembers for `deisctl`, replicated by the engine.

use std::sync::Arc;

use anyhow::{Context, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use deis_scheduler::{Cluster, SchedulerError};

/// How often a change is tried again when somebody else's came in between.
const ATTEMPTS: u32 = 20;

/// Something that is kept as one JSON document.
pub(crate) trait Document: Serialize + DeserializeOwned {
    /// Its name in the cluster.
    const NAME: &'static str;
}

/// The documents of one cluster.
#[derive(Clone)]
pub(crate) struct Documents {
    cluster: Arc<dyn Cluster>,
}

impl Documents {
    pub(crate) fn new(cluster: Arc<dyn Cluster>) -> Self {
        Self { cluster }
    }

    /// The document, if it was ever written. [`SchedulerError::NoManager`] where this host cannot be asked.
    pub(crate) async fn read<D: Document>(&self) -> Result<Option<D>, SchedulerError> {
        let Some(text) = self.cluster.read(D::NAME).await? else { return Ok(None) };
        parse(&text).map(Some)
    }

    /// The document, made by `make` if there is none: what is there is never overwritten.
    pub(crate) async fn ensure<D: Document>(
        &self,
        make: impl FnOnce() -> anyhow::Result<D>,
    ) -> anyhow::Result<D> {
        if let Some(present) = self.read().await? {
            return Ok(present);
        }
        let made = make()?;
        match self.cluster.write(D::NAME, None, &text(&made)?).await {
            Ok(()) => Ok(made),
            Err(SchedulerError::Conflict { .. }) => {
                self.read().await?.with_context(|| format!("document {} came and went", D::NAME))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the document, from its default if there is none; again when somebody else's change came in between.
    ///
    /// Nothing is written when `change` fails or changes nothing.
    pub(crate) async fn change<D: Document + Default, T>(
        &self,
        mut change: impl FnMut(&mut D) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        for _ in 0..ATTEMPTS {
            let before = self.cluster.read(D::NAME).await?;
            let mut document = before.as_deref().map(parse::<D>).transpose()?.unwrap_or_default();
            let answer = change(&mut document)?;
            let after = text(&document)?;
            if before.as_deref() == Some(&after) {
                return Ok(answer);
            }
            match self.cluster.write(D::NAME, before.as_deref(), &after).await {
                Ok(()) => return Ok(answer),
                Err(SchedulerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bail!("others change the cluster's document {} all the time; try again", D::NAME)
    }
}

fn parse<D: Document>(text: &[u8]) -> Result<D, SchedulerError> {
    serde_json::from_slice(text).map_err(|error| SchedulerError::Engine {
        action: "understand document",
        subject: D::NAME.to_owned(),
        reason: format!("{error}; it may be of a newer deisctl"),
    })
}

fn text<D: Document>(document: &D) -> anyhow::Result<Vec<u8>> {
    serde_json::to_vec(document).with_context(|| format!("failed to write document {}", D::NAME))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Counter(u32);

    impl Document for Counter {
        const NAME: &'static str = "counter";
    }

    async fn documents() -> Documents {
        let engine = deis_scheduler::pretend(&["one"]).remove(0);
        let cluster = engine.cluster.expect("the fake has hosts");
        cluster.init("10.0.0.1".parse().expect("address")).await.expect("made");
        Documents::new(cluster)
    }

    #[tokio::test]
    async fn what_is_there_is_never_overwritten() {
        let documents = documents().await;
        assert_eq!(documents.ensure(|| Ok(Counter(1))).await.expect("made"), Counter(1));
        assert_eq!(documents.ensure(|| Ok(Counter(2))).await.expect("read"), Counter(1));
    }

    #[tokio::test]
    async fn changes_of_several_at_once_all_count() {
        let documents = documents().await;
        let add = |counter: &mut Counter| {
            counter.0 += 1;
            Ok(())
        };
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let documents = documents.clone();
            tasks.spawn(async move { documents.change(add).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("joined").expect("changed");
        }
        assert_eq!(documents.read::<Counter>().await.expect("read"), Some(Counter(8)));
    }

    #[tokio::test]
    async fn a_change_that_fails_writes_nothing() {
        let documents = documents().await;
        let failed = documents.change(|_: &mut Counter| -> anyhow::Result<()> { bail!("no") }).await;
        assert!(failed.is_err());
        assert_eq!(documents.read::<Counter>().await.expect("read"), None);
    }
}
