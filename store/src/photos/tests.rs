//! Photos on a real disk.

use super::*;

/// A PNG of two pixels with so many bytes of data, and something that must not be kept.
fn photo(seed: u8, data: usize) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], contents: &[u8]| {
        let length = u32::try_from(contents.len()).expect("small").to_be_bytes();
        [&length[..], kind, contents, &[0; 4]].concat()
    };
    let head = [0, 0, 0, 1, 0, 0, 0, 2, 8, 2, 0, 0, 0];
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &head),
        chunk(b"tEXt", b"where I live"),
        chunk(b"IDAT", &vec![seed; data]),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn name(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(2_000_000_000 + second).expect("in range")
}

async fn put(room: &Room, bytes: &[u8], name: &str, now: Timestamp) -> Result<Kept, PhotoError> {
    let mut upload = room.begin(SentFor::Report, now).await?;
    for piece in bytes.chunks(1000) {
        upload.push(piece).await?;
    }
    room.keep(upload, name, now).await
}

fn files(dir: &Path) -> usize {
    let folders = std::fs::read_dir(dir).expect("lists");
    folders
        .map(|f| {
            std::fs::read_dir(f.expect("an entry").path())
                .expect("lists")
                .count()
        })
        .sum()
}

#[tokio::test]
async fn a_photo_is_kept_stripped_private_and_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let room = Room::open(dir.path(), &[]).expect("opens");
    let sent = photo(1, 5000);
    let is_new = put(&room, &sent, &name(&sent), at(0)).await.expect("kept");
    let again = put(&room, &sent, &name(&sent), at(1)).await.expect("kept");
    assert_eq!((is_new.is_new, again.is_new), (true, false));
    assert_eq!(is_new.stored, again.stored);
    let (kind, kept) = room
        .read(&name(&sent))
        .await
        .expect("reads")
        .expect("is there");
    assert_eq!((kind, name(&kept)), (Kind::Png, is_new.stored));
    assert!(!kept.windows(5).any(|w| w == b"where"));
    let path = room.path(&name(&sent));
    let mode = |path: &Path| {
        std::fs::metadata(path)
            .expect("is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode(&path), mode(path.parent().expect("a folder"))),
        (0o600, 0o700)
    );
    assert_eq!(files(dir.path()), 1, "nothing else is left");
    assert_eq!(room.read("../../etc/passwd").await.expect("asked"), None);
}

#[tokio::test]
async fn what_is_not_as_named_too_large_or_no_picture_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let room = Room::open(dir.path(), &[]).expect("opens");
    let sent = photo(1, 5000);
    let wrong = put(&room, &sent, &"ab".repeat(32), at(0)).await;
    assert!(matches!(wrong, Err(PhotoError::WrongHash { is }) if is == name(&sent)));
    let html = b"<html><script>alert(1)</script>";
    let bad = put(&room, html, &name(html), at(0)).await;
    assert!(matches!(bad, Err(PhotoError::Bad(BadPicture::Unknown))));
    let large = photo(1, 6 << 20);
    let large = put(&room, &large, &name(&large), at(0)).await;
    assert!(matches!(large, Err(PhotoError::TooLarge)));
    assert_eq!(files(dir.path()), 0);
}

#[tokio::test]
async fn what_no_report_names_goes_after_a_day_and_what_one_names_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let room = Room::open(dir.path(), &[]).expect("opens");
    let (one, two, three) = (photo(1, 10), photo(2, 10), photo(3, 10));
    let names = [name(&one), name(&two), name(&three)];
    for (bytes, name) in [&one, &two, &three].into_iter().zip(&names) {
        put(&room, bytes, name, at(0)).await.expect("kept");
    }
    let pinned = room
        .pin(&names[..1])
        .await
        .expect("asked")
        .expect("all there");
    assert_eq!(pinned.stored(&names[0]).map(str::len), Some(64));
    pinned.named();
    let held = room
        .pin(&names[1..2])
        .await
        .expect("asked")
        .expect("all there");
    let day = LOOSE_KEPT.as_secs().cast_signed();
    assert!(room.overdue(at(day - 1)).is_empty());
    assert_eq!(
        room.overdue(at(day)),
        names[2..],
        "one is named, one is about to be"
    );
    assert_eq!(room.discard(&names, &[]).expect("thrown away"), 1);
    assert!(room.has(&names[0]) && room.has(&names[1]) && !room.has(&names[2]));
    drop(held);
    assert_eq!(room.overdue(at(day)), names[1..2]);
    assert_eq!(
        room.discard(&names[1..2], &names[1..2]).expect("asked"),
        0,
        "a report names it after all"
    );
    let missing = room
        .pin(&names)
        .await
        .expect("asked")
        .expect_err("one is gone");
    assert_eq!(missing, names[2..]);
    room.loosen(&names[..1], at(5));
    assert_eq!(room.overdue(at(5)), names[..1]);
}

#[tokio::test]
async fn a_start_knows_again_which_photos_nobody_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let (one, two) = (photo(1, 10), photo(2, 10));
    let names = [name(&one), name(&two)];
    {
        let room = Room::open(dir.path(), &[]).expect("opens");
        put(&room, &one, &names[0], at(0)).await.expect("kept");
        put(&room, &two, &names[1], at(0)).await.expect("kept");
        std::fs::write(dir.path().join("tmp/7"), b"half").expect("written");
    }
    let room = Room::open(dir.path(), &names[..1]).expect("opens");
    assert_eq!(files(dir.path()), 2, "what was on its way is gone");
    let far = Timestamp::MAX;
    assert_eq!(room.overdue(far), names[1..]);
}

#[tokio::test]
async fn photos_that_wait_have_a_bound_and_the_oldest_make_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let room = Room::open(dir.path(), &[]).expect("opens");
    let first = photo(1, 10);
    put(&room, &first, &name(&first), at(0))
        .await
        .expect("kept");
    {
        let mut inner = room.shared.inner.lock();
        let loose = inner.loose.get_mut(&name(&first)).expect("waits");
        loose.bytes = LOOSE_BYTES_MAX;
    }
    let second = photo(2, 10);
    let full = put(&room, &second, &name(&second), at(60)).await;
    assert!(matches!(&full, Err(e) if e.is_no_room()), "{full:?}");
    assert!(room.has(&name(&first)), "it may be named any moment");
    put(&room, &second, &name(&second), at(600))
        .await
        .expect("kept");
    assert!(!room.has(&name(&first)) && room.has(&name(&second)));
}
