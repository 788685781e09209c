//! Records as the API shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use deis_api::v1;
use deis_database::{App, Push};
use deis_model::{AppId, Build, Certificate, Config, Domain, Key, Release, ReleaseState, User};

use crate::app::{Automatic, ContainerView};

/// `2014-01-01T00:00:00UTC`.
fn stamp(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]UTC");
    time.format(format).expect("every time has these parts")
}

/// `2014-01-01T00:00:00.000000Z`.
fn iso(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    time.format(format).expect("every time has these parts")
}

/// An app of a platform at `domain`.
pub(super) fn app(app: App, domain: &str) -> v1::App {
    v1::App {
        uuid: app.uuid,
        id: app.id.to_string(),
        owner: app.owner,
        url: format!("{}.{domain}", app.id),
        structure: app.formation.into_iter().map(|(process, n)| (process.to_string(), n)).collect(),
        created: stamp(app.created),
        updated: stamp(app.updated),
    }
}

/// A build of `app`.
pub(super) fn build(app: &AppId, build: Build) -> v1::Build {
    v1::Build {
        uuid: build.uuid,
        app: app.to_string(),
        owner: build.owner,
        image: build.image,
        sha: build.sha,
        procfile: build.procfile.0.into_iter().map(|(process, line)| (process.to_string(), line)).collect(),
        dockerfile: build.dockerfile,
        created: stamp(build.created),
        updated: stamp(build.updated),
    }
}

/// A config of `app`.
pub(super) fn config(app: &AppId, config: Config) -> v1::Config {
    v1::Config {
        uuid: config.uuid,
        app: app.to_string(),
        owner: config.owner,
        values: config.values.0,
        memory: config.memory,
        cpu: config.cpu,
        tags: config.tags,
        created: stamp(config.created),
        updated: stamp(config.updated),
    }
}

/// A release of `app`.
///
/// The summary says so if it failed or serves only a part: of the clients in use, the older ones show nothing else of a release.
pub(super) fn release(app: &str, release: Release) -> v1::Release {
    let (state, mark) = match release.state {
        ReleaseState::Pending | ReleaseState::Starting | ReleaseState::Promoted => ("pending", ""),
        ReleaseState::Canary => ("canary", " (canary)"),
        ReleaseState::Deployed => ("deployed", ""),
        ReleaseState::Failed => ("failed", " (failed)"),
        ReleaseState::Ended => ("ended", " (ended)"),
    };
    v1::Release {
        uuid: release.uuid,
        app: app.to_owned(),
        owner: release.owner,
        version: release.version.number(),
        summary: release.summary + mark,
        config: release.config,
        build: release.build,
        created: stamp(release.created),
        updated: stamp(release.updated),
        state: Some(state.to_owned()),
        failure: release.failure,
    }
}

/// A container of `app`, to whose owner it belongs.
pub(super) fn container(app: &App, view: ContainerView) -> v1::Container {
    let container = view.container;
    v1::Container {
        uuid: container.uuid,
        app: app.id.to_string(),
        owner: app.owner.clone(),
        release: container.version.to_string(),
        r#type: container.process.to_string(),
        num: container.num,
        state: view.state.as_str().to_owned(),
        created: stamp(container.created),
        updated: stamp(container.updated),
    }
}

/// A domain.
pub(super) fn domain(domain: Domain) -> v1::Domain {
    v1::Domain {
        app: domain.app.to_string(),
        owner: domain.owner,
        domain: domain.domain,
        created: stamp(domain.created),
        updated: stamp(domain.updated),
    }
}

/// A certificate.
pub(super) fn certificate(certificate: Certificate) -> v1::Certificate {
    v1::Certificate {
        id: certificate.id,
        owner: certificate.owner,
        common_name: certificate.common_name,
        expires: stamp(certificate.expires),
        created: stamp(certificate.created),
        updated: stamp(certificate.updated),
        names: certificate.names,
        automatic: None,
    }
}

/// An automatic certificate, among those that were uploaded: those have numbers from 1.
pub(super) fn automatic(certificate: Automatic) -> v1::Certificate {
    v1::Certificate {
        id: 0,
        owner: certificate.owner,
        common_name: certificate.host.clone(),
        expires: certificate.expires.map(stamp).unwrap_or_default(),
        created: String::new(),
        updated: String::new(),
        names: vec![certificate.host],
        automatic: Some(v1::Automatic {
            app: certificate.app.to_string(),
            state: certificate.condition.as_str().to_owned(),
            problem: certificate.problem,
            next: certificate.next.map(stamp),
        }),
    }
}

/// A key.
pub(super) fn key(key: Key) -> v1::Key {
    v1::Key {
        uuid: key.uuid,
        id: key.id,
        owner: key.owner,
        public: key.public,
        fingerprint: key.fingerprint,
        created: stamp(key.created),
        updated: stamp(key.updated),
    }
}

/// A user.
pub(super) fn user(user: User) -> v1::User {
    v1::User {
        id: user.id,
        username: user.username,
        email: user.email,
        first_name: user.first_name,
        last_name: user.last_name,
        is_superuser: user.is_admin,
        is_staff: user.is_admin,
        is_active: user.is_active,
        groups: Vec::new(),
        user_permissions: Vec::new(),
        last_login: iso(user.last_login),
        date_joined: iso(user.joined),
    }
}

/// An administrator.
pub(super) fn admin(user: User) -> v1::AdminUser {
    v1::AdminUser { username: user.username, is_superuser: user.is_admin }
}

/// A push to `app`, whose image is to have `tag`.
pub(super) fn push(app: &AppId, push: Push, tag: &str) -> Value {
    json!({
        "uuid": push.uuid,
        "app": app,
        "owner": push.push.owner,
        "sha": push.push.sha,
        "fingerprint": push.push.fingerprint,
        "receive_user": push.push.receive_user,
        "receive_repo": push.push.receive_repo,
        "ssh_connection": push.push.ssh_connection,
        "ssh_original_command": push.push.ssh_original_command,
        "created": stamp(push.created),
        "updated": stamp(push.created),
        "tag": tag,
    })
}

/// What a change of config also shows once the app has a build: the release that it led to.
pub(super) fn with_release(values: &mut BTreeMap<String, String>, app: &AppId, release: &Release) {
    values.insert("DEIS_APP".to_owned(), app.to_string());
    values.insert("DEIS_RELEASE".to_owned(), release.version.to_string());
}
