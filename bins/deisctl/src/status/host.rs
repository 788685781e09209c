//! What roles need from this machine: the container engine, the stack image and room on the disk.

use std::path::Path;

use deis_api::status::Problem;

use crate::platform::Platform;

use super::report::Check;

/// What the stack image says of itself.
const STACK_LABEL: &str = "io.deis.stack=true";

const GB: u64 = 1_000_000_000;

/// Below this the disk counts as nearly full, whatever its size.
const LEAST_BYTES: u64 = 2 * GB;

/// Below this share of the disk it counts as nearly full, in percent.
const LEAST_PERCENT: u64 = 10;

/// Whether the container engine answers.
pub(super) async fn engine(platform: &Platform) -> Check {
    let answer = match platform.engine().await {
        Ok(engine) => engine.version().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(version) => Check { subject: "engine", found: version, problems: Vec::new() },
        Err(error) => Check {
            subject: "engine",
            found: format!("{} does not answer", platform.scheduler()),
            problems: vec![Problem {
                cause: error.to_string(),
                cure: "start it (`systemctl start docker`), and let the user who runs deisd use its socket"
                    .into(),
            }],
        },
    }
}

/// Whether the engine has an image to build and run apps in.
pub(super) async fn stack(platform: &Platform) -> Check {
    let images = match platform.engine().await {
        Ok(engine) => engine.images.list(STACK_LABEL).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let stacks: Vec<String> = images.into_iter().filter(|image| is_stack(image)).collect();
    let problem = || Problem {
        cause: "there is no image that apps can be built in".into(),
        cure: "make it with `deisctl stack build`".into(),
    };
    let problems = stacks.is_empty().then(problem).into_iter().collect();
    let found = if stacks.is_empty() { "missing".to_owned() } else { stacks.join(", ") };
    Check { subject: "stack", found, problems }
}

/// Apps inherit the label, but they, like copies of the stack, are named after a registry: `host:port/…`.
fn is_stack(image: &str) -> bool {
    image.split_once('/').is_none_or(|(first, _)| !first.contains([':', '.']))
}

/// Whether the disk below `path` has room.
pub(super) fn disk(path: &Path) -> Check {
    match rustix::fs::statvfs(path) {
        Ok(disk) => room(path, disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize),
        Err(error) => Check {
            subject: "disk",
            found: "unknown".into(),
            problems: vec![Problem {
                cause: format!("failed to ask for the space below {}: {error}", path.display()),
                cure: "check that the disk is mounted and sound".into(),
            }],
        },
    }
}

fn room(path: &Path, free: u64, total: u64) -> Check {
    let percent = (free * 100).checked_div(total).unwrap_or(0);
    let scarce = free < LEAST_BYTES || percent < LEAST_PERCENT;
    let found = format!("{} GB of {} GB free ({percent} %)", tenths(free), tenths(total));
    let problem = || Problem {
        cause: format!("the disk that holds {} is nearly full: {found}", path.display()),
        cure: "make room: remove images nobody needs with `docker image prune`, or use a larger disk".into(),
    };
    Check { subject: "disk", problems: scarce.then(problem).into_iter().collect(), found }
}

/// Gigabytes with one decimal.
fn tenths(bytes: u64) -> String {
    format!("{}.{}", bytes / GB, bytes % GB / (GB / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(free: u64, total: u64, scarce: bool) {
        let found = room(Path::new("/data"), free, total);
        assert_eq!(!found.problems.is_empty(), scarce, "{}", found.found);
    }

    #[test]
    fn little_room_is_told_by_size_or_by_share() {
        check(100 * GB, 200 * GB, false);
        check(19 * GB, 200 * GB, true);
        check(GB, 4 * GB, true);
        check(3 * GB, 4 * GB, false);
        check(0, 0, true);
    }

    #[test]
    fn images_of_registries_are_no_stacks() {
        let images =
            ["deis/stack:latest", "stack", "127.0.0.1:5000/deis/stack:latest", "registry.example/blog:v2"];
        assert_eq!(images.map(is_stack), [true, true, false, false]);
    }

    #[test]
    fn sizes_are_told_with_one_decimal() {
        let found = room(Path::new("/data"), 3_560_000_000, 10_000_000_000).found;
        assert_eq!(found, "3.5 GB of 10.0 GB free (35 %)");
    }
}
