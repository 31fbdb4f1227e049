//! API tokens: for programs that act in the name of whoever made them, with that role or a smaller one, until a day. For administrators.

use std::str::FromStr as _;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::{NewToken, Role};

use super::shown;
use crate::auth::{Caller, Proof};
use crate::{Api, Problem, access, schema};

/// Every API token, without its secret.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "administration",
    responses((status = 200, body = schema::users::Tokens)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let items = api.deps.state.tokens().await?;
    let roles: Vec<Role> = possible(&caller).collect();
    shown(&json!({"items": items, "roles": roles}))
}

/// Roles that a token of this caller may have.
fn possible(caller: &Caller) -> impl Iterator<Item = Role> {
    let own = caller.user.role;
    Role::ALL
        .iter()
        .copied()
        .filter(move |role| access::covers(own, *role))
}

/// A token to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenBody {
    /// What it is for.
    label: String,
    /// What it may do: the caller's own role or one that may do less.
    #[schema(value_type = schema::words::Role)]
    role: String,
    /// Days until it ends: 1 to 366.
    days: u16,
}

/// Make an API token for oneself. Its secret is in the answer, once. Whoever comes with a token makes none.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "make_token", tag = "administration", request_body = NewTokenBody,
    responses((status = 200, body = schema::users::TokenMade), (status = 403, body = schema::Problem), (status = 422, body = schema::Problem)))]
pub(crate) async fn make(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<NewTokenBody>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(body) = body?;
    if matches!(caller.proof, Proof::Token(_)) {
        // it would live for ever
        return Err(Problem::forbidden(
            "a token makes no tokens (hint: log in with a password)",
        ));
    }
    let role = Role::from_str(&body.role).map_err(|e| Problem::unprocessable("role", e))?;
    if !access::covers(caller.user.role, role) {
        let words: Vec<&str> = possible(&caller).map(Role::as_str).collect();
        let what = "a token may do no more than whoever makes it";
        return Err(Problem::unprocessable("role", what).with("possible", words));
    }
    let new = NewToken {
        label: body.label.trim().to_owned(),
        role,
        days: body.days,
    };
    let now = (api.deps.clock)();
    let (item, secret) = api
        .deps
        .state
        .make_token(&caller.user.login, new, now)
        .await?;
    shown(&json!({"token": item, "secret": secret}))
}

/// Revoke a token: whoever uses it is nobody from now on, and its live streams end.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "administration",
    params(("id" = String, Path)), responses((status = 204), (status = 404, body = schema::Problem)))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (by, now) = (&caller.user.login, (api.deps.clock)());
    if !api.deps.state.revoke_token(&id, by, now).await? {
        return Err(Problem::not_found("API token"));
    }
    Ok(StatusCode::NO_CONTENT)
}
