//! Percentiles of durations of which some have not ended yet: the product-limit estimate of Kaplan and Meier (1958).
//!
//! Whoever leaves out what nobody has acknowledged makes a station look fast that never answers; whoever counts it as if it ended
//! now makes up a number. Here it counts as what it is: longer than it was seen for. Without such durations the percentiles are those
//! by nearest rank. All numbers are integers: milliseconds, and the curve in 10⁻¹⁸.

use serde::Serialize;

/// The curve's unit.
const ONE: u128 = 1_000_000_000_000_000_000;
/// Two heights of the curve that are nearer than this are the same: far above what rounding adds up to.
const SAME: u128 = 1_000_000;

/// A duration in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observed {
    /// It ended after so long.
    Ended(i64),
    /// It was seen for so long and had not ended, or no longer had to.
    Censored(i64),
}

impl Observed {
    /// How long it was seen for.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Ended(ms) | Self::Censored(ms) => ms,
        }
    }
}

/// A percentile or a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Percentile {
    /// So many milliseconds.
    Ms(i64),
    /// More than so many: the curve does not come down that far.
    MoreThanMs(i64),
}

/// The curve: how much of all is still going on after a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// After each time at which something ended: the time, and how much goes on, in 10⁻¹⁸.
    steps: Vec<(i64, u128)>,
    /// The longest that was seen.
    last: i64,
    /// Durations.
    n: u64,
    /// Those that had not ended.
    censored: u64,
}

impl Curve {
    /// Of durations in any order. Of those of the same length the ends come before the censored ones.
    pub fn of(mut seen: Vec<Observed>) -> Self {
        seen.sort_unstable_by_key(|o| (o.ms(), matches!(o, Observed::Censored(_))));
        let n = seen.len() as u64;
        let censored = seen
            .iter()
            .filter(|o| matches!(o, Observed::Censored(_)))
            .count() as u64;
        let last = seen.last().map_or(0, |o| o.ms());
        // between two censored ones the factors cancel out: what goes on is base × at_risk ÷ since, which is exact
        let (mut base, mut since, mut at_risk) = (ONE, u128::from(n), u128::from(n));
        let mut steps: Vec<(i64, u128)> = Vec::new();
        for observed in seen {
            match observed {
                Observed::Ended(ms) => {
                    at_risk -= 1;
                    let height = times(base, at_risk, since);
                    match steps.last_mut() {
                        Some(step) if step.0 == ms => step.1 = height,
                        _ => steps.push((ms, height)),
                    }
                }
                Observed::Censored(_) => {
                    base = times(base, at_risk, since);
                    at_risk -= 1;
                    since = at_risk.max(1);
                }
            }
        }
        Self {
            steps,
            last,
            n,
            censored,
        }
    }

    /// Durations, and how many of them had not ended.
    pub const fn counts(&self) -> (u64, u64) {
        (self.n, self.censored)
    }

    /// Thousandths that go on after a time, rounded half up.
    pub fn permille_after(&self, ms: i64) -> u64 {
        let step = self.steps.iter().rev().find(|(at, _)| *at <= ms);
        let height = step.map_or(ONE, |(_, height)| *height);
        let permille = (height * 1000 + ONE / 2) / ONE;
        u64::try_from(permille).unwrap_or(1000)
    }

    /// The shortest time by which at least so many of a hundred have ended; none of nothing.
    pub fn percentile(&self, of_100: u8) -> Option<Percentile> {
        if self.n == 0 {
            return None;
        }
        let goes_on = ONE / 100 * u128::from(100 - of_100.min(100));
        let reached = self
            .steps
            .iter()
            .find(|(_, height)| *height <= goes_on + SAME);
        Some(
            reached.map_or(Percentile::MoreThanMs(self.last), |(ms, _)| {
                Percentile::Ms(*ms)
            }),
        )
    }

    /// The mean: the area under the curve. While the longest has not ended it is more than that.
    pub fn mean(&self) -> Option<Percentile> {
        if self.n == 0 {
            return None;
        }
        let (mut area, mut height, mut since) = (0_u128, ONE, 0_i64);
        let ends = self.steps.iter().copied();
        for (ms, next) in ends.chain(std::iter::once((self.last, 0))) {
            area += height * u128::try_from(ms - since).unwrap_or(0);
            (height, since) = (next, ms);
        }
        let mean = i64::try_from((area + ONE / 2) / ONE).unwrap_or(i64::MAX);
        let is_down = self.steps.last().is_some_and(|(_, height)| *height <= SAME);
        Some(if is_down {
            Percentile::Ms(mean)
        } else {
            Percentile::MoreThanMs(mean)
        })
    }
}

/// base × part ÷ whole, rounded half up.
fn times(base: u128, part: u128, whole: u128) -> u128 {
    (base * part + whole / 2) / whole
}

#[cfg(test)]
mod tests {
    use super::Observed::{Censored, Ended};
    use super::*;

    /// Freireich et al. 1963, weeks in remission: the example of every textbook (Kleinbaum & Klein, Survival Analysis, ch. 2).
    fn six_mp() -> Vec<Observed> {
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(Ended);
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(Censored);
        ended.into_iter().chain(censored).collect()
    }

    #[test]
    fn the_textbook_has_the_same_curve() {
        let curve = Curve::of(six_mp());
        assert_eq!(curve.counts(), (21, 12));
        for (week, permille) in [
            (5, 1000),
            (6, 857),
            (7, 807),
            (9, 807),
            (10, 753),
            (13, 690),
            (16, 627),
            (22, 538),
            (23, 448),
            (35, 448),
        ] {
            assert_eq!(curve.permille_after(week), permille, "week {week}");
        }
        assert_eq!(curve.percentile(50), Some(Percentile::Ms(23)));
        // only 55 of 100 have relapsed when the study ends: nobody knows the 90th
        assert_eq!(curve.percentile(90), Some(Percentile::MoreThanMs(35)));
        let placebo = [
            1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23,
        ];
        let curve = Curve::of(placebo.map(Ended).to_vec());
        assert_eq!(curve.percentile(50), Some(Percentile::Ms(8)));
        assert_eq!(curve.permille_after(8), 381);
        // the sum is 182 weeks of 21 children
        assert_eq!(curve.mean(), Some(Percentile::Ms(9)));
    }

    #[test]
    fn without_censoring_it_is_the_nearest_rank() {
        for n in 1..=40_i64 {
            let curve = Curve::of((1..=n).rev().map(Ended).collect());
            for p in [1_u8, 10, 50, 90, 95, 99, 100] {
                let rank = (n * i64::from(p) + 99) / 100;
                assert_eq!(
                    curve.percentile(p),
                    Some(Percentile::Ms(rank)),
                    "p{p} of {n}"
                );
            }
        }
    }

    #[test]
    fn what_nobody_acknowledged_is_not_left_out() {
        let seen = vec![Ended(10), Ended(20), Censored(5000), Censored(6000)];
        let curve = Curve::of(seen);
        assert_eq!(curve.percentile(50), Some(Percentile::Ms(20)));
        assert_eq!(curve.percentile(90), Some(Percentile::MoreThanMs(6000)));
        // 10 × 1 + 10 × ¾ + 5980 × ½
        assert_eq!(curve.mean(), Some(Percentile::MoreThanMs(3008)));
        assert_eq!(Curve::of(Vec::new()).percentile(50), None);
        assert_eq!(
            Curve::of(vec![Censored(7)]).percentile(50),
            Some(Percentile::MoreThanMs(7))
        );
    }
}
