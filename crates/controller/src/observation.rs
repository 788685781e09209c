//! One look at everything that the engine has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use deis_model::{AppId, ContainerStatus};
use deis_scheduler::{Scheduler, SchedulerError};

/// All containers by app, as they were at some moment after `begun`.
pub(crate) struct Observation {
    /// When the engine was asked.
    pub(crate) begun: Instant,
    /// Apps that have any.
    pub(crate) apps: BTreeMap<AppId, Vec<ContainerStatus>>,
}

impl Observation {
    /// Asks the engine, once.
    pub(crate) async fn take(scheduler: &Arc<dyn Scheduler>) -> Result<Self, SchedulerError> {
        let begun = Instant::now();
        let mut apps: BTreeMap<AppId, Vec<ContainerStatus>> = BTreeMap::new();
        for container in scheduler.observe(None).await? {
            apps.entry(container.name.workload.app.clone()).or_default().push(container);
        }
        Ok(Self { begun, apps })
    }
}
