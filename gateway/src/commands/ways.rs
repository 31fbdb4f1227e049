//! Which way a device is reached: by itself, over its bridge, or over HTTP.

use std::collections::BTreeMap;

use domain::SiteId;
use domain::device_command::{Action, Asked};
use domain::place::{Device, Registry};
use store::state::State;

use super::http::Target;
use super::payload::Form;

/// How one device is told one thing.
#[derive(Debug, Clone)]
pub enum Way {
    /// A message to the one connection of an account.
    Mqtt {
        /// The account.
        account: String,
        /// Where.
        topic: String,
        /// What the device is called there.
        address: String,
        /// Which of its parts, where it has several.
        part: Option<u16>,
        /// In which words.
        form: Form,
    },
    /// A request, and which door of the device.
    Http(Target, u16),
}

/// A bridge over which devices can be told something.
pub struct BridgeWay {
    /// Its site.
    pub site: SiteId,
    /// What is spoken there.
    pub form: BridgeForm,
}

/// See [`BridgeWay`].
pub enum BridgeForm {
    /// A format over MQTT; for zigbee2mqtt with its base topic.
    Mqtt(Form, String),
    /// A device that is asked over HTTP.
    Http(Target),
}

/// The ways of all devices.
#[derive(Default)]
pub struct Ways {
    /// By account.
    pub bridges: BTreeMap<String, BridgeWay>,
}

impl Ways {
    /// The way of what was asked; none where its device cannot be told that.
    pub fn of(&self, state: &State, asked: &Asked) -> Option<Way> {
        let registry = state.registry();
        self.to(
            &registry,
            registry.devices.get(&asked.device)?,
            asked.action,
        )
    }

    /// The way to a device for an action.
    pub fn to(&self, registry: &Registry, device: &Device, action: Action) -> Option<Way> {
        let Some(address) = &device.address else {
            return Some(Way::Mqtt {
                account: device.id.to_string(),
                topic: format!("ssg/v1/{}/{}/cmd/{action}", device.site, device.id),
                address: device.id.to_string(),
                part: None,
                form: Form::Native,
            });
        };
        let (account, bridge, address) = self.bridge_of(registry, device, address)?;
        match &bridge.form {
            BridgeForm::Mqtt(form, base) if form.says(action) => {
                let (address, part) = form.part(address)?;
                Some(Way::Mqtt {
                    account: account.to_owned(),
                    topic: match form {
                        Form::Zigbee2mqtt => format!("{base}/{address}/set"),
                        Form::Vzenith => format!("device/{address}/message/down/gpio_out"),
                        Form::Shelly => format!("{address}/rpc"),
                        Form::Native => return None,
                    },
                    address: address.to_owned(),
                    part,
                    form: *form,
                })
            }
            BridgeForm::Http(target) => {
                let door = door(address)?;
                target
                    .says(action, door)
                    .then(|| Way::Http(target.clone(), door))
            }
            BridgeForm::Mqtt(..) => None,
        }
    }

    /// The bridge that speaks for a device, and what it calls the device. Where several of a site could, the address has to name the account.
    fn bridge_of<'a>(
        &'a self,
        registry: &Registry,
        device: &Device,
        address: &'a str,
    ) -> Option<(&'a str, &'a BridgeWay, &'a str)> {
        if let Some((account, rest)) = address.split_once(':')
            && let Some((account, bridge)) = self.bridges.get_key_value(account)
        {
            return Some((account, bridge, rest));
        }
        let mut of_site = self.bridges.iter().filter(|(account, bridge)| {
            bridge.site == device.site
                && registry
                    .device_at(account, address)
                    .is_some_and(|known| known.id == device.id)
        });
        let (account, bridge) = of_site.next()?;
        of_site
            .next()
            .is_none()
            .then_some((account.as_str(), bridge, address))
    }
}

/// Which door of a terminal an address is: `10.20.0.9/door-2`, the first one where none is named. Whatever else hangs on it is no door.
fn door(address: &str) -> Option<u16> {
    match address.split_once('/') {
        None => Some(1),
        Some((_, part)) => part.strip_prefix("door-")?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_device_is_told_by_itself_or_not_at_all() {
        assert_eq!(door("10.20.0.9"), Some(1));
        assert_eq!(door("10.20.0.9/door-2"), Some(2));
        for other in ["10.20.0.9/reader-2", "10.20.0.9/door-", "a/door-2/3", "a/"] {
            assert_eq!(door(other), None, "{other}");
        }
        let shelly = Form::Shelly;
        assert_eq!(shelly.part("shelly-1"), Some(("shelly-1", None)));
        assert_eq!(
            shelly.part("shelly-1/switch:1"),
            Some(("shelly-1", Some(1)))
        );
        assert_eq!(shelly.part("shelly-1/input:1"), None);
        assert_eq!(Form::Vzenith.part("5eb1"), Some(("5eb1", None)));
        assert_eq!(Form::Vzenith.part("5eb1/gate-2"), None);
        // there a name may have levels
        assert_eq!(
            Form::Zigbee2mqtt.part("hall/lock"),
            Some(("hall/lock", None))
        );
    }
}
