//! The reference compound in `deploy/config/compound` is whole, and as large as the documentation says.

mod common;

use std::collections::BTreeMap;

use common::folder;
use device_sim::Scenario;
use device_sim::scenario::Action;
use domain::place::{Building, Household, Registry, ZoneKind};
use domain::{DeviceClass, DeviceId, Kind};

fn compound() -> Registry {
    let files = folder("deploy/config/compound");
    let texts = files.iter().map(|(n, t)| (n.as_str(), t.as_str()));
    Registry::from_files(texts).unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

#[test]
fn it_has_the_size_that_is_promised() {
    let registry = compound();
    assert_eq!(registry.sites.len(), 9);
    assert_eq!(registry.departments.len(), 6);
    assert_eq!(registry.committees.len(), 6);
    assert_eq!(registry.grids.len(), 60);
    assert!((280..=330).contains(&registry.devices.len()));
    let mut by_class: BTreeMap<DeviceClass, usize> = BTreeMap::new();
    for device in registry.devices.values() {
        *by_class.entry(device.class).or_default() += 1;
    }
    assert_eq!(
        by_class.keys().copied().collect::<Vec<_>>(),
        [
            DeviceClass::FireSensor,
            DeviceClass::Barrier,
            DeviceClass::Access,
            DeviceClass::Camera,
            DeviceClass::Gateway
        ]
    );
    assert_eq!(registry.watch.len(), 4);
    assert_eq!(registry.watch.values().filter(|w| w.violent).count(), 2);
}

#[test]
fn every_grid_has_a_captain_of_its_own() {
    let registry = compound();
    let mut captains: Vec<_> = registry
        .grids
        .values()
        .filter_map(|g| g.captain.as_ref())
        .collect();
    captains.sort();
    captains.dedup();
    assert_eq!(captains.len(), registry.grids.len());
}

#[test]
fn buildings_do_not_overlap_and_lie_inside_their_quarter() {
    let registry = compound();
    let buildings: Vec<&Building> = registry.buildings.values().collect();
    for (at, a) in buildings.iter().enumerate() {
        let (site, o) = (&registry.sites[&a.site], a.outline);
        assert!(
            o.x_m >= 0.0
                && o.y_m >= 0.0
                && o.x_m + o.width_m <= site.width_m
                && o.y_m + o.height_m <= site.height_m,
            "{} leaves its quarter",
            a.id
        );
        for b in buildings[at + 1..].iter().filter(|b| b.site == a.site) {
            let p = b.outline;
            let apart = o.x_m + o.width_m < p.x_m
                || p.x_m + p.width_m < o.x_m
                || o.y_m + o.height_m < p.y_m
                || p.y_m + p.height_m < o.y_m;
            assert!(apart, "{} and {} overlap", a.id, b.id);
        }
    }
}

#[test]
fn devices_stand_inside_their_building() {
    let registry = compound();
    for device in registry.devices.values() {
        let site = &registry.sites[&device.site];
        assert!(
            (0.0..=site.width_m).contains(&device.x_m)
                && (0.0..=site.height_m).contains(&device.y_m)
        );
        let zone = registry
            .zone_of(&device.id)
            .expect("every device has a zone");
        if let Some(building) = &zone.building {
            let o = registry.buildings[building].outline;
            assert!(
                (o.x_m..=o.x_m + o.width_m).contains(&device.x_m)
                    && (o.y_m..=o.y_m + o.height_m).contains(&device.y_m),
                "{} is not in {building}",
                device.id
            );
        }
    }
}

#[test]
fn fires_can_be_confirmed_and_silence_can_be_seen() {
    let registry = compound();
    let mut smoke: BTreeMap<_, usize> = BTreeMap::new();
    for device in registry.devices.values() {
        if device.id.as_str().starts_with("smoke-")
            && registry.zones[&device.zone].kind == ZoneKind::FireCompartment
        {
            *smoke.entry(&device.zone).or_default() += 1;
        }
    }
    assert!(smoke.values().filter(|&&n| n >= 2).count() >= 9);
    let talker: DeviceId = "smoke-q2-0203".parse().expect("an id");
    assert_eq!(registry.devices[&talker].heartbeat_s, 10);
}

#[test]
fn flats_shops_escape_doors_and_perimeters_have_devices() {
    let registry = compound();
    for (kind, class, at_least) in [
        (ZoneKind::Unit, DeviceClass::Access, 10),
        (ZoneKind::Shop, DeviceClass::Camera, 4),
        (ZoneKind::FireDoor, DeviceClass::Access, 3),
        (ZoneKind::Perimeter, DeviceClass::Camera, 3),
    ] {
        let devices = registry.devices.values().filter(|d| {
            d.class == class && registry.zone_of(&d.id).is_some_and(|z| z.kind == kind)
        });
        assert!(devices.count() >= at_least, "{kind:?}");
    }
    for device in registry.devices.values() {
        let is_escape = registry
            .zone_of(&device.id)
            .is_some_and(|z| z.kind == ZoneKind::FireDoor);
        // the simulator keeps ordinary life off them by this
        assert_eq!(
            is_escape,
            device.id.as_str().starts_with("exit-"),
            "{}",
            device.id
        );
    }
}

#[test]
fn elders_live_alone_with_and_without_consent_and_flats_are_let() {
    let registry = compound();
    let elders = registry.households.values().filter(|h| h.elder_alone);
    let (watched, not): (Vec<&Household>, Vec<&Household>) =
        elders.partition(|h| h.is_in_elder_care());
    assert!(watched.len() >= 5 && not.len() >= 3);
    let has_door = |zone: &domain::ZoneId| registry.devices.values().any(|d| d.zone == *zone);
    // somebody who agreed and somebody who did not have a contact at the door
    assert!(watched.iter().any(|h| has_door(&h.zone)));
    assert!(not.iter().any(|h| has_door(&h.zone)));
    let quarters: std::collections::BTreeSet<_> = registry
        .households
        .values()
        .map(|h| &registry.zones[&h.zone].site)
        .collect();
    assert_eq!(quarters.len(), 9);
    let crowded = registry.rentals.values().flatten();
    assert!(crowded.filter(|r| r.registered > 6).count() >= 1);
    let flat = "q3-b1-501".parse().expect("an id");
    let registered = |day: &str| registry.registered_on(&flat, day.parse().expect("a day"));
    assert_eq!(registered("2026-01-31"), Some(4));
    assert_eq!(registered("2026-02-01"), Some(6), "declared anew");
}

#[test]
fn the_scenarios_play_with_devices_of_the_compound_in_the_right_places() {
    let registry = compound();
    for name in Scenario::names() {
        let scenario = Scenario::named(name).expect("ships");
        let mut alarmed = Vec::new();
        for step in &scenario.steps {
            let id: DeviceId = scenario.pattern(step).parse().expect("an id");
            let zone = registry
                .zone_of(&id)
                .unwrap_or_else(|| panic!("{name}: no device {id}"));
            let Action::Event { kind, attrs, .. } = &step.action else {
                continue;
            };
            let rule = step.expect.as_ref().map(domain::RuleId::as_str);
            match kind {
                Kind::FireSmoke => alarmed.push(&zone.id),
                Kind::CameraObject if rule == Some("C1") => {
                    assert_eq!(zone.kind, ZoneKind::Lift, "{name}: {id}");
                }
                Kind::VehiclePlateRead if rule == Some("B1") => {
                    let plate = attrs["plate"].as_str().expect("a plate");
                    assert!(registry.watch.contains_key(plate), "{name}: {plate}");
                }
                _ => {}
            }
            if rule == Some("S2") {
                let here = alarmed.iter().filter(|z| **z == &zone.id).count();
                assert_eq!(here, 2, "{name}: two detectors of {}", zone.id);
            }
        }
    }
}
