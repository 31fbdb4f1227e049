//! The way to the identity provider: its metadata, the address to log in at, the exchange of the code, the check of the ID token.
//!
//! Everything that is asked of it has an end: in time, in size, and in how much is asked at once. What it has said of itself is good for a
//! minute, so that a new key is known in time, and a provider that is away is noticed before a browser is sent there.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use domain::{Timestamp, UserId};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
};
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::settings::{Settings, SettingsError, origin, trusted_url};

/// How long the provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer of it, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Requests to it at one time.
const REQUESTS_MAX: usize = 8;
/// For so long what it has said of itself is taken for true.
const FRESH_FOR: Duration = Duration::from_mins(1);
/// After a start it is looked for so often until it was there once.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How ID tokens may be signed: with a key pair, never with a shared secret, never not at all.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type Cause = Box<dyn Error + Send + Sync>;

/// Why nobody was logged in by the provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// It does not answer, or not as an identity provider does.
    #[error(
        "asking the identity provider (hint: is `oidc.issuer` right, and can this machine reach it?)"
    )]
    Unreachable(#[source] Cause),
    /// It answers the code with no token.
    #[error(
        "the identity provider has not taken the code (hint: are `oidc.client_id` and `oidc.client_secret_file` right?)"
    )]
    Refused(#[source] Cause),
    /// The token is not one for this log-in, or not from the provider.
    #[error("the ID token is not good")]
    BadToken(#[source] Cause),
}

/// Why a request to the provider has no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("{REQUESTS_MAX} requests are on their way already")]
    Busy,
    #[error("sending the request")]
    Sending(#[from] reqwest::Error),
    #[error("the answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

/// A log-in that is about to begin.
pub(crate) struct Begun {
    /// Where the browser goes.
    pub(crate) address: String,
    /// What it comes back with.
    pub(crate) state: String,
    /// What the ID token must repeat.
    pub(crate) nonce: Nonce,
    /// What the code is exchanged with.
    pub(crate) verifier: PkceCodeVerifier,
}

/// The line to the provider.
struct Line {
    http: reqwest::Client,
    places: Semaphore,
}

impl<'c> AsyncHttpClient<'c> for Line {
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, AskError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

impl Line {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, AskError> {
        let _place = self.places.try_acquire().map_err(|_| AskError::Busy)?;
        let mut reply = self.http.execute(request.try_into()?).await?;
        let mut body = Vec::new();
        while let Some(piece) = reply.chunk().await? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(AskError::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = reply.status();
        *answer.headers_mut() = std::mem::take(reply.headers_mut());
        Ok(answer)
    }
}

/// The identity provider.
pub struct Provider {
    settings: Settings,
    issuer: IssuerUrl,
    callback: RedirectUrl,
    line: Line,
    known: Mutex<Option<(Instant, Arc<CoreProviderMetadata>)>>,
}

impl Provider {
    /// Nothing is asked of it yet.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let bad = |key| move |bad| SettingsError::Url { key, bad };
        let issuer = trusted_url(&settings.issuer).map_err(bad("oidc.issuer"))?;
        let here = origin(&settings.redirect).map_err(bad("oidc.redirect"))?;
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .https_only(issuer.scheme() == "https")
            .timeout(PATIENCE);
        if let Some(pem) = &settings.authorities {
            let authorities =
                reqwest::Certificate::from_pem_bundle(pem).map_err(SettingsError::Client)?;
            if authorities.is_empty() {
                return Err(SettingsError::NoAuthority);
            }
            http = http.tls_built_in_root_certs(false);
            for authority in authorities {
                http = http.add_root_certificate(authority);
            }
        }
        let is_url = "was parsed just now";
        Ok(Self {
            // as it was written: it is compared with what tokens have, letter by letter
            issuer: IssuerUrl::new(settings.issuer.clone()).expect(is_url),
            callback: RedirectUrl::new(format!("{here}/api/v1/session/oidc/callback"))
                .expect(is_url),
            line: Line {
                http: http.build().map_err(SettingsError::Client)?,
                places: Semaphore::new(REQUESTS_MAX),
            },
            known: Mutex::default(),
            settings,
        })
    }

    /// What the button says, in Chinese and in English.
    pub(crate) fn labels(&self) -> (&str, &str) {
        (&self.settings.label_zh, &self.settings.label_en)
    }

    /// Whether browsers know this dashboard by HTTPS.
    pub(crate) fn is_secure(&self) -> bool {
        self.callback.starts_with("https:")
    }

    /// Whether an answer that names its issuer (RFC 9207) is from this one.
    pub(crate) fn is_issuer(&self, named: &str) -> bool {
        named == self.issuer.as_str()
    }

    /// Whose log-in this is by the claims of a good token.
    pub(crate) fn account(&self, claims: &Value) -> Option<UserId> {
        self.settings.account(claims)
    }

    /// Looks for the provider from the start on, until it was there once, and says what it finds: log-ins ask by themselves.
    ///
    /// # Errors
    /// None: a provider that is away is no reason to stop.
    pub async fn look_for(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let look = async {
            let mut is_told = false;
            while let Err(error) = self.metadata().await {
                if !is_told {
                    warn!(oidc.issuer = %*self.issuer, error = chain(error), "identity provider not reached; passwords go on working");
                }
                is_told = true;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            info!(oidc.issuer = %*self.issuer, "identity provider reached");
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = look => {}
        }
        stop.cancelled().await;
        Ok(())
    }

    /// Where a browser goes to log in, and what has to be remembered until it comes back.
    pub(crate) async fn begin(&self) -> Result<Begun, OidcError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut asked = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("profile".to_owned()));
        if self.settings.claim == "email" {
            asked = asked.add_scope(Scope::new("email".to_owned()));
        }
        let (address, state, nonce) = asked.set_pkce_challenge(challenge).url();
        trusted_url(address.as_str()).map_err(|e| OidcError::Unreachable(e.into()))?;
        Ok(Begun {
            address: address.into(),
            state: state.into_secret(),
            nonce,
            verifier,
        })
    }

    /// The claims about whoever came back with this code; the token that has them is the provider's, for this hub, for this log-in, and
    /// not over.
    pub(crate) async fn claims(
        &self,
        code: String,
        verifier: PkceCodeVerifier,
        nonce: &Nonce,
        now: Timestamp,
    ) -> Result<Value, OidcError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata);
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|e| OidcError::Unreachable(e.into()))?
            .set_pkce_verifier(verifier)
            .request_async(&self.line)
            .await
            .map_err(|e| match e {
                RequestTokenError::Request(e) => OidcError::Unreachable(e.into()),
                other => OidcError::Refused(other.into()),
            })?;
        let token = answer
            .id_token()
            .ok_or_else(|| OidcError::Refused("there is no ID token in the answer".into()))?;
        let moment = chrono::DateTime::from_timestamp(now.as_second(), 0).unwrap_or_default();
        let verified = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || moment);
        token
            .claims(&verified, nonce)
            .map_err(|e| OidcError::BadToken(e.into()))?;
        payload(&token.to_string()).map_err(|e| OidcError::BadToken(e.into()))
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Client {
        // by header, as RFC 6749 prefers it, unless the provider takes it in the body only
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_some_and(|methods| methods.contains(&method));
        let auth = if takes(CoreClientAuthMethod::ClientSecretPost)
            && !takes(CoreClientAuthMethod::ClientSecretBasic)
        {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        };
        let id = ClientId::new(self.settings.client_id.clone());
        let secret = ClientSecret::new(self.settings.client_secret.clone());
        CoreClient::from_provider_metadata(metadata.clone(), id, Some(secret))
            .set_redirect_uri(self.callback.clone())
            .set_auth_type(auth)
    }

    /// What the provider says of itself, with its keys.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let known = self.known.lock().clone();
        if let Some((at, metadata)) = known
            && at.elapsed() < FRESH_FOR
        {
            return Ok(metadata);
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.line)
            .await
            .map_err(|e| OidcError::Unreachable(e.into()))?;
        let metadata = Arc::new(metadata);
        *self.known.lock() = Some((Instant::now(), Arc::clone(&metadata)));
        Ok(metadata)
    }
}

/// What went wrong, with its causes.
pub(crate) fn chain(error: OidcError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// All claims of a token that was verified: those that this hub is told to look at need not be standard ones.
fn payload(token: &str) -> anyhow::Result<Value> {
    let part = token.split('.').nth(1);
    let part = part.ok_or_else(|| anyhow!("it has no claims"))?;
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, part)?;
    Ok(serde_json::from_slice(&bytes)?)
}
