//! An order's way from the authority's first word to a certificate.
//!
//! Each step is written down before it is taken, and looks at what the authority says before it is: taken again, by
//! another controller perhaps, it does no harm. The order's address comes before its challenges, the key before the
//! request that is made with it.

use std::time::Duration;

use deis_api::internal::{Challenge, ChallengeKind};
use deis_database::AcmePair;
use deis_model::KeyPair;
use deis_model::acme::{Proof, Validity};
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeStatus, ChallengeType, Error, Identifier,
    KeyAuthorization, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension};

use super::answers::Answered;
use super::authority::Authority;
use super::failure::{Failure, explain};
use super::hook::Record;
use super::job::Job;
use super::{issued, key_purpose};

/// How long an authority may take to check a name, and to issue.
const POLLING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(180));

/// More than an order can take: proof, request, certificate.
const MAX_STEPS: usize = 4;

/// An order at an authority.
pub(super) struct OrderWork<'a> {
    /// What it is about.
    pub(super) job: &'a Job,
    /// Whom it is placed with.
    pub(super) authority: &'a Authority,
}

/// What shows that a name is the platform's.
enum Shown {
    /// Routers show it, as long as this is kept.
    ByRouters(#[expect(dead_code, reason = "dropped, it ends")] Answered),
    /// DNS shows it.
    ByDns(Record),
}

impl OrderWork<'_> {
    /// Takes every step that is left.
    pub(super) async fn complete(&self, account: &Account) -> Result<(AcmePair, Validity), Failure> {
        let mut order = self.find_or_place(account).await?;
        for _ in 0..MAX_STEPS {
            self.job.check()?;
            match order.state().status {
                OrderStatus::Pending => self.prove(&mut order).await?,
                OrderStatus::Ready => self.request(&mut order).await?,
                OrderStatus::Processing | OrderStatus::Valid => return self.fetch(&mut order).await,
                OrderStatus::Invalid => return Err(self.refusal(&mut order).await),
            }
        }
        Err(Failure::name("the certificate authority does not come to an end with the order"))
    }

    /// The order that is under way; another one if the authority has given it up, or does not know it any more.
    async fn find_or_place(&self, account: &Account) -> Result<Order, Failure> {
        let (host, database) = (&self.job.host, &self.job.parts.database);
        let known = database.acme_order(host).await?.ok_or(Failure::Stopped)?;
        if let Some(url) = known.url.filter(|_| known.directory == self.job.settings.directory) {
            match account.order(url).await.map_err(|error| self.failure(error)) {
                // It failed while nobody minded it: it is no fault of the name's that nobody gave the answer.
                Ok(mut order) => {
                    if order.state().status != OrderStatus::Invalid {
                        return Ok(order);
                    }
                }
                Err(Failure::Name { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        self.job.check()?;
        let order = self.place(account).await?;
        database.place_acme_order(host, order.url()).await?;
        Ok(order)
    }

    /// Places an order that replaces the certificate that is served, or one that does not if the authority minds that.
    async fn place(&self, account: &Account) -> Result<Order, Failure> {
        let names = [Identifier::Dns(self.job.host.clone())];
        if let Some(replaced) = self.replaced().await? {
            match account.new_order(&NewOrder::new(&names).replaces(replaced)).await {
                Ok(order) => return Ok(order),
                Err(error) => tracing::debug!(host = self.job.host, %error, "an order replaces nothing"),
            }
        }
        account.new_order(&NewOrder::new(&names)).await.map_err(|error| self.failure(error))
    }

    /// What the certificate that is served is called at the authority, if that wants to know.
    async fn replaced(&self) -> Result<Option<CertificateIdentifier<'static>>, Failure> {
        if !self.job.replaces {
            return Ok(None);
        }
        let pairs = self.job.parts.database.acme_pairs(std::slice::from_ref(&self.job.host)).await?;
        Ok(pairs.first().and_then(|pair| issued::identifier(&pair.chain)))
    }

    /// Shows that the name is the platform's for as long as the authority looks.
    async fn prove(&self, order: &mut Order) -> Result<(), Failure> {
        let shown = self.show(order).await?;
        let asked = self.job.stopped.run_until_cancelled(self.ask(order)).await;
        if let Some(Shown::ByDns(record)) = &shown {
            self.job.clear(record).await;
        }
        asked.unwrap_or(Err(Failure::Stopped))
    }

    /// None: the authority wants to see nothing.
    async fn show(&self, order: &mut Order) -> Result<Option<Shown>, Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failure(error))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let proof = self.job.proof;
            let refused =
                || Failure::name(format!("the certificate authority offers no {} for it", proof.as_str()));
            let challenge = authorization.challenge(kind(proof)).ok_or_else(refused)?;
            let (token, key) = (challenge.token.clone(), challenge.key_authorization());
            return self.answer(token, key).await.map(Some);
        }
        Ok(None)
    }

    async fn answer(&self, token: String, key: KeyAuthorization) -> Result<Shown, Failure> {
        let kind = match self.job.proof {
            Proof::Dns01 => return self.set_record(&key).await.map(Shown::ByDns),
            Proof::Http01 => ChallengeKind::Http01 { token, authorization: key.as_str().to_owned() },
            Proof::TlsAlpn01 => ChallengeKind::TlsAlpn01 { pair: proving_pair(&self.job.host, &key)? },
        };
        let challenge = Challenge { host: self.job.host.clone(), kind };
        let given = self.job.answers.give(challenge).await;
        let slow = || Failure::later("a router did not take over the answer to a challenge in time");
        given.map(Shown::ByRouters).ok_or_else(slow)
    }

    async fn set_record(&self, key: &KeyAuthorization) -> Result<Record, Failure> {
        let hook = self.job.settings.dns_hook.as_ref();
        let hook = hook.ok_or_else(|| Failure::name("acme/dnsHook is not set"))?;
        let record = Record::new(&self.job.host, key.dns_value());
        let set = self.job.stopped.run_until_cancelled(record.set(hook)).await;
        match set.ok_or(Failure::Stopped)? {
            Ok(()) => Ok(record),
            Err(error) => {
                // It may have got halfway.
                self.job.clear(&record).await;
                Err(Failure::name(error))
            }
        }
    }

    /// Has the authority look, and waits until it has.
    async fn ask(&self, order: &mut Order) -> Result<(), Failure> {
        self.job.check()?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failure(error))?;
            let Some(mut challenge) = authorization.challenge(kind(self.job.proof)) else { continue };
            if challenge.status == ChallengeStatus::Pending {
                challenge.set_ready().await.map_err(|error| self.failure(error))?;
            }
        }
        match order.poll_ready(&POLLING).await {
            // What the authority found is with the challenge: see `refusal`.
            Ok(_) | Err(Error::Api(_)) if order.state().status == OrderStatus::Invalid => Ok(()),
            Ok(_) => Ok(()),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Asks for the certificate, with a key that is kept before.
    async fn request(&self, order: &mut Order) -> Result<(), Failure> {
        let key = match self.key().await? {
            Some(key) => key,
            None => self.make_key().await?,
        };
        let request = issued::request(&self.job.host, &key).map_err(Failure::name)?;
        order.finalize_csr(&request).await.map_err(|error| self.failure(error))
    }

    async fn make_key(&self) -> Result<rcgen::KeyPair, Failure> {
        let key = rcgen::KeyPair::generate().map_err(Failure::later)?;
        let sealed = self.job.parts.vault.seal(&key_purpose(&self.job.host), &key.serialize_pem());
        self.job.parts.database.key_acme_order(&self.job.host, &sealed).await?;
        Ok(key)
    }

    /// The key that the certificate is, or was, asked for with.
    async fn key(&self) -> Result<Option<rcgen::KeyPair>, Failure> {
        Ok(self.sealed_key().await?.and_then(|sealed| {
            let text = self.job.parts.vault.unseal(&key_purpose(&self.job.host), &sealed).ok()?;
            rcgen::KeyPair::from_pem(&text).ok()
        }))
    }

    async fn sealed_key(&self) -> Result<Option<String>, Failure> {
        let order = self.job.parts.database.acme_order(&self.job.host).await?;
        Ok(order.ok_or(Failure::Stopped)?.sealed_key)
    }

    async fn fetch(&self, order: &mut Order) -> Result<(AcmePair, Validity), Failure> {
        let chain = match order.poll_certificate(&POLLING).await {
            Ok(chain) => chain,
            Err(_) if order.state().status == OrderStatus::Invalid => return Err(self.refusal(order).await),
            Err(error) => return Err(self.failure(error)),
        };
        let lost = || Failure::name("the key of the certificate that was issued is lost");
        let (key, sealed_key) = self.key().await?.zip(self.sealed_key().await?).ok_or_else(lost)?;
        let now = (self.job.parts.clock)();
        let validity = issued::check(&chain, &self.job.host, &key, now).map_err(Failure::name)?;
        Ok((AcmePair { host: self.job.host.clone(), chain, sealed_key }, validity))
    }

    /// Why the authority refused the order.
    async fn refusal(&self, order: &mut Order) -> Failure {
        let own = order.state().error.as_ref().map(explain);
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let Ok(state) = authorization.refresh().await else { continue };
            let found = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
            if let Some(problem) = found {
                return Failure::name(explain(problem));
            }
        }
        Failure::name(
            own.as_deref().unwrap_or("the certificate authority gave the order up without a reason"),
        )
    }

    fn failure(&self, error: Error) -> Failure {
        Failure::of(error, self.authority.wait(), (self.job.parts.clock)())
    }
}

fn kind(proof: Proof) -> ChallengeType {
    match proof {
        Proof::Http01 => ChallengeType::Http01,
        Proof::TlsAlpn01 => ChallengeType::TlsAlpn01,
        Proof::Dns01 => ChallengeType::Dns01,
    }
}

/// The certificate that shows, in a TLS handshake, whose the name is. Source: RFC 8737 section 3.
fn proving_pair(host: &str, key: &KeyAuthorization) -> Result<KeyPair, Failure> {
    let make = || {
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(key.digest().as_ref())];
        let key = rcgen::KeyPair::generate()?;
        let chain = params.self_signed(&key)?.pem();
        Ok(KeyPair { chain, key: key.serialize_pem() })
    };
    make().map_err(|error: rcgen::Error| Failure::name(error))
}
