//! All paths of the API. Every one is reached with and without a slash at its end; nothing redirects.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};

use deis_api::client::InternalClient;
use deis_database::Database;
use deis_runtime::auth::InternalKey;
use deis_runtime::{Allowed, Role, require_internal_key, require_role};

use super::envelope::{finish_what_was_begun, wrap};
use super::reply::{method_not_allowed, not_found};
use super::{
    apps, auth, builds, canary, certificates, config, containers, domains, hooks, internal, keys, logs,
    perms, releases, routing, run, users,
};
use crate::Vault;
use crate::app::{Deploys, Events, Platform};

/// The largest body of a request, in bytes.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The role of `deisctl`.
pub(super) const OPERATOR: &str = "deisctl";

/// Everything that the API works with. No `Debug`: it holds a secret.
pub struct ApiState {
    /// Desired state.
    pub database: Database,
    /// Makes it true.
    pub deploys: Arc<dyn Deploys>,
    /// The apps' own logs.
    pub events: Events,
    /// Apps are reached at `<app>.<domain>`.
    pub domain: String,
    /// Keeps the logs.
    pub logger: InternalClient,
    /// The registry as images are named after it: `host:port`.
    pub registry_host: String,
    /// Authenticates other components.
    pub internal_key: String,
    /// Seals keys of certificates.
    pub vault: Vault,
}

/// What handlers share.
#[derive(Clone)]
pub(super) struct Shared {
    platform: Platform,
    internal_key: InternalKey,
}

impl FromRef<Shared> for Platform {
    fn from_ref(shared: &Shared) -> Self {
        shared.platform.clone()
    }
}

impl FromRef<Shared> for InternalKey {
    fn from_ref(shared: &Shared) -> Self {
        shared.internal_key.clone()
    }
}

/// The API with everything that answers have in common.
pub fn api(state: ApiState) -> Router {
    let ApiState { database, deploys, events, domain, logger, registry_host, internal_key, vault } = state;
    let platform = Platform::new(database, deploys, events, &domain, logger, &registry_host, vault);
    let internal_key = InternalKey::new(&internal_key);
    let guarded = internal_routes().layer(from_fn_with_state(internal_key.clone(), require_internal_key));
    let public = account_routes().merge(app_routes()).merge(release_routes());
    let shared = Shared { platform, internal_key };
    Router::new()
        .route("/healthz", get(healthz))
        .merge(for_roles(public, [Role::Router.as_str(), OPERATOR]))
        .merge(for_roles(hook_routes(), [Role::Builder.as_str()]))
        .merge(guarded)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(finish_what_was_begun))
        .layer(from_fn(wrap))
        .with_state(shared)
}

fn account_routes() -> Router<Shared> {
    let router = Router::new();
    let router = both(router, "/v1", get(auth::root));
    let router = both(router, "/v1/auth/register", post(auth::register));
    let router = both(router, "/v1/auth/login", post(auth::log_in));
    let router = both(router, "/v1/auth/cancel", delete(auth::cancel));
    let router = both(router, "/v1/auth/passwd", post(auth::change_password));
    let router = both(router, "/v1/auth/tokens", post(auth::regenerate));
    let router = both(router, "/v1/users", get(users::list));
    let router = both(router, "/v1/admin/perms", get(perms::admins).post(perms::make_admin));
    let router = both(router, "/v1/admin/perms/{username}", delete(perms::unmake_admin));
    let router = both(router, "/v1/keys", get(keys::list).post(keys::create));
    let router = both(router, "/v1/certs", get(certificates::list).post(certificates::create));
    let router = both(router, "/v1/certs/{name}", get(certificates::show).delete(certificates::delete));
    // A key's id takes everything to the end, slashes included.
    router.route("/v1/keys/{*id}", get(keys::show).delete(keys::delete))
}

fn hook_routes() -> Router<Shared> {
    let router = Router::new();
    let router = both(router, "/v1/hooks/push", post(hooks::push));
    let router = both(router, "/v1/hooks/config", post(hooks::config));
    let router = both(router, "/v1/hooks/build", post(hooks::build));
    both(router, "/v1/hooks/builds", post(hooks::build))
}

fn app_routes() -> Router<Shared> {
    let router = Router::new();
    let router = both(router, "/v1/apps", get(apps::list).post(apps::create));
    let router = both(router, "/v1/apps/{id}", get(apps::show).post(apps::update).delete(apps::destroy));
    let router = both(router, "/v1/apps/{id}/logs", get(logs::show));
    let router = both(router, "/v1/apps/{id}/run", post(run::run));
    let router = both(router, "/v1/apps/{id}/scale", post(apps::scale));
    let router = both(router, "/v1/apps/{id}/domains", get(domains::list).post(domains::create));
    let router = both(router, "/v1/apps/{id}/domains/{domain}", delete(domains::delete));
    let settings = get(routing::show).post(routing::change).patch(routing::change);
    let router = both(router, "/v1/apps/{id}/routing", settings);
    let router = both(router, "/v1/apps/{id}/perms", get(perms::list).post(perms::grant));
    both(router, "/v1/apps/{id}/perms/{username}", delete(perms::revoke))
}

fn release_routes() -> Router<Shared> {
    let router = Router::new();
    let router = both(router, "/v1/apps/{id}/builds", get(builds::list).post(builds::create));
    let router = both(router, "/v1/apps/{id}/builds/{uuid}", get(builds::show));
    let router = both(router, "/v1/apps/{id}/config", get(config::show).post(config::change));
    let router = both(router, "/v1/apps/{id}/releases", get(releases::list));
    let router = both(router, "/v1/apps/{id}/releases/rollback", post(releases::roll_back));
    let router = both(router, "/v1/apps/{id}/releases/{version}", get(releases::show));
    let router = both(router, "/v1/apps/{id}/canary", get(canary::show).delete(canary::end));
    let router = both(router, "/v1/apps/{id}/canary/promote", post(canary::promote));
    let router = both(router, "/v1/apps/{id}/containers", get(containers::list));
    let router = both(router, "/v1/apps/{id}/containers/restart", post(containers::restart_all));
    let router = both(router, "/v1/apps/{id}/containers/{type}", get(containers::list_type));
    let router = both(router, "/v1/apps/{id}/containers/{type}/restart", post(containers::restart_type));
    let router = both(router, "/v1/apps/{id}/containers/{type}/{num}", get(containers::show));
    both(router, "/v1/apps/{id}/containers/{type}/{num}/restart", post(containers::restart_one))
}

fn internal_routes() -> Router<Shared> {
    let of_builders = Router::new()
        .route("/internal/keys/{fingerprint}", get(internal::key))
        .route("/internal/apps", get(internal::apps))
        .route("/internal/repositories/{uuid}", get(internal::repository).put(internal::replace_repository));
    let of_operators = Router::new()
        .route("/internal/config/{target}", get(internal::settings).post(internal::change_settings))
        .route("/internal/admins", post(internal::ensure_admin));
    for_roles(of_builders, [Role::Builder.as_str()]).merge(for_roles(of_operators, [OPERATOR]))
}

/// `router` for members of the platform with one of `roles` only.
pub(super) fn for_roles<S: Clone + Send + Sync + 'static, const N: usize>(
    router: Router<S>,
    roles: [&str; N],
) -> Router<S> {
    router.route_layer(from_fn_with_state(Allowed::roles(roles), require_role))
}

fn both(router: Router<Shared>, path: &str, methods: MethodRouter<Shared>) -> Router<Shared> {
    router.route(path, methods.clone()).route(&format!("{path}/"), methods)
}

async fn healthz() -> Response {
    (StatusCode::OK, "OK").into_response()
}
