//! Times in rows: whole nanoseconds since 1970, exact, short and quick to write. Good until 2262, later times stand there.

use serde::{Deserialize, Deserializer, Serializer};

use crate::Timestamp;

pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(number(*at))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    time(i64::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn number(at: Timestamp) -> i64 {
    let limit = if at.as_nanosecond() < 0 {
        i64::MIN
    } else {
        i64::MAX
    };
    i64::try_from(at.as_nanosecond()).unwrap_or(limit)
}

fn time(nanoseconds: i64) -> Result<Timestamp, jiff::Error> {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
}

/// The same for a time that may be missing.
pub(super) mod optional {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Timestamp;

    #[expect(clippy::ref_option, reason = "serde passes it so")]
    pub(in super::super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.serialize_some(&super::number(*at)),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let nanoseconds = Option::<i64>::deserialize(from)?;
        let at = nanoseconds.map(super::time).transpose();
        at.map_err(serde::de::Error::custom)
    }
}
