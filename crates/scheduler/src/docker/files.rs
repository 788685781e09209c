//! Files that a role is given: copied into its container before it starts.

use std::path::Path;

use bollard::query_parameters::UploadToContainerOptionsBuilder;

use deis_model::{FileMount, Workload};

use super::Docker;
use crate::SchedulerError;

/// Readable by the container's root alone.
const MODE: u32 = 0o400;

impl Docker {
    /// Puts the workload's files into the container `id`, which has not started yet.
    pub(super) async fn put_files(&self, id: &str, workload: &Workload) -> Result<(), SchedulerError> {
        let files = workload.host.as_ref().map_or(&[][..], |access| &access.files);
        if files.is_empty() {
            return Ok(());
        }
        let failed = |reason: String| SchedulerError::Engine {
            action: "copy files into",
            subject: workload.id.to_string(),
            reason,
        };
        let archive = archive(files).map_err(|error| failed(error.to_string()))?;
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let body = bollard::body_full(archive.into());
        let put = self.client.upload_to_container(id, Some(options), body).await;
        put.map_err(|error| self.failed("copy files into", &workload.id.to_string(), &error))
    }
}

/// A tar archive of `files` to be unpacked at `/`.
fn archive(files: &[FileMount]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(MODE);
        header.set_size(file.contents.len() as u64);
        let path = Path::new(&file.path);
        let path = path.strip_prefix("/").unwrap_or(path);
        archive.append_data(&mut header, path, file.contents.as_bytes())?;
    }
    archive.into_inner()
}
