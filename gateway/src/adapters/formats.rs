//! Every format that is read: those that are built in, one line each, and those that files declare. Whoever knows the topic or path goes before
//! those that go by shape; among these the order below decides, so the more particular shape stands first. A declared format of
//! this site goes before all, one that ships after all.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::declarative::Declared;
use super::format::{Claim, Format, Nothing, Recall};
use super::message::Message;

/// Those that are built in.
pub const BUILT_IN: &[&dyn Format] = &[
    &super::zigbee2mqtt::Zigbee2Mqtt,
    &super::vzenith::Vzenith,
    &super::hikvision::Hikvision,
    &super::dahua::Dahua,
    &super::gbt26875::Gbt26875,
    &super::sia_dc09::SiaDc09,
    &super::meokon::Meokon,
    &super::ctwing::Ctwing,
    &super::onenet::OneNet,
    &super::iot_cloud::IotCloud,
    &super::gb28181::Gb28181,
    &super::gat1400::Gat1400,
    &super::sparkplug_b::SparkplugB,
    &super::frigate::Frigate,
    &super::onvif_ej::OnvifEj,
    &super::onvif_xml::OnvifXml,
    &super::axis_mqtt::AxisMqtt,
    &super::tasmota::Tasmota,
    &super::shelly::Shelly,
    &super::homie5::Homie5,
    &super::zwave_js_ui::ZwaveJsUi,
    &super::home_assistant::HomeAssistant,
    &super::zkteco::Zkteco,
    &super::cloudevents::CloudEvents,
    &super::thingsboard::ThingsBoard,
    &super::osdp::Osdp,
    &super::openmqttgateway::OpenMqttGateway,
    &super::rtl_433::Rtl433,
    &super::esphome::EspHome,
    &super::chirpstack::ChirpStack,
    &super::uhppoted::Uhppoted,
    &super::plate_recognizer::PlateRecognizer,
    &super::openalpr::Openalpr,
    &super::axis_lpr::AxisLpr,
    &super::esp_rfid::EspRfid,
    &super::lorawan_codec::LorawanCodec,
];

/// All formats as they are now; those of files change while the hub runs. A copy is the same set.
#[derive(Clone, Default)]
pub struct Formats(Arc<ArcSwap<Set>>);

/// The declared ones.
#[derive(Default)]
pub struct Set {
    /// Of files of this site.
    pub own: Vec<Arc<Declared>>,
    /// Of files that ship; without those that one of this site replaces.
    pub shipped: Vec<Arc<Declared>>,
    /// Names of files that were refused.
    pub refused: Vec<String>,
}

/// A format that was found.
#[derive(Clone)]
pub enum Found {
    /// One that is built in.
    BuiltIn(&'static dyn Format),
    /// One of a file; it stays as it was, whatever becomes of the file.
    Declared(Arc<Declared>),
}

impl Deref for Found {
    type Target = dyn Format;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::BuiltIn(format) => *format,
            Self::Declared(declared) => declared.as_ref(),
        }
    }
}

impl Set {
    /// All formats, in the order in which they are asked.
    pub fn all(&self) -> impl Iterator<Item = Found> {
        let declared = |declared: &Arc<Declared>| Found::Declared(Arc::clone(declared));
        let built_in = BUILT_IN.iter().copied().map(Found::BuiltIn);
        self.own
            .iter()
            .map(declared)
            .chain(built_in)
            .chain(self.shipped.iter().map(declared))
    }

    fn refs(&self) -> impl Iterator<Item = Ref<'_>> {
        let built_in = BUILT_IN.iter().copied().map(Ref::BuiltIn);
        self.own
            .iter()
            .map(Ref::Declared)
            .chain(built_in)
            .chain(self.shipped.iter().map(Ref::Declared))
    }
}

/// A format that is looked at.
#[derive(Clone, Copy)]
enum Ref<'a> {
    BuiltIn(&'static dyn Format),
    Declared(&'a Arc<Declared>),
}

impl Ref<'_> {
    fn format(&self) -> &dyn Format {
        match self {
            Self::BuiltIn(format) => *format,
            Self::Declared(declared) => declared.as_ref(),
        }
    }

    fn found(self) -> Found {
        match self {
            Self::BuiltIn(format) => Found::BuiltIn(format),
            Self::Declared(declared) => Found::Declared(Arc::clone(declared)),
        }
    }
}

impl Formats {
    /// With these declared ones.
    pub fn new(set: Set) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(set)))
    }

    /// From now on with these.
    pub fn replace(&self, set: Set) {
        self.0.store(Arc::new(set));
    }

    /// As they are now.
    pub fn now(&self) -> Arc<Set> {
        self.0.load_full()
    }

    /// The format that a message belongs to, when nothing is known of its sender.
    pub fn of(&self, message: &Message<'_>, only: &[String]) -> Option<Found> {
        self.of_sender(message, only, &Nothing)
    }

    /// The format that a message belongs to: the first that is sure of topic or path, else the first that knows the shape. `only` names
    /// the formats that the sender may speak; all where it is empty.
    pub fn of_sender(
        &self,
        message: &Message<'_>,
        only: &[String],
        recall: &dyn Recall,
    ) -> Option<Found> {
        let set = self.0.load();
        let mut by_shape = None;
        for one in set.refs() {
            let format = one.format();
            if !only.is_empty() && !only.iter().any(|name| name == format.name()) {
                continue;
            }
            if only.len() == 1 && format.claims_all_of_its_bridge() {
                return Some(one.found());
            }
            match format.claim_learnt(message, recall) {
                Claim::Address => return Some(one.found()),
                Claim::Shape if by_shape.is_none() => by_shape = Some(one),
                Claim::Shape | Claim::No => {}
            }
        }
        by_shape.map(Ref::found)
    }

    /// The format that is sure of a message.
    pub fn sure(&self, message: &Message<'_>) -> Option<Found> {
        let set = self.0.load();
        let mut all = set.refs();
        let sure = all.find(|one| one.format().claim(message) == Claim::Address);
        sure.map(Ref::found)
    }
}

/// Whether a format that is built in has this name.
pub fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|format| format.name() == name)
}

#[cfg(test)]
pub(super) mod tests {
    use domain::Timestamp;
    use jiff::tz::TimeZone;

    use super::Formats;
    use crate::adapters::draft::Reading;
    use crate::adapters::format::Nothing;
    use crate::adapters::message::{Door, Message};

    /// What the format that claims a message makes of it.
    pub(in crate::adapters) fn reading(door: Door<'_>, payload: &str) -> Reading {
        let zone = TimeZone::UTC;
        let message = Message::new(door, payload.as_bytes(), Timestamp::UNIX_EPOCH, &zone);
        let formats = Formats::default();
        let format = formats
            .of(&message, &[])
            .unwrap_or_else(|| panic!("no format claims {payload}"));
        let read = format.read(&message, &Nothing);
        read.unwrap_or_else(|reject| panic!("{payload}: {}", reject.detail))
    }

    #[test]
    fn who_says_nothing_new_has_spoken_all_the_same() {
        let mqtt = |topic: &'static str, payload: &'static str, who: &'static str| {
            let retain = false;
            (Door::Mqtt { topic, retain }, payload, who)
        };
        let http = |target: &'static str, payload: &'static str, who: &'static str| {
            (Door::Http { target }, payload, who)
        };
        let vzenith = "device_name=IVS&ipaddr=10.1.1.9&port=80&user_name=admin&pass_wd=admin&serialno=5eb1f4e2-8c7a09d3&channel_num=0";
        for (door, payload, who) in [
            mqtt(
                "device/5eb1/message/up/keep_alive",
                r#"{"id":"1","sn":"5eb1","name":"keep_alive","timestamp":1764237600,"payload":{"type":"keep_alive","body":{}}}"#,
                "5eb1",
            ),
            mqtt("device/5eb1/message/up/keep_alive", "\0\0", "5eb1"),
            http("/", vzenith, "5eb1f4e2-8c7a09d3"),
            http(
                "/",
                r#"{"device_name":"IVS","ipaddr":"10.1.1.9","port":80,"user_name":"admin","pass_wd":"admin","serialno":"5eb1","channel_num":0}"#,
                "5eb1",
            ),
            http("/iclock/getrequest?SN=ABC1", "", "ABC1"),
            http(
                "/VIID/System/Keepalive",
                r#"{"KeepaliveObject":{"DeviceID":"33010100001190000001"}}"#,
                "33010100001190000001",
            ),
            http(
                "/",
                r#"{"ipAddress":"10.1.1.7","dateTime":"2026-11-27T10:00:00+08:00","activePostCount":1,"eventType":"heartBeat","eventState":"active","eventDescription":"heartBeat"}"#,
                "10.1.1.7",
            ),
            http(
                "/",
                r#"{"messageType":"dataReport","deviceId":"d1","timestamp":1764237600000,"payload":{"serviceData":{"signal":-80}}}"#,
                "d1",
            ),
            mqtt(
                "application/a1/device/0101010101010101/event/up",
                r#"{"deviceInfo":{"devEui":"0101010101010101"},"fPort":1,"data":"AQ=="}"#,
                "0101010101010101",
            ),
            mqtt(
                "tele/kitchen/STATE",
                r#"{"Time":"2026-11-27T10:00:00","Heap":30}"#,
                "kitchen",
            ),
            mqtt(
                "shellypro1-a1/events/rpc",
                r#"{"src":"shellypro1-a1","method":"NotifyStatus","params":{"ts":1764237600.1,"wifi":{"rssi":-60}}}"#,
                "shellypro1-a1",
            ),
            mqtt(
                "zwave/nodeID_5/128/0/level",
                r#"{"time":1764237600000,"value":81}"#,
                "nodeID_5",
            ),
            mqtt(
                "zigbee2mqtt/hall",
                r#"{"temperature":21.5,"linkquality":80}"#,
                "hall",
            ),
            mqtt("homie/5/hub-1/sensor/temperature", "21.5", "hub-1"),
            mqtt("kitchen/sensor/temperature/state", "21.5", "kitchen"),
            mqtt(
                "rtl_433/host/events",
                r#"{"time":"2026-11-27 10:00:00","model":"Acurite-Tower","id":123,"temperature_C":21}"#,
                "Acurite-Tower/123",
            ),
            (
                Door::Tcp { protocol: "dc09" },
                "\n00000013\"NULL\"0000L0#1234[]\r",
                "1234",
            ),
        ] {
            let read = reading(door, payload);
            assert_eq!(read.drafts, [], "{payload}");
            assert_eq!(read.spoke, [who], "{payload}");
        }
        // the will of a device is not its word, nor what somebody asks of it
        for (topic, payload) in [
            ("tele/kitchen/LWT", "Offline"),
            ("cmnd/kitchen/POWER", "ON"),
            ("shellypro1-a1/online", "false"),
            ("kitchen/status", "offline"),
            ("homie/5/hub-1/$state", "lost"),
        ] {
            let retain = false;
            let read = reading(Door::Mqtt { topic, retain }, payload);
            assert_eq!(read.spoke, [""; 0], "{topic}");
        }
    }
}
