//! Bytes of strangers that are taken apart: MQTT packets, and what native devices say.

use std::sync::LazyLock;

use bytes::BytesMut;
use domain::place::Registry;
use domain::{Seq, Timestamp, Uplink, UplinkFlags};
use gateway::adapters::{self, Bridges, Context, Memory};
use gateway::listener::codec::{self, Outgoing, Packet, Version};

/// Largest packet that the listener takes.
const PACKET_BYTES_MAX: usize = 65 << 10;

/// Everything that comes out of some bytes, as the connection takes it, and whether it ended in a fault.
fn taken(pieces: &[&[u8]], version: Option<Version>) -> (Vec<String>, bool) {
    let (mut buffer, mut packets) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let before = buffer.len();
            match codec::decode(&mut buffer, version, PACKET_BYTES_MAX) {
                Ok(None) => {
                    assert!(buffer.capacity() <= before.max(PACKET_BYTES_MAX) * 2 + 4096);
                    break;
                }
                Ok(Some(packet)) => {
                    assert!(buffer.len() < before, "a packet of no bytes");
                    if let (Packet::Publish(publish), Some(version)) = (&packet, version) {
                        again(publish, version);
                    }
                    packets.push(format!("{packet:?}"));
                }
                Err(_) => return (packets, true),
            }
        }
    }
    (packets, false)
}

/// What was published can be passed on, and means the same there.
fn again(publish: &codec::Publish, version: Version) {
    let mut out = BytesMut::new();
    let message = Outgoing {
        topic: &publish.topic,
        payload: &publish.payload,
        qos: publish.qos,
        id: publish.id,
        dup: publish.dup,
        retain: publish.retain,
        expiry_s: publish.expiry_s,
        alias: publish.alias,
        subscriptions: &[],
        forwarded: &publish.forwarded,
    };
    codec::publish(&mut out, version, &message);
    assert_eq!(out.len(), message.bytes(version));
    let back = codec::decode(&mut out, Some(version), PACKET_BYTES_MAX * 2);
    let Ok(Some(Packet::Publish(back))) = back else {
        panic!("{back:?} of {publish:?}");
    };
    assert_eq!(format!("{back:?}"), format!("{publish:?}"));
}

fn codec(version: Version, data: &[u8]) {
    // the first packet, of which nobody knows the version
    taken(&[data], None);
    let whole = taken(&[data], Some(version));
    // wherever the network cuts, the packets are the same
    let cut = data.first().map_or(0, |b| usize::from(*b) % data.len());
    let cut_up = taken(&[&data[..cut], &data[cut..]], Some(version));
    assert_eq!(whole, cut_up);
}

/// MQTT 3.1.1.
pub fn codec_v4(data: &[u8]) {
    codec(Version::V4, data);
}

/// MQTT 5.0.
pub fn codec_v5(data: &[u8]) {
    codec(Version::V5, data);
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    Registry::from_files(gateway::embedded::COMPOUND.iter().copied()).expect("it is what ships")
});

/// A native message: topic, line feed, payload. It becomes events, or goes to quarantine with a reason, or both; never nothing.
pub fn native(data: &[u8]) {
    let at = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let topic = String::from_utf8_lossy(&data[..at]).into_owned();
    let payload = data.get(at + 1..).unwrap_or_default().to_vec();
    let sender = topic.split('/').nth(3).unwrap_or_default().to_owned();
    let uplink = Uplink {
        received_at: Timestamp::from_second(1_800_000_000).expect("in range"),
        principal: sender,
        epoch: 1,
        flags: UplinkFlags::new(1),
        topic,
        payload: payload.into(),
        extra: None,
    };
    let context = Context {
        registry: &REGISTRY,
        bridges: &Bridges::default(),
    };
    let parsed = adapters::parse(Seq(1), &uplink, &context, &mut Memory::default());
    assert!(
        uplink.principal == domain::uplink::HUB
            || !parsed.events.is_empty()
            || parsed.reject.is_some(),
        "nothing came of {uplink:?}"
    );
    let again = adapters::parse(Seq(1), &uplink, &context, &mut Memory::default());
    assert_eq!(parsed.events, again.events, "a replay is the same");
}
