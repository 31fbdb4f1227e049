//! Number plates as readers write them: one spelling for each, what kind of plate it looks like, and who has none.
//!
//! The kind is a quality flag only: foreign, temporary and misread plates are told all the same. The layouts are those of GA 36-2018
//! (seven characters, eight with new energy) and of the special plates; O and I never stand in a serial.

use serde_json::Value;

use super::draft::Draft;

/// Longest plate that is kept, in characters.
const PLATE_CHARS_MAX: usize = 32;
/// Most plates that one car carries (Hong Kong, Macao and the mainland make three).
const PLATES_MAX: usize = 4;

/// A plate in one spelling: full-width characters as ASCII, upper case, no spaces, dots and dashes.
pub fn normalise(raw: &str) -> String {
    raw.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => {
                char::from_u32(u32::from(c) - 0xfee0).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            c => c,
        })
        .filter(|c| {
            !c.is_whitespace()
                && !c.is_control()
                && !matches!(c, '·' | '•' | '・' | '.' | '-' | '‐' | '–' | '—')
        })
        .flat_map(char::to_uppercase)
        .take(PLATE_CHARS_MAX)
        .collect()
}

/// Whether this stands for a car without a readable plate: `_无_`, `无牌车`, `unknown`, `-1`, empty.
pub fn is_none(raw: &str) -> bool {
    let plain = normalise(raw);
    let plain = plain.trim_matches(['_', '<', '>', '(', ')']);
    plain.is_empty()
        || plain.chars().all(|c| c == '0')
        || matches!(
            plain,
            "无" | "无牌"
                | "无牌车"
                | "无车牌"
                | "未知车牌"
                | "未识别"
                | "未知"
                | "车牌"
                | "UNKNOWN"
                | "NOPLATE"
                | "NO_PLATE"
                | "UNLICENSED"
                | "NONE"
                | "NULL"
                | "UNDEFINED"
                | "N/A"
        )
        || raw.trim() == "-1"
}

/// What a normalised plate looks like: `cn7`, `cn8ne` (new energy), `special` (embassy, police, army, Hong Kong and Macao), `unrecognised`.
pub fn format_quality(plate: &str) -> &'static str {
    let chars: Vec<char> = plate.chars().collect();
    match chars.as_slice() {
        ['粤', 'Z', serial @ .., '港' | '澳'] if serial.len() == 4 && all(serial, is_serial) => {
            "special"
        }
        [digits @ .., '使'] if digits.len() == 6 && all(digits, is_digit) => "special",
        ['A', digits @ .., '领'] if digits.len() == 4 && all(digits, is_digit) => "special",
        [p, 'A', digits @ .., '领']
            if is_province(*p) && digits.len() == 4 && all(digits, is_digit) =>
        {
            "special"
        }
        ['W', 'J', rest @ ..] => armed_police(rest),
        [p, letter, rest @ ..] if is_province(*p) && is_letter(*letter) => civil(rest),
        [arm, unit, digits @ ..]
            if matches!(
                arm,
                'V' | 'K' | 'H' | 'B' | 'S' | 'L' | 'J' | 'N' | 'G' | 'C' | 'E'
            ) && is_letter(*unit)
                && digits.len() == 5
                && all(digits, is_digit) =>
        {
            "special"
        }
        _ => "unrecognised",
    }
}

/// What follows province and letter.
fn civil(rest: &[char]) -> &'static str {
    match rest {
        [serial @ .., last]
            if serial.len() == 4
                && all(serial, is_serial)
                && (is_serial(*last)
                    || matches!(last, '挂' | '学' | '警' | '港' | '澳' | '领')) =>
        {
            "cn7"
        }
        // small: a letter, a letter or digit, four digits
        [energy, second, digits @ ..]
            if digits.len() == 4
                && is_energy(*energy)
                && is_serial(*second)
                && all(digits, is_digit) =>
        {
            "cn8ne"
        }
        // large: five digits, a letter
        [digits @ .., energy]
            if digits.len() == 5 && all(digits, is_digit) && is_energy(*energy) =>
        {
            "cn8ne"
        }
        _ => "unrecognised",
    }
}

/// What follows WJ: a province or none, four digits, a digit or a letter of the branch.
fn armed_police(rest: &[char]) -> &'static str {
    let rest = match rest {
        [p, rest @ ..] if is_province(*p) => rest,
        rest => rest,
    };
    match rest {
        [digits @ .., last]
            if digits.len() == 4
                && all(digits, is_digit)
                && matches!(last, 'T' | 'D' | 'S' | 'H' | 'B' | 'X' | 'J' | '0'..='9') =>
        {
            "special"
        }
        _ => "unrecognised",
    }
}

fn all(chars: &[char], is: fn(char) -> bool) -> bool {
    chars.iter().all(|c| is(*c))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn is_letter(c: char) -> bool {
    c.is_ascii_uppercase() && c != 'I' && c != 'O'
}

fn is_serial(c: char) -> bool {
    is_digit(c) || is_letter(c)
}

/// Electric A to E, other new energy F to K.
fn is_energy(c: char) -> bool {
    matches!(c, 'A'..='H' | 'J' | 'K')
}

/// The short names of the provinces.
fn is_province(c: char) -> bool {
    "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼".contains(c)
}

/// Whether a text holds a Chinese plate, for deciding in which alphabet it was sent.
pub fn has_province(text: &str) -> bool {
    text.chars().any(is_province)
}

impl Draft {
    /// With a plate as it was read: `plate`, `plate_format`, `plate_raw` where the spelling differs; `no_plate` where there is none.
    /// Of several plates on one car (`粤ZJ068澳|MX7742`) the first counts, the others stand in `plates`.
    #[must_use]
    pub fn plate(self, raw: &str) -> Self {
        let raw = super::text::clip(raw.trim(), PLATE_CHARS_MAX * PLATES_MAX);
        let plates: Vec<String> = raw
            .split('|')
            .take(PLATES_MAX)
            .filter(|part| !is_none(part))
            .map(normalise)
            .collect();
        let Some(plate) = plates.first().cloned() else {
            return self.attr("no_plate", true);
        };
        let draft = self.attr("plate_format", format_quality(&plate));
        let draft = match plates.len() {
            1 => draft,
            _ => draft.attr("plates", plates),
        };
        let raw = if raw == plate {
            Value::Null
        } else {
            raw.into()
        };
        draft.attr("plate", plate).attr("plate_raw", raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plates_have_one_spelling() {
        for (raw, want) in [
            ("浙G·12345", "浙G12345"),
            (" 沪ａ－Ｄ１２３４５ ", "沪AD12345"),
            ("abc-1234", "ABC1234"),
            ("KH 35192", "KH35192"),
        ] {
            assert_eq!(normalise(raw), want, "{raw}");
        }
    }

    #[test]
    fn a_car_without_a_plate_has_none() {
        for raw in ["", "_无_", "无牌车", "unknown", "-1", "0", "NO-PLATE"] {
            assert!(is_none(raw), "{raw}");
        }
        assert!(!is_none("无Y88YY55"));
        assert!(!is_none("浙G00001"));
    }

    #[test]
    fn the_layout_is_a_quality_flag() {
        for (plate, want) in [
            ("浙G12345", "cn7"),
            ("浙G1234挂", "cn7"),
            ("粤BD12345", "cn8ne"),
            ("粤BDF1234", "cn8ne"),
            ("粤B12345D", "cn8ne"),
            ("粤ZJ068澳", "special"),
            ("123456使", "special"),
            ("沪A1234领", "special"),
            ("WJ浙12345", "special"),
            ("KA12345", "special"),
            ("浙GO2345", "unrecognised"),
            ("RLE11684", "unrecognised"),
            ("", "unrecognised"),
        ] {
            assert_eq!(format_quality(plate), want, "{plate}");
        }
    }
}
