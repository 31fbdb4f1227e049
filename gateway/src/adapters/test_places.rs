//! The smallest registry of the tests: one quarter with one zone.

use domain::place::Registry;

/// A quarter `q1` with the zone `z1`.
const PLACES: &str = r#"
    committee = [{ id = "c1", name = "一委" }]
    person = [{ id = "p1", name = "周", login = "zhou" }]
    grid = [{ id = "g1", name = "一格", committee = "c1", captain = "p1" }]
    site = [{ id = "q1", name = "一区", name_en = "Q1", width_m = 9.0, height_m = 9.0, x_m = 0.0, y_m = 0.0 }]
    zone = [{ id = "z1", site = "q1", kind = "gate_lane", name = "东门", grid = "g1" }]
"#;

/// The registry with these devices, in the columns of `devices.csv`.
pub(crate) fn registry(devices: &str) -> Registry {
    with_profiles(devices, "")
}

/// The registry with these devices and the profiles of their models.
pub(crate) fn with_profiles(devices: &str, profiles: &str) -> Registry {
    let files = [
        ("profiles.toml", profiles),
        ("places.toml", PLACES),
        ("devices.csv", devices),
    ];
    Registry::from_files(files).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}
