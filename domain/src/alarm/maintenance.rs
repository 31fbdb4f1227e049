//! Maintenance windows: who works where, from when until when, so that what they set off does not ring.
//!
//! A window holds back P3 and P4 of its scope and nothing else. P1 and P2 ring as always; where the window names the very zone or
//! device, they are marked as coming from a place under test.

use jiff::SignedDuration;

use crate::id::{BuildingId, MaintenanceId};
use crate::incident::words;
use crate::place::Registry;
use crate::rule::Finding;
use crate::{DeviceId, RuleId, SiteId, Timestamp, UserId, ZoneId};

use super::flags::REASON_CHARS_MAX;

/// Longest window: what is out of service for longer is not under maintenance but broken.
pub const WINDOW_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far ahead a window can be planned.
pub const WINDOW_AHEAD_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Most rules that a window names.
const RULES_MAX: usize = 64;

words!(
    /// Where a maintenance window stands.
    WindowState, "state of a maintenance window":
    /// It has not begun.
    Planned = "planned",
    /// It holds alarms back.
    Active = "active",
    /// It is over.
    Ended = "ended",
);

/// What a window goes over. What is named narrows it down; a site is always named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The quarter.
    pub site: SiteId,
    /// Only this building.
    pub building: Option<BuildingId>,
    /// Only this zone.
    pub zone: Option<ZoneId>,
    /// Only this device.
    pub device: Option<DeviceId>,
    /// Only alarms of these rules; all when empty.
    pub rules: Vec<RuleId>,
}

/// Why a window cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// A place that is not there, or not in the quarter.
    #[error("there is no {what} `{id}` in site `{site}`")]
    Place {
        /// `site`, `building`, `zone` or `device`.
        what: &'static str,
        /// Which one.
        id: String,
        /// Where it was looked for.
        site: SiteId,
    },
    /// Times that do not make a window.
    #[error(
        "a window ends after it starts and after now, lasts at most 7 days and starts within 90 days"
    )]
    Times,
    /// No reason, or too long a one.
    #[error("a window needs a reason of 1 to {REASON_CHARS_MAX} characters")]
    Reason,
    /// Too many rules.
    #[error("a window names at most {RULES_MAX} rules")]
    Rules,
}

impl Scope {
    /// Whether all that it names is there, in this quarter.
    ///
    /// # Errors
    /// [`BadWindow`] with the first that is not.
    pub fn check(&self, registry: &Registry) -> Result<(), BadWindow> {
        let place = |what, id: &dyn std::fmt::Display, is_there: bool| {
            if is_there {
                return Ok(());
            }
            Err(BadWindow::Place {
                what,
                id: id.to_string(),
                site: self.site.clone(),
            })
        };
        place("site", &self.site, registry.sites.contains_key(&self.site))?;
        if let Some(id) = &self.building {
            let found = registry.buildings.get(id);
            place("building", id, found.is_some_and(|b| b.site == self.site))?;
        }
        if let Some(id) = &self.zone {
            let found = registry.zones.get(id);
            place("zone", id, found.is_some_and(|z| z.site == self.site))?;
        }
        if let Some(id) = &self.device {
            let found = registry.devices.get(id);
            place("device", id, found.is_some_and(|d| d.site == self.site))?;
        }
        if self.rules.len() > RULES_MAX {
            return Err(BadWindow::Rules);
        }
        Ok(())
    }

    /// Whether a finding lies within it.
    pub fn covers(&self, finding: &Finding, registry: &Registry) -> bool {
        let zone = finding.zone.as_ref();
        let building = || zone.and_then(|id| registry.zones.get(id)?.building.as_ref());
        self.site == finding.site
            && (self.rules.is_empty() || self.rules.contains(&finding.rule))
            && (self.device.is_none() || self.device == finding.device)
            && (self.zone.is_none() || self.zone.as_ref() == zone)
            && (self.building.is_none() || self.building.as_ref() == building())
    }

    /// It names the very place at which somebody works, so that what rings there may be a test.
    pub fn is_narrow(&self) -> bool {
        self.zone.is_some() || self.device.is_some()
    }
}

/// One maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its id.
    pub id: MaintenanceId,
    /// Where it stands.
    pub state: WindowState,
    /// What it goes over.
    pub scope: Scope,
    /// Planned start.
    pub starts_at: Timestamp,
    /// Planned end.
    pub ends_at: Timestamp,
    /// Why, in words of whoever planned it.
    pub reason: String,
    /// Who planned it.
    pub by: UserId,
    /// When.
    pub planned_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Who ended it before its time.
    pub ended_by: Option<UserId>,
}

impl Window {
    /// Plans one, at `at`.
    ///
    /// # Errors
    /// [`BadWindow`].
    pub fn plan(
        id: MaintenanceId,
        scope: Scope,
        (starts_at, ends_at): (Timestamp, Timestamp),
        reason: &str,
        by: UserId,
        at: Timestamp,
        registry: &Registry,
    ) -> Result<Self, BadWindow> {
        scope.check(registry)?;
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            return Err(BadWindow::Reason);
        }
        let lasts = ends_at.duration_since(starts_at);
        let is_window = lasts.is_positive()
            && lasts <= WINDOW_MAX
            && ends_at > at
            && starts_at.duration_since(at) <= WINDOW_AHEAD_MAX;
        if !is_window {
            return Err(BadWindow::Times);
        }
        Ok(Self {
            id,
            state: WindowState::Planned,
            scope,
            starts_at,
            ends_at,
            reason: reason.to_owned(),
            by,
            planned_at: at,
            started_at: None,
            ended_at: None,
            ended_by: None,
        })
    }

    /// It begins.
    #[must_use]
    pub fn start(self, at: Timestamp) -> Self {
        Self {
            state: WindowState::Active,
            started_at: Some(at),
            ..self
        }
    }

    /// It is over, by itself or because somebody is done; none when it was over before.
    #[must_use]
    pub fn end(self, at: Timestamp, by: Option<UserId>) -> Option<Self> {
        (self.state != WindowState::Ended).then_some(Self {
            state: WindowState::Ended,
            ended_at: Some(at),
            ended_by: by,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::FindingKind;
    use crate::{DeviceClass, Severity};

    const PLACES: &str = r#"
        [[committee]]
        id = "c1"
        name = "一委"
        [[person]]
        id = "p1"
        name = "王磊"
        [[grid]]
        id = "g1"
        name = "一格"
        committee = "c1"
        captain = "p1"
        [[site]]
        id = "q1"
        name = "一区"
        name_en = "Quarter 1"
        width_m = 100.0
        height_m = 80.0
        x_m = 0.0
        y_m = 0.0
        [[site]]
        id = "q2"
        name = "二区"
        name_en = "Quarter 2"
        width_m = 100.0
        height_m = 80.0
        x_m = 0.0
        y_m = 0.0
        [[building]]
        id = "b1"
        site = "q1"
        name = "1幢"
        floors = 6
        outline = { x_m = 0.0, y_m = 0.0, width_m = 10.0, height_m = 10.0 }
        [[zone]]
        id = "z1"
        site = "q1"
        building = "b1"
        floor = 6
        kind = "fire_compartment"
        name = "6层"
        grid = "g1"
        [[zone]]
        id = "z2"
        site = "q1"
        kind = "outdoor"
        name = "花园"
        grid = "g1"
    "#;

    fn registry() -> Registry {
        let devices = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m\ns1,q1,z1,fire_sensor,s,sim,60,1.0,2.0\n";
        Registry::from_files([("places.toml", PLACES), ("devices.csv", devices)])
            .expect("a registry")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn scope(building: &str, zone: &str, device: &str, rules: &[&str]) -> Scope {
        Scope {
            site: "q1".parse().expect("a site"),
            building: building.parse().ok(),
            zone: zone.parse().ok(),
            device: device.parse().ok(),
            rules: rules.iter().map(|r| r.parse().expect("a rule")).collect(),
        }
    }

    fn finding(site: &str, zone: &str, device: &str) -> Finding {
        Finding {
            rule: "S5".parse().expect("a rule"),
            subject: "x".to_owned(),
            what: FindingKind::Raised,
            severity: Severity::P3,
            site: site.parse().expect("a site"),
            class: DeviceClass::FireSensor,
            zone: zone.parse().ok(),
            device: device.parse().ok(),
            at: at(0),
            occurred_at: at(0),
            event: None,
            seq: None,
            lasting: true,
            detail: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_window_goes_over_what_it_names_and_no_more() {
        let here = finding("q1", "z1", "s1");
        let garden = finding("q1", "z2", "s9");
        let nowhere = finding("q1", "", "s8");
        let elsewhere = finding("q2", "", "s7");
        // scope, then whether it covers: here, the garden, an unknown zone, another quarter
        for (scope, covers) in [
            (scope("", "", "", &[]), [true, true, true, false]),
            (scope("b1", "", "", &[]), [true, false, false, false]),
            (scope("", "z2", "", &[]), [false, true, false, false]),
            (scope("", "", "s1", &[]), [true, false, false, false]),
            (scope("", "", "", &["S5", "S6"]), [true, true, true, false]),
            (scope("", "", "", &["S6"]), [false; 4]),
            (scope("b1", "z2", "", &[]), [false; 4]),
        ] {
            let registry = registry();
            for (finding, covers) in [&here, &garden, &nowhere, &elsewhere]
                .into_iter()
                .zip(covers)
            {
                assert_eq!(scope.covers(finding, &registry), covers, "{scope:?}");
            }
        }
    }

    #[test]
    fn a_window_that_makes_no_sense_is_not_planned() {
        let plan = |scope, from: i64, until: i64, reason: &str| {
            let by = "chen".parse().expect("a user");
            let id = MaintenanceId::new(uuid::Uuid::nil());
            let times = (at(from), at(until));
            Window::plan(id, scope, times, reason, by, at(1000), &registry()).map(|w| w.state)
        };
        let all = || scope("", "", "", &[]);
        let day = 24 * 3600;
        assert_eq!(plan(all(), 2000, 3000, "test"), Ok(WindowState::Planned));
        assert_eq!(plan(all(), 0, 1001, "late"), Ok(WindowState::Planned));
        for (from, until) in [
            (0, 1000),
            (3000, 3000),
            (3000, 2000),
            (2000, 2001 + 7 * day),
            (1001 + 90 * day, 1002 + 90 * day),
        ] {
            assert_eq!(plan(all(), from, until, "x"), Err(BadWindow::Times));
        }
        assert_eq!(plan(all(), 2000, 3000, "  "), Err(BadWindow::Reason));
        let rules: Vec<&str> = std::iter::repeat_n("S1", RULES_MAX + 1).collect();
        assert_eq!(
            plan(scope("", "", "", &rules), 2000, 3000, "x"),
            Err(BadWindow::Rules)
        );
        for (scope, what) in [
            (scope("b9", "", "", &[]), "building"),
            (scope("", "z9", "", &[]), "zone"),
            (scope("", "", "s9", &[]), "device"),
        ] {
            match plan(scope, 2000, 3000, "x") {
                Err(BadWindow::Place { what: named, .. }) => assert_eq!(named, what),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_window_ends_once() {
        let by = "chen".parse().expect("a user");
        let id = MaintenanceId::new(uuid::Uuid::nil());
        let times = (at(1), at(9));
        let window = Window::plan(
            id,
            scope("", "", "", &[]),
            times,
            "x",
            by,
            at(0),
            &registry(),
        );
        let begun = window.expect("a window").start(at(2));
        assert_eq!(begun.state, WindowState::Active);
        let over = begun.end(at(5), None).expect("ends");
        assert_eq!(
            (over.state, over.ended_at),
            (WindowState::Ended, Some(at(5)))
        );
        assert_eq!(over.end(at(6), None), None);
    }
}
