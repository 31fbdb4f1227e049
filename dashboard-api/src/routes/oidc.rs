//! Logging in at the identity provider, as browsers go through it: out, back, and the code of the second step where there is one.
//!
//! Whoever comes back is looking at a page, so that what went wrong is told there: `/login?oidc=…`. A session that begins here is the
//! same as any other.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json};
use domain::UserId;
use openidconnect::{Nonce, PkceCodeVerifier};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::Way;
use tracing::{info, warn};

use super::reports::address;
use super::session::{attempt, begin, origin, second_step, told, went_well};
use crate::auth;
use crate::oidc::{BrowserBound, LIFE_S, OidcError, Provider, chain};
use crate::{Api, Problem, schema};

/// Longest path to which a log-in leads, in bytes.
const NEXT_BYTES_MAX: usize = 512;

type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

/// Somebody is at the provider.
pub(crate) struct AtProvider {
    browser: String,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    next: String,
    /// The session that this browser had: a page of another site, as the provider's is, does not send its cookie.
    former: Option<String>,
}

/// The provider has said who it is, and the second step is to come.
#[derive(Clone)]
pub(crate) struct HalfIn {
    browser: String,
    login: UserId,
    former: Option<String>,
}

impl BrowserBound for AtProvider {
    fn browser(&self) -> &str {
        &self.browser
    }
}
impl BrowserBound for HalfIn {
    fn browser(&self) -> &str {
        &self.browser
    }
}

/// What a page is told of a log-in that did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The code of the second step is wanted.
    Code,
    /// No account here, or none that may log in.
    Unknown,
    /// Over, used already, or begun in another browser.
    Stale,
    /// The provider says no.
    Refused,
    /// The provider is away.
    Unreachable,
    /// What came from the provider is not good.
    Invalid,
    /// Too many at a time.
    Throttled,
}

impl Said {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Invalid => "invalid",
            Self::Throttled => "throttled",
        }
    }
}

impl From<&OidcError> for Said {
    fn from(error: &OidcError) -> Self {
        match error {
            OidcError::Unreachable(_) => Self::Unreachable,
            OidcError::Refused(_) | OidcError::BadToken(_) => Self::Invalid,
        }
    }
}

/// Whether this is a path of this dashboard's pages, whatever a browser makes of it.
fn is_local(path: &str) -> bool {
    path.len() <= NEXT_BYTES_MAX
        && path.starts_with('/')
        && !path.starts_with("//")
        && !path.starts_with("/api/")
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

/// The log-in page that says this, and then leads on.
fn login_page(said: Said, next: &str) -> String {
    let mut page = Url::parse("http://hub/login").expect("an address");
    page.query_pairs_mut()
        .append_pair("oidc", said.as_str())
        .append_pair("to", next);
    format!("/login?{}", page.query().unwrap_or_default())
}

fn to(address: &str, cookies: Vec<HeaderValue>) -> Result<Response, Problem> {
    let address = HeaderValue::from_str(address).map_err(|e| Problem::broken(&e.to_string()))?;
    let cookies = cookies.into_iter().map(|set| (header::SET_COOKIE, set));
    let cookies = AppendHeaders(cookies.collect::<Vec<_>>());
    Ok((
        StatusCode::SEE_OTHER,
        [(header::LOCATION, address)],
        cookies,
    )
        .into_response())
}

/// The cookie that binds a log-in to its browser. Lax: it has to come along when the provider sends the browser back.
fn cookie_name(provider: &Provider) -> &'static str {
    if provider.is_secure() {
        "__Host-jiming_oidc"
    } else {
        "jiming_oidc"
    }
}

fn cookie(provider: &Provider, secret: &str, seconds: i64) -> HeaderValue {
    let name = cookie_name(provider);
    let secure = if provider.is_secure() { "; Secure" } else { "" };
    let text =
        format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).expect("a secret is hexadecimal")
}

fn random() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

fn provider(api: &Api) -> Result<&Provider, Problem> {
    let provider = api.deps.oidc.as_deref();
    provider.ok_or_else(|| Problem::not_found("identity provider"))
}

/// Nobody is logged in: the page says why. What was begun is over.
fn not_in(provider: &Provider, said: Said, next: &str) -> Result<Response, Problem> {
    to(&login_page(said, next), vec![cookie(provider, "", 0)])
}

/// Ways to log in besides a password.
#[utoipa::path(get, path = "/api/v1/session/ways", operation_id = "log_in_ways", tag = "session",
    responses((status = 200, body = schema::LogInWays)))]
pub(crate) async fn ways(State(api): State<Api>) -> Json<Value> {
    let oidc = api.deps.oidc.as_ref().map(|provider| {
        let (label_zh, label_en) = provider.labels();
        json!({"label_zh": label_zh, "label_en": label_en})
    });
    Json(json!({"oidc": oidc}))
}

/// Where a log-in leads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Leads {
    next: Option<String>,
}

/// Go to the identity provider to log in there. For a browser's address line, not for programs.
#[utoipa::path(get, path = "/api/v1/session/oidc", operation_id = "begin_oidc", tag = "session",
    params(("next" = Option<String>, Query, description = "The page of this dashboard to which it leads; nothing else than a path.")),
    responses((status = 303, description = "To the provider; or to `/login?oidc=…`, which says why not."),
        (status = 400, body = schema::Problem), (status = 404, body = schema::Problem)))]
pub(crate) async fn begin_oidc(
    State(api): State<Api>,
    peer: Peer,
    headers: HeaderMap,
    query: Result<Query<Leads>, QueryRejection>,
) -> Result<Response, Problem> {
    let provider = provider(&api)?;
    let Query(Leads { next }) = query?;
    let next = next.unwrap_or_else(|| "/".to_owned());
    if !is_local(&next) {
        return Err(Problem::bad_request(
            "`next` is no path of this dashboard (hint: as in /incidents)",
        ));
    }
    let now = Instant::now();
    if api.oidc_begun.take_for(address(peer), now).is_err() {
        return not_in(provider, Said::Throttled, &next);
    }
    let begun = match provider.begin().await {
        Ok(begun) => begun,
        Err(error) => {
            let said = Said::from(&error);
            warn!(
                error = chain(error),
                "nobody can log in at the identity provider"
            );
            return not_in(provider, said, &next);
        }
    };
    let browser = random();
    let set = cookie(provider, &browser, LIFE_S);
    let at = AtProvider {
        browser,
        nonce: begun.nonce,
        verifier: begun.verifier,
        next,
        former: auth::cookie(&headers).map(str::to_owned),
    };
    api.at_provider.put(begun.state, at, now);
    to(&begun.address, vec![set])
}

/// With what a browser comes back. The provider may add more.
#[derive(Deserialize)]
pub(crate) struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Come back from the identity provider: a session begins, or the log-in page says why not. For a browser's address line, not for programs.
#[utoipa::path(get, path = "/api/v1/session/oidc/callback", operation_id = "end_oidc", tag = "session",
    params(("state" = Option<String>, Query), ("code" = Option<String>, Query), ("error" = Option<String>, Query), ("iss" = Option<String>, Query)),
    responses((status = 303, description = "To the page that was asked for, with a session; or to `/login?oidc=…`, which says why not."),
        (status = 400, body = schema::Problem), (status = 404, body = schema::Problem)))]
pub(crate) async fn end_oidc(
    State(api): State<Api>,
    peer: Peer,
    headers: HeaderMap,
    query: Result<Query<Back>, QueryRejection>,
) -> Result<Response, Problem> {
    let provider = provider(&api)?;
    let Query(back) = query?;
    let (address, now) = (address(peer), (api.deps.clock)());
    let browser = auth::cookie_named(&headers, cookie_name(provider)).unwrap_or_default();
    let begun = back
        .state
        .and_then(|state| api.at_provider.take(&state, browser, Instant::now()));
    // nothing is taken away here: it may be a link that somebody else has sent
    let Some(begun) = begun else {
        return to(&login_page(Said::Stale, "/"), Vec::new());
    };
    if let Some(error) = back.error {
        let error: String = error.chars().take(60).collect();
        info!(
            oidc.error = error,
            "the identity provider has logged in nobody"
        );
        return not_in(provider, Said::Refused, &begun.next);
    }
    let origin = origin(address, &headers, Way::Oidc);
    let is_from_it = back.iss.is_none_or(|named| provider.is_issuer(&named));
    let claims = match back.code.filter(|_| is_from_it) {
        None => Err(Said::Invalid),
        Some(code) => provider
            .claims(code, begun.verifier, &begun.nonce, now)
            .await
            .map_err(|error| {
                let said = Said::from(&error);
                warn!(network.peer = %address, error = chain(error), "log-in by the identity provider refused");
                said
            }),
    };
    let claims = match claims {
        Ok(claims) => claims,
        Err(said) => {
            if said == Said::Invalid {
                api.deps.state.note_refused("", &origin, now).await?;
            }
            return not_in(provider, said, &begun.next);
        }
    };
    let named = provider.account(&claims);
    let user = match &named {
        Some(login) => api.deps.state.enabled_user(login).await?,
        None => None,
    };
    let Some(user) = user else {
        let named = named.as_ref().map_or("", UserId::as_str);
        api.deps.state.note_refused(named, &origin, now).await?;
        warn!(network.peer = %address, "log-in by the identity provider refused: no account that may log in");
        return not_in(provider, Said::Unknown, &begun.next);
    };
    if api.deps.state.second_factor(&user.login).await?.is_on {
        let half = HalfIn {
            browser: random(),
            login: user.login,
            former: begun.former,
        };
        let set = cookie(provider, &half.browser, LIFE_S);
        api.half_in.put(half.browser.clone(), half, Instant::now());
        return to(&login_page(Said::Code, &begun.next), vec![set]);
    }
    let (session, _) = begin(&api, &user.login, &origin, begun.former.as_deref()).await?;
    info!(user.login = %user.login, "logged in by the identity provider");
    to(&begun.next, vec![session, cookie(provider, "", 0)])
}

/// The second step of a log-in at the identity provider.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcCode {
    /// The code that the app shows, or a recovery code.
    code: String,
}

/// The second step after the identity provider: the answer sets a session cookie.
#[utoipa::path(post, path = "/api/v1/session/oidc", operation_id = "finish_oidc", tag = "session", request_body = OidcCode,
    responses((status = 200, body = schema::Session), (status = 401, body = schema::Problem), (status = 404, body = schema::Problem),
        (status = 429, body = schema::Problem)))]
pub(crate) async fn finish_oidc(
    State(api): State<Api>,
    peer: Peer,
    headers: HeaderMap,
    body: Result<Json<OidcCode>, JsonRejection>,
) -> Result<Response, Problem> {
    let provider = provider(&api)?;
    let Json(OidcCode { code }) = body?;
    let address: IpAddr = address(peer);
    let browser = auth::cookie_named(&headers, cookie_name(provider)).unwrap_or_default();
    let over =
        || Problem::unauthenticated().with("reason", "this log-in is over (hint: begin it again)");
    let half = api.half_in.get(browser, Instant::now()).ok_or_else(over)?;
    let login = &half.login;
    let origin = origin(address, &headers, Way::Oidc);
    attempt(&api, login.as_str(), address)?;
    second_step(&api, login, Some(&code), address, &origin).await?;
    went_well(&api, login.as_str(), address);
    // good once; and the account may have been disabled meanwhile
    let taken = api.half_in.take(browser, browser, Instant::now());
    let user = api.deps.state.enabled_user(login).await?;
    let (Some(_), Some(user)) = (taken, user) else {
        return Err(over());
    };
    let (session, secret) = begin(&api, &user.login, &origin, half.former.as_deref()).await?;
    info!(user.login = %user.login, "logged in by the identity provider");
    let owes = auth::owed_by_session(&api, &secret).await?;
    let cookies = [session, cookie(provider, "", 0)].map(|set| (header::SET_COOKIE, set));
    Ok((AppendHeaders(cookies), told(&user, owes)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_leads_to_pages_of_this_dashboard_only() {
        for good in [
            "/",
            "/live",
            "/incidents/inc_01?x=1#y",
            "/a/../b",
            "/%2F/evil.example",
        ] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "",
            "live",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "/a b",
            "/api/v1/session/oidc",
            "/告警",
        ] {
            assert!(!is_local(bad), "{bad:?}");
        }
        assert!(!is_local(&format!("/{}", "x".repeat(NEXT_BYTES_MAX))));
    }

    #[test]
    fn the_log_in_page_is_told_why_and_where_to() {
        let page = login_page(Said::Unknown, "/incidents?state=open&x=#1");
        assert_eq!(
            page,
            "/login?oidc=unknown&to=%2Fincidents%3Fstate%3Dopen%26x%3D%231"
        );
    }
}
