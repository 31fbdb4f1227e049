//! From a socket to an authenticated connection: the first packet, and the answer to it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Shared;
use super::acl::{self, Principal, PrincipalKind};
use super::codec::{self, Version};
use super::connection::{Connection, Will};
use super::transport::{Peer, Stream};

/// Whoever guesses waits this long for each answer.
const REFUSAL_DELAY: Duration = Duration::from_millis(250);

/// A CONNECT of either version.
struct Connect {
    version: Version,
    client: String,
    login: Option<(String, String)>,
    will: Option<Will>,
    keep_alive_s: u16,
    /// How much the client takes unacknowledged, and how large.
    receive_maximum: u16,
    packet_bytes_max: usize,
}

/// Answers in CONNACK, as (code of 3.1.1, reason of 5.0).
#[derive(Clone, Copy)]
struct Refusal(u8, u8);

const BAD_ID: Refusal = Refusal(0x02, 0x85);
const BAD_LOGIN: Refusal = Refusal(0x04, 0x86);
const NOT_AUTHORISED: Refusal = Refusal(0x05, 0x87);
const UNSUPPORTED: Refusal = Refusal(0x01, 0x84);

/// Reads the CONNECT, decides, answers. The caller limits the time. An error says why there is no connection.
pub(super) async fn run(
    mut socket: Stream,
    peer: Peer,
    shared: &Arc<Shared>,
) -> Result<Connection, String> {
    let mut buffer = BytesMut::with_capacity(4096);
    let packet = loop {
        if buffer.first().is_some_and(|first| *first != 0x10) {
            return Err("the first packet is not a CONNECT".to_owned());
        }
        match codec::frame(&buffer, shared.limits.packet_bytes_max) {
            Err(fault) => return Err(fault.what),
            Ok(Some((_, whole))) if buffer.len() >= whole => break buffer.split_to(whole),
            Ok(_) => {}
        }
        // a client that announces much and sends little costs what it has sent
        if socket
            .read_buf(&mut buffer)
            .await
            .map_err(|e| e.to_string())?
            == 0
        {
            return Err("closed before CONNECT".to_owned());
        }
    };
    let connect = match read(packet, shared.limits.packet_bytes_max) {
        Ok(connect) => connect,
        Err((version, what)) => {
            if let Some(version) = version {
                refuse(&mut socket, version, UNSUPPORTED).await;
            }
            return Err(what);
        }
    };
    let principal = match admit(&connect, &peer, shared).await {
        Ok(principal) => principal,
        Err((refusal, what)) => {
            refuse(&mut socket, connect.version, refusal).await;
            return Err(what);
        }
    };
    let mut answer = BytesMut::new();
    accept(&mut answer, &connect, shared);
    let (epoch, gone) = shared.presence.enter(&principal.id, &connect.client);
    if socket.write_all(&answer).await.is_err() {
        shared.presence.leave(&principal.id, &connect.client, epoch);
        return Err("closed before CONNACK".to_owned());
    }
    if matches!(principal.kind, PrincipalKind::Device { .. }) {
        shared
            .notes
            .presence(
                &principal.id,
                epoch,
                "online",
                "connect",
                &peer.address.to_string(),
            )
            .await;
    }
    Ok(Connection::new(
        Arc::clone(shared),
        socket,
        peer.address,
        buffer,
        connect.version,
        principal,
        connect.client,
        epoch,
        gone,
        connect.will,
        Duration::from_secs(u64::from(connect.keep_alive_s)).mul_f64(1.5),
        connect.receive_maximum,
        connect.packet_bytes_max,
    ))
}

/// Who may come in, and under which name.
async fn admit(
    connect: &Connect,
    peer: &Peer,
    shared: &Shared,
) -> Result<Arc<Principal>, (Refusal, String)> {
    let by_certificate = peer
        .certificate
        .as_ref()
        .and_then(|certificate| shared.directory.of_certificate(certificate));
    let by_login = connect.login.as_ref();
    let Some((login, secret)) = by_login else {
        if let Some(principal) = by_certificate {
            return may_connect(principal, connect, shared).await;
        }
        let what = "a client without a log-in".to_owned();
        shared
            .notes
            .refused(&peer.address.ip().to_string(), "auth", &what, "")
            .await;
        return Err((BAD_LOGIN, what));
    };
    let Some(principal) = shared.directory.authenticate(login, secret.as_bytes()) else {
        tokio::time::sleep(REFUSAL_DELAY).await;
        let login: String = login.chars().take(64).filter(|c| !c.is_control()).collect();
        let what = format!(
            "wrong log-in or secret for `{login}` from {}",
            peer.address.ip()
        );
        shared
            .notes
            .refused(&peer.address.ip().to_string(), "auth", &what, "")
            .await;
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
    may_connect(principal, connect, shared).await
}

/// Whether it may come under this client id and with this will.
async fn may_connect(
    principal: Arc<Principal>,
    connect: &Connect,
    shared: &Shared,
) -> Result<Arc<Principal>, (Refusal, String)> {
    let is_good_id = match &principal.kind {
        PrincipalKind::Device { device, .. } => connect.client == device.as_str(),
        PrincipalKind::Integration | PrincipalKind::Bridge => {
            (1..=64).contains(&connect.client.len())
                && connect
                    .client
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        }
    };
    if !is_good_id {
        let client: String = connect.client.chars().take(64).collect();
        let what = format!(
            "`{}` came with client id `{client}` (hint: a device's client id is its own id)",
            principal.id
        );
        shared
            .notes
            .refused(&principal.id, "client_id", &what, "")
            .await;
        return Err((BAD_ID, what));
    }
    if let Some(will) = &connect.will
        && (!acl::is_topic(&will.topic) || !principal.may_publish(&will.topic))
    {
        let what = format!("`{}` may not leave a will there", principal.id);
        shared
            .notes
            .refused(&principal.id, "acl_will", &what, &will.topic)
            .await;
        return Err((NOT_AUTHORISED, what));
    }
    Ok(principal)
}

async fn refuse(socket: &mut Stream, version: Version, Refusal(code, reason): Refusal) {
    let packet: &[u8] = match version {
        Version::V4 => &[0x20, 2, 0, code],
        Version::V5 => &[0x20, 3, 0, reason, 0],
    };
    // it is being turned away: whether it hears why is its own affair
    let _ = socket.write_all(packet).await;
}

fn accept(out: &mut BytesMut, connect: &Connect, shared: &Shared) {
    if connect.version == Version::V4 {
        out.extend_from_slice(&[0x20, 2, 0, 0]);
        return;
    }
    let properties = v5::ConnAckProperties {
        // sessions end with their connection here
        session_expiry_interval: Some(0),
        receive_max: Some(shared.limits.receive_maximum),
        max_qos: None,
        retain_available: None,
        max_packet_size: u32::try_from(shared.limits.packet_bytes_max).ok(),
        assigned_client_identifier: None,
        topic_alias_max: Some(0),
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: Some(0),
        shared_subscription_available: Some(0),
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    };
    let ack = v5::ConnAck {
        session_present: false,
        code: v5::ConnectReturnCode::Success,
        properties: Some(properties),
    };
    ack.write(out).expect("a CONNACK of ours is encoded");
}

/// Reads a CONNECT. An error says which version to answer in, if any, and what is wrong.
fn read(packet: BytesMut, bytes_max: usize) -> Result<Connect, (Option<Version>, String)> {
    let start = 1 + packet[1..].iter().position(|b| b & 0x80 == 0).unwrap_or(0) + 1;
    let head = packet
        .get(start..start + 8)
        .ok_or((None, "a CONNECT that is too short".to_owned()))?;
    if &head[..6] != b"\0\x04MQTT" {
        return Err((None, "not MQTT 3.1.1 or 5.0".to_owned()));
    }
    let (level, flags) = (head[6], head[7]);
    let version = match level {
        4 => Version::V4,
        5 => Version::V5,
        other => return Err((Some(Version::V4), format!("protocol level {other}"))),
    };
    if flags & 1 != 0 {
        return Err((None, "the reserved flag of CONNECT is set".to_owned()));
    }
    let mut stream = packet;
    let bad = |what: String| (None, what);
    match version {
        Version::V4 => {
            match v4::Packet::read(&mut stream, bytes_max).map_err(|e| bad(e.to_string()))? {
                v4::Packet::Connect(c) => Ok(Connect {
                    version,
                    client: c.client_id,
                    login: c.login.map(|l| (l.username, l.password)),
                    will: c.last_will.map(|w| Will {
                        topic: w.topic,
                        payload: w.message,
                        qos: w.qos as u8,
                        retain: w.retain,
                    }),
                    keep_alive_s: c.keep_alive,
                    receive_maximum: 64,
                    packet_bytes_max: usize::MAX,
                }),
                _ => Err(bad("not a CONNECT".to_owned())),
            }
        }
        Version::V5 => {
            let read = v5::Packet::read(&mut stream, u32::try_from(bytes_max).ok())
                .map_err(|e| bad(e.to_string()))?;
            let v5::Packet::Connect(c, will, login) = read else {
                return Err(bad("not a CONNECT".to_owned()));
            };
            let will = match will {
                None => None,
                Some(w) => Some(Will {
                    topic: String::from_utf8(w.topic.to_vec())
                        .map_err(|_| bad("the will's topic is not UTF-8".to_owned()))?,
                    payload: Bytes::copy_from_slice(&w.message),
                    qos: w.qos as u8,
                    retain: w.retain,
                }),
            };
            let properties = c.properties.as_ref();
            let receive_maximum = properties.and_then(|p| p.receive_maximum).unwrap_or(64);
            let packet_bytes_max = properties
                .and_then(|p| p.max_packet_size)
                .map_or(usize::MAX, |m| m as usize);
            if receive_maximum == 0 || packet_bytes_max == 0 {
                return Err(bad("a maximum of zero in CONNECT".to_owned()));
            }
            Ok(Connect {
                version,
                client: c.client_id,
                login: login.map(|l| (l.username, l.password)),
                will,
                keep_alive_s: c.keep_alive,
                receive_maximum: receive_maximum.min(64),
                packet_bytes_max,
            })
        }
    }
}
