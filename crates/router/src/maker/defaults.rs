//! What holds where nobody has set anything.

use std::sync::Arc;

use deis_model::routing::MeshSettings;

use crate::config::Config;

/// What holds for the mesh where nobody has set anything: what this router was started with.
pub(super) fn defaults(config: &Config) -> MeshSettings {
    let mut mesh = MeshSettings::default();
    let (timeouts, limits) = (&config.timeouts, &config.limits);
    let apps = Arc::make_mut(&mut mesh.apps);
    apps.body_bytes = Some(limits.body_bytes);
    (apps.timeouts.connect, apps.timeouts.answer) = (timeouts.connect, timeouts.answer);
    apps.timeouts.idle = timeouts.client_idle;
    let controller = Arc::make_mut(&mut mesh.controller);
    (controller.timeouts.connect, controller.timeouts.answer) =
        (timeouts.connect, timeouts.controller_answer);
    (mesh.clients.head, mesh.clients.idle) = (timeouts.head, timeouts.client_idle);
    (mesh.builder.connect, mesh.builder.idle) = (timeouts.git_connect, timeouts.git_idle);
    mesh.trusted = config.trusted.clone();
    mesh
}
