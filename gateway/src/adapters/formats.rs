//! Every format that this executable reads, one line each. Whoever knows the topic or path goes before those that go by shape; among
//! these the order below decides, so the more particular shape stands first.

use super::format::Format;

/// All of them.
pub const ALL: &[&dyn Format] = &[
    &super::zigbee2mqtt::Zigbee2Mqtt,
    &super::vzenith::Vzenith,
    &super::hikvision::Hikvision,
    &super::dahua::Dahua,
    &super::gbt26875::Gbt26875,
    &super::sia_dc09::SiaDc09,
    &super::meokon::Meokon,
    &super::ctwing::Ctwing,
    &super::onenet::OneNet,
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
    &super::esphome::EspHome,
    &super::chirpstack::ChirpStack,
    &super::lorawan_codec::LorawanCodec,
    &super::uhppoted::Uhppoted,
    &super::plate_recognizer::PlateRecognizer,
    &super::openalpr::Openalpr,
    &super::axis_lpr::AxisLpr,
    &super::parking_platform::ParkingPlatform,
    &super::esp_rfid::EspRfid,
];
