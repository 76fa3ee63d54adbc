//! The page that the user sees in the browser: a static page in a few fixed variants. It has no
//! script, loads nothing, and contains nothing of the request. Only the host name varies, which is
//! a parsed [`Host`].

use std::fmt::Write as _;
use u2m_core::Host;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// The SHA-256 of `page.css` in base64. The content security policy of the page allows no other
/// style. A test recomputes it.
pub(crate) const STYLE_HASH: &str = "AZdyZybXt/j7WWOQ0v/fMdhrgdbgmBaN3bbOR7VOFSU=";

/// The variants of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallbackPage {
    /// The callback of this sign-in has already been received.
    Answered,
    /// The user, or the server for them, denied the request.
    Denied,
    /// The callback was received, but the sign-in failed afterwards.
    Failed,
    /// The request is not the callback of this sign-in.
    Junk,
    /// The user is signed in.
    SignedIn(Option<Host>),
    /// The callback was received, and the sign-in is still being completed.
    Working,
}

/// The texts and styles that differ between the variants.
struct PageWords {
    tone: &'static str,
    mark: &'static str,
    title: &'static str,
    heading: &'static str,
    /// What happened, if the heading does not say it all.
    text: &'static str,
    /// What the user should do next.
    next: &'static str,
}

const TICK: &str = "M15 24.5l6.5 6.5L33.5 18";
const CROSS: &str = "M17.5 17.5l13 13M30.5 17.5l-13 13";
const DOTS: &str = "M15 24h.01M24 24h.01M33 24h.01";
const DASH: &str = "M16 24h16";

impl CallbackPage {
    /// Returns the page as HTML.
    pub(crate) fn html(&self) -> String {
        let words = self.words();
        let page = TEMPLATE
            .replace("{{style}}", STYLE)
            .replace("{{tone}}", words.tone)
            .replace("{{mark}}", words.mark)
            .replace("{{title}}", words.title)
            .replace("{{heading}}", words.heading)
            .replace("{{text}}", &paragraph(words.text))
            .replace("{{next}}", &paragraph(words.next));
        // Last, so that nothing in a host name is taken for a placeholder.
        page.replace("{{host}}", &self.host_line())
    }

    fn words(&self) -> PageWords {
        match self {
            Self::Answered => PageWords {
                tone: "calm",
                mark: DASH,
                title: "Already answered",
                heading: "This sign-in has already been answered",
                text: "Nothing more is needed here.",
                next: "You can close this tab and go back to your terminal.",
            },
            Self::Denied => PageWords {
                tone: "bad",
                mark: CROSS,
                title: "Not signed in",
                heading: "You are not signed in",
                text: "Access was not granted, and nothing was saved.",
                next: "You can close this tab. Your terminal says more.",
            },
            Self::Failed => PageWords {
                tone: "bad",
                mark: CROSS,
                title: "Not signed in",
                heading: "The sign-in did not finish",
                text: "Your browser did its part, but a later step failed.",
                next: "You can close this tab. Your terminal says what went wrong and what to do.",
            },
            Self::Junk => PageWords {
                tone: "calm",
                mark: DASH,
                title: "Not this sign-in",
                heading: "Not the sign-in that is waiting",
                text: "If you are signing in, go back to your terminal and open the address that it shows.",
                next: "You can close this tab.",
            },
            Self::SignedIn(_) => PageWords {
                tone: "good",
                mark: TICK,
                title: "Signed in",
                heading: "You are signed in",
                text: "",
                next: "You can close this tab and go back to your terminal.",
            },
            Self::Working => PageWords {
                tone: "calm",
                mark: DOTS,
                title: "Almost there",
                heading: "Almost there",
                text: "The sign-in is being finished.",
                next: "Go back to your terminal: it may have a question for you.",
            },
        }
    }

    fn host_line(&self) -> String {
        match self {
            Self::SignedIn(Some(host)) => {
                let shown = host.as_str().strip_prefix("https://").unwrap_or(host.as_str());
                // A name that is too long for a phone breaks after a dot.
                format!("<div class=\"host\">{}</div>\n", escape(shown).replace('.', ".<wbr>"))
            }
            _ => String::new(),
        }
    }
}

/// Formats one of the fixed texts, which need no escaping.
fn paragraph(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<p>{text}</p>\n") }
}

/// Host names in URLs may contain quotes and ampersands.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use sha2::{Digest, Sha256};

    fn every_form() -> Vec<CallbackPage> {
        let host = Host::parse("https://my-workspace.cloud.databricks.com").unwrap();
        vec![
            CallbackPage::Answered,
            CallbackPage::Denied,
            CallbackPage::Failed,
            CallbackPage::Junk,
            CallbackPage::SignedIn(None),
            CallbackPage::SignedIn(Some(host)),
            CallbackPage::Working,
        ]
    }

    #[test]
    fn cb_8_the_policy_names_exactly_the_style_that_the_page_has() {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
        assert_eq!(STYLE_HASH, hash);
        for page in every_form() {
            assert!(page.html().contains(&format!("<style>{STYLE}</style>")));
        }
    }

    #[test]
    fn a25_no_form_refers_to_anything_outside_itself_or_runs_anything() {
        for page in every_form() {
            let html = page.html();
            for outside in [
                "http://", "https://", "src=", "url(", "@import", "<script", "<form", "<iframe",
                " on",
            ] {
                let found = html.match_indices(outside).map(|(at, _)| &html[at..]);
                let found: Vec<_> = found.filter(|rest| !is_words(rest)).collect();
                assert!(found.is_empty(), "{page:?} has {outside}: {found:?}");
            }
            assert!(!html.contains("{{"), "{page:?} is not filled in");
            assert_eq!(html.matches(" href=").count(), html.matches("href=\"data:,\"").count());
        }
    }

    /// " on" is searched for as the start of an event handler such as `onload=`.
    fn is_words(rest: &str) -> bool {
        rest.strip_prefix(" on").is_some_and(|rest| {
            let name = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            !name.trim_start().starts_with('=')
        })
    }

    #[test]
    fn every_form_can_be_read_by_everybody() {
        for page in every_form() {
            let html = page.html();
            for needed in [
                "<html lang=\"en\">",
                "name=\"viewport\"",
                "<main ",
                "<h1>",
                "prefers-color-scheme: dark",
            ] {
                assert!(html.contains(needed), "{page:?} lacks {needed}");
            }
            assert!(html.contains("terminal") && html.len() < 5000, "{page:?}");
            // Browsers replace short error pages with their own.
            assert!(html.len() > 512);
        }
    }

    #[test]
    fn t18_a_host_is_text_whatever_stands_in_it() {
        let host = Host::parse("https://a'b&c.example:8443").unwrap();
        let html = CallbackPage::SignedIn(Some(host)).html();
        assert!(
            html.contains("<div class=\"host\">a&#39;b&#38;c.<wbr>example:8443</div>"),
            "{html}"
        );
        assert_eq!(escape("<script>\""), "&#60;script&#62;&#34;");
    }
}
