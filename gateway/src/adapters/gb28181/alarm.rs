//! What an alarm of GB/T 28181 means: its method, its type (whose table depends on the method, appendix A.2.5), and its description.

use domain::{Kind, Phase};

/// What an alarm means.
pub(super) struct Meaning {
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    pub(super) label: &'static str,
}

/// By method and type; where these say no more than "an alarm", by the description. Words of fire win over any type: devices have none for it.
pub(super) fn meaning(method: &str, kind: Option<i64>, description: &str) -> Meaning {
    let words = Words::of(description);
    let first = method.chars().find(char::is_ascii_digit);
    let known = match (first, kind) {
        (Some('2'), Some(kind)) => of_device(kind),
        (Some('5'), Some(kind)) => of_video(kind),
        (Some('6'), _) => Some((Kind::DeviceFault, of_fault(kind))),
        _ => None,
    };
    // 5/1 is "by hand" in the standard and motion in the field
    let is_vague = known.is_none() || (first, kind) == (Some('5'), Some(1));
    let told = is_vague.then(|| of_words(&words)).flatten();
    let fire = match first {
        // a fault of a disk or a fan
        Some('6') if known.is_some_and(|(_, label)| !label.is_empty()) => None,
        first => words.fire(first, told.is_none() && is_vague),
    };
    let (kind, label) = fire.or(told).or(known).unwrap_or(match first {
        Some('5') => (Kind::CameraMotion, ""),
        Some('1') => (Kind::DeviceAlarmInput, "telephone"),
        Some('3') => (Kind::DeviceAlarmInput, "sms"),
        Some('4') => (Kind::DeviceAlarmInput, "gps"),
        _ => (Kind::DeviceAlarmInput, ""),
    });
    let phase = match kind {
        Kind::CameraLineCross | Kind::CameraFace => Phase::Instant,
        _ if words.is_end() => Phase::Cleared,
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

fn of_words(words: &Words) -> Option<(Kind, &'static str)> {
    let has = |chinese: &[&str], english: &[&str]| words.has(chinese) || words.has_english(english);
    Some(
        if has(&["视频丢失", "信号丢失"], &["video loss", "videoloss"]) {
            (Kind::CameraVideoLoss, "")
        } else if has(
            &["遮挡"],
            &[
                "tamper",
                "tampering",
                "tamperdetection",
                "shelter",
                "shelteralarm",
            ],
        ) {
            (Kind::CameraTamper, "")
        } else if has(
            &["移动侦测", "运动检测", "运动目标", "移动目标"],
            &["motion", "motiondetect", "motiondetection"],
        ) {
            (Kind::CameraMotion, "")
        } else if has(
            &["越界", "绊线"],
            &[
                "line cross",
                "line crossing",
                "linecross",
                "crossline",
                "tripwire",
                "linedetection",
            ],
        ) {
            (Kind::CameraLineCross, "")
        } else if has(&["徘徊"], &["loiter", "loitering"]) {
            (Kind::CameraLoiter, "")
        } else if has(
            &["入侵", "闯入"],
            &[
                "intrusion",
                "intrusiondetection",
                "fielddetection",
                "field detection",
            ],
        ) {
            (Kind::CameraIntrusion, "")
        } else if has(&["人脸"], &["face", "facedetection"]) {
            (Kind::CameraFace, "")
        } else {
            return None;
        },
    )
}

/// What burns, or what tells of it.
const FIRE: [&str; 12] = [
    "火灾", "火情", "明火", "起火", "着火", "烟火", "火焰", "火点", "火警", "烟感", "感烟", "烟雾",
];
/// Those that no detector is called after.
const BURNS: [&str; 4] = ["火情", "明火", "起火", "着火"];
/// Those that only a detector is called after.
const DETECTOR: [&str; 2] = ["烟感", "感烟"];
/// The same in English, as whole words.
const FIRE_ENGLISH: [&str; 9] = [
    "fire",
    "smoke",
    "flame",
    "firedetection",
    "smokedetection",
    "firealarm",
    "smokealarm",
    "firewarning",
    "firesmoke",
];
/// Gas that burns.
const GAS: [&str; 4] = ["可燃气体", "燃气", "煤气", "天然气"];
/// That there is too much of it: places are called after gas, too.
const LEAKS: [&str; 5] = ["泄漏", "泄露", "漏气", "超标", "浓度"];
/// Words of faults: behind the word of a fire they tell of its detector.
const FAULTS: [&str; 7] = ["故障", "离线", "掉线", "失联", "欠压", "低电", "电量"];
/// It is over.
const ENDS: [&str; 3] = ["恢复", "解除", "消除"];
/// It is over in English.
const ENDS_ENGLISH: [&str; 4] = ["restored", "recovered", "cleared", "restore"];
/// What makes an end none: not yet, nobody has, cannot.
const NOT: [&str; 6] = ["未", "没", "没有", "无法", "不能", "待"];
/// Somebody tries it out, or switches it off.
const TRIED: [&str; 2] = ["测试", "撤防"];

/// A description, and its English words.
struct Words {
    all: String,
    /// With a space before and behind each.
    english: String,
}

impl Words {
    fn of(description: &str) -> Self {
        let all = description.to_lowercase();
        let mut english = String::from(" ");
        for word in all.split(|c: char| !c.is_ascii_alphanumeric()) {
            if !word.is_empty() {
                english.push_str(word);
                english.push(' ');
            }
        }
        Self { all, english }
    }

    fn has(&self, any: &[&str]) -> bool {
        any.iter().any(|word| self.all.contains(word))
    }

    fn has_english(&self, any: &[&str]) -> bool {
        any.iter()
            .any(|words| self.english.contains(&format!(" {words} ")))
    }

    /// Where the last of these words stands.
    fn last(&self, any: &[&str]) -> Option<usize> {
        any.iter().filter_map(|word| self.all.rfind(word)).max()
    }

    fn is_end(&self) -> bool {
        let is_one = |(at, _): (usize, &str)| {
            let before = self.all.get(..at).unwrap_or_default();
            !NOT.iter().any(|not| before.ends_with(not))
        };
        let has_end = ENDS
            .iter()
            .any(|end| self.all.match_indices(end).any(is_one));
        has_end || self.has_english(&ENDS_ENGLISH)
    }

    /// A fire or gas that is told of; of gas alone by its name where nothing else is told.
    fn fire(&self, method: Option<char>, is_alone: bool) -> Option<(Kind, &'static str)> {
        if self.has(&TRIED) || self.has_english(&["test"]) {
            return None;
        }
        let is_gas = self.has(&GAS[..1]) || self.has(&GAS) && (is_alone || self.has(&LEAKS));
        let is_fire = self.has(&FIRE) || self.has_english(&FIRE_ENGLISH);
        if !is_fire && !is_gas {
            return None;
        }
        let is_behind = self.last(&FAULTS) > self.last(&FIRE).max(self.last(&GAS));
        Some(match method {
            _ if is_behind && !self.has(&BURNS) && !self.has(&LEAKS) => (Kind::FireFault, ""),
            _ if !is_fire => (Kind::FireGas, ""),
            Some('2') => (Kind::FireDetector, ""),
            Some('5') => (Kind::CameraVisualFire, ""),
            _ if self.has(&DETECTOR) => (Kind::FireDetector, ""),
            _ => (Kind::CameraVisualFire, ""),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fire_is_known_by_words_and_its_end_and_tests_are_none() {
        let told = |method: &str, kind: Option<i64>, words: &str| {
            let meaning = meaning(method, kind, words);
            (meaning.kind, meaning.phase)
        };
        let raised = |kind| (kind, Phase::Raised);
        let fire = raised(Kind::FireDetector);
        let seen = raised(Kind::CameraVisualFire);
        let gas = raised(Kind::FireGas);
        let input = raised(Kind::DeviceAlarmInput);
        for (method, kind, words, want) in [
            ("2", None, "火灾报警", fire),
            ("2", None, "3号楼烟感报警", fire),
            ("2", None, "感烟探测器报警", fire),
            ("2", Some(1), "发现火情", fire),
            ("5", Some(1), "火灾检测", seen),
            ("5", Some(6), "明火检测", seen),
            ("5", Some(6), "Fire detected", seen),
            ("7", None, "火警", seen),
            ("7", None, "线路故障起火", seen),
            ("7", None, "设备故障引发火灾", seen),
            ("2", None, "燃气泄漏报警", gas),
            ("2", None, "可燃气体报警", gas),
            ("2", None, "天然气报警", gas),
            ("5", Some(2), "煤气泄漏", gas),
            // a camera at a place that is called after gas
            ("5", Some(6), "天然气站周界", raised(Kind::CameraIntrusion)),
            ("7", None, "天然气站入侵", raised(Kind::CameraIntrusion)),
            ("7", None, "Firewall rule changed", input),
            ("7", None, "Interface error", input),
            ("7", None, "烟雾报警测试", input),
            ("7", None, "smoke test", input),
            ("7", None, "烟感撤防", input),
            (
                "7",
                None,
                "火警恢复",
                (Kind::CameraVisualFire, Phase::Cleared),
            ),
            (
                "2",
                None,
                "烟雾报警解除",
                (Kind::FireDetector, Phase::Cleared),
            ),
            ("7", None, "火情未消除", seen),
            ("2", None, "烟感探测器故障", raised(Kind::FireFault)),
            ("2", None, "烟感电池低电", raised(Kind::FireFault)),
            ("2", None, "紧急求助按钮", input),
            (
                "2",
                None,
                "报警恢复",
                (Kind::DeviceAlarmInput, Phase::Cleared),
            ),
            ("6", Some(1), "火灾报警主机硬盘", raised(Kind::DeviceFault)),
            ("5", None, "移动侦测报警", raised(Kind::CameraMotion)),
        ] {
            assert_eq!(told(method, kind, words), want, "{method}/{kind:?} {words}");
        }
    }
}
