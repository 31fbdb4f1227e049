//! Codes of GA/T 1400.3 appendix B.

/// What lists are called, without `ListObject`.
pub(super) const LISTS: [&str; 15] = [
    "MotorVehicle",
    "NonMotorVehicle",
    "Face",
    "Person",
    "DispositionNotification",
    "SubscribeNotification",
    "Disposition",
    "Subscribe",
    "APE",
    "APEStatus",
    "APS",
    "APSStatus",
    "ImageInfo",
    "Image",
    "ResponseStatus",
];

/// B.1 colours; 99 and unknown ones have no name.
pub(super) fn color(code: &str) -> Option<&'static str> {
    Some(match code {
        "1" => "black",
        "2" => "white",
        "3" => "gray",
        "4" => "red",
        "5" => "blue",
        "6" => "yellow",
        "7" => "orange",
        "8" => "brown",
        "9" => "green",
        "10" => "purple",
        "11" => "cyan",
        "12" => "pink",
        _ => return None,
    })
}

/// The colours that plates have.
pub(super) fn plate_color(code: &str) -> &'static str {
    match color(code) {
        Some(color @ ("blue" | "yellow" | "white" | "black" | "green")) => color,
        _ => "unknown",
    }
}

/// B.2 directions of travel.
pub(super) fn heading(code: Option<&str>) -> Option<&'static str> {
    Some(match code? {
        "1" => "east",
        "2" => "west",
        "3" => "south",
        "4" => "north",
        "5" => "northeast",
        "6" => "southwest",
        "7" => "southeast",
        "8" => "northwest",
        _ => return None,
    })
}
