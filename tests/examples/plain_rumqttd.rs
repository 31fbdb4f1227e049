//! rumqttd as it comes, for the benchmarks: what our own listener and exchange are measured beside.
//!
//! `plain_rumqttd PORT` serves MQTT 3.1.1 on that port of the loopback address, without accounts, until it is killed.

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let port: u16 = std::env::args()
        .nth(1)
        .context("usage: plain_rumqttd PORT")?
        .parse()?;
    let config = format!(
        "id = 0\n\
         [router]\nid = 0\nmax_connections = 20010\nmax_outgoing_packet_count = 200\nmax_segment_size = 104857600\nmax_segment_count = 10\n\
         [v4.1]\nname = \"plain\"\nlisten = \"127.0.0.1:{port}\"\nnext_connection_delay_ms = 0\n\
         [v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 65536\nmax_inflight_count = 500\n"
    );
    let config: rumqttd::Config = toml::from_str(&config)?;
    rumqttd::Broker::new(config)
        .start()
        .map_err(|e| anyhow::anyhow!("{e}"))
}
