//! One-off commands.

use deis_model::User;
use deis_model::permission::Action;

use super::{DeployError, Platform, Refusal};

/// The longest command, in bytes: the kernel starts no program with a longer argument.
const MAX_COMMAND_LENGTH: usize = 128 * 1024 - 1;

const NO_BUILD: &str = "No build associated with this release to run this command";

impl Platform {
    /// Runs `command` in the app's release and returns its exit status and output.
    pub async fn run(&self, caller: &User, id: &str, command: &str) -> Result<(i64, String), Refusal> {
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
        let current = self.database.current(&app).await?;
        if current.is_none_or(|release| release.build.is_none()) {
            return Err(Refusal::Invalid(NO_BUILD.to_owned()));
        }
        self.events.say(&app, format!("{} runs '{command}'", caller.username));
        match self.deploys.run(&app, command).await {
            Err(DeployError::NothingDeployed) => Err(Refusal::Invalid(NO_BUILD.to_owned())),
            outcome => Ok(outcome?),
        }
    }
}
