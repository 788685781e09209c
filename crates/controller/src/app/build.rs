//! Builds: checking them and releasing them.

use deis_database::{Listing, NewBuild, Released, Slice};
use deis_model::permission::Action;
use deis_model::{AppId, Build, FieldErrors, ProcessType, User};

use super::release::{BUILD_TURN, Next};
use super::{Platform, Refusal};

/// The longest image name and commit, in characters.
const MAX_IMAGE_LENGTH: usize = 256;
const MAX_SHA_LENGTH: usize = 40;

/// Images of the platform itself, which are not for apps.
const PLATFORM_IMAGES: [&str; 14] = [
    "deis/builder",
    "deis/cache",
    "deis/controller",
    "deis/database",
    "deis/logger",
    "deis/logspout",
    "deis/publisher",
    "deis/registry",
    "deis/router",
    "deis/store-admin",
    "deis/store-daemon",
    "deis/store-gateway",
    "deis/store-metadata",
    "deis/store-monitor",
];

impl Platform {
    /// The builds of an app, newest first.
    pub async fn builds(
        &self,
        caller: &User,
        id: &str,
        slice: Slice,
    ) -> Result<(AppId, Listing<Build>), Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        let builds = self.database.builds(&app, slice).await?;
        Ok((app, builds))
    }

    /// One build of an app.
    pub async fn build(&self, caller: &User, id: &str, uuid: &str) -> Result<(AppId, Build), Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        let build = self.database.build(&app, uuid).await?.ok_or(Refusal::NotFound)?;
        Ok((app, build))
    }

    /// Releases an image that a user names, and waits until it serves.
    pub async fn create_build(
        &self,
        caller: &User,
        id: &str,
        new: NewBuild,
    ) -> Result<(AppId, Released), Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        self.check_image(&app, &new.image).await?;
        let released = self.release_build(&app, caller, new).await?;
        Ok((app, released))
    }

    /// Releases a build that may be released, and waits until it serves.
    pub(super) async fn release_build(
        &self,
        app: &AppId,
        caller: &User,
        new: NewBuild,
    ) -> Result<Released, Refusal> {
        check_build(&new)?;
        let released = self.in_turn(app, caller, &Next::Build(new), BUILD_TURN).await?;
        self.deploy(app, &released).await?;
        Ok(released)
    }

    /// Refuses images of the platform and, in its registry, all but those that this very app was built into: under
    /// its name there may be images of an earlier app.
    async fn check_image(&self, app: &AppId, image: &str) -> Result<(), Refusal> {
        let is_platform = PLATFORM_IMAGES.iter().any(|name| image.contains(name));
        let in_registry = image.strip_prefix(&*self.registry_host).is_some_and(|rest| rest.starts_with('/'));
        let is_foreign = in_registry && !self.database.has_image(app, image).await?;
        match is_platform || is_foreign {
            true => Err(Refusal::ForbiddenBecause(format!("Repository name {image} is not allowed"))),
            false => Ok(()),
        }
    }
}

fn check_build(new: &NewBuild) -> Result<(), Refusal> {
    let mut errors = FieldErrors::default();
    if let Err(message) = check_image_name(&new.image) {
        errors.add("image", message);
    }
    if new.sha.chars().count() > MAX_SHA_LENGTH {
        errors.add("sha", format!("Ensure this field has no more than {MAX_SHA_LENGTH} characters."));
    } else if !new.sha.chars().all(|c| c.is_ascii_alphanumeric()) {
        errors.add("sha", "Enter a valid commit.");
    }
    if new.procfile.declares(&ProcessType::run()) {
        errors.add("procfile", "The process type run is reserved for one-off commands.");
    }
    Ok(errors.into_result(())?)
}

fn check_image_name(image: &str) -> Result<(), String> {
    if image.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if image.chars().count() > MAX_IMAGE_LENGTH {
        return Err(format!("Ensure this field has no more than {MAX_IMAGE_LENGTH} characters."));
    }
    let starts_well = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if is_image_id(image) {
        return Err("Enter the image's name with its tag, like example/app:v1, not its id.".to_owned());
    }
    match starts_well && image.chars().all(fits) {
        true => Ok(()),
        false => Err("Enter a valid image name, like example/app:v1.".to_owned()),
    }
}

/// Whether an engine could take `image` for the id, or the beginning of one, of any image that it has.
fn is_image_id(image: &str) -> bool {
    image.starts_with("sha256:") || image.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}
