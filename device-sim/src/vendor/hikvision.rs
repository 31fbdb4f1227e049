//! Hikvision cameras and door controllers, as they push to a listening host over HTTP (ISAPI): plates as multipart with XML and
//! pictures, passages as multipart with JSON, and `videoloss inactive` as the heartbeat. A door is opened by
//! `PUT /ISAPI/AccessControl/RemoteControl/door/1` at the device's own port, see [`isapi`](super::isapi).
//!
//! Devices are named by their address (`10.31.4.7`).

use std::time::Duration;

use domain::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::json;

use super::{Happening, Obedience, Ordered, Unknown, Vendor};
use crate::wire::Said;

/// Between the parts of a body.
const BOUNDARY: &str = "MIME_boundary";
/// The smallest picture that is one.
const JPEG: &[u8] = &[
    0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xff, 0xd9,
];
/// Where the host is told to listen.
const PATH: &str = "/hik/events";
/// A door opens for so long.
const OPEN_FOR: Duration = Duration::from_secs(5);
/// Path of the doors of a controller.
const DOORS: &str = "/ISAPI/AccessControl/RemoteControl/door/";

/// Devices behind one address of a host.
#[derive(Debug)]
pub struct Hikvision {
    devices: Vec<String>,
    serial: u64,
}

impl Hikvision {
    /// Devices with these addresses; the first is also the door controller that listens.
    pub fn new(devices: Vec<String>) -> Self {
        Self { devices, serial: 0 }
    }

    /// A passage or a state of a door (major type 5), or an operation of one (3), by its minor type.
    fn access(
        &mut self,
        device: &str,
        (major, minor): (u32, u32),
        card: Option<&str>,
        now: Timestamp,
    ) -> Said {
        self.serial += 1;
        let mut event = json!({"deviceName": "Door", "majorEventType": major, "subEventType": minor, "cardReaderNo": 1, "doorNo": 1,
            "serialNo": self.serial, "currentVerifyMode": "cardOrFace", "attendanceStatus": "undefined", "mask": "unknown"});
        if let Some(card) = card {
            event["cardNo"] = card.into();
            event["employeeNoString"] = "2204".into();
        }
        let body = json!({"ipAddress": device, "portNo": 80, "protocol": "HTTP", "macAddress": "a4:14:37:00:5e:77", "channelID": 1,
            "dateTime": date_time(now), "activePostCount": 1, "eventType": "AccessControllerEvent", "eventState": "active",
            "eventDescription": "Access Controller Event", "AccessControllerEvent": event});
        let json = body.to_string();
        form(&[Part::new(
            "event_log",
            None,
            "application/json",
            json.as_bytes(),
        )])
    }

    fn plate(&mut self, device: &str, plate: &str, now: Timestamp) -> Said {
        self.serial += 1;
        let color = if plate.chars().count() > 7 {
            "green"
        } else {
            "blue"
        };
        let anpr = format!(
            "<ANPR><licensePlate>{}</licensePlate><line>1</line><direction>forward</direction><confidenceLevel>96</confidenceLevel>\
            <plateColor>{color}</plateColor><vehicleType>vehicle</vehicleType><vehicleListName>otherList</vehicleListName></ANPR>\
            <UUID>5f0c9a77-{:08}</UUID><picNum>1</picNum><isDataRetransmission>false</isDataRetransmission>",
            escaped(plate),
            self.serial
        );
        let xml = alert(device, "ANPR", "active", &anpr, now);
        form(&[
            Part::new(
                "anpr.xml",
                Some("anpr.xml"),
                "application/xml",
                xml.as_bytes(),
            ),
            Part::new(
                "licensePlatePicture.jpg",
                Some("licensePlatePicture.jpg"),
                "image/jpeg",
                JPEG,
            ),
        ])
    }

    fn smart(device: &str, event: &str, is_there: bool, now: Timestamp) -> Said {
        let state = if is_there { "active" } else { "inactive" };
        Said {
            content_type: Some("application/xml; charset=\"UTF-8\"".to_owned()),
            ..Said::bytes(PATH, alert(device, event, state, "", now))
        }
    }
}

impl Vendor for Hikvision {
    fn again(&mut self, now: Timestamp) -> Vec<Said> {
        let heartbeat = |device: &String| Self::smart(device, "videoloss", false, now);
        self.devices.iter().map(heartbeat).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "card", "refused", "held", "forced", "plate", "smoke", "clear",
        ]
    }

    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown> {
        let (device, value) = (happening.device.as_str(), happening.value.as_deref());
        let said = match happening.what.as_str() {
            "card" => self.access(device, (5, 1), Some(value.unwrap_or("3141592653")), now),
            "refused" => self.access(device, (5, 9), Some(value.unwrap_or("3141592653")), now),
            "held" => self.access(device, (5, 28), None, now),
            "forced" => self.access(device, (5, 27), None, now),
            "plate" => self.plate(device, value.unwrap_or("浙G8K123"), now),
            "smoke" | "clear" => {
                Self::smart(device, "smokeDetection", happening.what == "smoke", now)
            }
            _ => return Err(Unknown(self.words())),
        };
        Ok(vec![said])
    }

    /// A request to the device's own port whose sender is known already.
    fn hear(
        &mut self,
        to: &str,
        payload: &[u8],
        obedience: &Obedience,
        now: Timestamp,
    ) -> Option<Ordered> {
        to.strip_prefix(DOORS)?.parse::<u32>().ok()?;
        let body = String::from_utf8_lossy(payload);
        let command = body
            .split_once("<cmd>")?
            .1
            .split_once("</cmd>")?
            .0
            .trim()
            .to_owned();
        // minor types of what the door says then: opened from afar and locked again; always open, always closed
        let (minor, over) = match command.as_str() {
            "open" => (1024, Some(22)),
            "alwaysOpen" => (1026, None),
            "close" | "alwaysClose" => (1027, None),
            _ => return None,
        };
        let device = self.devices.first().cloned().unwrap_or_default();
        let mut ordered = Ordered {
            device: device.clone(),
            command,
            is_done: *obedience == Obedience::Does,
            says: Vec::new(),
        };
        if ordered.is_done {
            ordered
                .says
                .push((Duration::ZERO, self.access(&device, (3, minor), None, now)));
            if let Some(minor) = over {
                ordered
                    .says
                    .push((OPEN_FOR, self.access(&device, (5, minor), None, now)));
            }
        }
        Some(ordered)
    }
}

/// A notification in XML.
fn alert(device: &str, event: &str, state: &str, more: &str, now: Timestamp) -> String {
    let count = i32::from(state == "active");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EventNotificationAlert version=\"2.0\" xmlns=\"http://www.hikvision.com/ver20/XMLSchema\">\n\
        <ipAddress>{}</ipAddress>\n<portNo>80</portNo>\n<protocol>HTTP</protocol>\n<macAddress>a4:14:37:00:5e:01</macAddress>\n\
        <channelID>1</channelID>\n<dateTime>{}</dateTime>\n<activePostCount>{count}</activePostCount>\n<eventType>{event}</eventType>\n\
        <eventState>{state}</eventState>\n<eventDescription>{event} alarm</eventDescription>\n{more}</EventNotificationAlert>\n",
        escaped(device),
        date_time(now)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// `2026-11-24T19:59:55+08:00`, as the device's clock shows it.
fn date_time(now: Timestamp) -> String {
    let wall = now.to_zoned(TimeZone::fixed(Offset::constant(8)));
    wall.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// One part of a form.
struct Part<'a> {
    name: &'a str,
    file: Option<&'a str>,
    kind: &'a str,
    content: &'a [u8],
}

impl<'a> Part<'a> {
    fn new(name: &'a str, file: Option<&'a str>, kind: &'a str, content: &'a [u8]) -> Self {
        Self {
            name,
            file,
            kind,
            content,
        }
    }
}

fn form(parts: &[Part<'_>]) -> Said {
    let mut body = Vec::new();
    for part in parts {
        let file = part
            .file
            .map(|file| format!("; filename=\"{file}\""))
            .unwrap_or_default();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            part.name,
            part.kind,
            part.content.len()
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Said {
        content_type: Some(format!("multipart/form-data; boundary={BOUNDARY}")),
        ..Said::bytes(PATH, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_byte_for_byte_what_a_camera_sends() {
        let said = form(&[
            Part::new("a.xml", Some("a.xml"), "application/xml", b"<A/>"),
            Part::new("b", None, "image/jpeg", b"\xff\xd8"),
        ]);
        let expect = b"--MIME_boundary\r\nContent-Disposition: form-data; name=\"a.xml\"; filename=\"a.xml\"\r\nContent-Type: application/xml\r\n\
            Content-Length: 4\r\n\r\n<A/>\r\n--MIME_boundary\r\nContent-Disposition: form-data; name=\"b\"\r\nContent-Type: image/jpeg\r\n\
            Content-Length: 2\r\n\r\n\xff\xd8\r\n--MIME_boundary--\r\n";
        assert_eq!(said.payload, expect);
    }

    #[test]
    fn a_clock_in_china_is_told_with_its_offset() {
        let at: Timestamp = "2026-11-24T11:59:55.7Z".parse().expect("a time");
        assert_eq!(date_time(at), "2026-11-24T19:59:55+08:00");
        let happening = "plate at 1s in 10.31.4.7 with 浙G<8K1"
            .parse()
            .expect("reads");
        let mut camera = Hikvision::new(vec!["10.31.4.7".to_owned()]);
        let said = camera.happen(&happening, at).expect("known");
        let text = String::from_utf8_lossy(&said[0].payload).into_owned();
        assert!(
            text.contains("<licensePlate>浙G&lt;8K1</licensePlate>"),
            "{text}"
        );
        assert!(text.contains("<dateTime>2026-11-24T19:59:55+08:00</dateTime>"));
    }

    #[test]
    fn a_door_opens_by_its_own_port_and_says_so() {
        let mut door = Hikvision::new(vec!["10.31.4.20".to_owned()]);
        let body = "<RemoteControlDoor version=\"2.0\"><cmd>open</cmd></RemoteControlDoor>";
        let path = format!("{DOORS}1");
        let mut hear = |path: &str, obedience: &Obedience| {
            door.hear(path, body.as_bytes(), obedience, Timestamp::UNIX_EPOCH)
        };
        let done = hear(&path, &Obedience::Does).expect("an order");
        assert!(done.is_done && done.command == "open");
        assert!(String::from_utf8_lossy(&done.says[0].1.payload).contains("\"majorEventType\":3"));
        assert_eq!(hear("/ISAPI/System/reboot", &Obedience::Does), None);
        assert!(!hear(&path, &Obedience::Lies).expect("an order").is_done);
    }
}
