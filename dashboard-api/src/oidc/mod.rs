//! Logging in at an identity provider (OpenID Connect 1.0: authorization code flow with PKCE), besides passwords.
//!
//! The provider says *who* somebody is. What they may do is their account's here, and nobody gets an account by it: a name that is not
//! known is refused. [`Provider`] speaks with the provider, [`Table`] remembers log-ins that have begun, `routes::oidc` serves browsers.

mod pending;
mod provider;
mod settings;

pub(crate) use pending::{BrowserBound, LIFE_S, Table};
pub use provider::Provider;
pub(crate) use provider::{OidcError, chain};
pub use settings::{BadUrl, Settings, SettingsError, origin, trusted_url};
