//! The MQTT listener: takes uplinks from devices and acknowledges them when the journal has synced.
