//! Bodies of the administration: users and API tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Scope, words};

/// A user as the administration sees them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub login: String,
    pub name: String,
    #[schema(value_type = words::Role)]
    pub role: String,
    pub department: Option<String>,
    pub scope: Scope,
    pub created_at: String,
    pub logged_in_at: Option<String>,
    /// Log-ins that are not over.
    pub sessions: u64,
    /// API tokens that are good.
    pub tokens: u64,
    /// Since when they may not log in.
    pub disabled_at: Option<String>,
    /// Somebody else has set the password: they choose another before anything else.
    pub owes_password: bool,
    pub has_second_factor: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Users {
    pub items: Vec<Account>,
}

/// What was done to a user.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserDone {
    pub user: Account,
    /// A new password, to be handed over. It cannot be read again.
    pub password: Option<String>,
}

/// An API token, without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub id: String,
    /// In whose name it acts.
    pub login: String,
    /// What it is for.
    pub label: String,
    /// What it may do; none for all that its user may.
    #[schema(value_type = Option<words::Role>)]
    pub role: Option<String>,
    pub created_at: String,
    /// None of tokens made on the command line: they do not end.
    pub expires_at: Option<String>,
    /// To the minute.
    pub used_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    pub items: Vec<Token>,
    /// Roles that a token of the caller may have.
    #[schema(value_type = Vec<words::Role>)]
    pub roles: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenMade {
    pub token: Token,
    /// What a program sends as a bearer token. It cannot be read again.
    pub secret: String,
}
