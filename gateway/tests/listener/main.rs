//! The listener over real TCP, TLS and WebSocket, byte by byte, with a real journal behind it.

mod authority;
mod bench;
mod matrix;
mod protocol;
mod rules;
mod tls;
mod websocket;
