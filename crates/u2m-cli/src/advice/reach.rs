//! What kept a request from its server, in the words of somebody who looks at the network.

use std::error::Error;
use u2m::text::chain;

/// How the core begins to say that a request did not leave.
const NOT_SENT: &str = "the server could not be reached (";
const TIMED_OUT: &str = "the server did not answer in time (";

/// An error and its causes, in one line. Where no server could be reached it is that alone: what was to be asked there is no
/// help.
pub(crate) fn told(error: &(dyn Error + 'static)) -> String {
    plain(&chain(error))
}

/// The same of what another process has reported, of which there is only the text.
pub(super) fn plain(text: &str) -> String {
    if let Some((place, why)) = after(text, NOT_SENT)
        && let Some(words) = unreached(&place, why)
    {
        return words;
    }
    match after(text, TIMED_OUT) {
        Some((place, _)) => format!("{place} did not answer in time"),
        None => text.to_owned(),
    }
}

/// The place that is named behind `words`, and what is said of it.
fn after<'t>(text: &'t str, words: &str) -> Option<(String, &'t str)> {
    let (place, why) = text.split_once(words)?.1.split_once(')')?;
    Some((place.to_owned(), why))
}

fn unreached(place: &str, why: &str) -> Option<String> {
    let has = |words: &str| why.contains(words);
    if has("the proxy ") {
        return None;
    }
    let name = place.split_once("://").map_or(place, |(_, name)| name);
    let name = name.split(':').next().unwrap_or(name);
    Some(if has("dns error") || has("failed to lookup address") {
        match has("Temporary failure") || has("try again") {
            true => format!("cannot find {name}: this machine cannot look up names just now"),
            false => format!("cannot find {name}: there is no such host"),
        }
    } else if has("Connection refused") || has("connection refused") {
        format!("cannot reach {place}: nothing answers there")
    } else if has("unreachable") || has("No route to host") {
        format!("cannot reach {place}: there is no way there from this machine")
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_network_is_said_of_the_host_by_its_name() {
        for (why, expected) in [
            (
                "dns error: failed to lookup address information: Name or service not known",
                "cannot find a.example: there is no such host",
            ),
            (
                "dns error: failed to lookup address information: Temporary failure in name resolution",
                "cannot find a.example: this machine cannot look up names just now",
            ),
            (
                "tcp connect error: Connection refused (os error 111)",
                "cannot reach https://a.example:8443: nothing answers there",
            ),
            (
                "tcp connect error: Network is unreachable (os error 101)",
                "cannot reach https://a.example:8443: there is no way there from this machine",
            ),
        ] {
            let text = format!(
                "fetching OAuth endpoints: the server could not be reached (https://a.example:8443): {why}"
            );
            assert_eq!(plain(&text), expected);
        }
        let late = "the metadata could not be fetched: the server did not answer in time (https://a.example)";
        assert_eq!(plain(late), "https://a.example did not answer in time");
        for other in [
            "the server could not be reached (https://a.example): the proxy p could not be reached: Connection refused",
            "slow down (error code: too_many_requests)",
        ] {
            assert_eq!(plain(other), other);
        }
    }
}
