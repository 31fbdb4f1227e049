//! The columns of each kind of table.

use super::{Column, Record, Row};
use crate::DeviceClass;
use crate::place::watch::one_of;
use crate::place::{
    Contact, Device, EvacuationNote, Grid, Household, Person, Rental, Sensor, WatchEntry, Zone,
    ZoneKind,
};
use crate::privacy::Personal;

const fn needed(name: &'static str) -> Column {
    Column { name, needed: true }
}

const fn optional(name: &'static str) -> Column {
    Column {
        name,
        needed: false,
    }
}

fn or_empty(text: Option<impl ToString>) -> String {
    text.map_or_else(String::new, |t| t.to_string())
}

/// Every class with its word.
fn classes() -> [(&'static str, DeviceClass); 6] {
    [
        DeviceClass::FireSensor,
        DeviceClass::Barrier,
        DeviceClass::Access,
        DeviceClass::Camera,
        DeviceClass::Panel,
        DeviceClass::Gateway,
    ]
    .map(|class| (class.as_str(), class))
}

/// How a length in metres is written.
const METRES: &str = "metres from the south-west corner of the quarter, such as 12.5";

impl Record for Device {
    const NOUN: &'static str = "device";
    const COLUMNS: &'static [Column] = &[
        needed("id"),
        needed("site"),
        needed("zone"),
        needed("class"),
        needed("name"),
        needed("model"),
        needed("heartbeat_s"),
        needed("x_m"),
        needed("y_m"),
        optional("sensor"),
        optional("address"),
    ];

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let id = row.parsed("id");
        let site = row.parsed("site");
        let zone = row.parsed("zone");
        let address = Some(row.text_or_empty("address")).filter(|address| !address.is_empty());
        let class = row.word("class", &classes());
        let name = row.text("name");
        let model = row.text_or_empty("model");
        let heartbeat = "whole seconds, at least 1: the longest time between two words of it";
        let heartbeat_s = row.number::<std::num::NonZero<u32>>("heartbeat_s", heartbeat);
        let mut metres = |column| {
            let value: Option<f64> = row.number(column, METRES);
            if value.is_some_and(|v| !v.is_finite()) {
                row.note(column, "no finite number", Some(METRES));
            }
            value.filter(|v| v.is_finite())
        };
        let (x_m, y_m) = (metres("x_m"), metres("y_m"));
        let sensor = row.word_if("sensor", &Sensor::WORDS);
        Some(Self {
            id: id?,
            site: site?,
            zone: zone?,
            class: class?,
            name: name?,
            model,
            heartbeat_s: heartbeat_s?.get(),
            x_m: x_m?,
            y_m: y_m?,
            sensor: sensor?,
            address,
        })
    }

    fn write(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.site.to_string(),
            self.zone.to_string(),
            self.class.to_string(),
            self.name.clone(),
            self.model.clone(),
            self.heartbeat_s.to_string(),
            format!("{:?}", self.x_m),
            format!("{:?}", self.y_m),
            or_empty(self.sensor),
            self.address.clone().unwrap_or_default(),
        ]
    }
}

impl Record for Zone {
    const NOUN: &'static str = "zone";
    const COLUMNS: &'static [Column] = &[
        needed("id"),
        needed("site"),
        optional("building"),
        optional("floor"),
        optional("floor_to"),
        needed("kind"),
        needed("name"),
        needed("grid"),
    ];

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let id = row.parsed("id");
        let site = row.parsed("site");
        let building = row.parsed_if("building");
        let floor = row.number_if("floor", "a whole number, such as 3 or -1");
        let floor_to = row.number_if("floor_to", "a whole number, such as 6");
        let kind = row.word("kind", ZoneKind::WORDS);
        let name = row.text("name");
        let grid = row.parsed("grid");
        Some(Self {
            id: id?,
            site: site?,
            building: building?,
            floor: floor?,
            floor_to: floor_to?,
            kind: kind?,
            name: name?,
            grid: grid?,
        })
    }

    fn write(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.site.to_string(),
            or_empty(self.building.as_ref()),
            or_empty(self.floor),
            or_empty(self.floor_to),
            self.kind.as_str().to_owned(),
            self.name.clone(),
            self.grid.to_string(),
        ]
    }
}

impl Record for Household {
    const NOUN: &'static str = "household";
    const COLUMNS: &'static [Column] = &[
        needed("id"),
        needed("zone"),
        needed("residents"),
        needed("elder_alone"),
        needed("consent_care"),
        needed("consent_contact"),
        needed("language"),
        optional("contact"),
        optional("evacuation"),
    ];

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let id = row.parsed("id");
        let zone = row.parsed("zone");
        let residents = row.number("residents", "how many people, such as 3");
        let elder_alone = row.truth("elder_alone");
        let consent_care = row.truth("consent_care");
        let consent_contact = row.truth("consent_contact");
        let language = row.text("language");
        let contact = row.parsed_if("contact");
        let evacuation = row.parsed_if("evacuation");
        Some(Self {
            id: id?,
            zone: zone?,
            residents: residents?,
            elder_alone: elder_alone?,
            consent_care: consent_care?,
            consent_contact: consent_contact?,
            language: language?,
            contact: contact?,
            evacuation: evacuation?,
        })
    }

    fn write(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.zone.to_string(),
            self.residents.to_string(),
            self.elder_alone.to_string(),
            self.consent_care.to_string(),
            self.consent_contact.to_string(),
            self.language.clone(),
            or_empty(self.contact.as_ref().map(Contact::reveal)),
            or_empty(self.evacuation.as_ref().map(EvacuationNote::reveal)),
        ]
    }
}

impl Record for Person {
    const NOUN: &'static str = "person";
    const COLUMNS: &'static [Column] = &[
        needed("id"),
        needed("name"),
        optional("department"),
        optional("login"),
        optional("contact"),
    ];

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let id = row.parsed("id");
        let name = row.text("name");
        let department = row.parsed_if("department");
        let login = row.parsed_if("login");
        let contact = row.parsed_if("contact");
        Some(Self {
            id: id?,
            name: name?,
            department: department?,
            login: login?,
            contact: contact?,
        })
    }

    fn write(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            or_empty(self.department.as_ref()),
            or_empty(self.login.as_ref()),
            or_empty(self.contact.as_ref().map(Contact::reveal)),
        ]
    }
}

impl Record for Grid {
    const NOUN: &'static str = "grid";
    const COLUMNS: &'static [Column] = &[
        needed("id"),
        needed("name"),
        needed("committee"),
        optional("captain"),
    ];

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let id = row.parsed("id");
        let name = row.text("name");
        let committee = row.parsed("committee");
        let captain = row.parsed_if("captain");
        Some(Self {
            id: id?,
            name: name?,
            committee: committee?,
            captain: captain?,
        })
    }

    fn write(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.committee.to_string(),
            or_empty(self.captain.as_ref()),
        ]
    }
}

impl Record for Rental {
    const NOUN: &'static str = "rental";
    const COLUMNS: &'static [Column] = &[
        needed("zone"),
        needed("registered"),
        needed("from"),
        needed("until"),
        needed("declared_on"),
    ];

    /// A flat may have several declarations.
    fn key(&self) -> String {
        format!("{} {} {}", self.zone, self.declared_on, self.from)
    }

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let zone = row.parsed("zone");
        let registered = row.number("registered", "how many tenants, such as 4");
        let from = row.date("from");
        let until = row.date("until");
        let declared_on = row.date("declared_on");
        Some(Self {
            zone: zone?,
            registered: registered?,
            from: from?,
            until: until?,
            declared_on: declared_on?,
        })
    }

    fn write(&self) -> Vec<String> {
        vec![
            self.zone.to_string(),
            self.registered.to_string(),
            self.from.to_string(),
            self.until.to_string(),
            self.declared_on.to_string(),
        ]
    }
}

impl Record for WatchEntry {
    const NOUN: &'static str = "watched item";
    // one of the first three
    const COLUMNS: &'static [Column] = &[
        optional("plate"),
        optional("credential"),
        optional("person"),
        needed("reason"),
        optional("violent"),
        needed("owner"),
        needed("expires_on"),
    ];

    fn key(&self) -> String {
        WatchEntry::key(self)
    }

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let named = one_of(
            Personal::ALL
                .iter()
                .map(|class| (*class, Some(row.text_or_empty(class.as_str())))),
        );
        if let Err(e) = named {
            row.note("plate", e, Some("fill in one of the three"));
        }
        let reason = row.text("reason");
        let violent = row.truth("violent");
        let owner = row.parsed("owner");
        let expires_on = row.date("expires_on");
        let (class, name) = named.ok()?;
        Some(Self {
            class,
            name,
            reason: reason?,
            violent: violent?,
            owner: owner?,
            expires_on: expires_on?,
        })
    }

    fn write(&self) -> Vec<String> {
        let name = |class: Personal| {
            let is_it = class == self.class;
            or_empty(is_it.then_some(&self.name))
        };
        vec![
            name(Personal::Plate),
            name(Personal::Credential),
            name(Personal::Person),
            self.reason.clone(),
            self.violent.to_string(),
            self.owner.to_string(),
            self.expires_on.to_string(),
        ]
    }
}
