//! The three forms of a date in a header (RFC 9110 section 5.6.7).

use super::Timestamp;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) fn read(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match *words.as_slice() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [day_name, day, month, year, time, "GMT"] if day_name.ends_with(',') => {
            unix(number(day)?, month, number(year)?, time)
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        [day_name, date, time, "GMT"] if day_name.ends_with(',') => {
            let parts: Vec<&str> = date.split('-').collect();
            let [day, month, year] = *parts.as_slice() else { return None };
            let (year, is_short) = (number(year)?, year.len() == 2);
            let century = if year < 70 { 2_000 } else { 1_900 };
            unix(number(day)?, month, if is_short { century + year } else { year }, time)
        }
        // Sun Nov  6 08:49:37 1994
        [_, month, day, time, year] => unix(number(day)?, month, number(year)?, time),
        _ => None,
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse::<u32>().ok().map(i64::from)
}

fn unix(day: i64, month: &str, year: i64, time: &str) -> Option<Timestamp> {
    let parts: Option<Vec<i64>> = time.split(':').map(number).collect();
    let [hour, minute, second] = parts?.as_slice().try_into().ok()?;
    let month = i64::try_from(MONTHS.iter().position(|known| *known == month)?).ok()?;
    let is_real = (1..=31).contains(&day)
        && (1601..=9999).contains(&year)
        && (hour < 24 && minute < 60 && second <= 60);
    // Years begin in March, so that the odd day is their last.
    let (year, month) = if month >= 2 { (year, month - 2) } else { (year - 1, month + 10) };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    is_real.then(|| Timestamp::from_unix(days * 86_400 + hour * 3_600 + minute * 60 + second))
}
