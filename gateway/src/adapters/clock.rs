//! Times as devices write them. None of these is believed yet: that decides whoever knows when the message came.

use domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// A time that a device gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceTime {
    /// When that is, by the device.
    pub at: Timestamp,
    /// As it was sent.
    pub raw: String,
}

impl DeviceTime {
    /// Seconds since 1970, with fractions.
    pub fn epoch_s(seconds: f64) -> Option<Self> {
        let micros = (seconds * 1e6).round();
        if !(0.0..253_402_300_799e6).contains(&micros) {
            return None;
        }
        let at = Timestamp::from_microsecond(micros as i64).ok()?;
        Some(Self {
            at,
            raw: seconds.to_string(),
        })
    }

    /// Milliseconds since 1970.
    pub fn epoch_ms(millis: i64) -> Option<Self> {
        let at = Timestamp::from_millisecond(millis).ok()?;
        (millis > 0).then(|| Self {
            at,
            raw: millis.to_string(),
        })
    }

    /// Seconds, milliseconds or microseconds since 1970, told apart by their size (a day in 2001 or later).
    pub fn epoch_any(number: f64) -> Option<Self> {
        let seconds = match number {
            n if n >= 1e14 => n / 1e6,
            n if n >= 1e11 => n / 1e3,
            n => n,
        };
        let mut time = Self::epoch_s(seconds)?;
        time.raw = number.to_string();
        Some(time)
    }

    /// A text as [`text`](Self::text) reads it, or a number of seconds, milliseconds or microseconds, also where it came as text.
    pub fn any(told: &Value, zone: &TimeZone) -> Option<Self> {
        let text = told.as_str().and_then(|told| Self::text(told, zone));
        text.or_else(|| Self::epoch_any(super::text::number(told)?))
    }

    /// RFC 3339 with an offset, or the like without one, which is a wall clock of `zone`: `2023-09-08 15:11:07`, `2023-09-08T15:11:07.5`,
    /// `20230908151107`, `2023/09/08 15:11:07`; an offset without a colon is understood, too.
    pub fn text(text: &str, zone: &TimeZone) -> Option<Self> {
        let trimmed = text.trim();
        if trimmed.len() < 8 || trimmed.len() > 64 {
            return None;
        }
        let raw = text.to_owned();
        if let Ok(at) = trimmed.parse::<Timestamp>() {
            return Some(Self { at, raw });
        }
        let normal = trimmed.replace('/', "-");
        if let Ok(at) = normal.parse::<Timestamp>() {
            return Some(Self { at, raw });
        }
        let civil: DateTime = match normal.as_bytes() {
            digits if digits.len() >= 14 && digits[..14].iter().all(u8::is_ascii_digit) => {
                DateTime::strptime("%Y%m%d%H%M%S", &normal[..14]).ok()?
            }
            _ => normal.parse().ok()?,
        };
        let at = civil.to_zoned(zone.clone()).ok()?.timestamp();
        Some(Self { at, raw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shanghai() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(8))
    }

    #[test]
    fn times_are_read_as_devices_write_them() {
        let want: Timestamp = "2023-09-08T07:11:07Z".parse().expect("a time");
        for text in [
            "2023-09-08T15:11:07+08:00",
            "2023-09-08T15:11:07+0800",
            "2023-09-08 15:11:07",
            "2023/09/08 15:11:07",
            "20230908151107",
            "2023-09-08T07:11:07Z",
        ] {
            let read = DeviceTime::text(text, &shanghai()).map(|time| time.at);
            assert_eq!(read, Some(want), "{text}");
        }
        for seconds in [
            1_694_157_067.0,
            1_694_157_067_000.0,
            1_694_157_067_000_000.0,
        ] {
            assert_eq!(DeviceTime::epoch_any(seconds).map(|t| t.at), Some(want));
        }
        assert_eq!(
            DeviceTime::any(&"1694157067".into(), &shanghai()).map(|t| t.at),
            Some(want)
        );
        assert_eq!(DeviceTime::any(&Value::Null, &shanghai()), None);
        for none in ["", "0", "yesterday", "2023-13-40 99:00:00", "２０２３"] {
            assert_eq!(DeviceTime::text(none, &shanghai()), None, "{none}");
        }
        assert_eq!(DeviceTime::epoch_s(-1.0), None);
        assert_eq!(DeviceTime::epoch_s(f64::NAN), None);
        assert_eq!(DeviceTime::epoch_ms(0), None);
    }
}
