//! What the topics of access control and doors mean (ONVIF Access Control, clause 6; Door Control, clause 6).

use domain::{DeviceClass, Kind, Phase};

use super::Notice;
use crate::adapters::draft::Draft;
use crate::adapters::text;

const ACCESS: DeviceClass = DeviceClass::Access;

pub(super) fn drafts(notice: &Notice, levels: &[&str]) -> Vec<Draft> {
    match levels {
        ["AccessControl", "AccessGranted", ..] => {
            person(notice, Kind::AccessGranted).into_iter().collect()
        }
        ["AccessControl", "Denied", how, ..] => {
            let reason = match (notice.item(&["Reason"]), *how) {
                (Some(reason), _) => reason,
                (None, "CredentialNotFound") => "CredentialNotFound",
                (None, _) => "",
            };
            let draft = person(notice, Kind::AccessDenied);
            let reason = text::clip(reason.rsplit(':').next().unwrap_or_default(), 100);
            draft
                .map(|draft| draft.attr("reason", reason))
                .into_iter()
                .collect()
        }
        ["AccessControl", "Duress", ..] => person(notice, Kind::AccessDuress).into_iter().collect(),
        ["AccessPoint", "State", "Tampering", ..] => {
            let draft = notice.condition(ACCESS, Kind::DeviceTamper);
            draft.map(|draft| door(notice, draft)).into_iter().collect()
        }
        ["Door", "State", what, ..] => {
            let state = notice.item(&["State"]).unwrap_or_default();
            door_state(notice, what, state)
                .into_iter()
                .map(|draft| door(notice, draft))
                .collect()
        }
        ["Credential", "State", "ApbViolation", ..] => {
            // beside it stands whether a client set it
            let violation = notice.thing(&["ApbViolation"]).and_then(super::truth);
            let draft = match violation.or_else(|| notice.truth()) {
                Some(false) => None,
                _ => person(notice, Kind::AccessAntiPassback),
            };
            draft.into_iter().collect()
        }
        // taken or not after it was granted, asked for from outside, switched on or off: the decision has been told
        _ => Vec::new(),
    }
}

fn door(notice: &Notice, draft: Draft) -> Draft {
    let token = notice.item(&["DoorToken", "AccessPointToken", "Token"]);
    draft.attr("door", token.map(|token| text::clip(token, 100)))
}

/// A decision over somebody at a door. A credential is known by its token, or by the number that was read.
fn person(notice: &Notice, kind: Kind) -> Option<Draft> {
    let draft = door(notice, notice.fact(ACCESS, kind)?);
    let method = notice.item(&["IdentifierType"]).unwrap_or_default();
    let method = match method.rsplit(':').next().unwrap_or_default() {
        "Card" => "card",
        "PIN" => "pin",
        "Fingerprint" => "fingerprint",
        "Face" => "face",
        "QRCode" => "qr",
        _ if notice.item(&["Card"]).is_some() => "card",
        _ => "",
    };
    let number = notice.item(&["IdentifierValue", "Card", "CredentialToken"]);
    let name = notice.item(&["CredentialHolderName"]);
    Some(
        draft
            .credential(number.unwrap_or_default())
            .attr("method", method)
            .attr("person_name", name.map(|name| text::clip(name, 100))),
    )
}

fn door_state(notice: &Notice, what: &str, state: &str) -> Vec<Draft> {
    let is_gone = notice.operation == super::Operation::Deleted;
    let set = |kind, state: &str| {
        let draft = notice.state(ACCESS, kind, Phase::Updated, state);
        vec![draft.attr("state", state)]
    };
    let condition = |kind, is_there: bool| notice.condition_is(ACCESS, kind, is_there && !is_gone);
    match (what, state) {
        (_, "Unknown" | "") if !is_gone => Vec::new(),
        ("DoorPhysicalState", "Open") => set(Kind::AccessDoorState, "open"),
        ("DoorPhysicalState", "Closed") => set(Kind::AccessDoorState, "closed"),
        ("LockPhysicalState" | "DoubleLockPhysicalState", "Locked") => {
            set(Kind::AccessLockState, "locked")
        }
        ("LockPhysicalState" | "DoubleLockPhysicalState", "Unlocked") => {
            set(Kind::AccessLockState, "unlocked")
        }
        ("DoorPhysicalState" | "LockPhysicalState" | "DoubleLockPhysicalState", "Fault") => {
            let draft = notice.fact(ACCESS, Kind::DeviceFault);
            draft
                .map(|draft| draft.attr("reason", what))
                .into_iter()
                .collect()
        }
        ("DoorMode", mode) => {
            let state = match mode {
                "Locked" | "LockedDown" | "DoubleLocked" | "Blocked" => "locked",
                "Unlocked" | "LockedOpen" | "Accessed" => "unlocked",
                _ => return Vec::new(),
            };
            let draft = notice.state(ACCESS, Kind::AccessLockState, Phase::Updated, mode);
            vec![
                draft
                    .attr("state", state)
                    .attr("mode", text::clip(mode, 100)),
            ]
        }
        // one property, two conditions: forced or held, never both
        ("DoorAlarm", alarm) => {
            let of = |kind, word: &str| {
                let mut draft = condition(kind, alarm == word)?;
                if let Some(edge) = &mut draft.edge {
                    edge.property = format!("DoorAlarm:{word}");
                }
                Some(draft)
            };
            let both = [
                of(Kind::AccessForcedOpen, "DoorForcedOpen"),
                of(Kind::AccessHeldOpen, "DoorOpenTooLong"),
            ];
            both.into_iter()
                .flatten()
                // that the other one is not there is no change
                .map(|draft| match draft.phase {
                    Phase::Raised => draft,
                    _ => draft.told(crate::adapters::draft::Told::State),
                })
                .collect()
        }
        ("DoorTamper", tamper) => {
            let draft = condition(Kind::DeviceTamper, tamper == "TamperDetected");
            draft.into_iter().collect()
        }
        ("DoorFault", fault) => {
            let reason = notice
                .item(&["Reason"])
                .map(|reason| text::clip(reason, 100));
            let draft = condition(Kind::DeviceFault, fault == "FaultDetected");
            draft
                .map(|draft| draft.attr("reason", reason))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}
