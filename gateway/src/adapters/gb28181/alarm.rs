//! What an alarm of GB/T 28181 means: its method, its type (whose table depends on the method, appendix A.2.5), and its description.

use domain::{Kind, Phase};

/// What an alarm means.
pub(super) struct Meaning {
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    pub(super) label: &'static str,
}

/// By method and type; where these say no more than "an alarm", by the description.
pub(super) fn meaning(method: &str, kind: Option<i64>, description: &str) -> Meaning {
    let first = method.chars().find(char::is_ascii_digit);
    let known = match (first, kind) {
        (Some('2'), Some(kind)) => of_device(kind),
        (Some('5'), Some(kind)) => of_video(kind),
        (Some('6'), _) => Some((Kind::DeviceFault, of_fault(kind))),
        _ => None,
    };
    // 5/1 is "by hand" in the standard and motion in the field
    let is_vague = known.is_none() || (first, kind) == (Some('5'), Some(1));
    let told = is_vague.then(|| of_words(description)).flatten();
    let (kind, label) = told.or(known).unwrap_or(match first {
        Some('5') => (Kind::CameraMotion, ""),
        Some('1') => (Kind::DeviceAlarmInput, "telephone"),
        Some('3') => (Kind::DeviceAlarmInput, "sms"),
        Some('4') => (Kind::DeviceAlarmInput, "gps"),
        _ => (Kind::DeviceAlarmInput, ""),
    });
    let phase = match kind {
        Kind::CameraLineCross | Kind::CameraFace => Phase::Instant,
        _ => Phase::Raised,
    };
    Meaning { kind, phase, label }
}

/// Method 2: the device itself.
fn of_device(kind: i64) -> Option<(Kind, &'static str)> {
    Some(match kind {
        1 => (Kind::CameraVideoLoss, ""),
        2 => (Kind::DeviceTamper, ""),
        3 => (Kind::DeviceFault, "disk_full"),
        4 => (Kind::DeviceFault, "overheated"),
        5 => (Kind::DeviceFault, "too_cold"),
        _ => return None,
    })
}

/// Method 5: what was seen.
fn of_video(kind: i64) -> Option<(Kind, &'static str)> {
    Some(match kind {
        1 | 2 => (Kind::CameraMotion, ""),
        3 => (Kind::CameraObject, "left_object"),
        4 => (Kind::CameraObject, "removed_object"),
        5 => (Kind::CameraLineCross, ""),
        6 => (Kind::CameraIntrusion, ""),
        7 => (Kind::CameraObject, "wrong_way"),
        8 => (Kind::CameraLoiter, ""),
        9 => (Kind::CameraObject, "flow"),
        10 => (Kind::CameraObject, "density"),
        11 => (Kind::CameraTamper, ""),
        12 => (Kind::CameraObject, "fast_move"),
        _ => return None,
    })
}

/// Method 6: a fault.
fn of_fault(kind: Option<i64>) -> &'static str {
    match kind {
        Some(1) => "disk",
        Some(2) => "fan",
        _ => "",
    }
}

fn of_words(description: &str) -> Option<(Kind, &'static str)> {
    let words = description.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    Some(
        if has(&[
            "烟火", "火焰", "明火", "火点", "火警", "烟雾", "smoke", "fire",
        ]) {
            (Kind::CameraVisualFire, "")
        } else if has(&["视频丢失", "信号丢失", "video loss", "videoloss"]) {
            (Kind::CameraVideoLoss, "")
        } else if has(&["遮挡", "tamper", "shelter"]) {
            (Kind::CameraTamper, "")
        } else if has(&["移动侦测", "运动检测", "运动目标", "移动目标", "motion"]) {
            (Kind::CameraMotion, "")
        } else if has(&["越界", "绊线", "line cross", "tripwire", "linedetection"]) {
            (Kind::CameraLineCross, "")
        } else if has(&["徘徊", "loiter"]) {
            (Kind::CameraLoiter, "")
        } else if has(&["入侵", "闯入", "intrusion", "fielddetection"]) {
            (Kind::CameraIntrusion, "")
        } else if has(&["人脸", "face"]) {
            (Kind::CameraFace, "")
        } else {
            return None;
        },
    )
}
