//! Shelly devices of the second generation over MQTT: `{id}/events/rpc` with what has changed, `{id}/online` (its will), orders on `{id}/rpc`
//! answered on `{src}/rpc`. A device whose id has `smoke` in it is a smoke detector; all others are switches.

use std::time::Duration;

use domain::Timestamp;
use serde_json::{Value, json};

use super::{Happening, Obedience, Ordered, Unknown, Vendor};
use crate::wire::{Greeting, Said};

/// One device: each has a connection of its own.
#[derive(Debug)]
pub struct Shelly {
    id: String,
    is_on: bool,
    is_alarm: bool,
}

impl Shelly {
    /// A device with this id.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            is_on: false,
            is_alarm: false,
        }
    }

    fn is_smoke(&self) -> bool {
        self.id.contains("smoke")
    }

    /// A message with the components that have changed, or with all of them.
    fn notify(&self, method: &str, now: Timestamp) -> Said {
        let ts = now.as_millisecond() as f64 / 1e3;
        let params = if self.is_smoke() {
            json!({"ts": ts, "smoke:0": {"id": 0, "alarm": self.is_alarm, "mute": false}})
        } else {
            json!({"ts": ts, "switch:0": {"id": 0, "output": self.is_on, "source": "mqtt"}})
        };
        let body = json!({"src": self.id, "dst": format!("{}/events", self.id), "method": method, "params": params});
        Said::json(format!("{}/events/rpc", self.id), &body)
    }

    fn online(&self, word: &str) -> Said {
        Said::bytes(format!("{}/online", self.id), word).retained()
    }
}

impl Vendor for Shelly {
    fn greeting(&self) -> Greeting {
        Greeting {
            will: Some(self.online("false")),
            filters: vec![format!("{}/rpc", self.id)],
        }
    }

    fn arrive(&mut self, now: Timestamp) -> Vec<Said> {
        vec![self.online("true"), self.notify("NotifyFullStatus", now)]
    }

    fn again(&mut self, now: Timestamp) -> Vec<Said> {
        vec![self.notify("NotifyFullStatus", now)]
    }

    fn words(&self) -> &'static [&'static str] {
        if self.is_smoke() {
            &["smoke", "clear"]
        } else {
            &["on", "off"]
        }
    }

    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown> {
        match (happening.what.as_str(), self.is_smoke()) {
            ("smoke" | "clear", true) => self.is_alarm = happening.what == "smoke",
            ("on" | "off", false) => self.is_on = happening.what == "on",
            _ => return Err(Unknown(self.words())),
        }
        Ok(vec![self.notify("NotifyStatus", now)])
    }

    fn hear(
        &mut self,
        to: &str,
        payload: &[u8],
        obedience: &Obedience,
        now: Timestamp,
    ) -> Option<Ordered> {
        if to != format!("{}/rpc", self.id) {
            return None;
        }
        let order: Value = serde_json::from_slice(payload).ok()?;
        let method = order["method"].as_str()?.to_owned();
        let answer = |result: (&str, Value)| {
            let mut body = json!({"id": order["id"], "src": self.id, "dst": order["src"]});
            body[result.0] = result.1;
            let to = order["src"].as_str().map(|src| format!("{src}/rpc"));
            to.map(|to| (Duration::ZERO, Said::json(to, &body)))
        };
        let mut ordered = Ordered {
            device: self.id.clone(),
            command: method.clone(),
            is_done: false,
            says: Vec::new(),
        };
        let is_on = match (method.as_str(), self.is_smoke()) {
            ("Switch.Set", false) => order["params"]["on"].as_bool()?,
            ("Switch.Toggle", false) => !self.is_on,
            _ => {
                let error = json!({"code": 404, "message": format!("No handler for {method}")});
                ordered.says.extend(answer(("error", error)));
                return Some(ordered);
            }
        };
        if let Obedience::Refuses(reason) = obedience {
            let error = json!({"code": -109, "message": reason});
            ordered.says.extend(answer(("error", error)));
            return Some(ordered);
        }
        ordered
            .says
            .extend(answer(("result", json!({ "was_on": self.is_on }))));
        if *obedience == Obedience::Does {
            ordered.is_done = true;
            self.is_on = is_on;
            ordered
                .says
                .push((Duration::ZERO, self.notify("NotifyStatus", now)));
        }
        Some(ordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_set_and_says_so() {
        let mut switch = Shelly::new("shellyplus1-a1");
        let order = json!({"id": 7, "src": "desk", "method": "Switch.Set", "params": {"id": 0, "on": true}}).to_string();
        let mut hear = |obedience: &Obedience| {
            switch
                .hear(
                    "shellyplus1-a1/rpc",
                    order.as_bytes(),
                    obedience,
                    Timestamp::UNIX_EPOCH,
                )
                .expect("an order")
        };
        let body = |said: &Said| serde_json::from_slice::<Value>(&said.payload).expect("JSON");
        let lied = hear(&Obedience::Lies);
        assert_eq!((lied.is_done, lied.says.len()), (false, 1));
        let done = hear(&Obedience::Does);
        assert_eq!(done.says[0].1.to, "desk/rpc");
        assert_eq!(body(&done.says[0].1)["result"], json!({"was_on": false}));
        assert_eq!(body(&done.says[1].1)["params"]["switch:0"]["output"], true);
        let refused = hear(&Obedience::Refuses("overheated".to_owned()));
        assert_eq!(body(&refused.says[0].1)["error"]["message"], "overheated");
        let smoke = "smoke at 1s in x".parse().expect("reads");
        assert!(switch.happen(&smoke, Timestamp::UNIX_EPOCH).is_err());
    }
}
