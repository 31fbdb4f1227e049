//! Black-box tests of Jiming: a real hub, real MQTT, real HTTP, a real browser.
