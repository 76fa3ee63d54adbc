//! Checks the CLI command that SDKs would run.

use super::{DoctorFinding, Examination};
use std::path::{Path, PathBuf};
use u2m_core::Sanitized;

/// SDKs take a smaller program for the CLI of before 2023 and do not run it.
const SMALLEST: u64 = 1 << 20;

pub(super) fn look(ward: &Examination) -> Vec<DoctorFinding> {
    let mut findings = Vec::new();
    let named = ward.var("DATABRICKS_CLI_PATH");
    if let Some(named) = &named {
        findings.push(by_variable(ward, named));
    }
    match on_path(ward, "databricks") {
        Some(path) => findings.push(by_name(ward, &path)),
        None if named.is_none() => findings.push(DoctorFinding::warn(
            "command for SDKs",
            "no program called databricks is on PATH",
            "set DATABRICKS_CLI_PATH to this program, or link it as databricks",
        )),
        None => {}
    }
    if let Some(path) = on_path(ward, "u2m") {
        findings.push(DoctorFinding::ok("u2m on PATH", ward.shown(&path)));
    }
    findings
}

fn by_variable(ward: &Examination, named: &str) -> DoctorFinding {
    let check = "DATABRICKS_CLI_PATH";
    let advice = "set it to the path of this program";
    let path = match named.contains(['/', std::path::MAIN_SEPARATOR]) {
        true => Some(PathBuf::from(named)).filter(|path| path.is_file()),
        false => on_path(ward, named),
    };
    match path {
        None => DoctorFinding::fail(
            check,
            format!("\"{}\" is no program", Sanitized::new(named)),
            advice,
        ),
        Some(path) if is_small(&path) => {
            let text = format!("{} is smaller than 1 MiB: SDKs refuse it", ward.shown(&path));
            DoctorFinding::fail(check, text, advice)
        }
        Some(path) => DoctorFinding::ok(check, format!("{}{}", ward.shown(&path), whose(&path))),
    }
}

fn by_name(ward: &Examination, path: &Path) -> DoctorFinding {
    let check = "databricks on PATH";
    if is_small(path) {
        let text = format!("{} is smaller than 1 MiB: SDKs pass it over", ward.shown(path));
        let advice = "set DATABRICKS_CLI_PATH to this program, or remove that one";
        return DoctorFinding::warn(check, text, advice);
    }
    DoctorFinding::ok(check, format!("{}{}", ward.shown(path), whose(path)))
}

/// Whether it is this very program.
fn whose(path: &Path) -> &'static str {
    let own = std::env::current_exe().and_then(std::fs::canonicalize);
    match (std::fs::canonicalize(path), own) {
        (Ok(path), Ok(own)) if path == own => ", which is this program",
        _ => ", which is another program",
    }
}

fn is_small(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.len() < SMALLEST)
}

fn on_path(ward: &Examination, name: &str) -> Option<PathBuf> {
    let folders = ward.doctor.var_os("PATH")?;
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&folders).map(|folder| folder.join(&name)).find(|path| path.is_file())
}
