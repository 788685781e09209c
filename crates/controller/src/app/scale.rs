//! Scaling: how many containers of each process type.

use deis_model::permission::Action;
use deis_model::{Build, Desired, Formation, ProcessType, User};
use serde_json::{Map, Value};

use super::{Platform, Refusal};

/// How many containers of one process type may be asked for.
const MAX_REPLICAS: i64 = 1000;

impl Platform {
    /// Scales the mentioned process types and waits until that many containers run.
    pub async fn scale(
        &self,
        caller: &User,
        id: &str,
        requested: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let app = self.app(caller, id, Action::Change).await?;
        let requested = requested.iter().map(|(name, count)| Ok((name.as_str(), parse_count(count)?)));
        let requested: Vec<(&str, i64)> = requested.collect::<Result<_, Refusal>>()?;
        let desired = self.database.desired(&app.id).await?.ok_or(Refusal::NotFound)?;
        let requested = check_for(&desired, &requested)?;
        if requested.is_empty() {
            return Ok(());
        }
        let listed: Vec<String> = requested.iter().map(|(process, n)| format!("{process}={n}")).collect();
        self.events.say(&app.id, format!("{} scaled containers {}", caller.username, listed.join(" ")));
        Ok(self.deploys.scale(&app.id, requested).await?)
    }
}

fn parse_count(value: &Value) -> Result<i64, Refusal> {
    let invalid = |text: String| Refusal::Invalid(format!("Invalid scaling format: {text}"));
    match value {
        Value::Number(number) if number.is_i64() => Ok(number.as_i64().unwrap_or_default()),
        Value::String(text) => text.trim().parse().map_err(|_| {
            invalid(format!(
                "invalid literal for int() with base 10: '{}'",
                text.chars().take(100).collect::<String>()
            ))
        }),
        _ => Err(invalid("the number of containers must be a whole number".to_owned())),
    }
}

/// What may be asked for of any release that runs or is about to; the newest is first.
fn check_for(desired: &Desired, requested: &[(&str, i64)]) -> Result<Formation, Refusal> {
    let releases = [desired.under_way(), desired.canary.as_ref(), desired.deployed.as_ref()];
    let builds = releases.into_iter().flatten().filter_map(|release| release.build.as_ref());
    let mut checked = builds.map(|build| check(build, requested));
    let newest = checked.next();
    let newest =
        newest.ok_or_else(|| Refusal::Invalid("No build associated with this release".to_owned()))?;
    newest.or_else(|refusal| checked.find_map(Result::ok).ok_or(refusal))
}

fn check(build: &Build, requested: &[(&str, i64)]) -> Result<Formation, Refusal> {
    requested.iter().map(|(name, count)| check_one(build, name, *count)).collect()
}

fn check_one(build: &Build, name: &str, count: i64) -> Result<(ProcessType, u32), Refusal> {
    let unknown = || Refusal::Invalid(format!("Container type {name} does not exist in application"));
    let process = ProcessType::parse(name).map_err(|_| unknown())?;
    let is_implied = build.is_buildpack() && build.procfile.0.is_empty() && process == ProcessType::web();
    if !(build.procfile.declares(&process) || process == ProcessType::cmd() || is_implied) {
        return Err(unknown());
    }
    if count < 0 {
        return Err(Refusal::Invalid(
            "Invalid scaling format: Must be greater than or equal to zero".to_owned(),
        ));
    }
    let too_many = || Refusal::Invalid(format!("Invalid scaling format: Must be at most {MAX_REPLICAS}"));
    let count = u32::try_from(count).ok().filter(|_| count <= MAX_REPLICAS).ok_or_else(too_many)?;
    Ok((process, count))
}
