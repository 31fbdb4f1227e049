//! Who is logged in, how one may log in, and the second step.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub login: String,
    pub name: String,
    #[schema(value_type = words::Role)]
    pub role: String,
    pub department: Option<String>,
    pub scope: Scope,
}

/// What an account is limited to. A list that is empty does not limit; something lies in the scope when its place is in one of the quarters
/// or micro-grids, and, of incidents, when one of the departments has a part in it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    pub quarters: Vec<String>,
    pub grids: Vec<String>,
    pub departments: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub user: User,
    /// Routes that this account may call, as in `POST /api/v1/alarms/{id}/shelve`.
    pub may_call: Vec<String>,
    /// What has to be done before anything else: `password` when somebody else has set it, `second_factor` when the role asks for one.
    pub owes: Option<String>,
}

/// Ways to log in besides a password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogInWays {
    /// At an identity provider: `GET /api/v1/session/oidc`. None when none is configured.
    pub oidc: Option<OidcWay>,
}

/// What the button says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcWay {
    pub label_zh: String,
    pub label_en: String,
}

/// How the second step of one's own log-in stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    /// Logging in asks for a code.
    pub is_on: bool,
    /// Recovery codes that were not used.
    pub recovery_codes: u64,
    /// The configuration asks it of this role.
    pub is_required: bool,
}

/// The secret of a second step. It cannot be read again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorBegun {
    /// Base 32, to be typed.
    pub secret: String,
    /// `otpauth://totp/…`
    pub uri: String,
    /// The address as a QR code: an SVG document.
    pub svg: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodes {
    /// Each is good once, instead of a code of the app. They cannot be read again.
    pub recovery_codes: Vec<String>,
}

/// Where the caller is logged in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionItem {
    pub id: String,
    pub created_at: String,
    /// To the minute.
    pub used_at: String,
    /// Over by then, however busy.
    pub ends_at: String,
    /// Where somebody logged in.
    pub address: String,
    /// What the browser said of itself.
    pub agent: String,
    /// The one that asks.
    pub is_own: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    pub items: Vec<SessionItem>,
}
