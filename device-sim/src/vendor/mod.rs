//! Devices in the formats of their makers, as the doors for them see them: bridges and cameras over MQTT, cameras and platforms that
//! post web hooks, a fire panel over TCP.
//!
//! Cast: a *happening* is something in the compound at a time (`smoke at 5s in kitchen`); a [`Vendor`] turns it into messages and is
//! a pure function of what happened, one module for each; *faults* are what goes wrong on the way; [`run`] has the clock and the line.

pub mod ctwing;
pub mod digest;
pub mod frigate;
pub mod gbt26875;
mod happening;
pub mod hikvision;
pub mod isapi;
mod play;
pub mod shelly;
pub mod vzenith;
pub mod zigbee2mqtt;

pub use happening::Happening;
pub use play::{Faults, Play, Report, Way, run};

use std::time::Duration;

use domain::Timestamp;

use crate::wire::{Greeting, Said};

/// What a device does with an order that it hears, beyond being slow or silent about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obedience {
    /// It does what it is told.
    Does,
    /// It does nothing, and says why as far as its format can.
    Refuses(String),
    /// It does nothing, and says that it has.
    Lies,
}

/// An order that a device understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Which device, as its format names it.
    pub device: String,
    /// What, in the format's words.
    pub command: String,
    /// It was done.
    pub is_done: bool,
    /// What is said because of it, and how much later.
    pub says: Vec<(Duration, Said)>,
}

/// Something that a format has no words for; these it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this device has no such thing (hint: {})", .0.join(", "))]
pub struct Unknown(pub &'static [&'static str]);

/// A maker's device, or the bridge that speaks for several. `now` is always its own clock, which may be wrong.
pub trait Vendor: Send {
    /// What it brings along when it connects over MQTT.
    fn greeting(&self) -> Greeting {
        Greeting::default()
    }

    /// What it says when it has connected, each time.
    fn arrive(&mut self, _now: Timestamp) -> Vec<Said> {
        Vec::new()
    }

    /// What it says again and again: heartbeats, and states that have not changed.
    fn again(&mut self, now: Timestamp) -> Vec<Said>;

    /// What can happen to it, in the words of a [`Happening`].
    fn words(&self) -> &'static [&'static str];

    /// What it says because something happened.
    ///
    /// # Errors
    /// Its format has no words for it.
    fn happen(&mut self, happening: &Happening, now: Timestamp) -> Result<Vec<Said>, Unknown>;

    /// What it makes of a message, or of a request to its own port; none when that is no order.
    fn hear(
        &mut self,
        _to: &str,
        _payload: &[u8],
        _obedience: &Obedience,
        _now: Timestamp,
    ) -> Option<Ordered> {
        None
    }

    /// Whether something can happen to it.
    ///
    /// # Errors
    /// Its format has no words for it.
    fn knows(&self, what: &str) -> Result<(), Unknown> {
        let words = self.words();
        if words.contains(&what) {
            Ok(())
        } else {
            Err(Unknown(words))
        }
    }

    /// A message as it comes from a device with broken firmware: cut off in the middle.
    fn damaged(&self, said: &Said) -> Said {
        let half = said.payload.len() / 2;
        Said {
            payload: said.payload.get(..half).unwrap_or_default().to_vec(),
            ..said.clone()
        }
    }
}
