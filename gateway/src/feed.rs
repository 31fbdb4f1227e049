//! Incidents for other systems: follows the live feed and offers each changed incident to
//! `ssg/v1/{site}/_gw/incident/{department}`, once for every department that takes part.

use domain::Revision;
use serde::Deserialize;
use store::state::State;
use tokio_util::sync::CancellationToken;

use crate::exchange::Exchange;

/// Rows read at a time.
const PAGE: u32 = 200;

#[derive(Deserialize)]
struct Incident {
    site: String,
    departments: Vec<String>,
}

/// Follows the feed from now on. Who was not connected asks the API for what it missed: what is offered is a hint, not delivery.
///
/// # Errors
/// A state database that cannot be read.
pub async fn run(state: State, exchange: Exchange, stop: CancellationToken) -> anyhow::Result<()> {
    let mut hint = state.hint();
    let mut after: Revision = *hint.borrow_and_update();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = hint.changed() => if changed.is_err() { return Ok(()) },
        }
        let upto = *hint.borrow_and_update();
        if !exchange.has_listeners() {
            after = upto;
            continue;
        }
        while after < upto {
            let page = state.feed_after(after, PAGE).await?;
            let Some(last) = page.last() else {
                after = upto;
                break;
            };
            after = last.revision;
            for row in page.iter().filter(|row| row.kind == "incident") {
                let Ok(incident) = serde_json::from_str::<Incident>(&row.json) else {
                    continue;
                };
                for department in &incident.departments {
                    let topic = format!("ssg/v1/{}/_gw/incident/{department}", incident.site);
                    exchange.offer(&topic, row.json.clone().into());
                }
            }
        }
    }
}
