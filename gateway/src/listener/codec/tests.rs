use proptest::prelude::*;

use super::*;

fn one(bytes: &[u8], version: Option<Version>) -> Result<Option<Packet>, Fault> {
    decode(&mut BytesMut::from(bytes), version, 1 << 16)
}

fn text(text: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(text.len())
        .expect("short")
        .to_be_bytes()
        .to_vec();
    out.extend_from_slice(text);
    out
}

fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![first, u8::try_from(body.len()).expect("below 128")];
    assert!(body.len() < 128);
    out.extend_from_slice(&body);
    out
}

/// What a PUBLISH of version 5 with these properties is.
fn with_properties(properties: &[u8]) -> Result<Option<Packet>, Fault> {
    let length = [u8::try_from(properties.len()).expect("short")];
    let bytes = packet(0x32, &[&text(b"a/b"), &[0, 7], &length, properties, b"x"]);
    one(&bytes, Some(Version::V5))
}

#[test]
fn properties_come_once_where_they_belong_and_mean_something() {
    for (properties, code, what) in [
        (&[0x01, 0, 0x01, 0][..], 0x82, "payload format twice"),
        (&[0x01, 2], 0x82, "payload format 2"),
        (&[0x0b, 1], 0x82, "a subscription id from a client"),
        (&[0x23, 0, 0], 0x94, "topic alias 0"),
        (&[0x21, 0, 1], 0x82, "receive maximum in PUBLISH"),
        (&[0x7f, 0], 0x82, "no property"),
        (&[0x02, 0, 0], 0x81, "an expiry that ends early"),
        (
            &[0x08, 0, 1, b'#'],
            0x82,
            "a response topic with a wildcard",
        ),
        (&[0x26, 0, 1, b'k'], 0x81, "a user property without value"),
        (&[0x03, 0, 1, 0], 0x81, "U+0000"),
    ] {
        let fault = with_properties(properties).expect_err(what);
        assert_eq!(fault.code, code, "{what}: {fault:?}");
    }
    let good = [
        0x26, 0, 1, b'k', 0, 1, b'v', 0x26, 0, 1, b'k', 0, 1, b'w', 0x02, 0, 0, 0, 9, 0x23, 0, 4,
    ];
    let Ok(Some(Packet::Publish(publish))) = with_properties(&good) else {
        panic!("it is well-formed");
    };
    assert_eq!((publish.expiry_s, publish.alias), (Some(9), Some(4)));
    assert_eq!(
        publish.forwarded.bytes()[..],
        good[..14],
        "user properties in order, and nothing else"
    );
}

#[test]
fn packets_that_break_the_rules_are_told_apart() {
    let v5 = Some(Version::V5);
    for (bytes, version, code) in [
        (&[0x10, 0][..], v5, 0x82),
        (&[0x20, 2, 0, 0], v5, 0x82),
        (&[0x36, 0], v5, 0x81),
        (&[0x38, 0], v5, 0x81),
        (&[0x41, 2, 0, 1], v5, 0x81),
        (&[0x40, 2, 0, 0], v5, 0x82),
        (&[0x80, 0], v5, 0x81),
        (&[0xf0, 0], v5, 0x82),
        (&[0x30, 0xff, 0xff, 0xff, 0xff, 1], v5, 0x81),
        (&[0x30, 0xff, 0xff, 0x7f], v5, 0x95),
        (&[0x82, 2, 0, 1], Some(Version::V4), 0x82),
        (&[0xc0, 1, 0], v5, 0x81),
        (&[0x30, 0], None, 0x82),
        (&[0x30, 2, 0, 0], Some(Version::V4), 0x82),
        (&[0x30, 3, 0, 1, b'#'], Some(Version::V4), 0x90),
        (&[0x30, 4, 0, 2, 0xc0, 0x80], Some(Version::V4), 0x81),
    ] {
        let fault = one(bytes, version).expect_err("it breaks a rule");
        assert_eq!(fault.code, code, "{bytes:x?}: {fault:?}");
    }
}

#[test]
fn a_connect_says_what_it_wants() {
    let will = [&[5, 0x18, 0, 0, 0, 7][..], &text(b"gone"), &text(b"bye")].concat();
    let bytes = packet(
        0x10,
        &[
            &text(b"MQTT"),
            &[5, 0b1110_1110, 0, 60],
            &[8, 0x11, 0, 0, 0, 9, 0x21, 0, 3],
            &text(b"c1"),
            &will,
            &text(b"me"),
            &text(b"secret"),
        ],
    );
    let Ok(Some(Packet::Connect(connect))) = one(&bytes, None) else {
        panic!("it is well-formed");
    };
    assert_eq!(
        (
            connect.client.as_str(),
            connect.login.as_deref(),
            connect.clean_start
        ),
        ("c1", Some("me"), true)
    );
    assert_eq!(
        (
            connect.session_expiry_s,
            connect.receive_maximum,
            connect.keep_alive_s
        ),
        (9, 3, 60)
    );
    let will = connect.will.expect("there is one");
    assert_eq!((will.delay_s, will.qos, will.retain), (7, 1, true));
    for cut in 1..bytes.len() {
        assert_eq!(one(&bytes[..cut], None), Ok(None), "cut at {cut}");
    }
}

fn forwarded() -> impl Strategy<Value = Forwarded> {
    proptest::collection::vec(("[a-z烟]{0,5}", "[ -~]{0,9}"), 0..4).prop_map(|pairs| {
        let bytes: Vec<u8> = pairs
            .iter()
            .flat_map(|(k, v)| [&[0x26][..], &text(k.as_bytes()), &text(v.as_bytes())].concat())
            .collect();
        Forwarded::from_kept(bytes.into())
    })
}

proptest! {
    #[test]
    fn what_is_sent_is_read_back(
        topic in "[a-z烟感/]{1,20}", payload in proptest::collection::vec(any::<u8>(), 0..400), qos in 0u8..3, id in 1u16..,
        dup in any::<bool>(), retain in any::<bool>(), expiry_s in proptest::option::of(any::<u32>()),
        alias in proptest::option::of(1u16..), forwarded in forwarded(), is_v5 in any::<bool>(), cut in any::<prop::sample::Index>(),
    ) {
        let version = if is_v5 { Version::V5 } else { Version::V4 };
        let out = Outgoing {
            topic: &topic, payload: &payload, qos, id, dup: dup && qos > 0, retain, expiry_s, alias, subscriptions: &[], forwarded: &forwarded,
        };
        let mut bytes = BytesMut::new();
        publish(&mut bytes, version, &out);
        prop_assert_eq!(bytes.len(), out.bytes(version));
        let part = cut.index(bytes.len());
        prop_assert_eq!(one(&bytes[..part], Some(version)), Ok(None));
        let expected = Publish {
            topic: topic.clone(), payload: payload.clone().into(), id: if qos > 0 { id } else { 0 }, qos, dup: dup && qos > 0, retain,
            alias: alias.filter(|_| is_v5), expiry_s: expiry_s.filter(|_| is_v5),
            forwarded: if is_v5 { forwarded.clone() } else { Forwarded::default() },
        };
        prop_assert_eq!(one(&bytes, Some(version)), Ok(Some(Packet::Publish(expected))));
    }

    #[test]
    fn any_bytes_are_a_packet_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..200), first in any::<u8>(), version in 0..3) {
        let version = [None, Some(Version::V4), Some(Version::V5)][version as usize];
        let mut whole = vec![first, u8::try_from(bytes.len().min(127)).expect("fits")];
        whole.extend_from_slice(&bytes);
        let mut stream = BytesMut::from(&whole[..]);
        while let Ok(Some(_)) = decode(&mut stream, version, 256) {}
    }
}
