//! Devices.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::Value;

use super::shown;
use crate::auth::Caller;
use crate::{Api, Problem, schema};

/// Every registered device and how it is doing.
#[utoipa::path(get, path = "/api/v1/devices", operation_id = "list_devices", tag = "devices", responses((status = 200, body = schema::DevicePage)))]
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let mut page = api.deps.state.devices((api.deps.clock)()).await?;
    let reach = caller.reach(&api);
    let devices = &mut page.items;
    devices.retain(|device| reach.sees(&device.site, Some(&device.zone)));
    shown(&page)
}

/// Which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageOf {
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
    /// Items of a page: 100 when not given, at most 500.
    pub(super) limit: Option<u32>,
}
