//! Calendar arithmetic in the proleptic Gregorian calendar (ISO 8601), with dates as numbers of days.

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days in a month, 1 to 12, of a year.
///
/// ```
/// assert_eq!(u2m_core::calendar::days_in(2024, 2), 29);
/// ```
pub fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The number of days from 1970-01-01 to a date; negative before it.
///
/// ```
/// assert_eq!(u2m_core::calendar::days_before(1970, 1, 2), 1);
/// ```
pub fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// The date that is `days` after 1970-01-01, as year, month and day.
///
/// ```
/// assert_eq!(u2m_core::calendar::date_after(1), (1970, 1, 2));
/// ```
pub fn date_after(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_is_the_date_that_it_is() {
        for days in days_before(1970, 1, 1)..=days_before(2370, 1, 1) {
            let (year, month, day) = date_after(days);
            assert_eq!(days_before(year, month, day), days, "{year}-{month}-{day}");
            assert!((1..=days_in(year, month)).contains(&day), "{year}-{month}-{day}");
        }
        assert_eq!(days_before(1970, 1, 1), 0);
        assert_eq!(date_after(days_before(2000, 2, 29)), (2000, 2, 29));
    }
}
