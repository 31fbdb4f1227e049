//! The second step of a log-in: a code of the time (TOTP, RFC 6238: SHA-1, 30 s, six digits, as every app has it), or a recovery code.
//!
//! **Invariant:** a code is good once: the interval whose code was used last stands in the row, and earlier ones are refused.
//! **Invariant:** the secret leaves the hub once, when it is set up; it stands in no list, log, audit row or answer after that.

use domain::{Timestamp, UserId};
use hmac::{Hmac, Mac as _};
use serde::Serialize;
use sha1::Sha1;
use sqlx::SqliteConnection;
use subtle::ConstantTimeEq as _;

use super::State;
use super::audit::{self, Entry};
use super::error::StateError;
use super::token::kept;
use super::user::random_password;

/// Length of an interval.
const STEP_S: i64 = 30;
/// Intervals before and after the one that is now whose codes are taken: clocks of phones differ.
const SLACK: i64 = 1;
/// Recovery codes of one user.
const RECOVERY_CODES: usize = 10;
/// Bytes of a secret: as long as the hash (RFC 4226, section 4).
const SECRET_BYTES: usize = 20;

/// How the second step of a user's log-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SecondFactor {
    /// Logging in asks for a code.
    pub is_on: bool,
    /// Recovery codes that were not used.
    pub recovery_codes: u64,
}

/// Why the second step could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SecondFactorError {
    /// It is on.
    #[error("the second step is on already (hint: switch it off first)")]
    On,
    /// Nothing was begun.
    #[error("no second step is being set up (hint: begin again)")]
    NotBegun,
    /// The code is not the one that the app shows now.
    #[error("the code is not right (hint: the next one; is the phone's clock set by the network?)")]
    WrongCode,
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<sqlx::Error> for SecondFactorError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

/// The code of an interval.
fn code(secret: &[u8], step: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 0xf);
    let word = u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

/// The interval after the last one that was used whose code this is.
fn matching(secret: &[u8], asked: &str, last_step: i64, now: Timestamp) -> Option<i64> {
    let current = now.as_second().div_euclid(STEP_S);
    (current - SLACK..=current + SLACK)
        .filter(|step| *step > last_step)
        .find(|step| bool::from(code(secret, *step).as_bytes().ct_eq(asked.as_bytes())))
}

/// As apps take a secret: base 32 (RFC 4648) without padding.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut word = [0_u8; 8];
        word[3..3 + chunk.len()].copy_from_slice(chunk);
        let word = u64::from_be_bytes(word);
        let letters = (chunk.len() * 8).div_ceil(5);
        for n in 0..letters {
            let index = (word >> (35 - 5 * n)) & 31;
            text.push(char::from(LETTERS[index as usize]));
        }
    }
    text
}

/// As people type codes: with spaces, in capitals.
fn plain(asked: &str) -> String {
    asked
        .chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .take(64)
        .collect()
}

type Row = (String, Option<i64>, i64);

async fn row(connection: &mut SqliteConnection, login: &UserId) -> Result<Option<Row>, StateError> {
    Ok(
        sqlx::query_as(
            "SELECT secret, confirmed_at, last_step FROM second_factor WHERE login = $1",
        )
        .bind(login.as_str())
        .fetch_optional(connection)
        .await?,
    )
}

fn bytes(secret: &str) -> Result<Vec<u8>, StateError> {
    // what cannot be read is not printed: it is a secret
    hex::decode(secret).map_err(|_| StateError::damaged("second_factor.secret"))
}

async fn use_step(
    connection: &mut SqliteConnection,
    login: &UserId,
    step: i64,
) -> Result<(), StateError> {
    sqlx::query("UPDATE second_factor SET last_step = $1 WHERE login = $2")
        .bind(step)
        .bind(login.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes the second step away, recovery codes and all; says whether there was one.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    login: &UserId,
) -> Result<bool, StateError> {
    sqlx::query("DELETE FROM recovery_code WHERE login = $1")
        .bind(login.as_str())
        .execute(&mut *connection)
        .await?;
    let gone = sqlx::query("DELETE FROM second_factor WHERE login = $1")
        .bind(login.as_str())
        .execute(connection)
        .await?;
    Ok(gone.rows_affected() > 0)
}

impl State {
    /// How the second step of a user's log-in stands.
    pub async fn second_factor(&self, login: &UserId) -> Result<SecondFactor, StateError> {
        let mut snapshot = self.snapshot().await?;
        let is_on = row(&mut snapshot, login)
            .await?
            .is_some_and(|(_, confirmed_at, _)| confirmed_at.is_some());
        let codes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM recovery_code WHERE login = $1")
            .bind(login.as_str())
            .fetch_one(&mut *snapshot)
            .await?;
        Ok(SecondFactor {
            is_on,
            recovery_codes: codes.cast_unsigned(),
        })
    }

    /// Begins to set it up: gives out a secret in base 32. It asks nothing of anybody until a code has confirmed it.
    ///
    /// # Errors
    /// [`SecondFactorError::On`].
    pub async fn begin_second_factor(&self, login: &UserId) -> Result<String, SecondFactorError> {
        let secret: [u8; SECRET_BYTES] = rand::random();
        let mut tx = self.begin().await?;
        if row(&mut tx, login)
            .await?
            .is_some_and(|(_, confirmed_at, _)| confirmed_at.is_some())
        {
            return Err(SecondFactorError::On);
        }
        sqlx::query(
            "INSERT INTO second_factor (login, secret, last_step) VALUES ($1, $2, 0)
             ON CONFLICT (login) DO UPDATE SET secret = excluded.secret, last_step = 0",
        )
        .bind(login.as_str())
        .bind(hex::encode(secret))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(base32(&secret))
    }

    /// The app shows this code: from now on logging in asks for one. Gives out recovery codes, each good once; they cannot be read again.
    ///
    /// # Errors
    /// See [`SecondFactorError`].
    pub async fn confirm_second_factor(
        &self,
        login: &UserId,
        asked: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, SecondFactorError> {
        let mut tx = self.begin().await?;
        let (secret, last_step) = match row(&mut tx, login).await? {
            None => return Err(SecondFactorError::NotBegun),
            Some((_, Some(_), _)) => return Err(SecondFactorError::On),
            Some((secret, None, last_step)) => (bytes(&secret)?, last_step),
        };
        let step = matching(&secret, &plain(asked), last_step, now);
        let step = step.ok_or(SecondFactorError::WrongCode)?;
        sqlx::query("UPDATE second_factor SET confirmed_at = $1 WHERE login = $2")
            .bind(now.as_microsecond())
            .bind(login.as_str())
            .execute(&mut *tx)
            .await?;
        use_step(&mut tx, login, step).await?;
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| random_password()).collect();
        for code in &codes {
            sqlx::query("INSERT INTO recovery_code (code_hash, login) VALUES ($1, $2)")
                .bind(kept(code))
                .bind(login.as_str())
                .execute(&mut *tx)
                .await?;
        }
        let object = format!("account:{login}");
        let line = Entry::by(login, now, "set_second_factor", object, String::new());
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Whether this is a code that is good now, and was not used: after this it is used. A recovery code that was used stands in the audit trail.
    pub async fn use_second_factor(
        &self,
        login: &UserId,
        asked: &str,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let asked = plain(asked);
        let mut tx = self.begin().await?;
        let Some((secret, Some(_), last_step)) = row(&mut tx, login).await? else {
            return Ok(false);
        };
        if let Some(step) = matching(&bytes(&secret)?, &asked, last_step, now) {
            use_step(&mut tx, login, step).await?;
            tx.commit().await?;
            return Ok(true);
        }
        let used = sqlx::query("DELETE FROM recovery_code WHERE code_hash = $1 AND login = $2")
            .bind(kept(&asked))
            .bind(login.as_str())
            .execute(&mut *tx)
            .await?;
        if used.rows_affected() == 0 {
            return Ok(false);
        }
        let object = format!("account:{login}");
        let line = Entry::by(login, now, "use_recovery_code", object, String::new());
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Switches one's own second step off; says whether it was on.
    pub async fn end_second_factor(
        &self,
        login: &UserId,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let mut tx = self.begin().await?;
        if !remove(&mut tx, login).await? {
            return Ok(false);
        }
        let object = format!("account:{login}");
        let line = Entry::by(login, now, "end_second_factor", object, String::new());
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// What an app with this secret shows at a time.
#[cfg(test)]
pub(super) fn shown(secret: &str, now: Timestamp) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bytes = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for letter in secret.chars() {
        word = word << 5 | u32::try_from(LETTERS.find(letter).expect("base 32")).expect("small");
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 0xff).expect("a byte"));
        }
    }
    code(&bytes, now.as_second().div_euclid(STEP_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, for SHA-1; its eight digits end with our six.
    #[test]
    fn codes_are_those_of_the_standard() {
        for (second, digits) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(
                code(b"12345678901234567890", second / STEP_S),
                digits[2..],
                "{second}"
            );
        }
    }

    #[test]
    fn a_code_is_good_around_its_time_and_once() {
        let secret = b"12345678901234567890";
        let at = |second| Timestamp::from_second(second).expect("in range");
        let asked = "081804"; // of the interval that 1111111109 lies in
        let step = 1_111_111_109 / STEP_S;
        assert_eq!(matching(secret, asked, 0, at(1_111_111_109)), Some(step));
        assert_eq!(
            matching(secret, asked, 0, at(1_111_111_109 + 30)),
            Some(step)
        );
        assert_eq!(
            matching(secret, asked, 0, at(1_111_111_109 - 30)),
            Some(step)
        );
        assert_eq!(matching(secret, asked, 0, at(1_111_111_109 + 60)), None);
        assert_eq!(
            matching(secret, asked, step, at(1_111_111_109)),
            None,
            "used"
        );
        assert_eq!(matching(secret, "81804", 0, at(1_111_111_109)), None);
        assert_eq!(plain(" 081 804 "), asked);
    }

    #[test]
    fn secrets_are_written_as_apps_read_them() {
        // RFC 4648, section 10
        for (bytes, text) in [
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
