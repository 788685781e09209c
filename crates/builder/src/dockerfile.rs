//! Apps with a Dockerfile: the engine builds it, with the pushed files as context.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use deis_model::{AppId, Environment};
use deis_scheduler::{Images, SchedulerError};

use crate::error::PushError;
use crate::ignore::Ignore;
use crate::output::Output;
use crate::source::{ArchiveWriter, Layout, Source};

/// The label of images that says which app they are of.
pub(crate) const APP_LABEL: &str = "io.deis.app";

/// A Dockerfile build of one app.
pub(crate) struct DockerfileBuild<'a> {
    /// The app.
    pub(crate) app: &'a AppId,
    /// What was pushed.
    pub(crate) source: &'a Source,
    /// The text of its Dockerfile.
    pub(crate) dockerfile: &'a str,
    /// The text of its `.dockerignore`, or nothing.
    pub(crate) ignore: &'a str,
    /// The image to make.
    pub(crate) image: &'a str,
}

impl DockerfileBuild<'_> {
    /// Makes the image; the engine's output goes to the pusher.
    pub(crate) async fn run(&self, images: &dyn Images, output: &Output) -> Result<(), PushError> {
        output.title("Building Docker image").await;
        let context = Context {
            dockerfile: with_commit(self.dockerfile, &self.source.sha).into_bytes(),
            ignore: Ignore::parse(self.ignore),
        };
        let (lines, mut arriving) = Output::channel();
        let relay = async {
            while let Some(line) = arriving.recv().await {
                output.line(line.trim_end()).await;
            }
        };
        let (arguments, labels) = (Environment::default(), labels(self.app));
        let context = self.source.archive(context);
        let build = images.build(self.image, context, &arguments, &labels, lines.into_progress());
        let (built, ()) = tokio::join!(build, relay);
        built.map_err(|error| match error {
            SchedulerError::Engine { reason, .. } if !is_full(&reason) => PushError::DockerfileBuild(reason),
            error => PushError::engine(error),
        })
    }
}

/// Labels of the images that the builder makes.
pub(crate) fn labels(app: &AppId) -> BTreeMap<String, String> {
    [(APP_LABEL.to_owned(), app.to_string())].into()
}

fn is_full(reason: &str) -> bool {
    reason.contains("no space left on device")
}

/// The Dockerfile with the commit as `GIT_SHA` in the image, last so that it spoils no cached step.
fn with_commit(dockerfile: &str, sha: &str) -> String {
    format!("{}\nENV GIT_SHA={sha}\n", dockerfile.trim_end())
}

/// The context of a Docker build: the source without what `.dockerignore` lists.
struct Context {
    dockerfile: Vec<u8>,
    ignore: Ignore,
}

impl Layout for Context {
    fn begin(&mut self, _: &mut tar::Builder<ArchiveWriter>) -> io::Result<()> {
        Ok(())
    }

    fn place(&self, path: &Path, directory: bool) -> Option<PathBuf> {
        // A folder may be ignored and a file in it be an exception; an empty folder does no harm then.
        let needed = path == Path::new("Dockerfile");
        let left_out = !needed && !directory && self.ignore.covers(path);
        (!left_out).then(|| path.to_owned())
    }

    fn owner(&self) -> u64 {
        0
    }

    fn replacement(&self, path: &Path) -> Option<&[u8]> {
        (path == Path::new("Dockerfile")).then_some(&self.dockerfile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_the_last_instruction() {
        assert_eq!(
            with_commit("FROM scratch\nCMD [\"/a\"]", "abc"),
            "FROM scratch\nCMD [\"/a\"]\nENV GIT_SHA=abc\n"
        );
    }

    #[test]
    fn ignored_files_are_no_part_of_the_context() {
        let context = Context { dockerfile: Vec::new(), ignore: Ignore::parse("*\n!server.py") };
        assert_eq!(context.place(Path::new("secret"), false), None);
        assert!(context.place(Path::new("server.py"), false).is_some());
        assert!(context.place(Path::new("Dockerfile"), false).is_some());
    }
}
