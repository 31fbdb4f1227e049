//! A broker that takes everything, acknowledges nothing and dies: what it was told must come again, with the same ids and in
//! the same order, once it acknowledges.

use std::time::Duration;

use bytes::BytesMut;
use device_sim::{Fleet, FleetConfig, Scenario, SimDevice};
use rumqttc::{
    ConnAck, ConnectReturnCode, Packet, PingResp, PubAck, QoS, SubAck, SubscribeReasonCode,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A connection, and what was read of it and not yet understood.
type Peer = (TcpStream, BytesMut);

async fn accept(listener: &TcpListener) -> Peer {
    let (stream, _) = listener.accept().await.expect("connects");
    (stream, BytesMut::new())
}

/// Reads from one connection until so many events have come, or the client leaves; gives their ids.
async fn take((stream, input): &mut Peer, acknowledge: bool, events: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < events {
        let mut output = BytesMut::new();
        match Packet::read(input, 1 << 20) {
            Ok(Packet::Connect(_)) => {
                ConnAck::new(ConnectReturnCode::Success, false)
                    .write(&mut output)
                    .expect("encodes");
            }
            Ok(Packet::Publish(publish)) => {
                if publish.topic.contains("/evt/") {
                    let body: Value = serde_json::from_slice(&publish.payload).expect("JSON");
                    ids.push(body["id"].as_str().expect("an id").to_owned());
                }
                if acknowledge && publish.pkid != 0 {
                    PubAck::new(publish.pkid)
                        .write(&mut output)
                        .expect("encodes");
                }
            }
            Ok(Packet::Subscribe(asked)) => {
                let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
                SubAck::new(asked.pkid, granted)
                    .write(&mut output)
                    .expect("encodes");
            }
            Ok(Packet::PingReq) => {
                PingResp.write(&mut output).expect("encodes");
            }
            Ok(Packet::Disconnect) => return ids,
            Ok(other) => panic!("unexpected {other:?}"),
            Err(_) => {
                if stream.read_buf(input).await.unwrap_or(0) == 0 {
                    return ids;
                }
            }
        }
        if stream.write_all(&output).await.is_err() {
            return ids;
        }
    }
    ids
}

#[tokio::test]
async fn what_was_sent_and_not_acknowledged_comes_again_with_the_same_ids() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = listener.local_addr().expect("an address").to_string();
    let device: SimDevice = serde_json::from_value(serde_json::json!(
        {"id": "smoke-1", "site": "q1", "class": "fire_sensor", "username": "u", "password": "p"}
    ))
    .expect("a device");
    let scenario = Scenario::parse(
        "smoke.toml",
        "title = \"t\"\n[[step]]\nat = \"100ms\"\ndevice = \"smoke-1\"\nkind = \"fire.smoke\"\ntimes = 12\nevery = \"10ms\"\n",
    )
    .expect("reads");
    let fleet = Fleet::new(FleetConfig::new(url, vec![device], scenario, 1)).expect("a fleet");
    let stop = CancellationToken::new();
    let progress = fleet.progress();
    let run = tokio::spawn(fleet.run(stop.clone()));

    let broker = async {
        let mut first = accept(&listener).await;
        // two of the eight places of its window are taken by `avail` and `meta`
        let lost = take(&mut first, false, 6).await;
        drop(first);
        let mut second = accept(&listener).await;
        let kept = take(&mut second, true, 12).await;
        let stopped = async {
            while progress.counts() != (12, 12) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        tokio::join!(take(&mut second, true, usize::MAX), stopped);
        (lost, kept)
    };
    let (lost, kept) = timeout(Duration::from_secs(20), broker)
        .await
        .expect("in time");
    assert_eq!(lost.len(), 6);
    assert_eq!(kept[..6], lost, "the same again, in the same order");
    let report = run.await.expect("ends");
    let acked: Vec<_> = report.acked.into_iter().map(|a| a.id).collect();
    assert_eq!(acked, kept, "each acknowledged once");
}
