//! Errors as problem+json (RFC 9457). `code` is stable and for programs; `detail` is for people.

use std::any::Any;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::alarm::Refused;
use domain::duty_book;
use serde_json::{Value, json};
use store::events::EventsError;
use store::photos::PhotoError;
use store::state::{
    AccountError, AlarmError, CommandAskError, CommandError, HandoverError, HoldError,
    MaintenanceError, Owes, ReportError, SecondFactorError, StateError,
};
use tracing::error;

use crate::keeper::KeepError;
use crate::rerun::RerunError;
use crate::rule_keeper::RuleKeepError;
use crate::{mask, schema};

/// When whoever has asked too much of doors may ask again, in seconds.
const COMMANDS_AGAIN_S: u64 = 20;

/// An error on its way to the client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    extra: Vec<(&'static str, Value)>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            extra: Vec::new(),
        }
    }
    /// A member besides the standard ones.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.extra.push((name, value.into()));
        self
    }
    /// What it shows besides, without what is about people.
    #[must_use]
    pub(crate) fn masked(mut self) -> Self {
        self.extra
            .iter_mut()
            .for_each(|(_, value)| mask::value(value));
        self
    }
    /// Nobody is logged in.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "log in, or send an API token as a bearer token",
        )
    }
    /// Somebody is, and may not.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }
    /// Somebody is, and has to do something first.
    pub(crate) fn owing(owes: Owes) -> Self {
        let (code, detail) = match owes {
            Owes::SecondFactor => (
                "second_factor_owed",
                "this role logs in with a second step: set it up first (hint: POST /api/v1/session/second-factor)",
            ),
            Owes::Password | Owes::Nothing => (
                "password_owed",
                "somebody else has set this password: choose another one first (hint: POST /api/v1/session/password)",
            ),
        };
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }
    /// The password is right, and a code is asked for besides.
    pub(crate) fn code_wanted() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "code_wanted",
            "the password is right; send it again with the `code` that the app shows, or a recovery code",
        )
    }
    /// A link was not given to the caller, or what it opens is not theirs to see any more.
    pub(crate) fn bad_link() -> Self {
        let detail = "this link opens nothing for you (hint: ask for the incident again, it has links of your own)";
        Self::new(StatusCode::FORBIDDEN, "bad_link", detail)
    }
    /// A link was the caller's, and its minutes are over.
    pub(crate) fn link_over() -> Self {
        let detail = "this link is over (hint: ask for the incident again, it has new ones)";
        Self::new(StatusCode::FORBIDDEN, "link_over", detail)
    }
    /// It goes beyond what the caller's account is limited to, and the caller knows that it is there.
    pub(crate) fn outside_scope(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "outside_scope", detail)
    }
    /// The password is right, and the code is not, or was used.
    pub(crate) fn code_wrong() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "code_wrong",
            "the code is not right, or was used already; wait for the next one",
        )
    }
    /// It is not as the request takes it to be.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }
    /// It cannot be done as things are.
    pub(crate) fn not_possible(detail: impl Into<String>) -> Self {
        Self::conflict("not_possible", detail)
    }
    /// There is no such thing, or none that the caller may know of.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
        )
    }
    /// The request itself is wrong.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }
    /// A field of the request is not as it must be.
    pub(crate) fn unprocessable(field: &str, what: impl std::fmt::Display) -> Self {
        let detail = format!("`{field}`: {what}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail).with("field", field)
    }
    /// It did not come in time.
    pub(crate) fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail)
    }
    /// Not now.
    pub(crate) fn too_many(detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
            .with("retry_after_s", retry_after_s)
    }
    /// The hub's own fault, in words for its log.
    pub(crate) fn broken(what: &str) -> Self {
        error!(error = what, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the hub could not do it; its log says why",
        )
    }
    fn internal(what: &dyn std::error::Error) -> Self {
        let mut chain = what.to_string();
        let mut source = what.source();
        while let Some(cause) = source {
            chain = format!("{chain}: {cause}");
            source = cause.source();
        }
        Self::broken(&chain)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("error");
        let mut body = json!({
            "type": format!("about:blank#{}", self.code),
            "title": title, "status": self.status.as_u16(), "code": self.code, "detail": self.detail,
        });
        let mut retry_after = None;
        for (name, value) in self.extra {
            if name == "retry_after_s" {
                retry_after = value.as_u64();
            }
            body[name] = value;
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
            _ => "bad_request",
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

impl From<KeepError> for Problem {
    fn from(error: KeepError) -> Self {
        let text = error.to_string();
        match error {
            KeepError::BuiltIn => Self::new(StatusCode::CONFLICT, "built_in", text),
            KeepError::Stale { version } => {
                Self::new(StatusCode::CONFLICT, "version_conflict", text).with("version", version)
            }
            KeepError::Mistakes(mistakes) => {
                let list = mistakes.iter().map(schema::registry::TableMistake::from);
                let list: Vec<Value> = list.map(|m| json!(m)).collect();
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "registry_mistakes", text)
                    .with("mistakes", list)
            }
            KeepError::Internal(what) => Self::broken(&what),
        }
    }
}

impl From<RuleKeepError> for Problem {
    fn from(error: RuleKeepError) -> Self {
        let text = error.to_string();
        match error {
            RuleKeepError::BuiltIn => Self::conflict("built_in", text),
            RuleKeepError::ReadOnly(_) => Self::conflict("read_only", text),
            RuleKeepError::Stale { version } => {
                Self::conflict("version_conflict", text).with("version", version)
            }
            RuleKeepError::NotWhole(checked) => {
                let outcome = schema::rules::outcome_of(&checked);
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "rule_mistakes", text)
                    .with("rule_mistakes", json!(outcome.0))
                    .with("case_failures", json!(outcome.1))
            }
            RuleKeepError::Refused(why) => Self::forbidden(why),
            RuleKeepError::Internal(what) => Self::broken(&what),
        }
    }
}

impl From<RerunError> for Problem {
    fn from(error: RerunError) -> Self {
        match error {
            RerunError::NoRoom => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "no_room",
                error.to_string(),
            ),
            RerunError::Internal(what) => Self::broken(&what),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Invalid { what } => Self::bad_request(what),
            other => Self::internal(&other),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, text.clone());
        match error {
            AccountError::NotFound => Self::not_found("user"),
            AccountError::Exists(_) => conflict("exists"),
            AccountError::LastAdministrator => conflict("last_administrator"),
            AccountError::Oneself => conflict("oneself"),
            AccountError::Invalid { field, what } => Self::unprocessable(field, what),
            AccountError::State(error) => error.into(),
        }
    }
}

impl From<SecondFactorError> for Problem {
    fn from(error: SecondFactorError) -> Self {
        let text = error.to_string();
        match error {
            SecondFactorError::On => Self::conflict("second_factor_on", text),
            SecondFactorError::NotBegun => Self::conflict("second_factor_not_begun", text),
            SecondFactorError::WrongCode => Self::unprocessable("code", text),
            SecondFactorError::State(error) => error.into(),
        }
    }
}

impl From<EventsError> for Problem {
    fn from(error: EventsError) -> Self {
        Self::internal(&error)
    }
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::NotFound => Self::not_found("hold"),
            HoldError::Over => Self::conflict("hold_over", error.to_string()),
            HoldError::Invalid { field, what } => Self::unprocessable(field, what),
            HoldError::State(error) => error.into(),
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::NotFound => Self::not_found("incident"),
            // how it is now is for the handler to add: who may see what of it is not known here
            CommandError::VersionConflict { .. } => {
                Self::new(StatusCode::CONFLICT, "version_conflict", text)
            }
            CommandError::Refused(refused) => Self::new(StatusCode::CONFLICT, "not_allowed", text)
                .with("reason", schema::word(refused.reason))
                .with("state", refused.state.as_str())
                .with("holder", refused.holder.map(|h| h.to_string())),
            CommandError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", text)
            }
            CommandError::Invalid { what } => Self::bad_request(what),
            CommandError::State(error) => error.into(),
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        let text = error.to_string();
        match error {
            ReportError::NoRule => Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_rule", text),
            ReportError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", text)
            }
            ReportError::Invalid { field, what } => Self::unprocessable(field, what),
            ReportError::State(error) if error.is_retryable() => {
                let detail = "the hub cannot write now, perhaps for want of room on its disk: the report was not taken (hint: it is kept on the phone and sent again; in danger call)";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", detail)
            }
            ReportError::State(error) => error.into(),
        }
    }
}

impl From<PhotoError> for Problem {
    fn from(error: PhotoError) -> Self {
        let text = error.to_string();
        match error {
            PhotoError::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text),
            PhotoError::WrongHash { .. } | PhotoError::Bad(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_photo", text)
            }
            error if error.is_no_room() => {
                let detail = "no room for photos on the hub now (hint: send what names it without it, or again in ten minutes)";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", detail)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<AlarmError> for Problem {
    fn from(error: AlarmError) -> Self {
        let text = error.to_string();
        match error {
            AlarmError::NotFound => Self::not_found("alarm"),
            AlarmError::VersionConflict { current } => {
                let current = serde_json::to_value(&*current).unwrap_or_default();
                Self::new(StatusCode::CONFLICT, "version_conflict", text).with("alarm", current)
            }
            AlarmError::Refused {
                why: Refused::BadEnd | Refused::BadReason,
                ..
            } => Self::bad_request(text),
            AlarmError::Refused { why, current } => {
                let holder = match why {
                    Refused::Shelved { by } => Some(by.to_string()),
                    _ => None,
                };
                let state = current.state.as_str();
                let current = serde_json::to_value(&*current).unwrap_or_default();
                Self::new(StatusCode::CONFLICT, "not_allowed", text)
                    .with("state", state)
                    .with("holder", holder)
                    .with("alarm", current)
            }
            AlarmError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", text)
            }
            AlarmError::Invalid { what } => Self::bad_request(what),
            AlarmError::State(error) => error.into(),
        }
    }
}

impl From<MaintenanceError> for Problem {
    fn from(error: MaintenanceError) -> Self {
        let text = error.to_string();
        match error {
            MaintenanceError::NotFound => Self::not_found("maintenance window"),
            MaintenanceError::Over { current } => {
                let (state, holder) = (current.state.as_str(), current.ended_by.clone());
                let current = serde_json::to_value(&*current).unwrap_or_default();
                Self::new(StatusCode::CONFLICT, "not_allowed", text)
                    .with("state", state)
                    .with("holder", holder.map(|by| by.to_string()))
                    .with("window", current)
            }
            MaintenanceError::Bad(bad) => Self::bad_request(bad.to_string()),
            MaintenanceError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", text)
            }
            MaintenanceError::Invalid { what } => Self::bad_request(what),
            MaintenanceError::State(error) => error.into(),
        }
    }
}

impl From<CommandAskError> for Problem {
    fn from(error: CommandAskError) -> Self {
        let text = error.to_string();
        match error {
            CommandAskError::NotFound(what) => Self::not_found(what),
            CommandAskError::NotOfClass { .. } | CommandAskError::Invalid { .. } => {
                Self::bad_request(text)
            }
            CommandAskError::Maintenance { .. } => Self::not_possible(text),
            CommandAskError::Busy { current, .. } => {
                let current = serde_json::to_value(&*current).unwrap_or_default();
                Self::conflict("busy", text).with("command", current)
            }
            CommandAskError::TooMany => Self::too_many(text, COMMANDS_AGAIN_S),
            CommandAskError::NotNow(_) => Self::conflict("not_allowed", text),
            CommandAskError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", text)
            }
            CommandAskError::State(error) => error.into(),
        }
    }
}

impl From<HandoverError> for Problem {
    fn from(error: HandoverError) -> Self {
        let text = error.to_string();
        match error {
            HandoverError::NotFound => Self::not_found("handover"),
            HandoverError::Refused(why) => {
                let problem = Self::new(StatusCode::CONFLICT, "not_allowed", text);
                match why {
                    duty_book::Refused::Unacknowledged(numbers) => {
                        problem.with("incidents", numbers)
                    }
                    duty_book::Refused::SamePerson | duty_book::Refused::Complete => problem,
                }
            }
            HandoverError::State(error) => error.into(),
        }
    }
}

/// A handler panicked: a bug; the client gets an error and the connection lives on.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(crate) fn from_panic(panic: Box<dyn Any + Send>) -> Response {
    let what = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    error!(panic = what, "handler panicked: this is a bug");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the hub could not do it; its log says why",
    )
    .into_response()
}
