//! Commands to devices: asked for with a reason, confirmed by a second person where it takes two, and what became of them.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use domain::device_command::Action;
use domain::{CommandId, DeviceId};
use serde::Deserialize;
use serde_json::Value;
use store::state::{NewCommand, Role};

use super::incidents::found;
use super::{idempotency_key, parse, shown};
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// Which commands.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CommandsOf {
    /// To this device.
    device: Option<String>,
    /// Only those that are not over.
    #[serde(default)]
    under_way: bool,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    limit: Option<u32>,
}

/// Commands to devices, the last asked first.
#[utoipa::path(get, path = "/api/v1/commands", operation_id = "list_commands", tag = "commands", params(CommandsOf),
    responses((status = 200, body = schema::DeviceCommandPage), (status = 400, body = schema::Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<CommandsOf>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let device: Option<DeviceId> = parse("device", query.device.as_deref())?;
    let limit = query.limit.unwrap_or(100);
    let (reach, cursor) = (caller.reach(&api), query.cursor.as_deref());
    let page =
        api.deps
            .state
            .device_commands(device.as_ref(), query.under_way, cursor, limit, &reach);
    shown(&page.await?)
}

/// One command.
#[utoipa::path(get, path = "/api/v1/commands/{id}", operation_id = "get_command", tag = "commands", params(("id" = String, Path)),
    responses((status = 200, body = schema::DeviceCommand), (status = 404, body = schema::Problem)))]
pub(crate) async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (_, item) = seen(&api, &caller, &id).await?;
    shown(&item)
}

/// What a device is to do.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskCommand {
    /// A word of the list.
    #[schema(value_type = schema::words::DeviceAction)]
    command: String,
    /// Why, 1 to 200 characters.
    reason: String,
    /// For which incident.
    incident: Option<String>,
    /// In need, without the second person that `hold-open` and `lock-open` take; with a reason of at least 10 characters. It stands in the
    /// audit trail as what it is.
    #[serde(default)]
    alone: bool,
}

/// Ask a device for something. It goes out once, within ten seconds or never; `stage` tells what became of it. Whoever asks for what is under
/// way already gets that command.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", operation_id = "ask_command", tag = "commands", request_body = AskCommand,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = schema::DeviceCommand), (status = 400, body = schema::Problem), (status = 403, body = schema::Problem),
        (status = 404, body = schema::Problem), (status = 409, body = schema::Problem), (status = 429, body = schema::Problem)))]
pub(crate) async fn ask(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Result<Json<AskCommand>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found("device");
    let device: DeviceId = id.parse().map_err(|_| missing())?;
    let registry = api.deps.registry();
    let known = registry.devices.get(&device).ok_or_else(missing)?;
    if !caller.reach(&api).sees_device(&device, &registry) {
        return Err(missing());
    }
    let Json(request) = request?;
    let key = idempotency_key(&headers)?;
    let action: Action = request
        .command
        .parse()
        .map_err(|e| Problem::bad_request(format!("`command`: {e}")))?;
    let incident = match request.incident.as_deref() {
        None => None,
        Some(text) => {
            let id = text.parse().map_err(|_| Problem::not_found("incident"))?;
            found(&api, &caller, id).await?;
            Some(id)
        }
    };
    if request.alone && !matches!(caller.user.role, Role::Operator | Role::StationLead) {
        return Err(Problem::forbidden(
            "only operators and the station lead may do alone what takes two (hint: leave `alone` out and let somebody confirm)",
        ));
    }
    let is_of_class = Action::of_class(known.class).contains(&action);
    if is_of_class && !(api.deps.can_command)(&device, action) {
        return Err(Problem::not_possible(
            "there is no way to tell this device that (hint: a device of a bridge needs `[bridges.…commands]`)",
        ));
    }
    let new = NewCommand {
        device,
        action,
        reason: request.reason,
        incident,
        alone: request.alone,
    };
    let who = (caller.user.login.clone(), (api.deps.clock)());
    shown(&api.deps.state.ask_command(new, key, who).await?)
}

/// Confirm somebody else's command: it may go from now on.
#[utoipa::path(post, path = "/api/v1/commands/{id}/confirm", operation_id = "confirm_command", tag = "commands", params(("id" = String, Path)),
    responses((status = 200, body = schema::DeviceCommand), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (id, _) = seen(&api, &caller, &id).await?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    shown(&api.deps.state.confirm_command(id, login, now).await?)
}

/// Take a command back that has not left yet.
#[utoipa::path(post, path = "/api/v1/commands/{id}/withdraw", operation_id = "withdraw_command", tag = "commands", params(("id" = String, Path)),
    responses((status = 200, body = schema::DeviceCommand), (status = 404, body = schema::Problem), (status = 409, body = schema::Problem)))]
pub(crate) async fn withdraw(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (id, _) = seen(&api, &caller, &id).await?;
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    shown(&api.deps.state.withdraw_command(id, login, now).await?)
}

/// A command to a device that the caller may know of.
async fn seen(
    api: &Api,
    caller: &Caller,
    id: &str,
) -> Result<(CommandId, store::state::CommandItem), Problem> {
    let missing = || Problem::not_found("command");
    let id: CommandId = id.parse().map_err(|_| missing())?;
    let item = api.deps.state.device_command(id).await?;
    let item = item.ok_or_else(missing)?;
    let reach = caller.reach(api);
    if !reach.sees_device(&item.device, &api.deps.registry()) {
        return Err(missing());
    }
    Ok((id, item))
}
