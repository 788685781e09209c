//! Volumes: what builds keep from one to the next.
//!
//! Files in them belong to users of the containers, so that only the engine can remove them, not a platform without root.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::Docker;
use super::failure::status;
use crate::SchedulerError;
use crate::labels;

impl Docker {
    /// The volume at `path`. The engine makes it with the container, so that none is ever without its label.
    pub(super) fn volume_mount(&self, name: &str, path: &Path) -> Mount {
        let label = (labels::BUILD.to_owned(), self.options.platform.clone());
        Mount {
            target: Some(path.display().to_string()),
            source: Some(self.volume_name(name)),
            typ: Some(MountType::VOLUME),
            volume_options: Some(MountVolumeOptions {
                labels: Some(HashMap::from([label])),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    pub(super) async fn build_volumes(&self) -> Result<Vec<String>, SchedulerError> {
        let label = format!("{}={}", labels::BUILD, self.options.platform);
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = self.client.list_volumes(Some(options)).await;
        let listed = listed.map_err(|error| self.failed("list", "build volumes", &error))?;
        let volumes = listed.volumes.unwrap_or_default().into_iter();
        let prefix = self.volume_name("");
        Ok(volumes.filter_map(|volume| volume.name.strip_prefix(&prefix).map(str::to_owned)).collect())
    }

    pub(super) async fn remove_build_volume(&self, name: &str) -> Result<(), SchedulerError> {
        let name = self.volume_name(name);
        match self.client.remove_volume(&name, None::<RemoveVolumeOptions>).await {
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            removed => removed.map_err(|error| self.failed("remove volume", &name, &error)),
        }
    }

    /// A volume's name on the engine, which platforms may share.
    fn volume_name(&self, name: &str) -> String {
        format!("{}.build.{name}", self.options.platform)
    }
}
