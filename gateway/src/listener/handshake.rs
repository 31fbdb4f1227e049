//! From a socket to an authenticated connection: the first packet, and the answer to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Shared;
use super::acl::{Principal, PrincipalKind};
use super::codec::{self, ConnAck, Connect, Fault, Packet, Version};
use super::connection::{Connection, Terms};
use super::transport::{Peer, Stream};
use crate::exchange::{Arrival, Session};

/// Longest client id of a client that is no device.
const CLIENT_ID_BYTES_MAX: usize = 64;

/// Answers in CONNACK, as (code of 3.1.1, reason of 5.0).
#[derive(Clone, Copy)]
struct Refusal(u8, u8);

const BAD_ID: Refusal = Refusal(0x02, 0x85);
const BAD_LOGIN: Refusal = Refusal(0x04, 0x86);
const NOT_AUTHORISED: Refusal = Refusal(0x05, 0x87);
const UNSUPPORTED: Refusal = Refusal(0x01, 0x84);
const UNAVAILABLE: Refusal = Refusal(0x03, 0x88);
const BAD_METHOD: Refusal = Refusal(0x05, 0x8c);

/// Reads the CONNECT, decides, answers. The caller limits the time. An error says why there is no connection.
pub(super) async fn run(
    mut socket: Stream,
    peer: Peer,
    shared: &Arc<Shared>,
) -> Result<Connection, String> {
    let mut buffer = BytesMut::with_capacity(256);
    let connect = loop {
        match codec::decode(&mut buffer, None, shared.limits.packet_bytes_max) {
            Ok(Some(Packet::Connect(connect))) => break connect,
            Ok(Some(_)) => return Err("the first packet is not a CONNECT".to_owned()),
            Ok(None) => {}
            Err(Fault { code, what }) => {
                if code == 0x84 {
                    refuse(&mut socket, Version::V4, UNSUPPORTED).await;
                }
                return Err(what);
            }
        }
        // a client that announces much and sends little costs what it has sent
        let read = socket.read_buf(&mut buffer).await;
        if read.map_err(|e| e.to_string())? == 0 {
            return Err("closed before CONNECT".to_owned());
        }
    };
    let version = connect.version;
    let (principal, client) = match admit(&connect, &peer, shared).await {
        Ok(admitted) => admitted,
        Err((refusal, what)) => {
            refuse(&mut socket, version, refusal).await;
            return Err(what);
        }
    };
    let (epoch, gone) = shared.presence.enter(&principal.id, &client);
    let Ok((session, present)) = attach(&connect, &principal, &client, epoch, shared).await else {
        shared.presence.leave(&principal.id, &client, epoch);
        refuse(&mut socket, version, UNAVAILABLE).await;
        return Err("the exchange is not available".to_owned());
    };
    let keep_alive_s = keep_alive(&connect, shared);
    let mut answer = BytesMut::new();
    let expiry_s = expiry(&connect, shared);
    let said = ConnAck {
        session_present: present,
        session_expiry_s: (expiry_s != connect.session_expiry_s).then_some(expiry_s),
        receive_maximum: shared.limits.receive_maximum,
        packet_bytes_max: u32::try_from(shared.limits.packet_bytes_max).unwrap_or(u32::MAX),
        assigned_client: connect.client.is_empty().then(|| client.clone()),
        topic_alias_max: shared.limits.topic_alias_maximum,
        keep_alive_s: (keep_alive_s != connect.keep_alive_s).then_some(keep_alive_s),
    };
    codec::connack(&mut answer, version, &said);
    let is_told = socket.write_all(&answer).await.is_ok();
    if is_told && !matches!(principal.kind, PrincipalKind::Integration) {
        let from = peer.address.to_string();
        shared
            .notes
            .presence(&principal.id, epoch, "online", "connect", &from)
            .await;
    }
    let terms = Terms {
        version,
        patience: Duration::from_secs(u64::from(keep_alive_s)).mul_f64(1.5),
        receive_maximum: connect.receive_maximum,
        packet_bytes_max: connect.packet_bytes_max,
        topic_alias_max: connect.topic_alias_max,
        wants_reasons: connect.wants_reasons,
        expiry_s,
    };
    let connection = Connection::new(
        Arc::clone(shared),
        socket,
        peer.address,
        buffer,
        terms,
        principal,
        client,
        epoch,
        gone,
        session,
    );
    if is_told {
        return Ok(connection);
    }
    connection.abandon().await;
    Err("closed before CONNACK".to_owned())
}

/// The session, where there is one before the first SUBSCRIBE: kept from before, to be kept, or with a will.
async fn attach(
    connect: &Connect,
    principal: &Principal,
    client: &str,
    epoch: u64,
    shared: &Shared,
) -> Result<(Option<Arc<Session>>, bool), crate::exchange::Unavailable> {
    let expiry_s = expiry(connect, shared);
    let is_needed =
        expiry_s > 0 || connect.will.is_some() || shared.exchange.knows(&principal.id, client);
    if !is_needed {
        return Ok((None, false));
    }
    let arrival = Arrival {
        account: principal.id.clone(),
        client: client.to_owned(),
        epoch,
        clean_start: connect.clean_start,
        expiry_s,
        will: connect.will.clone(),
    };
    let attached = shared.exchange.attach(arrival).await?;
    Ok((Some(attached.session), attached.present))
}

fn expiry(connect: &Connect, shared: &Shared) -> u32 {
    connect
        .session_expiry_s
        .min(shared.limits.session_expiry_s_max)
}

/// Version 5 lets the server decide (§3.2.2.3.14); 3.1.1 does not, and there 0 means for ever.
fn keep_alive(connect: &Connect, shared: &Shared) -> u16 {
    let most = shared.limits.keep_alive_s_max;
    match connect.version {
        Version::V5 if connect.keep_alive_s == 0 => most,
        Version::V5 => connect.keep_alive_s.min(most),
        Version::V4 => connect.keep_alive_s,
    }
}

/// Who may come in, and under which client id.
async fn admit(
    connect: &Connect,
    peer: &Peer,
    shared: &Shared,
) -> Result<(Arc<Principal>, String), (Refusal, String)> {
    if connect.wants_auth {
        return Err((BAD_METHOD, "an authentication method".to_owned()));
    }
    let by_certificate = match &peer.certificate {
        None => None,
        Some(certificate) => {
            let Some(principal) = shared.directory.of_certificate(certificate) else {
                let who = peer.address.ip().to_string();
                let what = format!(
                    "a good certificate in the name of `{}`, which has no account",
                    certificate.common_name
                );
                shared.notes.refused(&who, "certificate", &what, "").await;
                return Err((NOT_AUTHORISED, what));
            };
            Some(principal)
        }
    };
    let address = peer.address.ip().to_string();
    let principal = match (&connect.login, &connect.secret, by_certificate) {
        (None, None, Some(principal)) => principal,
        (Some(login), secret, by_certificate) => {
            let secret = secret.as_deref().unwrap_or_default();
            let Some(principal) = shared.directory.authenticate(login, secret) else {
                let delay = shared.guesses.wrong(peer.address.ip(), Instant::now());
                tokio::time::sleep(delay).await;
                let login: String = login.chars().take(64).filter(|c| !c.is_control()).collect();
                let what = format!("wrong log-in or secret for `{login}` from {address}");
                shared.notes.refused(&address, "auth", &what, "").await;
                return Err((BAD_LOGIN, what));
            };
            if by_certificate.is_some_and(|owner| owner.id != principal.id) {
                let what = format!("`{}` came with the certificate of another", principal.id);
                shared
                    .notes
                    .refused(&principal.id, "certificate", &what, "")
                    .await;
                return Err((NOT_AUTHORISED, what));
            }
            principal
        }
        _ => {
            let what = "a client without a log-in".to_owned();
            shared.notes.refused(&address, "auth", &what, "").await;
            return Err((BAD_LOGIN, what));
        }
    };
    let Some(client) = client_id(connect, &principal) else {
        let client: String = connect.client.chars().take(64).collect();
        let what = format!(
            "`{}` came with client id `{client}` (hint: a device's client id is its own id; others use letters, digits, - and _)",
            principal.id
        );
        shared
            .notes
            .refused(&principal.id, "client_id", &what, "")
            .await;
        return Err((BAD_ID, what));
    };
    if let Some(will) = &connect.will
        && !principal.may_publish(&will.topic)
    {
        let what = format!("`{}` may not leave a will there", principal.id);
        shared
            .notes
            .refused(&principal.id, "acl_will", &what, &will.topic)
            .await;
        return Err((NOT_AUTHORISED, what));
    }
    Ok((principal, client))
}

/// The client id that holds; none when the client may not use the one that it sent. A device has one name, so an empty id is its own;
/// others get one made up, which in 3.1.1 is good for a clean session only (3.1.1 §3.1.3.1).
fn client_id(connect: &Connect, principal: &Principal) -> Option<String> {
    let client = &connect.client;
    match &principal.kind {
        PrincipalKind::Device { device, .. } => {
            (client.is_empty() || client == device.as_str()).then(|| device.as_str().to_owned())
        }
        PrincipalKind::Integration | PrincipalKind::Bridge if client.is_empty() => {
            let is_fine = connect.version == Version::V5 || connect.clean_start;
            is_fine.then(|| format!("auto-{:016x}", rand::random::<u64>()))
        }
        PrincipalKind::Integration | PrincipalKind::Bridge => {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (client.len() <= CLIENT_ID_BYTES_MAX && client.bytes().all(is_plain))
                .then(|| client.clone())
        }
    }
}

async fn refuse(socket: &mut Stream, version: Version, Refusal(code, reason): Refusal) {
    let packet: &[u8] = match version {
        Version::V4 => &[0x20, 2, 0, code],
        Version::V5 => &[0x20, 3, 0, reason, 0],
    };
    // it is being turned away: whether it hears why is its own affair
    let _ = socket.write_all(packet).await;
}
