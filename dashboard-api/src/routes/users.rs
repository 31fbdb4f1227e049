//! Users: who there is, making and changing them, and locking them out. For administrators.

use std::str::FromStr as _;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use domain::{DepartmentId, Scope, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::state::{AccountAct, Role, User};
use tracing::info;

use super::shown;
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// Every user.
#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "administration",
    responses((status = 200, body = schema::users::Users)))]
pub(crate) async fn list(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let items = api.deps.state.accounts((api.deps.clock)()).await?;
    shown(&json!({"items": items}))
}

/// What a user is to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBody {
    /// Name shown to people.
    name: String,
    /// What they may do.
    #[schema(value_type = schema::words::Role)]
    role: String,
    /// The department they serve in; a responder has one.
    department: Option<String>,
    /// What they are limited to; the whole compound when not given.
    #[serde(default)]
    #[schema(value_type = Option<schema::Scope>)]
    scope: Scope,
}

impl UserBody {
    fn user(self, login: UserId) -> Result<User, Problem> {
        let wrong = |field: &'static str| move |e: String| Problem::unprocessable(field, e);
        let role = Role::from_str(&self.role).map_err(|e| wrong("role")(e.to_string()))?;
        let department = self.department.filter(|text| !text.is_empty());
        let department = department
            .map(|text| text.parse::<DepartmentId>())
            .transpose()
            .map_err(|e| wrong("department")(e.to_string()))?;
        Ok(User {
            login,
            name: self.name.trim().to_owned(),
            role,
            department,
            scope: self.scope,
        })
    }
}

/// A user to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUserBody {
    /// Log-in name; it stays.
    login: String,
    /// Name shown to people.
    name: String,
    /// What they may do.
    #[schema(value_type = schema::words::Role)]
    role: String,
    /// The department they serve in; a responder has one.
    department: Option<String>,
    /// What they are limited to; the whole compound when not given.
    #[serde(default)]
    #[schema(value_type = Option<schema::Scope>)]
    scope: Scope,
}

/// Make a user. The first password is in the answer, once, and must be changed at the first log-in.
#[utoipa::path(post, path = "/api/v1/users", operation_id = "make_user", tag = "administration", request_body = NewUserBody,
    responses((status = 200, body = schema::users::UserDone), (status = 409, body = schema::Problem), (status = 422, body = schema::Problem)))]
pub(crate) async fn make(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<NewUserBody>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(body) = body?;
    let login = body.login.trim().parse::<UserId>();
    let login = login.map_err(|e| Problem::unprocessable("login", e))?;
    let user = UserBody {
        name: body.name,
        role: body.role,
        department: body.department,
        scope: body.scope,
    };
    let user = user.user(login)?;
    let (by, now) = (&caller.user.login, (api.deps.clock)());
    let (item, password) = api.deps.state.make_account(&user, by, now).await?;
    info!(user.login = %user.login, "user made");
    shown(&json!({"user": item, "password": password}))
}

/// Give a user another name, role, department or scope. With another role or scope their API tokens are gone.
#[utoipa::path(put, path = "/api/v1/users/{login}", operation_id = "change_user", tag = "administration", request_body = UserBody,
    params(("login" = String, Path)),
    responses((status = 200, body = schema::users::UserDone), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem),
        (status = 422, body = schema::Problem)))]
pub(crate) async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
    body: Result<Json<UserBody>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(body) = body?;
    let login = login.parse::<UserId>();
    let user = body.user(login.map_err(|_| Problem::not_found("user"))?)?;
    let (by, now) = (&caller.user.login, (api.deps.clock)());
    let item = api.deps.state.change_account(&user, by, now).await?;
    shown(&json!({"user": item, "password": null}))
}

/// `disable` (sessions and live streams end, API tokens are gone), `enable`, `reset_password` (the new one is in the answer, once),
/// `reset_second_factor`, `end_sessions`.
#[utoipa::path(post, path = "/api/v1/users/{login}/{act}", operation_id = "act_on_user", tag = "administration",
    params(("login" = String, Path), ("act" = String, Path)),
    responses((status = 200, body = schema::users::UserDone), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn act(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path((login, act)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let login = login.parse::<UserId>();
    let login = login.map_err(|_| Problem::not_found("user"))?;
    let act = AccountAct::ALL.iter().find(|known| known.as_str() == act);
    let act = *act.ok_or_else(|| Problem::not_found("act on a user"))?;
    let (by, now) = (&caller.user.login, (api.deps.clock)());
    let (item, password) = api.deps.state.account_act(&login, act, by, now).await?;
    info!(user.login = %login, user.act = act.as_str(), "user administered");
    shown(&json!({"user": item, "password": password}))
}
