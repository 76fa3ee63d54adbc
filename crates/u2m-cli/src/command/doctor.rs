//! `u2m doctor`: what may be wrong on this machine, one line each.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::{output, waiting};
use serde::Serialize;
use u2m::check::{Doctor, DoctorFinding, Severity};

#[derive(Serialize)]
struct DoctorJson<'a> {
    ok: bool,
    checks: Vec<DoctorCheckJson<'a>>,
}

#[derive(Serialize)]
struct DoctorCheckJson<'a> {
    check: &'a str,
    level: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
}

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let doctor = Doctor::new(std::env::vars_os()).with_said(args.said()).with_program(name);
    let doctor = if args.offline { doctor.offline() } else { doctor };
    let doctor = match args.timeout {
        Some(timeout) => doctor.with_timeout(timeout),
        None => doctor,
    };
    let findings =
        waiting::during("Looking at this machine and the host", args.timeout, || doctor.examine());
    let failed = findings.iter().filter(|finding| finding.level == Severity::Fail).count();
    output::result(match output::format(args) {
        Format::Json => json(&findings, failed == 0),
        Format::Text => {
            findings.iter().map(|finding| output::fit(&format!("{finding}\n"))).collect()
        }
    })?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::new(Class::Other, "1 check failed")),
        many => Err(Failure::new(Class::Other, format!("{many} checks failed"))),
    }
}

fn json(findings: &[DoctorFinding], ok: bool) -> String {
    let checks = findings.iter().map(|finding| DoctorCheckJson {
        check: finding.check,
        level: finding.level.as_str(),
        text: &finding.text,
        advice: finding.advice.as_deref(),
    });
    let report = DoctorJson { ok, checks: checks.collect() };
    output::json(&report) + "\n"
}
