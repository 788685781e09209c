//! Images of releases, made available in the background: a slow pull holds up nothing else of its app.

use std::time::Duration;

use deis_model::{AppId, Desired, ReleaseContent, Workload, intent};
use deis_scheduler::{ImageFacts, SchedulerError};
use tokio::task::JoinHandle;

use super::Reconciler;
use super::app_state::Memory;

/// How long a pass waits for an image: longer than it takes to find one that is there.
const PROMPT: Duration = Duration::from_millis(250);

/// The image of a release.
pub(super) enum Image {
    /// Looked for, perhaps pulled.
    Awaited(JoinHandle<Option<Result<ImageFacts, SchedulerError>>>),
    /// Available; exposes these ports.
    Present(Vec<u16>),
}

impl Reconciler {
    /// The workloads of `release`, extra ones for a restart included; none while its image is not available yet.
    pub(super) async fn workloads(
        &self,
        desired: &Desired,
        release: &ReleaseContent,
        memory: &mut Memory,
    ) -> Result<Option<Vec<Workload>>, SchedulerError> {
        let Some(build) = &release.build else { return Ok(Some(Vec::new())) };
        let needed = [desired.deployed.as_ref(), desired.under_way(), desired.canary.as_ref()]
            .map(|held| held.map(|held| held.version));
        memory.images.retain(|version, _| needed.contains(&Some(*version)));
        let begin = || Image::Awaited(self.prepare(&desired.app, &build.image));
        let ports = match memory.images.entry(release.version).or_insert_with(begin) {
            Image::Present(ports) => ports.clone(),
            Image::Awaited(preparing) => {
                let Ok(prepared) = tokio::time::timeout(PROMPT, preparing).await else { return Ok(None) };
                // Whatever comes of it, a task is asked only once.
                memory.images.remove(&release.version);
                let ports = prepared.ok().flatten().ok_or_else(|| broke_off(&build.image))??.ports;
                memory.images.insert(release.version, Image::Present(ports.clone()));
                ports
            }
        };
        Ok(Some(wanted(desired, release, &ports, memory)))
    }

    fn prepare(&self, app: &AppId, image: &str) -> JoinHandle<Option<Result<ImageFacts, SchedulerError>>> {
        let (reconciler, app, image) = (self.clone(), app.clone(), image.to_owned());
        self.spawn(async move {
            let prepared = reconciler.shared.scheduler.prepare(&image).await;
            reconciler.wake_app(&app);
            prepared
        })
    }
}

/// The workloads of `release`, extra ones for a restart included.
pub(super) fn wanted(
    desired: &Desired,
    release: &ReleaseContent,
    ports: &[u16],
    memory: &Memory,
) -> Vec<Workload> {
    with_surge(intent::workloads(desired, release, ports), memory)
}

/// `workloads` with extra containers for a restart.
pub(super) fn with_surge(mut workloads: Vec<Workload>, memory: &Memory) -> Vec<Workload> {
    for workload in &mut workloads {
        workload.replicas += memory.restart.surge(&workload.id);
    }
    workloads
}

fn broke_off(image: &str) -> SchedulerError {
    let reason = "the attempt broke off".to_owned();
    SchedulerError::Engine { action: "prepare image", subject: image.to_owned(), reason }
}
