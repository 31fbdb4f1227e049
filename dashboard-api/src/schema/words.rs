//! Closed lists of words for the document, made from the lists of the domain and of the store: a word that is added there is in the
//! document and in every client made from it, and none can be forgotten.

use std::borrow::Cow;

use domain::{Severity as S, alarm, device_command, incident, privacy, rule};
use serde::Serialize;
use serde_json::Value;
use store::state;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $words:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words: Vec<Value> = $words;
                ObjectBuilder::new()
                    .schema_type(SchemaType::new(Type::String))
                    .enum_values(Some(words))
                    .into()
            }
        }
        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

/// Each as it stands in answers.
fn all<T: Serialize>(words: &[T]) -> Vec<Value> {
    let text = |word| serde_json::to_value(word).expect("a word serialises");
    words.iter().map(text).collect()
}

words! {
    /// Of an incident or alarm.
    Severity = all(&[S::P1, S::P2, S::P3, S::P4]);
    /// Of an incident.
    IncidentState = all(incident::IncidentState::ALL);
    /// Of what an incident's rule watches for.
    Condition = all(incident::Condition::ALL);
    /// What an incident waits for.
    Stage = all(incident::Stage::ALL);
    /// Of those concerned.
    Satisfaction = all(incident::Satisfaction::ALL);
    /// Of a department's part.
    TaskState = all(incident::TaskState::ALL);
    /// What can be asked of an incident.
    Verb = all(incident::Verb::ALL);
    /// What stands in a timeline.
    Act = all(incident::Act::ALL);
    /// What a snapshot may show of people.
    Shows = all(domain::Shows::ALL);
    /// What somebody needs to see in full for.
    Purpose = all(privacy::Purpose::ALL);
    /// Why something cannot be had.
    Reason = all(incident::Reason::ALL);
    /// What shows that it was so.
    EvidenceKind = all(incident::EvidenceKind::ALL);
    /// Of an alarm (ISA-18.2).
    AlarmState = all(alarm::AlarmState::ALL);
    /// What lies over an alarm.
    AlarmFlag = all(alarm::Flag::ALL);
    /// What a rule's alarm brings about.
    Mode = rule::Mode::WORDS.iter().map(|(word, _)| Value::from(*word)).collect();
    /// Of a maintenance window.
    WindowState = all(alarm::WindowState::ALL);
    /// Of a device.
    DeviceState = all(state::DeviceState::ALL);
    /// What a device can be told.
    DeviceAction = all(device_command::Action::ALL);
    /// Why a device is told to.
    CommandPurpose = all(device_command::Purpose::ALL);
    /// Where a command stands.
    CommandStage = all(device_command::Stage::ALL);
    /// Of fire mode.
    FireModeState = all(device_command::FireModeState::ALL);
    /// Of a user.
    Role = all(state::Role::ALL);
}
