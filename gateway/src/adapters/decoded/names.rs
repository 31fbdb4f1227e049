//! The table: what codecs call a property, what it means, and how its value is read.

use domain::Kind;

/// A row of the table.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub kind: Kind,
    /// The name of the property in memory.
    pub property: &'static str,
    /// How its value is read.
    pub how: How,
    /// A field that goes with the kind.
    pub attr: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The condition is there or not.
    Is,
    /// The opposite is there or not: `mounted`.
    IsNot,
    /// Open or closed; a bare true is open.
    Door,
    /// Open or closed; a bare true is closed, the circuit is.
    Contact,
    /// Open or closed in words; anything else is the state of something else.
    DoorWord,
    /// A measured voltage; of one that is too low it says so in words.
    Volts,
    /// A sentence about power and sensor.
    Sentence,
    /// The condition is there or not, in yes, no and words: a bare number measures.
    Bare,
    /// A plain yes is open, or closed where the name says so.
    Leaf,
    /// On its base or off it, in a sentence.
    Base,
    /// Whether it was tried, in a sentence.
    Tried,
    /// Why it speaks: because it was tried.
    Reason,
    /// A charge; of one that is too low it says so in words.
    Charge,
    /// An alarm of which the table knows no more than its name.
    Named,
    /// The message types of smoke detectors in words.
    SmokeEvent,
    /// What happened in a word.
    Event,
    /// A threshold that is crossed is no fire; something burning is.
    Burning,
    /// The number of a fault; 0 is none.
    Code,
    /// Whether a sensor is well or broken, in words.
    Health,
}

/// A name without case and punctuation.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(64)
        .collect()
}

/// What a name says without the words at its end that only say that it is a state: `smoke` of `smokealarmstatus`.
fn stem(plain: &str) -> &str {
    const ENDS: [&str; 13] = [
        "sensorstate",
        "sensorstatus",
        "detectorstate",
        "detectorstatus",
        "status",
        "state",
        "alarm",
        "detected",
        "detect",
        "detection",
        "warning",
        "triggered",
        "report",
    ];
    let mut stem = plain;
    while let Some(shorter) = ENDS
        .iter()
        .find_map(|end| stem.strip_suffix(end))
        .filter(|shorter| !shorter.is_empty())
    {
        stem = shorter;
    }
    stem
}

/// `WaterLeak_2` without its number; `co2` keeps it.
fn unnumbered(name: &str) -> &str {
    let rest = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match rest.strip_suffix(['_', '-', ' ']) {
        Some(rest) if !rest.is_empty() && rest.len() + 1 < name.len() => rest,
        _ => name,
    }
}

pub(super) fn row(name: &str) -> Option<Row> {
    use How::{
        Bare, Base, Burning, Charge, Code, Contact, Door, DoorWord, Event, Health, Is, IsNot, Leaf,
        Reason, Sentence, SmokeEvent, Tried, Volts,
    };
    let plain = plain(unnumbered(name));
    let stem = stem(&plain);
    let is_bare = stem.len() == plain.len();
    let (kind, property, how) = match stem {
        "smoke" | "smokesensor" | "smokedetector" => (Kind::FireSmoke, "smoke", Is),
        "fire" => (Kind::FireDetector, "fire", Is),
        // a boiler has heat, a meter counts gas
        "heat" if is_bare => (Kind::FireHeat, "heat", Bare),
        "gas" | "ch4" | "methane" | "naturalgas" | "lpg" if is_bare => (Kind::FireGas, "gas", Bare),
        "co" if is_bare => (Kind::FireCo, "co", Bare),
        "heat" => (Kind::FireHeat, "heat", Is),
        // a detector of heat (Netvox RA02A); a threshold of a thermometer says `temperature`
        "hightemp" if plain.ends_with("alarm") => (Kind::FireHeat, "heat", Is),
        "temperature" if plain.ends_with("alarm") => (Kind::FireHeat, "burning", Burning),
        "gas" | "gasleak" | "gasleakage" | "combustiblegas" | "ch4" | "methane" | "naturalgas"
        | "lpg" => (Kind::FireGas, "gas", Is),
        "carbonmonoxide" | "co" => (Kind::FireCo, "co", Is),
        "flame" => (Kind::FireFlame, "flame", Is),
        // a thermostat is `manual`, too
        "manual" if is_bare => return None,
        "callpoint" | "manualcallpoint" | "manual" => (Kind::FireManualCall, "call_point", Is),
        "water" if !is_bare => (Kind::EnvWaterLeak, "water_leak", Is),
        // a meter counts water, a valve is on
        "water" => (Kind::EnvWaterLeak, "water_leak", Bare),
        "waterleak" | "waterleakage" | "leak" | "leakage" | "leaksensor" | "flood" | "flooding"
        | "floodsensor" | "waterimmersion" => (Kind::EnvWaterLeak, "water_leak", Is),
        "tamper" | "temper" | "antitamper" | "dismantle" | "demolish" | "tamperproof"
        | "disassembled" | "toolongunmounted" | "shocktamper" => (Kind::DeviceTamper, "tamper", Is),
        "mounted" | "install" | "installed" => (Kind::DeviceTamper, "tamper", IsNot),
        // Nexelec Origin
        "antitear" | "magneticbase" => (Kind::DeviceTamper, "tamper", Base),
        "batterylow" | "lowbattery" | "lowpower" | "lowvoltage" | "batterylowvoltage" => {
            (Kind::DeviceBatteryLow, "battery_low", Is)
        }
        "battery" if !is_bare => (Kind::DeviceBatteryLow, "battery_low", Is),
        "battery" | "batterylevel" => (Kind::DeviceBatteryLow, "battery_low", Charge),
        // Netvox: `2.4(low battery)`
        "volt" => (Kind::DeviceBatteryLow, "battery_low", Volts),
        "poweroff" if !is_bare => (Kind::DevicePower, "mains", Is),
        "powerfailure" | "powerfail" | "poweroutage" | "mainsfailure" | "acfailure" => {
            (Kind::DevicePower, "mains", Is)
        }
        // Yobiiq SD-1001: `AC Power Off`
        "powerevent" => (Kind::DevicePower, "mains", Sentence),
        "test" | "selftest" | "testbutton" | "testbuttonpressed" => (Kind::DeviceTest, "test", Is),
        "producttest" | "localproducttest" | "smokelocalproducttest" => {
            (Kind::DeviceTest, "test", Tried)
        }
        "reason" | "messagetype" => (Kind::DeviceTest, "test", Reason),
        "fault"
        | "trouble"
        | "malfunction"
        | "sensorfault"
        | "hardwarefault"
        | "hardwareerror"
        | "smokechamberfailure"
        | "fouledsmokechamber"
        | "ultrasonicsensorfailure"
        | "infraredsensorfailure"
        | "buzzerfailure"
        | "obstacle"
        | "airinletcovered" => (Kind::DeviceFault, "fault", Is),
        // a property of the standard models of `CTWing`
        "errorcode" => (Kind::DeviceFault, "fault", Code),
        // Tuya's, and Nexelec Origin's
        "checkingresult" | "selftestresult" | "selfcheckresult" => {
            (Kind::DeviceFault, "fault", Health)
        }
        "smokesensorfaultmode" => (Kind::FireFault, "fault", Health),
        of_a_sensor if of_a_sensor.ends_with("sensorfaultmode") => {
            (Kind::DeviceFault, "fault", Health)
        }
        "endoflife" => (Kind::DeviceEndOfLife, "end_of_life", Is),
        "pir" | "motion" | "human" => (Kind::CameraMotion, "motion", Is),
        // somebody is there; a number counts how many
        "occupied" | "occupancy" | "occupy" => (Kind::CameraMotion, "occupancy", Bare),
        "intrusion" | "intruder" | "breakin" | "burglar" | "burglary" => {
            (Kind::DeviceAlarmInput, "intrusion", Is)
        }
        "sos" | "sosflag" | "panic" | "emergency" | "sosbutton" | "panicbutton"
        | "emergencybutton" => (Kind::DeviceAlarmInput, "panic", Is),
        "duress" => (Kind::DeviceAlarmInput, "duress", Is),
        "glassbreak" | "glassbreakage" => (Kind::DeviceAlarmInput, "glass_break", Is),
        "vibration" if is_bare => (Kind::DeviceAlarmInput, "vibration", Bare),
        "vibration" => (Kind::DeviceAlarmInput, "vibration", Is),
        // Netvox's `ContactSwitch` is on where the door is open (manual of R313A, 4)
        "magnet" | "door" | "dooropen" | "dooropened" | "window" | "doorwindow" | "reed"
        | "doorcontact" | "magnetic" | "contactswitch" => (Kind::AccessDoorState, "contact", Door),
        "contact" => (Kind::AccessDoorState, "contact", Contact),
        "open" | "closed" if is_bare => (Kind::AccessDoorState, "contact", Leaf),
        "parking" | "parkingspace" | "parkinglot" | "park" if !is_bare => {
            (Kind::VehiclePresence, "presence", Is)
        }
        "vehicle" | "car" if plain.ends_with("detected") => (Kind::VehiclePresence, "presence", Is),
        "state" => (Kind::AccessDoorState, "contact", DoorWord),
        "alarm" => (Kind::DeviceAlarmInput, "alarm", Sentence),
        "event" => (Kind::FireSmoke, "smoke", SmokeEvent),
        "eventname" | "eventtype" | "alarmtype" => (Kind::DeviceAlarmInput, "event", Event),
        // `boxTamper`, of a case or a cable
        of_a_part if of_a_part.ends_with("tamper") && !of_a_part.starts_with("no") => {
            (Kind::DeviceTamper, "tamper", Is)
        }
        _ if let Some(row) = alarm_before(&plain) => return Some(row),
        _ => other_alarm(unnumbered(name))?,
    };
    let attr = match kind {
        Kind::CameraMotion if property == "occupancy" => Some(("sensor", property)),
        Kind::CameraMotion => Some(("sensor", "pir")),
        Kind::DeviceAlarmInput => Some(("label", property)),
        Kind::DevicePower => Some(("supply", property)),
        _ => None,
    };
    Some(Row {
        kind,
        property,
        how,
        attr,
    })
}

/// `alarmFire`, of Dingtek's, is `fireAlarm`; what is beside such a word is a setting, a time or a measure.
fn alarm_before(plain: &str) -> Option<Row> {
    let rest = plain
        .strip_prefix("alarm")
        .filter(|rest| !rest.is_empty())?;
    let row = row(&format!("{rest}alarm"))?;
    let is_one = matches!(
        row.kind,
        Kind::EnvWaterLeak | Kind::DeviceTamper | Kind::DeviceBatteryLow | Kind::DeviceAlarmInput
    ) || row.kind.as_str().starts_with("fire.");
    (is_one && row.how == How::Is).then_some(row)
}

/// An alarm that is called otherwise than in the table: one of smoke or fire by its last word, else one of its own.
fn other_alarm(name: &str) -> Option<(Kind, &'static str, How)> {
    /// Beside these words a member is a setting, a test or the past.
    const NO_ALARM: [&str; 22] = [
        "no", "non", "not", "false", "test", "testing", "enable", "enabled", "disable", "disabled",
        "mute", "muted", "silence", "silenced", "stop", "clear", "cleared", "reset", "last", "set",
        "config", "count",
    ];
    // of two levels the last one is asked by itself
    if name.contains('/') {
        return None;
    }
    let words = words_of(name);
    let (last, before) = words
        .split_last()
        .filter(|(_, before)| !before.is_empty())?;
    let has = |known: &[&str]| before.iter().any(|word| known.contains(&word.as_str()));
    if last != "alarm" || has(&NO_ALARM) {
        return None;
    }
    let is_early = has(&["pre", "low"]);
    Some(match before.last().map(String::as_str) {
        // Netvox RA02G: `IncenseSmokeAlarm`
        Some("smoke") if !is_early => (Kind::FireSmoke, "smoke", How::Is),
        Some("fire") if !is_early => (Kind::FireDetector, "fire", How::Is),
        _ => (Kind::DeviceAlarmInput, "alarm", How::Named),
    })
}

/// `IncenseSmokeAlarm` → incense, smoke, alarm.
pub(super) fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_lower = false;
    let mut is_new = true;
    for c in name.chars().take(64) {
        is_new |= !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        was_lower = c.is_lowercase() || c.is_numeric();
        if !c.is_alphanumeric() {
            continue;
        }
        if is_new {
            words.push(String::new());
            is_new = false;
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}
