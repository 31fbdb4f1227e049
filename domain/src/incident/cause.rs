//! What it was: the closed list of causes. Statistics and detector scores are made of these words, so nobody invents new ones.

/// Whether an incident with this cause was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was.
    Genuine,
    /// It was not: a false alarm.
    False,
    /// It is none of the station's business: counted in neither.
    Void,
}

/// The cause of an incident that ended without one, because its rule or parent ended it.
pub const CAUSE_UNSPECIFIED: &str = "unspecified";

/// Every cause with its verdict. GB 25201 5.3 asks that the cause of a false fire alarm be found and recorded.
pub const CAUSES: &[(&str, Verdict)] = &[
    ("genuine", Verdict::Genuine),
    ("fire", Verdict::Genuine),
    ("intrusion", Verdict::Genuine),
    ("violation", Verdict::Genuine),
    ("fault", Verdict::Genuine),
    ("resolved_by_reminder", Verdict::Genuine),
    ("cooking", Verdict::False),
    ("steam", Verdict::False),
    ("dust", Verdict::False),
    ("insect", Verdict::False),
    ("smoking", Verdict::False),
    ("detector_fault", Verdict::False),
    ("misrecognition", Verdict::False),
    ("user_error", Verdict::False),
    ("false_alarm", Verdict::False),
    ("test", Verdict::Void),
    ("drill", Verdict::Void),
    ("duplicate", Verdict::Void),
    (CAUSE_UNSPECIFIED, Verdict::Genuine),
];

/// The verdict of a cause; none for a word that is not in the list.
pub fn verdict(cause: &str) -> Option<Verdict> {
    CAUSES
        .iter()
        .find(|(word, _)| *word == cause)
        .map(|(_, verdict)| *verdict)
}
