//! One SSH connection: who it is, and the channels it opens.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use deis_api::client::CallError;
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{info, warn};

use crate::config::Limits;
use crate::error::PushError;
use crate::key::{blob, fingerprint, is_same};
use crate::session::{Ends, Execution, Workshop};
use crate::user::User;

/// The longest command, in bytes.
const MAX_COMMAND: usize = 4096;

/// What the watchdog of a connection looks at.
#[derive(Default)]
pub(crate) struct Activity {
    /// Whether a user is known.
    pub(crate) authenticated: AtomicBool,
    /// Sessions under way.
    pub(crate) running: AtomicUsize,
}

/// The server's side of one connection.
pub(crate) struct Connection {
    workshop: Workshop,
    ends: Ends,
    activity: Arc<Activity>,
    user: Option<Result<User, String>>,
    channels: HashMap<ChannelId, Channel<Msg>>,
    unauthenticated: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// A connection between `ends`, which counts as unauthenticated while it holds the permit.
    pub(crate) fn new(
        workshop: Workshop,
        ends: Ends,
        activity: Arc<Activity>,
        unauthenticated: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            workshop,
            ends,
            activity,
            user: None,
            channels: HashMap::new(),
            unauthenticated: Some(unauthenticated),
        }
    }

    /// What it may use.
    pub(crate) fn limits(&self) -> Limits {
        self.workshop.platform.settings.limits.clone()
    }

    /// Whose key it is; none if nobody's.
    async fn owner(&self, key: &PublicKey) -> Result<Option<User>, CallError> {
        let blob = blob(key);
        let fingerprint = fingerprint(&blob);
        let owner = self.workshop.platform.controller.key_owner(&fingerprint).await?;
        let owner = owner.filter(|owner| is_same(&owner.public, key.algorithm().as_str(), &blob));
        Ok(owner.map(|owner| User { name: owner.username, fingerprint }))
    }

    /// Judges a key. Without a controller every key is let in, but only to be told why nothing works.
    async fn judge(&self, key: &PublicKey) -> Option<Result<User, String>> {
        match self.owner(key).await {
            Ok(owner) => owner.map(Ok),
            Err(error) => {
                warn!(%error, "failed to look a key up");
                Some(Err(PushError::ControllerAway(error).to_string()))
            }
        }
    }

    fn start(&mut self, id: ChannelId, request: &[u8]) -> bool {
        let (Some(channel), Some(user)) = (self.channels.remove(&id), self.user.clone()) else {
            return false;
        };
        let request = request.to_vec();
        let execution = Execution { workshop: self.workshop.clone(), user, ends: self.ends, request };
        let activity = self.activity.clone();
        activity.running.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            execution.run(channel).await;
            activity.running.fetch_sub(1, Ordering::SeqCst);
        });
        true
    }
}

fn refuse() -> Auth {
    Auth::Reject { proceed_with_methods: None, partial_success: false }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        match self.judge(offer.public_key).await {
            Some(_) => Ok(Auth::Accept),
            None => Ok(refuse()),
        }
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.user = self.judge(key.public_key).await;
        match self.user {
            Some(_) => Ok(Auth::Accept),
            None => Ok(refuse()),
        }
    }

    /// Clients come here when none of their keys is known: a question without fields shows them why, then it is over.
    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let only_keys = MethodSet::from(&[MethodKind::PublicKey][..]);
        match response {
            None => Ok(Auth::Partial {
                name: "".into(),
                instructions: PushError::UnknownKey.lines().join("\n").into(),
                prompts: Vec::new().into(),
            }),
            Some(_) => Ok(Auth::Reject { proceed_with_methods: Some(only_keys), partial_success: false }),
        }
    }

    async fn auth_succeeded(&mut self, _: &mut Session) -> Result<(), Self::Error> {
        self.activity.authenticated.store(true, Ordering::SeqCst);
        self.unauthenticated = None;
        if let Some(Ok(user)) = &self.user {
            info!(user = %user.name, client = %self.ends.client, "connected");
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let open = self.channels.len() + self.activity.running.load(Ordering::SeqCst);
        if open >= self.workshop.platform.settings.limits.channels {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    /// Answered like a command that does not exist: with the reason.
    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        match self.start(channel, b"") {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        request: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match request.len() <= MAX_COMMAND && self.start(channel, request) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }
}
