//! The result of one check.

use std::fmt;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Everything is as it should be.
    Ok,
    /// It works, but may fail at times.
    Warn,
    /// It does not work.
    Fail,
}

impl Severity {
    /// Returns `ok`, `warn` or `fail`.
    ///
    /// ```
    /// assert_eq!(u2m::check::Severity::Warn.as_str(), "warn");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The result of one check: what was checked, what was found, and what to do about it. Contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DoctorFinding {
    /// What was checked, in a word or two; the same on every machine.
    pub check: &'static str,
    /// How serious it is.
    pub level: Severity,
    /// What was found.
    pub text: String,
    /// What to do; `None` if nothing has to be done.
    pub advice: Option<String>,
}

/// Formats the finding as one line.
impl fmt::Display for DoctorFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<4}  {}: {}", self.level.as_str(), self.check, self.text)?;
        match &self.advice {
            Some(advice) => write!(f, " — {advice}"),
            None => Ok(()),
        }
    }
}

impl DoctorFinding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Severity::Ok, text: text.into(), advice: None }
    }

    pub(super) fn warn(
        check: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check, level: Severity::Warn, text: text.into(), advice: Some(advice.into()) }
    }

    pub(super) fn fail(
        check: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check, level: Severity::Fail, text: text.into(), advice: Some(advice.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_what_to_do_at_its_end() {
        let bad = DoctorFinding::fail("clock", "is 90 seconds slow", "set it");
        assert_eq!(bad.to_string(), "fail  clock: is 90 seconds slow — set it");
        assert_eq!(DoctorFinding::ok("clock", "is right").to_string(), "ok    clock: is right");
        assert!(Severity::Fail > Severity::Warn && Severity::Warn > Severity::Ok);
    }
}
