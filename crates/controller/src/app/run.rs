//! One-off commands.

use bytes::Bytes;

use deis_model::permission::Action;
use deis_model::{Job, User};

use super::{DeployError, Platform, Refusal};

/// The longest command, in bytes: the kernel starts no program with a longer argument.
const MAX_COMMAND_LENGTH: usize = 128 * 1024 - 1;

const NO_BUILD: &str = "No build associated with this release to run this command";

impl Platform {
    /// Runs `command` in the app's release, with `input` to read if any, and returns its exit status and output.
    pub async fn run(
        &self,
        caller: &User,
        id: &str,
        command: &str,
        input: Option<String>,
    ) -> Result<(i64, String), Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        if command.is_empty() {
            return Err(Refusal::field("command", "This field may not be blank."));
        }
        if command.len() > MAX_COMMAND_LENGTH || command.contains('\0') {
            return Err(Refusal::field(
                "command",
                "Commands must be shorter than 128 KiB and without the character NUL.",
            ));
        }
        if input.as_ref().is_some_and(|input| input.len() > Job::INPUT_LIMIT) {
            return Err(Refusal::TooLarge);
        }
        let current = self.database.current(&app).await?;
        if current.is_none_or(|release| release.build.is_none()) {
            return Err(Refusal::Invalid(NO_BUILD.to_owned()));
        }
        self.events.say(&app, format!("{} runs '{command}'", caller.username));
        match self.deploys.run(&app, command, input.map(Bytes::from)).await {
            Err(DeployError::NothingDeployed) => Err(Refusal::Invalid(NO_BUILD.to_owned())),
            outcome => Ok(outcome?),
        }
    }
}
