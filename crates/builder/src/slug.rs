//! Apps without a Dockerfile: buildpacks compile them in a container of the stack, which becomes the image.

mod files;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deis_model::{AppId, Environment, Procfile};
use deis_runtime::secrets::random_hex;
use deis_scheduler::{BuildContainer, BuildOutcome, Images};

use crate::app_uuid::AppUuid;
use crate::config::Config;
use crate::dockerfile::labels;
use crate::error::PushError;
use crate::output::Output;
use crate::source::Source;
use files::SlugFiles;

/// Runs the build and prints, for the builder, what it says of the app's processes.
const COMMAND: &str = r#"/runner/build || exit
for file in Procfile .release; do
  [ ! -f "/app/$file" ] || printf '\036%s %s\n' "$file" "$(base64 -w 0 "/app/$file")"
done"#;

/// Marks those lines; no program prints it by chance.
const MARK: char = '\u{1e}';

/// A buildpack build of one app.
pub(crate) struct SlugBuild<'a> {
    /// Where things are.
    pub(crate) settings: &'a Config,
    /// The app.
    pub(crate) app: &'a AppId,
    /// What its cache is called after: another app of the same name has a cache of its own.
    pub(crate) uuid: &'a AppUuid,
    /// What was pushed.
    pub(crate) source: &'a Source,
    /// The app's config.
    pub(crate) config: &'a BTreeMap<String, String>,
    /// The image to make.
    pub(crate) image: &'a str,
}

impl SlugBuild<'_> {
    /// Makes the image; the build's output goes to the pusher. Returns the process types it found.
    pub(crate) async fn run(&self, images: &dyn Images, output: &Output) -> Result<Procfile, PushError> {
        let (lines, mut arriving) = Output::channel();
        let described = Mutex::new(BTreeMap::new());
        let relay = async {
            while let Some(line) = arriving.recv().await {
                match description(&line) {
                    Some((file, text)) => drop(lock(&described).insert(file, text)),
                    None => output.line(line.trim_end()).await,
                }
            }
        };
        let build = images.build_in(self.container(), lines.into_progress());
        let (built, ()) = tokio::join!(build, relay);
        self.judge(built.map_err(PushError::engine)?)?;
        let described = described.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        process_types(&described)
    }

    fn judge(&self, outcome: BuildOutcome) -> Result<(), PushError> {
        match outcome {
            BuildOutcome { out_of_memory: true, .. } => Err(PushError::OutOfMemory(self.memory_limit())),
            BuildOutcome { exit_code: 0, .. } => Ok(()),
            BuildOutcome { exit_code, .. } => Err(PushError::Build(exit_code)),
        }
    }

    fn memory_limit(&self) -> String {
        match self.settings.limits.build_memory_bytes {
            Some(bytes) => format!("{} MiB", bytes / 1024 / 1024),
            None => "what this machine has".to_owned(),
        }
    }

    fn container(&self) -> BuildContainer {
        let files = self.source.archive(SlugFiles::new(self.config.clone()));
        BuildContainer {
            base: self.settings.stack_image.clone(),
            command: ["bash", "-c", COMMAND].map(str::to_owned).to_vec(),
            user: Some("app".to_owned()),
            environment: self.environment(),
            files,
            volumes: [(self.uuid.to_string(), PathBuf::from("/cache"))].into(),
            labels: labels(self.app),
            memory_bytes: self.settings.limits.build_memory_bytes,
            timeout: self.settings.limits.build,
            target: self.image.to_owned(),
            changes: changes(self.app, &self.source.sha),
        }
    }

    /// The build's environment but for the app's config, which the runner reads from files: no variable of an app's
    /// can upset the build, and none is part of the container's description.
    fn environment(&self) -> Environment {
        let fixed = [
            ("SOURCE_VERSION", self.source.sha.clone()),
            ("REQUEST_ID", random_hex()),
            ("DEIS_APP", self.app.to_string()),
        ];
        let mut environment = self.settings.build_environment.0.clone();
        environment.extend(fixed.map(|(key, value)| (key.to_owned(), value)));
        Environment(environment)
    }
}

/// What makes the build container an image that runs the app. Config is no part of it.
fn changes(app: &AppId, sha: &str) -> Vec<String> {
    let mut changes = vec![
        "USER app".to_owned(),
        "WORKDIR /app".to_owned(),
        "ENV HOME=/app".to_owned(),
        "ENV PORT=5000".to_owned(),
        format!("ENV GIT_SHA={sha}"),
        "EXPOSE 5000".to_owned(),
        r#"ENTRYPOINT ["/runner/init"]"#.to_owned(),
        "CMD []".to_owned(),
    ];
    changes.extend(labels(app).into_iter().map(|(key, value)| format!("LABEL {key}={value}")));
    changes
}

/// A file of the finished app that a line of output describes.
fn description(line: &str) -> Option<(String, String)> {
    let (file, text) = line.strip_prefix(MARK)?.split_once(' ')?;
    let bytes = STANDARD.decode(text.trim_end()).ok()?;
    Some((file.to_owned(), String::from_utf8_lossy(&bytes).into_owned()))
}

/// Process types of the finished app: its Procfile's, else the defaults of its buildpack.
fn process_types(described: &BTreeMap<String, String>) -> Result<Procfile, PushError> {
    if let Some(text) = described.get("Procfile") {
        return Ok(Procfile::parse(text)?);
    }
    let release = described.get(".release").map(String::as_str).unwrap_or_default();
    let defaults = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(release)
        .ok()
        .and_then(|release| release.get("default_process_types").cloned())
        .and_then(|types| serde_yaml_ng::to_string(&types).ok());
    Ok(defaults.map_or_else(|| Ok(Procfile::default()), |types| Procfile::parse(&types))?)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: Option<&[&str]>) {
        let described = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let found = process_types(&described).ok().map(|it| it.0.into_keys().collect::<Vec<_>>());
        let found = found.map(|types| types.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(found, expected.map(|types| types.iter().map(ToString::to_string).collect()), "{files:?}");
    }

    #[test]
    fn process_types_come_from_the_procfile_or_the_buildpack() {
        let release = (".release", "---\ndefault_process_types:\n  web: node server.js\n");
        check(&[("Procfile", "worker: run"), release], Some(&["worker"]));
        check(&[release], Some(&["web"]));
        check(&[(".release", "--- {}")], Some(&[]));
        check(&[], Some(&[]));
        check(&[("Procfile", "- a")], None);
    }

    #[test]
    fn only_marked_lines_are_descriptions() {
        let line = format!("{MARK}Procfile {}", STANDARD.encode("web: run 'a'"));
        assert_eq!(description(&line), Some(("Procfile".to_owned(), "web: run 'a'".to_owned())));
        assert_eq!(description("Procfile d2Vi"), None);
        assert_eq!(description(&format!("{MARK}Procfile ???")), None);
    }
}
