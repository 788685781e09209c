//! Jobs on hosts other than the one that was asked.

use std::time::Duration;

use bollard::query_parameters::ListSecretsOptions;
use bytes::Bytes;
use deis_model::Job;
use deis_scheduler::{Attachment, SchedulerError};
use tokio::sync::mpsc;

use crate::cluster::Fleet;

#[tokio::test]
async fn swarm_jobs_read_their_input_on_whatever_host() {
    let Some(fleet) = Fleet::three().await else { return };
    for host in [1, 2] {
        fleet.cluster(0).label(&fleet.names[host], "job", Some(&host.to_string())).await.expect("label");
    }
    let input = Bytes::from(vec![b'x'; Job::INPUT_LIMIT]);
    let runs = [1, 2].map(|host| fleet.counted(host, input.clone()));
    for counted in futures::future::join_all(runs).await {
        assert_eq!(counted.expect("ran"), "1048576\n");
    }
    fleet.until_no_secrets().await;
}

/// A name below an address on which nobody listens, as on a host that has just started.
const ON_ONE_HOST: &str = "127.0.0.1:9/only-here:v1";

#[tokio::test]
async fn swarm_jobs_go_on_from_hosts_that_turn_them_away() {
    let Some(fleet) = Fleet::three().await else { return };
    let image = fleet.job("true").image;
    fleet.engines[2].images.tag(&image, ON_ONE_HOST).await.expect("tag");
    let run = async |host: usize| {
        let mut job = Job { image: ON_ONE_HOST.to_owned(), ..fleet.job("echo here") };
        job.name.number = u32::try_from(host).expect("few hosts") + 1;
        let (output, mut frames) = mpsc::channel(100);
        let attachment = Attachment { input: None, output, timeout: Duration::from_secs(120) };
        let ran = fleet.engines[host].scheduler.run(&job, attachment).await;
        ran.map(|outcome| (outcome.exit_code, super::loss::text(&mut frames)))
    };
    assert_eq!(run(0).await.expect("one host has the image"), (0, "here\n".to_owned()));
    fleet.engines[2].images.remove_image(ON_ONE_HOST).await.expect("remove");
    let refused = run(1).await.expect_err("no host has the image");
    assert!(matches!(refused, SchedulerError::NoImage { .. }), "{refused}");
}

impl Fleet {
    /// What a job on `host` says of how much it read.
    async fn counted(&self, host: usize, input: Bytes) -> Result<String, SchedulerError> {
        let mut job = self.job("busybox wc -c");
        job.name.number = u32::try_from(host).expect("few hosts");
        job.tags = [("job".to_owned(), host.to_string())].into();
        let (output, mut frames) = mpsc::channel(100);
        let attachment = Attachment { input: Some(input), output, timeout: Duration::from_secs(120) };
        self.engines[0].scheduler.run(&job, attachment).await?;
        Ok(super::loss::text(&mut frames))
    }

    /// Waits until the managers keep nothing of what jobs read.
    async fn until_no_secrets(&self) {
        let client = self.client(0).await;
        for _ in 0..600 {
            if client.list_secrets(None::<ListSecretsOptions>).await.is_ok_and(|kept| kept.is_empty()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("secrets stay");
    }
}
