//! Photos of incidents: named in the command's transaction, held by the incident, gone with it and not before.

use std::path::Path;

use domain::IncidentId;
use domain::incident::{Evidence, EvidenceKind, IncidentState, Verb};
use sha2::{Digest as _, Sha256};

use super::fixture::{Hub, at, command};
use crate::photos::{Room, SentFor};
use crate::state::{CommandError, EVIDENCE_PHOTOS_MAX, IncidentView, NewHold};

const DAY_S: i64 = 86_400;

/// A PNG of two pixels.
fn photo(seed: usize) -> (String, Vec<u8>) {
    let chunk = |kind: &[u8; 4], contents: &[u8]| {
        let length = u32::try_from(contents.len()).expect("small").to_be_bytes();
        [&length[..], kind, contents, &[0; 4]].concat()
    };
    let bytes = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 2, 8, 2, 0, 0, 0]),
        chunk(b"IDAT", &seed.to_be_bytes()),
        chunk(b"IEND", &[]),
    ]
    .concat();
    (hex::encode(Sha256::digest(&bytes)), bytes)
}

fn room(dir: &Path) -> Room {
    Room::open(dir, &[]).expect("opens")
}

async fn send(room: &Room, seed: usize) -> String {
    let (name, bytes) = photo(seed);
    let mut upload = room
        .begin(SentFor::Incident, at(0))
        .await
        .expect("has room");
    upload.push(&bytes).await.expect("written");
    room.keep(upload, &name, at(0)).await.expect("kept");
    name
}

/// A note that shows photos, in that second.
async fn show(
    hub: &Hub,
    room: &Room,
    id: IncidentId,
    names: &[String],
    second: i64,
) -> Result<IncidentView, CommandError> {
    let photos = room.pin(names).await.expect("asked").expect("all there");
    let evidence = names.iter().map(|name| Evidence {
        kind: EvidenceKind::Photo,
        reference: name.clone(),
    });
    let note = domain::incident::Command {
        evidence: evidence.collect(),
        at: at(second),
        ..command(Verb::Note, "chen", Some("fire"))
    };
    let version = hub.view(id).await.item.version;
    let key = format!("{second}-{}", names.concat());
    hub.state
        .command_with_photos(id, version, &key[..key.len().min(128)], note, photos)
        .await
}

async fn names(hub: &Hub, id: IncidentId) -> Vec<String> {
    let photos = hub.state.photos_of(id).await.expect("reads");
    photos.into_iter().map(|photo| photo.name).collect()
}

#[tokio::test]
async fn what_an_incident_names_is_held_and_outlives_a_crash() {
    let (hub, dir) = (
        Hub::start().await,
        tempfile::tempdir().expect("a directory"),
    );
    let photos = room(dir.path());
    let id = hub.open_incident().await;
    let (one, loose) = (send(&photos, 1).await, send(&photos, 2).await);
    show(&hub, &photos, id, std::slice::from_ref(&one), 20)
        .await
        .expect("taken");
    let hub = hub.crash().await;
    let photos =
        Room::open(dir.path(), &hub.state.photo_names().await.expect("reads")).expect("opens");
    let item = &hub.state.photos_of(id).await.expect("reads")[0];
    assert_eq!((&item.name, item.sent_by.as_str()), (&one, "chen"));
    // whatever waits for nothing goes after its day, whatever is named stays
    let later = domain::Timestamp::now();
    let later = later.saturating_add(jiff::SignedDuration::from_hours(48));
    assert_eq!(
        photos.overdue(later.expect("in range")),
        std::slice::from_ref(&loose)
    );
    assert!(hub.state.is_photo_named(&one).await.expect("reads"));
    assert!(!hub.state.is_photo_named(&loose).await.expect("reads"));
}

#[tokio::test]
async fn one_more_than_an_incident_keeps_is_refused_and_nothing_of_it_happens() {
    let (hub, dir) = (
        Hub::start().await,
        tempfile::tempdir().expect("a directory"),
    );
    let photos = room(dir.path());
    let id = hub.open_incident().await;
    let mut all = Vec::new();
    for seed in 0..=EVIDENCE_PHOTOS_MAX {
        all.push(send(&photos, seed).await);
    }
    for (n, eight) in all[..EVIDENCE_PHOTOS_MAX].chunks(8).enumerate() {
        let shown = show(&hub, &photos, id, eight, 20 + n as i64).await;
        shown.expect("taken");
    }
    let again = show(&hub, &photos, id, &all[..1], 40).await;
    again.expect("one that is there already is no more");
    let before = hub.view(id).await;
    let one_more = &all[EVIDENCE_PHOTOS_MAX..];
    let refused = show(&hub, &photos, id, one_more, 50).await;
    assert!(matches!(refused, Err(CommandError::Invalid { .. })));
    assert_eq!(hub.view(id).await, before);
    assert!(!hub.state.is_photo_named(&one_more[0]).await.expect("reads"));
}

#[tokio::test]
async fn photos_go_some_days_after_the_end_also_of_what_was_merged_and_not_while_another_names_them()
 {
    let (hub, dir) = (
        Hub::start().await,
        tempfile::tempdir().expect("a directory"),
    );
    let photos = room(dir.path());
    let (first, second) = (hub.open_incident().await, hub.open_incident().await);
    let open = hub.open_incident().await;
    let (own, shared) = (send(&photos, 1).await, send(&photos, 2).await);
    let both = [own.clone(), shared.clone()];
    show(&hub, &photos, first, &both, 20).await.expect("taken");
    show(&hub, &photos, open, &both[1..], 20)
        .await
        .expect("taken");
    let number = hub.view(second).await.item.number;
    let merge = domain::incident::Command {
        into: Some((second, number)),
        ..command(Verb::Merge, "wang", None)
    };
    hub.act(first, merge).await.expect("merged");
    assert_eq!(names(&hub, second).await.len(), 2, "they come along");

    let forget = async |days: i64| {
        let (before, now) = (at((days - 30) * DAY_S), at(days * DAY_S));
        let gone = hub.state.forget_evidence(before, now, 10).await;
        gone.expect("runs")
    };
    assert!(forget(400).await.is_empty(), "it is not over");
    hub.force(second).await;
    let close = domain::incident::Command {
        at: at(2 * DAY_S),
        ..command(Verb::Close, "wang", None)
    };
    hub.act(second, close).await.expect("closed");
    assert_eq!(hub.view(second).await.item.state, IncidentState::Closed);
    assert!(forget(31).await.is_empty(), "30 days are not over");
    let held = NewHold {
        login: "zhou".parse().expect("a login"),
        incident: second,
        reason: "诉讼".to_owned(),
        until: at(35 * DAY_S),
    };
    let held = hub.state.place_hold(held, at(32 * DAY_S)).await;
    held.expect("held");
    assert!(forget(33).await.is_empty(), "somebody holds it");
    assert_eq!(forget(36).await, [own], "the other is named elsewhere");
    assert!(names(&hub, second).await.is_empty());
    assert_eq!(names(&hub, open).await, [shared]);
    assert!(forget(37).await.is_empty(), "once");
    assert_eq!(hub.state.verify_audit().await.expect("reads").broken, None);
    // what is said of a closed incident later has its days too
    let late = send(&photos, 3).await;
    show(
        &hub,
        &photos,
        second,
        std::slice::from_ref(&late),
        40 * DAY_S,
    )
    .await
    .expect("taken");
    assert!(forget(69).await.is_empty());
    assert_eq!(forget(71).await, [late]);
}
