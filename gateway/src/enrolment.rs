//! Enrolment: an invited device comes with its token and gets credentials, or a certificate for the key that it has made.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{DeviceId, Timestamp};
use store::state::{Enrolled, OVERLAP, State};

use crate::accounts::{device_credential, random_secret};
use crate::authority::Authority;

/// Enrols the devices of the registry.
pub struct Enrolment {
    /// Where accounts and invitations are kept, and who may be invited.
    pub state: State,
    /// Signs what devices ask for; none when the hub has no authority of its own.
    pub authority: Option<Arc<Authority>>,
}

#[async_trait]
impl dashboard_api::Enrolment for Enrolment {
    fn knows(&self, device: &str) -> bool {
        let id = device.parse::<DeviceId>().ok();
        id.is_some_and(|id| self.state.registry().devices.contains_key(&id))
    }

    async fn enrol(
        &self,
        device: &str,
        token: &str,
        request: Option<&str>,
        now: Timestamp,
    ) -> Result<dashboard_api::Enrolled, dashboard_api::EnrolError> {
        use dashboard_api::EnrolError;
        let id = device.parse::<DeviceId>().ok();
        let registry = self.state.registry();
        let Some(registered) = id.and_then(|id| registry.devices.get(&id)) else {
            return Err(EnrolError::Refused);
        };
        let internal = |e: anyhow::Error| EnrolError::Internal(format!("{e:#}"));
        let secret = random_secret();
        let mut credential = device_credential(registered, &secret).map_err(internal)?;
        credential.created_at = now;
        let signed = match (request, &self.authority) {
            (None, _) => None,
            (Some(_), None) => {
                let what = "this hub signs no certificates (hint: leave `csr` out, or set `tls.own_authority`)";
                return Err(EnrolError::BadRequest(what.to_owned()));
            }
            (Some(request), Some(authority)) => {
                let signed = authority.sign(device, request, now);
                Some((
                    signed.map_err(|e| EnrolError::BadRequest(format!("`csr`: {e}")))?,
                    authority.pem().to_owned(),
                ))
            }
        };
        let enrolled = Enrolled {
            credential,
            certificate: signed.as_ref().map(|(signed, _)| signed.row.clone()),
        };
        if !self.state.enrol(token, enrolled, now).await? {
            return Err(EnrolError::Refused);
        }
        Ok(match signed {
            Some((signed, authority)) => dashboard_api::Enrolled {
                username: device.to_owned(),
                password: None,
                previous_until: None,
                certificate: Some(signed.pem),
                authority: Some(authority),
                not_after: Some(signed.row.not_after),
            },
            None => dashboard_api::Enrolled {
                username: device.to_owned(),
                password: Some(secret),
                previous_until: Some(now + OVERLAP),
                certificate: None,
                authority: None,
                not_after: None,
            },
        })
    }
}
