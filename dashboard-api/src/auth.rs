//! Who calls: a session cookie or a bearer token, checked before any handler runs.

use std::fmt;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::Reach;
use store::state::{Owes, SessionCaller, StateError, User};

use crate::access::{self, Callers, Scoped};
use crate::{Api, Problem};

/// The session's cookie.
pub(crate) const COOKIE: &str = "jiming_session";

/// Who called, and by what they are known.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) proof: Proof,
    /// What they have to do before anything else.
    pub(crate) owes: Owes,
}

/// A secret that the caller came with.
#[derive(Clone)]
pub(crate) enum Proof {
    /// Of a cookie.
    Session(String),
    /// Of an API token.
    Token(String),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "Session(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

impl Caller {
    /// How far they see in the compound as it is now.
    pub(crate) fn reach(&self, api: &Api) -> Reach {
        self.user.scope.within(&api.deps.registry())
    }

    /// Whether they still are who they were when they called: not logged out, of the same role and scope.
    pub(crate) async fn stands(&self, api: &Api) -> Result<bool, StateError> {
        let state = &api.deps.state;
        let now = match &self.proof {
            Proof::Session(secret) => state.session_holder(secret, (api.deps.clock)()).await?,
            Proof::Token(token) => state.token_user(token, (api.deps.clock)()).await?,
        };
        Ok(now.as_ref() == Some(&self.user))
    }
}

/// The session secret in the cookie header, if there is one.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_named(headers, COOKIE)
}

/// The value of this cookie, if there is one.
pub(crate) fn cookie_named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

/// Where a request that changes something says that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Site {
    Own,
    Other,
    /// It does not say: no browser of these days.
    Unsaid,
}

/// A page of another origin must not act with our cookie, nor log somebody in here. What only reads comes from anywhere: other pages
/// cannot see the answer.
fn site(method: &Method, headers: &HeaderMap) -> Site {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Site::Own;
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
    };
    let is_own = if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        matches!(site, "same-origin" | "none")
    } else if let Some(origin) = text(header::ORIGIN) {
        // over plain HTTP in a LAN browsers say this only
        let host = text(header::HOST);
        host.is_some() && origin.split_once("://").map(|(_, rest)| rest) == host
    } else {
        return Site::Unsaid;
    };
    if is_own { Site::Own } else { Site::Other }
}

/// With a cookie a request says that it comes from here, or it is refused; without one it may say nothing.
fn is_cross_site(method: &Method, headers: &HeaderMap) -> bool {
    match site(method, headers) {
        Site::Own => false,
        Site::Other => true,
        Site::Unsaid => cookie(headers).is_some(),
    }
}

async fn identify(
    api: &Api,
    headers: &HeaderMap,
    method: &Method,
) -> Result<Option<Caller>, Problem> {
    let state = &api.deps.state;
    if let Some(token) = bearer(headers) {
        let user = state.token_user(token, (api.deps.clock)()).await?;
        let proof = Proof::Token(token.to_owned());
        let owes = Owes::Nothing;
        return Ok(user.map(|user| Caller { user, proof, owes }));
    }
    let Some(secret) = cookie(headers) else {
        return Ok(None);
    };
    if is_cross_site(method, headers) {
        return Err(cross_site());
    }
    let known = state.session_caller(secret, (api.deps.clock)()).await?;
    let proof = Proof::Session(secret.to_owned());
    Ok(known.map(|known| Caller {
        owes: owed(api, &known),
        user: known.user,
        proof,
    }))
}

/// What somebody has to do before anything else, by their account and by what the configuration asks of their role.
fn owed(api: &Api, known: &SessionCaller) -> Owes {
    match known.owes {
        Owes::Nothing
            if !known.has_second_factor
                && api.deps.second_factor_roles.contains(&known.user.role) =>
        {
            Owes::SecondFactor
        }
        owes => owes,
    }
}

/// What whoever has just begun a session has to do before anything else.
pub(crate) async fn owed_by_session(api: &Api, secret: &str) -> Result<Owes, Problem> {
    let state = &api.deps.state;
    let known = state.session_caller(secret, (api.deps.clock)()).await?;
    Ok(known.map_or(Owes::Nothing, |known| owed(api, &known)))
}

fn cross_site() -> Problem {
    Problem::forbidden(
        "the request comes from another site, or does not say from where (hint: programs send an API token as a bearer token)",
    )
}

/// Who calls a route that needs nobody; none when nobody is logged in.
pub(crate) async fn caller(
    api: &Api,
    headers: &HeaderMap,
    method: &Method,
) -> Result<Option<User>, Problem> {
    match identify(api, headers, method).await? {
        // a program that names itself wants to be known by that name
        None if bearer(headers).is_some() => Err(Problem::unauthenticated()),
        Some(caller) if caller.owes != Owes::Nothing => Err(Problem::owing(caller.owes)),
        known => Ok(known.map(|caller| caller.user)),
    }
}

/// Lets a request pass whose caller the table allows.
pub(crate) async fn guard(
    State(api): State<Api>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let roles = match access::callers(request.method().as_str(), path.as_str()) {
        Callers::Anybody
            if bearer(request.headers()).is_none()
                && is_cross_site(request.method(), request.headers()) =>
        {
            return cross_site().into_response();
        }
        Callers::Anybody => return next.run(request).await,
        Callers::Roles(roles) => roles,
    };
    let scoped = access::scoped(request.method().as_str(), path.as_str());
    let caller = match identify(&api, request.headers(), request.method()).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return Problem::unauthenticated().into_response(),
        Err(problem) => return problem.into_response(),
    };
    if !roles.contains(&caller.user.role) {
        let role = caller.user.role.as_str();
        return Problem::forbidden(format!("the role {role} may not do this")).into_response();
    }
    if scoped.is_none_or(|scoped| scoped == Scoped::Whole) && !caller.user.scope.is_whole() {
        return Problem::outside_scope(
            "this is about the whole compound, and your account is limited to a part of it (hint: somebody at the station who sees all of it can help)",
        )
        .into_response();
    }
    // one's own log-in is what one can still reach
    if caller.owes != Owes::Nothing && !path.as_str().starts_with("/api/v1/session") {
        return Problem::owing(caller.owes).into_response();
    }
    let allowance = match *request.method() {
        Method::GET | Method::HEAD => &api.reads,
        _ => &api.writes,
    };
    if let Err(wait) = allowance.take(caller.user.login.clone(), Instant::now()) {
        metrics::counter!("hub_api_limited_total").increment(1);
        let detail = "too many requests in the name of this user; wait a little (hint: the live feed tells of changes)";
        return Problem::too_many(detail, wait.as_secs() + 1).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| {
                (
                    header::HeaderName::from_static(n),
                    v.parse().expect("a value"),
                )
            })
            .collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(
            cookie(&headers(&[("cookie", "a=1; jiming_session=s3cret; b=2")])),
            Some("s3cret")
        );
        assert_eq!(cookie(&headers(&[("cookie", "jiming_sessions=x")])), None);
    }

    #[test]
    fn other_sites_cannot_act_with_our_cookie() {
        for (pairs, cross) in [
            (&[("sec-fetch-site", "cross-site")][..], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "same-origin")], false),
            (
                &[
                    ("origin", "http://evil.example"),
                    ("host", "127.0.0.1:8080"),
                ],
                true,
            ),
            (
                &[
                    ("origin", "http://127.0.0.1:8080"),
                    ("host", "127.0.0.1:8080"),
                ],
                false,
            ),
            (&[("origin", "null"), ("host", "127.0.0.1:8080")], true),
            // a program without a cookie; and whoever has one says from where
            (&[], false),
            (&[("cookie", "jiming_session=x")], true),
            (
                &[
                    ("cookie", "jiming_session=x"),
                    ("sec-fetch-site", "same-origin"),
                ],
                false,
            ),
            (
                &[("sec-fetch-site", "none"), ("cookie", "jiming_session=x")],
                false,
            ),
            (&[("origin", "http://127.0.0.1:8080")], true),
        ] {
            assert_eq!(
                is_cross_site(&Method::POST, &headers(pairs)),
                cross,
                "{pairs:?}"
            );
            assert!(!is_cross_site(&Method::GET, &headers(pairs)));
        }
    }
}
