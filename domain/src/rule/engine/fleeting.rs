//! Fleeting: raised and over within a moment, and nobody else in the zone saw it. Each zone has a slot of its own that never
//! rings (`~zone:…`), in which the raised devices meet; the alarm has the rule's subject.

use jiff::SignedDuration;

use super::super::condition::Matcher;
use super::super::view::View;
use super::slot::{Memory, Noted, after};
use super::source::{self, Source, SourceState};
use super::work::Work;
use crate::Phase;

pub(super) fn trigger(work: &mut Work<'_>, view: &View<'_>, matcher: &Matcher, within_s: u32) {
    if !view.stands_where(matcher) {
        return;
    }
    let place = match view.zone {
        Some(zone) => format!("~zone:{}", zone.id),
        None => format!("~device:{}", view.event.device),
    };
    match view.event.phase {
        Phase::Raised | Phase::Updated if view.fits(matcher) => raised(work, view, place),
        Phase::Cleared => cleared(work, view, &place, within_s),
        _ => {}
    }
}

fn raised(work: &mut Work<'_>, view: &View<'_>, place: String) {
    let mut taken = work.take(place);
    let fresh = Source::new(view, SourceState::Active);
    if let Memory::Fleeting(sources) = &mut taken.slot.memory {
        let most = work.world.limits.sources_per_subject;
        *work.evicted += source::note(sources, fresh, most).1;
        if source::distinct(sources.iter()) > 1 {
            for source in sources {
                source.accompanied = true;
            }
        }
    }
    work.give_back(taken);
}

fn cleared(work: &mut Work<'_>, view: &View<'_>, place: &str, within_s: u32) {
    let Some(mut taken) = work.book.take(place) else {
        return;
    };
    let mut fleeting = false;
    if let Memory::Fleeting(sources) = &mut taken.slot.memory {
        let now = view.event.received_at;
        let moment = SignedDuration::from_secs(i64::from(within_s));
        let kind = Some(view.event.kind);
        sources.retain(|s| {
            let meant = s.is_meant_by(view, kind, false);
            fleeting |= meant && !s.accompanied && after(s.since(), moment) >= now;
            !meant
        });
        // its other voices still say so
        let who = Source::new(view, SourceState::Active);
        fleeting &= !sources.iter().any(|s| s.who() == who.who());
    }
    work.give_back(taken);
    if fleeting && let Some(subject) = work.rule.subject.of(view) {
        let source = Source::new(view, SourceState::Instant);
        let noted = Noted {
            source,
            value: None,
            of: 0,
        };
        work.note(view, subject, noted);
    }
}
