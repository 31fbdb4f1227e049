//! What is wired to a module itself: inputs (`{"Switch1": "ON"}` with each report, `{"Switch1": {"Action": "ON"}}` when it changes) and readers of
//! cards (`{"RC522": {"UID": "94D8FC5F"}}`). Layout: tasmota/docs, Buttons-and-Switches.md; its drivers `xsns_40_pn532`, `xsns_80_mfrc522`,
//! `xsns_82_wiegand`, `xsns_51_rdm6300`.

use domain::{DeviceClass, Kind, Phase};
use serde_json::{Map, Value};

use crate::adapters::draft::Draft;
use crate::adapters::text;

/// Most inputs of one module: it knows 28.
const INPUTS_MAX: usize = 32;
/// Readers of cards, by the names of their drivers.
const READERS: [&str; 4] = ["PN532", "RC522", "RDM6300", "Wiegand"];

/// What an object of a module tells.
pub(super) fn drafts(device: &str, body: &Map<String, Value>) -> Vec<Draft> {
    // an answer to `STATUS 10` has it one below
    let told = body.get("StatusSNS").and_then(Value::as_object);
    let told = told.unwrap_or(body);
    let inputs = told.iter().filter(|(name, _)| is_input(name));
    let inputs = inputs.filter_map(|(name, state)| input(device, name, state));
    let cards = READERS.iter().filter_map(|reader| {
        let card = told.get(*reader)?.get("UID").and_then(text::word)?;
        // not allowed in and not turned away: it only reads
        let (class, kind) = (DeviceClass::Access, Kind::DeviceTelemetry);
        let draft = Draft::new(device, class, kind, Phase::Instant)
            .component(*reader)
            .credential(&card.to_ascii_lowercase());
        Some(draft.attr("what", "card_read").attr("method", "card"))
    });
    inputs.take(INPUTS_MAX).chain(cards).collect()
}

/// `Switch1`: the names that its owner gives to it stand elsewhere.
fn is_input(name: &str) -> bool {
    let number = name.strip_prefix("Switch").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `TOGGLE` and `HOLD` are buttons.
fn input(device: &str, name: &str, state: &Value) -> Option<Draft> {
    let state = state.get("Action").unwrap_or(state).as_str()?;
    let is_on = match state {
        "ON" => true,
        "OFF" => false,
        _ => return None,
    };
    let (class, kind) = (DeviceClass::Panel, Kind::DeviceAlarmInput);
    let draft = Draft::condition(device, class, kind, "state", is_on);
    Some(draft.component(name).attr("sensor", "input"))
}
