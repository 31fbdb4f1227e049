//! Frigate, the network video recorder, over MQTT: `{base}/available` with its will, `{base}/events` with an object that comes, changes and
//! goes, `{base}/{camera}/motion` and counts. Layout: blakeblackshear/frigate@docs/docs/integrations/mqtt.md.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde_json::{Value, json};

use super::{Happening, Unknown, Vendor};
use crate::wire::{Greeting, Said};

/// A recorder and its cameras.
#[derive(Debug)]
pub struct Frigate {
    base: String,
    cameras: Vec<String>,
    /// Objects that are there, by camera and label.
    there: BTreeMap<(String, String), Value>,
    number: u32,
}

impl Frigate {
    /// A recorder below `base`.
    pub fn new(base: &str, cameras: Vec<String>) -> Self {
        Self {
            base: base.to_owned(),
            cameras,
            there: BTreeMap::new(),
            number: 0,
        }
    }

    fn available(&self, word: &str) -> Said {
        Said::bytes(format!("{}/available", self.base), word).retained()
    }

    fn event(&self, what: &str, before: &Value, after: &Value) -> Said {
        Said::json(
            format!("{}/events", self.base),
            &json!({"type": what, "before": before, "after": after}),
        )
    }

    fn word(&self, camera: &str, rest: &str, word: &str) -> Said {
        Said {
            qos: 0,
            ..Said::bytes(format!("{}/{camera}/{rest}", self.base), word)
        }
    }

    /// An object comes, looks better a moment later, and is there until it goes.
    fn comes(&mut self, camera: &str, label: &str, now: Timestamp) -> Vec<Said> {
        self.number += 1;
        let at = seconds(now);
        let id = format!("{at:.6}-sim{:03}", self.number);
        let first = json!({"id": id, "camera": camera, "frame_time": at, "snapshot_time": at, "label": label, "sub_label": null,
            "top_score": 0.81, "false_positive": false, "start_time": at, "end_time": null, "score": 0.81, "box": [410, 220, 500, 530],
            "area": 27_900, "region": [320, 160, 640, 480], "current_zones": ["gate"], "entered_zones": ["gate"], "has_snapshot": true,
            "has_clip": false, "stationary": false});
        let mut better = first.clone();
        better["score"] = json!(0.93);
        better["top_score"] = json!(0.93);
        better["frame_time"] = json!(at + 0.4);
        let said = vec![
            self.event("new", &first, &first),
            self.event("update", &first, &better),
            self.word(camera, label, "1"),
        ];
        self.there
            .insert((camera.to_owned(), label.to_owned()), better);
        said
    }

    fn goes(&mut self, camera: &str, label: &str, now: Timestamp) -> Vec<Said> {
        let Some(before) = self.there.remove(&(camera.to_owned(), label.to_owned())) else {
            return Vec::new();
        };
        let mut after = before.clone();
        after["end_time"] = json!(seconds(now));
        after["current_zones"] = json!([]);
        vec![
            self.event("end", &before, &after),
            self.word(camera, label, "0"),
        ]
    }
}

fn seconds(now: Timestamp) -> f64 {
    now.as_second() as f64 + f64::from(now.subsec_microsecond()) / 1e6
}

impl Vendor for Frigate {
    fn greeting(&self) -> Greeting {
        Greeting {
            will: Some(self.available("offline")),
            filters: Vec::new(),
        }
    }

    fn arrive(&mut self, _now: Timestamp) -> Vec<Said> {
        vec![self.available("online")]
    }

    fn again(&mut self, now: Timestamp) -> Vec<Said> {
        let mut said: Vec<Said> = self
            .cameras
            .iter()
            .map(|camera| self.word(camera, "status/detect", "online"))
            .collect();
        // an object that is still there is told of again, with nothing new but its picture
        for object in self.there.values() {
            let mut after = object.clone();
            after["frame_time"] = json!(seconds(now));
            said.push(self.event("update", object, &after));
        }
        said
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "person", "car", "fire", "smoke", "clear", "motion", "still", "plate",
        ]
    }

    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown> {
        let camera = happening.device.as_str();
        Ok(match happening.what.as_str() {
            label @ ("person" | "car" | "fire" | "smoke") => self.comes(camera, label, now),
            "clear" => {
                let labels = self.there.keys().filter(|(there, _)| there == camera);
                let labels: Vec<String> = labels.map(|(_, label)| label.clone()).collect();
                labels
                    .iter()
                    .flat_map(|label| self.goes(camera, label, now))
                    .collect()
            }
            "motion" => vec![self.word(camera, "motion", "ON")],
            "still" => vec![self.word(camera, "motion", "OFF")],
            "plate" => {
                self.number += 1;
                let at = seconds(now);
                let plate = happening.value.as_deref().unwrap_or("浙G8K123");
                let read = json!({"type": "lpr", "id": format!("{at:.6}-sim{:03}", self.number), "name": null, "plate": plate,
                    "score": 0.95, "camera": camera, "timestamp": at, "plate_box": [917, 487, 1029, 529]});
                vec![Said::json(
                    format!("{}/tracked_object_update", self.base),
                    &read,
                )]
            }
            _ => return Err(Unknown(self.words())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happen(recorder: &mut Frigate, text: &str) -> Vec<Value> {
        let at: Timestamp = "2026-11-27T08:00:00.250Z".parse().expect("a time");
        let said = recorder
            .happen(&text.parse().expect("reads"), at)
            .expect("known");
        let events = said.iter().filter(|said| said.to.ends_with("/events"));
        events
            .map(|said| serde_json::from_slice(&said.payload).expect("JSON"))
            .collect()
    }

    #[test]
    fn an_object_comes_changes_and_goes_under_one_id() {
        let mut recorder = Frigate::new("frigate", vec!["gate".to_owned()]);
        let came = happen(&mut recorder, "person at 1s in gate");
        let types: Vec<_> = came.iter().map(|event| event["type"].clone()).collect();
        assert_eq!(types, ["new", "update"]);
        let again = recorder.again(Timestamp::UNIX_EPOCH);
        assert_eq!(
            again.len(),
            2,
            "the camera, and the object that is still there"
        );
        let gone = happen(&mut recorder, "clear at 2s in gate");
        assert_eq!(
            (&gone[0]["type"], &gone[0]["after"]["id"]),
            (&json!("end"), &came[0]["after"]["id"])
        );
        assert!(happen(&mut recorder, "clear at 3s in gate").is_empty());
        assert_eq!(
            recorder.greeting().will.map(|will| will.payload),
            Some(b"offline".to_vec())
        );
    }
}
