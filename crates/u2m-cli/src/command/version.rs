//! `u2m version`: what SDKs ask before they trust a command line.

use crate::args::{Args, Format};
use crate::failure::Failure;
use crate::output;
use serde_json::json;

/// The surface of the reference that is covered here. SDKs pass `--profile` and `--force-refresh` only to versions that
/// know them, so that this says which those are, and not how old u2m is.
const COMPATIBLE: (u32, u32, u32) = (1, 14, 0);

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (major, minor, patch) = COMPATIBLE;
    let version = format!("{major}.{minor}.{patch}");
    if args.is_version_flag && !args.stands_in && args.format != Some(Format::Json) {
        return output::result(concat!("u2m ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    if args.format != Some(Format::Json) {
        return output::result(format!("Databricks CLI v{version}\n"));
    }
    let json = json!({
        "ProjectName": "u2m",
        "Version": version,
        "Branch": "",
        "Tag": format!("v{version}"),
        "ShortCommit": "",
        "FullCommit": "",
        "CommitTime": "1970-01-01T00:00:00Z",
        "Summary": format!("v{version}"),
        "Major": major,
        "Minor": minor,
        "Patch": patch,
        "Prerelease": "",
        "IsSnapshot": false,
        "BuildTime": "1970-01-01T00:00:00Z",
        "U2mVersion": env!("CARGO_PKG_VERSION"),
    });
    output::result(output::json(&json) + "\n")
}
