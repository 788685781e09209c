//! The stack in the registry: put there ahead of time, so that no app's first push has to wait for its many megabytes.

use std::time::{Duration, Instant};

use deis_scheduler::SchedulerError;
use tokio::sync::mpsc;
use tracing::{debug, info};

use crate::push::Platform;

/// How often it is looked whether there is a new stack.
const INTERVAL: Duration = Duration::from_secs(60);

/// Keeps the stack in the registry, for ever.
pub(crate) async fn keep(platform: Platform) {
    let mut kept = None;
    loop {
        match keep_newer(&platform, kept.as_deref()).await {
            Ok(id) => kept = id,
            // Pushes find out for themselves, and say so to somebody who waits.
            Err(error) => debug!(%error, "failed to keep the stack in the registry"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Pushes the stack if it is another than `kept`; returns which one is there then.
async fn keep_newer(platform: &Platform, kept: Option<&str>) -> Result<Option<String>, SchedulerError> {
    let settings = &platform.settings;
    let Some(stack) = platform.images.inspect(&settings.stack_image).await? else { return Ok(None) };
    if kept == Some(stack.id.as_str()) {
        return Ok(Some(stack.id));
    }
    let started = Instant::now();
    let name = format!("{}/{}", settings.registry, settings.stack_image);
    platform.images.tag(&settings.stack_image, &name).await?;
    let (progress, mut arriving) = mpsc::channel(64);
    let _moving = platform.stack_moving.lock().await;
    let push = platform.images.push(&name, &settings.registry_credentials, progress);
    let discard = async { while arriving.recv().await.is_some() {} };
    let both = async { tokio::join!(push, discard).0 };
    let Ok(pushed) = tokio::time::timeout(settings.limits.launch, both).await else { return Ok(None) };
    pushed?;
    // The name has served its purpose: the engine remembers which layers the registry has.
    platform.images.remove_image(&name).await?;
    info!(image = %name, elapsed = ?started.elapsed(), "the stack is in the registry");
    Ok(Some(stack.id))
}
