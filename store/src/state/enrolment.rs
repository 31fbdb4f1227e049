//! How a device gets its credentials: somebody invites it, it comes with the token, once. Certificates that were signed for it are on record.

use domain::Timestamp;
use jiff::SignedDuration;
use sqlx::SqliteConnection;
use subtle::ConstantTimeEq as _;

use super::State;
use super::audit::{self, Entry};
use super::credential::{self, Credential};
use super::error::StateError;
use super::incidents::time;
use super::token::kept;

/// How long an invitation is good.
pub const INVITATION_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long the secret before still opens after a rotation.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Wrong tokens after which an invitation is void.
const WRONG_MAX: i64 = 5;

/// A client certificate that the hub's own authority has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// The account that it stands for.
    pub login: String,
    /// SHA-256 over its DER bytes, in hexadecimal.
    pub fingerprint: String,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Its end.
    pub not_after: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// What an invited device gets.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The account. With a certificate an account that is there stays as it is.
    pub credential: Credential,
    /// The certificate that was signed for it.
    pub certificate: Option<CertificateRow>,
}

impl State {
    /// Invites a device and gives the token out: it cannot be read again. An earlier invitation of the device is void.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn invite(
        &self,
        device: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<(String, Timestamp), StateError> {
        let token = hex::encode(rand::random::<[u8; 16]>());
        let expires_at = at + INVITATION_LIFE;
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO enrolment (device, token_hash, expires_at, wrong) VALUES ($1, $2, $3, 0)
             ON CONFLICT (device) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at, wrong = 0",
        )
        .bind(device)
        .bind(kept(&token))
        .bind(expires_at.as_microsecond())
        .execute(&mut *tx)
        .await?;
        let line = Entry::admin(at, "invite", format!("credential:{device}"), by.to_owned());
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok((token, expires_at))
    }

    /// An invited device comes with its token: the token is used up, account and certificate are there, all or nothing. False when the
    /// token is wrong, used, or out of its time, or there is no invitation; the fifth wrong token voids the invitation.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn enrol(
        &self,
        token: &str,
        enrolled: Enrolled,
        at: Timestamp,
    ) -> Result<bool, StateError> {
        let device = enrolled.credential.login.clone();
        let mut tx = self.begin().await?;
        let is_good = use_token(&mut tx, &device, token, at).await?;
        let what = if is_good { "enrol" } else { "enrol_refused" };
        let mut detail = String::new();
        if is_good {
            let is_there = credential::secret_of(&mut tx, &device).await?.is_some();
            if enrolled.certificate.is_none() || !is_there {
                credential::rotate(&mut tx, &enrolled.credential, at + OVERLAP).await?;
            }
            if let Some(row) = &enrolled.certificate {
                put_certificate(&mut tx, row).await?;
                detail = format!("certificate {}", row.serial);
            }
        }
        let line = Entry::admin(at, what, format!("credential:{device}"), detail);
        audit::append(&mut tx, vec![line]).await?;
        tx.commit().await?;
        Ok(is_good)
    }

    /// Every certificate on record, the oldest first.
    pub async fn certificates(&self) -> Result<Vec<CertificateRow>, StateError> {
        type Columns = (String, String, String, i64, i64, Option<i64>);
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT serial, login, fingerprint, issued_at, not_after, revoked_at FROM certificate ORDER BY issued_at, serial",
        )
        .fetch_all(&self.shared.read)
        .await?;
        let row = |(serial, login, fingerprint, issued_at, not_after, revoked_at): Columns| {
            Ok(CertificateRow {
                serial,
                login,
                fingerprint,
                issued_at: time(issued_at)?,
                not_after: time(not_after)?,
                revoked_at: revoked_at.map(time).transpose()?,
            })
        };
        rows.into_iter().map(row).collect()
    }
}

async fn use_token(
    tx: &mut SqliteConnection,
    device: &str,
    token: &str,
    at: Timestamp,
) -> Result<bool, StateError> {
    let row: Option<(String, i64, i64)> =
        sqlx::query_as("SELECT token_hash, expires_at, wrong FROM enrolment WHERE device = $1")
            .bind(device)
            .fetch_optional(&mut *tx)
            .await?;
    let Some((hash, expires_at, wrong)) = row else {
        return Ok(false);
    };
    let is_right: bool = kept(token).as_bytes().ct_eq(hash.as_bytes()).into();
    let is_over = at.as_microsecond() >= expires_at;
    if is_right || is_over || wrong + 1 >= WRONG_MAX {
        sqlx::query("DELETE FROM enrolment WHERE device = $1")
            .bind(device)
            .execute(&mut *tx)
            .await?;
    } else {
        sqlx::query("UPDATE enrolment SET wrong = wrong + 1 WHERE device = $1")
            .bind(device)
            .execute(&mut *tx)
            .await?;
    }
    Ok(is_right && !is_over)
}

async fn put_certificate(
    tx: &mut SqliteConnection,
    row: &CertificateRow,
) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO certificate (serial, login, fingerprint, issued_at, not_after) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&row.serial)
    .bind(&row.login)
    .bind(&row.fingerprint)
    .bind(row.issued_at.as_microsecond())
    .bind(row.not_after.as_microsecond())
    .execute(tx)
    .await?;
    Ok(())
}

/// All certificates of an account are revoked.
pub(super) async fn revoke_certificates(
    tx: &mut SqliteConnection,
    login: &str,
    at: Timestamp,
) -> Result<u64, StateError> {
    let revoked = sqlx::query(
        "UPDATE certificate SET revoked_at = $2 WHERE login = $1 AND revoked_at IS NULL",
    )
    .bind(login)
    .bind(at.as_microsecond())
    .execute(tx)
    .await?;
    Ok(revoked.rows_affected())
}
