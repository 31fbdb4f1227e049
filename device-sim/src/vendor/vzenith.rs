//! A Vzenith (臻识) plate reader at a barrier, over MQTT: `device/{sn}/message/up/{name}`, or the older `{sn}/device/message/up/{name}`; an
//! envelope `{id, sn, name, version, timestamp, payload}`, plates in base64 of UTF-8. It opens the barrier by `gpio_out` and
//! `gate_direct_open`, keeps its white list by `white_list_operator`, and answers each on `…/reply`. Layout: open.vzicloud.com/doc/mqtt.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use serde_json::{Value, json};

use super::{Happening, Obedience, Ordered, Unknown, Vendor};
use crate::wire::{Greeting, Said};

/// The boom is up so long after the relay has closed.
const RISES_IN: Duration = Duration::from_millis(800);
/// And goes down again after that, when it was opened for one car.
const FALLS_AFTER: Duration = Duration::from_secs(6);
/// The relay that raises the boom, and the one that lowers it.
const RAISE: i64 = 0;
const LOWER: i64 = 1;

/// A camera.
#[derive(Debug)]
pub struct Vzenith {
    sn: String,
    has_older_topics: bool,
    number: u64,
}

impl Vzenith {
    /// A camera with this serial number.
    pub fn new(sn: &str, has_older_topics: bool) -> Self {
        Self {
            sn: sn.to_owned(),
            has_older_topics,
            number: 0,
        }
    }

    fn topic(&self, direction: &str, name: &str) -> String {
        let sn = &self.sn;
        if self.has_older_topics {
            format!("{sn}/device/message/{direction}/{name}")
        } else {
            format!("device/{sn}/message/{direction}/{name}")
        }
    }

    /// A message of the camera's own. The older firmware wraps its payload in type and body.
    fn up(&mut self, name: &str, body: &Value, now: Timestamp) -> Said {
        self.number += 1;
        let payload = match (self.has_older_topics, name) {
            (true, _) => json!({"type": name, "body": body}),
            (false, "barr_gate_status" | "gpio_in") => json!({ "body": body }),
            _ => body.clone(),
        };
        let envelope = json!({"id": format!("sim{:013}", self.number), "bv": 12410, "sn": self.sn, "name": name, "version": "1.0",
            "timestamp": now.as_second(), "payload": payload});
        Said::json(self.topic("up", name), &envelope)
    }

    fn gate(&mut self, is_up: bool, now: Timestamp) -> Said {
        let body = json!({"connect_status": 1, "enable": 1, "gate_ctrl_id": 1, "gate_status": i32::from(is_up)});
        self.up("barr_gate_status", &body, now)
    }

    fn plate(&mut self, plate: &str, now: Timestamp) -> Said {
        let color = if plate.chars().count() > 7 { 5 } else { 1 };
        let micros = now.subsec_nanosecond() / 1000;
        let result = json!({"bright": 0, "carBright": 0, "carColor": 0, "colorType": color, "colorValue": 0, "confidence": 97,
            "direction": 4, "is_fake_plate": 0, "isoffline": 0, "license": STANDARD.encode(plate), "plateid": self.number + 1,
            "timeStamp": {"Timeval": {"sec": now.as_second(), "usec": micros}}, "timeUsed": 38_795, "triggerType": 8, "type": 1});
        let body = json!({"AlarmInfoPlate": {"channel": 0, "deviceName": STANDARD.encode(&self.sn), "ipaddr": "10.20.3.11",
            "result": {"PlateResult": result}, "serialno": self.sn, "user_data": ""}});
        self.up("ivs_result", &body, now)
    }

    fn reply(&self, name: &str, order: &Value, (code, msg): (u16, &str), now: Timestamp) -> Said {
        let body = json!({"id": order["id"], "sn": self.sn, "name": name, "version": "1.0", "timestamp": now.as_second(), "code": code,
            "msg": msg, "payload": null});
        Said::json(self.topic("down", &format!("{name}/reply")), &body)
    }
}

impl Vendor for Vzenith {
    fn greeting(&self) -> Greeting {
        Greeting {
            will: None,
            filters: vec![self.topic("down", "+")],
        }
    }

    fn arrive(&mut self, now: Timestamp) -> Vec<Said> {
        vec![self.gate(false, now)]
    }

    fn again(&mut self, now: Timestamp) -> Vec<Said> {
        vec![self.up("keep_alive", &json!({}), now)]
    }

    fn words(&self) -> &'static [&'static str] {
        &["plate", "open", "close", "input", "input-over"]
    }

    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown> {
        let said = match happening.what.as_str() {
            "plate" => {
                let plate = happening.value.as_deref().unwrap_or("浙G8K123");
                self.plate(plate, now)
            }
            "open" => self.gate(true, now),
            "close" => self.gate(false, now),
            // a contact of the fire alarm, or of a button, at the camera's first input
            "input" | "input-over" => {
                let value = i32::from(happening.what == "input");
                let body = json!({"AlarmGioIn": {"deviceName": "", "ipaddr": "10.20.3.11",
                    "result": {"TriggerResult": {"source": 0, "value": value}}, "serialno": self.sn}});
                self.up("gpio_in", &body, now)
            }
            _ => return Err(Unknown(self.words())),
        };
        Ok(vec![said])
    }

    fn hear(
        &mut self,
        to: &str,
        payload: &[u8],
        obedience: &Obedience,
        now: Timestamp,
    ) -> Option<Ordered> {
        let name = to.strip_prefix(self.topic("down", "").as_str())?;
        let order: Value = serde_json::from_slice(payload).ok()?;
        let body = match order["payload"]["body"].clone() {
            Value::Null => order["payload"].clone(),
            body => body,
        };
        let mut ordered = Ordered {
            device: self.sn.clone(),
            command: name.to_owned(),
            is_done: false,
            says: Vec::new(),
        };
        let moves = match name {
            "gate_direct_open" => Some(true),
            "gpio_out" => match body["io"].as_i64() {
                Some(RAISE) => Some(true),
                Some(LOWER) => Some(false),
                _ => {
                    let wrong = self.reply(name, &order, (400, "no such io"), now);
                    ordered.says.push((Duration::ZERO, wrong));
                    return Some(ordered);
                }
            },
            "white_list_operator" | "set_time" | "tts_voice" | "ivs_trigger" | "snapshot" => None,
            _ => return None,
        };
        if let Obedience::Refuses(reason) = obedience {
            let refused = self.reply(name, &order, (500, reason), now);
            ordered.says.push((Duration::ZERO, refused));
            return Some(ordered);
        }
        let reply = self.reply(name, &order, (200, "ok"), now);
        ordered.says.push((Duration::ZERO, reply));
        if *obedience == Obedience::Lies {
            return Some(ordered);
        }
        ordered.is_done = true;
        if let Some(is_up) = moves {
            ordered.says.push((RISES_IN, self.gate(is_up, now)));
            // value 2 closes the relay for a moment, for one car; 1 keeps it closed
            if is_up && body["value"].as_i64() != Some(1) {
                ordered.says.push((FALLS_AFTER, self.gate(false, now)));
            }
        }
        Some(ordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(said: &Said) -> Value {
        serde_json::from_slice(&said.payload).expect("JSON")
    }

    #[test]
    fn a_plate_is_base64_in_both_orders_of_topics() {
        let at: Timestamp = "2026-11-27T08:00:00.250Z".parse().expect("a time");
        let happening = "plate at 1s in gate with 赣GZ7S13".parse().expect("reads");
        let said = Vzenith::new("sn-1", false)
            .happen(&happening, at)
            .expect("known");
        assert_eq!(said[0].to, "device/sn-1/message/up/ivs_result");
        let result = &body(&said[0])["payload"]["AlarmInfoPlate"]["result"]["PlateResult"];
        assert_eq!(result["license"], "6LWjR1o3UzEz");
        assert_eq!(
            result["timeStamp"]["Timeval"],
            json!({"sec": at.as_second(), "usec": 250_000})
        );
        let older = Vzenith::new("sn-1", true)
            .happen(&happening, at)
            .expect("known");
        assert_eq!(older[0].to, "sn-1/device/message/up/ivs_result");
        assert_eq!(body(&older[0])["payload"]["type"], "ivs_result");
    }

    #[test]
    fn the_boom_rises_for_a_pulse_and_falls_again() {
        let mut camera = Vzenith::new("sn-1", false);
        let order = json!({"id": "x7", "payload": {"type": "gpio_out", "body": {"io": 0, "value": 2, "delay": 500}}}).to_string();
        let topic = "device/sn-1/message/down/gpio_out";
        let mut hear = |obedience: &Obedience| {
            camera
                .hear(topic, order.as_bytes(), obedience, Timestamp::UNIX_EPOCH)
                .expect("an order")
        };
        let done = hear(&Obedience::Does);
        assert_eq!(done.says[0].1.to, "device/sn-1/message/down/gpio_out/reply");
        assert_eq!(
            (&body(&done.says[0].1)["id"], &body(&done.says[0].1)["code"]),
            (&json!("x7"), &json!(200))
        );
        let gates: Vec<_> = done.says[1..]
            .iter()
            .map(|(_, said)| body(said)["payload"]["body"]["gate_status"].clone())
            .collect();
        assert_eq!(gates, [1, 0]);
        let refused = hear(&Obedience::Refuses("locked".to_owned()));
        assert_eq!(
            (refused.is_done, &body(&refused.says[0].1)["code"]),
            (false, &json!(500))
        );
        let lied = hear(&Obedience::Lies);
        assert_eq!((lied.is_done, lied.says.len()), (false, 1));
        assert_eq!(
            camera.hear(
                "device/sn-2/message/down/gpio_out",
                b"{}",
                &Obedience::Does,
                Timestamp::UNIX_EPOCH
            ),
            None
        );
    }
}
