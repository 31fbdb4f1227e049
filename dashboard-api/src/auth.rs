//! Who calls: a session cookie or a bearer token, checked before any handler runs.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use store::state::User;

use crate::access::{self, Callers};
use crate::{Api, Problem};

/// The session's cookie.
pub(crate) const COOKIE: &str = "jiming_session";

/// Who called.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: User,
}

/// The session secret in the cookie header, if there is one.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

/// A page of another origin must not act with our cookie. Browsers that say where a request comes from are believed; one that
/// says nothing at all is no browser and has no cookie to steal.
fn is_cross_site(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
    };
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_none_or(|(_, rest)| rest != host),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

async fn identify(
    api: &Api,
    headers: &HeaderMap,
    method: &Method,
) -> Result<Option<User>, Problem> {
    let state = &api.deps.state;
    if let Some(token) = bearer(headers) {
        return Ok(state.token_user(token).await?);
    }
    let Some(secret) = cookie(headers) else {
        return Ok(None);
    };
    if is_cross_site(method, headers) {
        return Err(Problem::forbidden("the request comes from another site"));
    }
    Ok(state.session_user(secret, (api.deps.clock)()).await?)
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
        known => Ok(known),
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
            if cookie(request.headers()).is_some()
                && is_cross_site(request.method(), request.headers()) =>
        {
            return Problem::forbidden("the request comes from another site").into_response();
        }
        Callers::Anybody => return next.run(request).await,
        Callers::Roles(roles) => roles,
    };
    let user = match identify(&api, request.headers(), request.method()).await {
        Ok(Some(user)) => user,
        Ok(None) => return Problem::unauthenticated().into_response(),
        Err(problem) => return problem.into_response(),
    };
    if !roles.contains(&user.role) {
        return Problem::forbidden(format!("the role {} may not do this", user.role.as_str()))
            .into_response();
    }
    request.extensions_mut().insert(Caller { user });
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
            (&[], false),
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
