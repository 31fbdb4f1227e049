//! Snapshots: pictures of devices, shown with the incident whose events they belong to. A picture is opened by a link that says for whom, for
//! which incident and until when, signed by the hub; it opens nothing in anybody else's session, nor when it is over.
//!
//! **Invariant:** that a picture is shown is in the audit trail before it is: of a car or a face each time, of a place once for each person.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{IncidentId, Timestamp, UserId};
use serde_json::Value;
use store::photos;
use store::signature::SignatureKey;
use store::state::{Ground, IncidentView};

use super::incidents::found;
use super::photos::{note_shown, show};
use crate::auth::Caller;
use crate::schema::{IncidentSnapshot, Problem as ProblemSchema};
use crate::sight::Sight;
use crate::{Api, Problem, sight};

/// A link opens for at least as long, and for less than twice that; within it the same picture has the same link, so that a page that is asked
/// for again shows it without a second look.
const OPENS_S: i64 = 300;

/// What links are signed with.
pub(crate) struct LinkKey(SignatureKey);

impl LinkKey {
    pub(crate) fn of(secret: &[u8]) -> Self {
        Self(SignatureKey::of(secret, "links to snapshots"))
    }

    fn sign(&self, login: &UserId, link: &Link) -> String {
        let mac = self.0.sign(&said(login, link));
        format!("{}.{}.{}.{mac}", link.until_s, link.incident, link.name)
    }

    /// What a link says, if it was given to them.
    fn read(&self, login: &UserId, text: &str) -> Option<Link> {
        let mut parts = text.split('.');
        let (until_s, incident) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let name = parts.next().filter(|name| photos::is_name(name))?;
        let (mac, None) = (parts.next()?, parts.next()) else {
            return None;
        };
        let link = Link {
            incident,
            name: name.to_owned(),
            until_s,
        };
        self.0.is_of(&said(login, &link), mac).then_some(link)
    }
}

/// What is signed.
fn said(login: &UserId, link: &Link) -> String {
    let Link {
        incident,
        name,
        until_s,
    } = link;
    format!("snapshot\n{login}\n{incident}\n{name}\n{until_s}")
}

/// Which picture, of which incident, until when.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    incident: IncidentId,
    name: String,
    until_s: i64,
}

/// When links that are given now are over.
fn until_s(now: Timestamp) -> i64 {
    (now.as_second().div_euclid(OPENS_S) + 2) * OPENS_S
}

/// A snapshot of an incident, by the link that the incident has for it. The link is its caller's own and is over some minutes later. That it is
/// shown is written into the audit trail first.
#[utoipa::path(get, path = "/api/v1/snapshots/{link}", operation_id = "snapshot", tag = "incidents", params(("link" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"), (status = 403, body = ProblemSchema),
        (status = 404, body = ProblemSchema)))]
pub(crate) async fn get(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let (login, now) = (&caller.user.login, (api.deps.clock)());
    let Some(link) = api.link_key.read(login, &text) else {
        return Err(Problem::bad_link());
    };
    if link.until_s <= now.as_second() {
        return Err(Problem::link_over());
    }
    // whoever may no longer know of the incident is not told whether it is there
    let view = found(&api, &caller, link.incident)
        .await
        .map_err(|_| Problem::bad_link())?;
    let all = api.deps.state.snapshots_of(view.item.id).await?;
    let is_it = |one: &&store::state::SnapshotItem| one.name == link.name && one.refused.is_none();
    let Some(snapshot) = all.iter().filter(is_it).max_by_key(|one| one.shows) else {
        return Err(Problem::not_found("snapshot"));
    };
    let sight = Sight::of(&api, &caller).await?;
    match sight.snapshot_ground(&view.item, &api.deps.registry(), snapshot.shows) {
        None => return Err(Problem::bad_link()),
        Some(Ground::Photos) => note_shown(&api, &caller, view.item.id).await?,
        Some(ground) => {
            let state = &api.deps.state;
            state
                .note_shown_snapshot(login, view.item.id, (&link.name, &ground), now)
                .await?;
        }
    }
    show(&api, &link.name).await
}

/// The snapshots of an incident as this caller may see them, and whether one of them is masked. Whoever is shown no photos of it is not told of
/// any.
pub(super) async fn shown(
    api: &Api,
    caller: &Caller,
    view: &IncidentView,
    sight: &Sight<'_>,
) -> Result<(Value, bool), Problem> {
    let (registry, until_s) = (api.deps.registry(), until_s((api.deps.clock)()));
    let mut list = Vec::new();
    if sight::sees_photos(&caller.user, &view.item, &registry) {
        list = api.deps.state.snapshots_of(view.item.id).await?;
    }
    let expires_at = Timestamp::from_second(until_s).unwrap_or(Timestamp::MAX);
    let mut hides = false;
    let shown = list.into_iter().map(|one| {
        let ground = sight.snapshot_ground(&view.item, &registry, one.shows);
        let is_masked = ground.is_none();
        hides |= is_masked;
        let link = (!is_masked && one.refused.is_none()).then(|| {
            let link = Link {
                incident: view.item.id,
                name: one.name.clone(),
                until_s,
            };
            let text = api.link_key.sign(&caller.user.login, &link);
            format!("/api/v1/snapshots/{text}")
        });
        IncidentSnapshot {
            sha256: (!is_masked).then_some(one.name),
            device: one.device.to_string(),
            event: one.event,
            shows: one.shows.as_str().to_owned(),
            media_type: one.media_type,
            bytes: one.bytes,
            width: one.width,
            height: one.height,
            received_at: one.received_at.to_string(),
            refused: one.refused,
            is_masked,
            expires_at: link.as_ref().map(|_| expires_at.to_string()),
            url: link,
        }
    });
    let shown = serde_json::to_value(shown.collect::<Vec<_>>());
    let shown = shown.map_err(|e| Problem::broken(&e.to_string()))?;
    Ok((shown, hides))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_whose_it_was_made_for_and_of_nothing_else() {
        let (key, other) = (LinkKey::of(b"a"), LinkKey::of(b"b"));
        let login = |text: &str| -> UserId { text.parse().expect("a login") };
        let incident: IncidentId = "inc_0190000000007000800000000000000f"
            .parse()
            .expect("an id");
        let link = Link {
            incident,
            name: "a1".repeat(32),
            until_s: 1_800_000_000,
        };
        let text = key.sign(&login("fire"), &link);
        assert_eq!(key.read(&login("fire"), &text), Some(link));
        assert_eq!(key.read(&login("operator"), &text), None);
        assert_eq!(other.read(&login("fire"), &text), None, "of another hub");
        for forged in [
            text.replace("1800000000", "1900000000"),
            text.replace("a1a1", "a1a2"),
            text.replace("800f", "800e").replace("000f", "000e"),
            format!("{text}.more"),
            text[..text.len() - 1].to_owned(),
            String::new(),
            "none".to_owned(),
        ] {
            assert_eq!(key.read(&login("fire"), &forged), None, "{forged}");
        }
    }

    #[test]
    fn a_link_stays_the_same_for_a_while_and_opens_longer() {
        let until = |second| until_s(Timestamp::from_second(second).expect("in range"));
        assert_eq!(until(0), 600);
        assert_eq!(until(299), 600);
        assert_eq!(until(300), 900);
    }
}
