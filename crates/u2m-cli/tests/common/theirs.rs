//! What differs after `auth`: what `u2m` says as Databricks' CLI says it.

/// What `u2m` said as Databricks' CLI says it, for callers that mean that one: a report of what is wrong is a success, has no
/// word of the token, and what nobody knows to be valid is not.
pub(crate) fn theirs(
    command: &str,
    (code, stdout, stderr): (Option<i32>, String, String),
) -> (Option<i32>, String, String) {
    if stdout.is_empty() {
        return (code, stdout, stderr);
    }
    match (command, stdout.starts_with('{')) {
        ("describe" | "status", is_json) => {
            let kept = stderr.split("Error: ").next().unwrap().to_owned();
            let stdout = stdout.split('\n').map(in_their_words).collect::<Vec<_>>().join("\n");
            let stdout = match is_json {
                true => without_member(&stdout, "  \"token\":"),
                false => without_lines(&stdout, &OF_A_TOKEN),
            };
            (Some(0), stdout, kept)
        }
        ("env", true) => (code, stdout.trim_end().to_owned(), stderr),
        ("profiles", true) => {
            let stdout = stdout.replace("\"valid\": null", "\"valid\": false");
            // As it is left of what it says about times.
            let stdout = stdout.replace("\n\"expiry\":\n", "\n      \"expiry\":\n");
            let ours = ["error", "expiry", "storage", "issuer"];
            let without = |text: String, name| without_member(&text, &format!("      \"{name}\":"));
            (code, ours.into_iter().fold(stdout, without), stderr)
        }
        ("profiles", false) => (code, three_columns(&stdout).replace("  -\n", "  NO\n"), stderr),
        _ => (code, stdout, stderr),
    }
}

/// A line that says why nobody is signed in, as programs know it that look for such words.
fn in_their_words(line: &str) -> String {
    let ends = |words: &str| line.split_once(words).map(|(_, login)| login.to_owned());
    let before = |words: &str| line.find(words).map(|at| &line[..at]);
    if let (Some(login), Some(before)) = (ends(" is not signed in. Run: "), before("profile ")) {
        let (login, end) =
            login.split_once('"').map_or((login.as_str(), ""), |(login, _)| (login, "\""));
        return format!(
            "{before}cache: databricks OAuth is not configured for this host. no cached credentials; run `{login}` to sign in{end}"
        );
    }
    let ended = " has ended: the server does not renew it any more. Sign in again: ";
    match (ends(ended), before("the login of ")) {
        (Some(login), Some(before)) => format!(
            "{before}A new access token could not be retrieved because the refresh token is invalid. To reauthenticate, run the \
             following command: {login}"
        ),
        _ => line.to_owned(),
    }
}

/// The rows of a table up to the column that says whether a profile is valid; how wide the columns are depends on the run.
pub(crate) fn three_columns(text: &str) -> String {
    let row = |line: &str| {
        let cells: Vec<_> =
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let is_last = |cell: &&str| ["Valid", "YES", "NO", "-"].contains(cell);
        let end = cells.iter().position(is_last).map_or(cells.len(), |at| at + 1);
        cells[..end].join("  ")
    };
    text.split('\n').map(row).collect::<Vec<_>>().join("\n")
}

/// What a description says of the token.
const OF_A_TOKEN: [&str; 6] =
    ["Token expires:", "Refreshable:", "Scopes:", "Issuer:", "Subject:", "Storage key:"];

/// What a configuration has that follows from the host's own word, for which Databricks' CLI always asks, and from how the
/// program was started: `describe.rs` and `env.rs` say which of it is there.
const DERIVED: [(&str, &str); 6] = [
    ("account_id", "DATABRICKS_ACCOUNT_ID"),
    ("audience", "DATABRICKS_TOKEN_AUDIENCE"),
    ("cloud", "DATABRICKS_CLOUD"),
    ("databricks_cli_path", "DATABRICKS_CLI_PATH"),
    ("discovery_url", "DATABRICKS_DISCOVERY_URL"),
    ("workspace_id", "DATABRICKS_WORKSPACE_ID"),
];

pub(crate) fn without_derived(
    (code, stdout, stderr): (Option<i32>, String, String),
) -> (Option<i32>, String, String) {
    let without = |text: String, (key, variable): &(&str, &str)| {
        let label = format!("  ✓ {key}:");
        let is_said = |line: &&str| !line.starts_with(&label) || line.contains(" (from ");
        let text = text.split('\n').filter(is_said).collect::<Vec<_>>().join("\n");
        let starts = [format!("{variable}="), format!("export {variable}=")];
        let text = without_lines(&text, &starts.each_ref().map(String::as_str));
        let text = without_member(&text, &format!("    \"{variable}\":"));
        without_member(&text, &format!("      \"{key}\":"))
    };
    (code, DERIVED.iter().fold(stdout, without), stderr)
}

/// A text without the lines of these labels.
fn without_lines(text: &str, labels: &[&str]) -> String {
    let is_other = |line: &&str| !labels.iter().any(|label| line.starts_with(label));
    text.split('\n').filter(is_other).collect::<Vec<_>>().join("\n")
}

/// A JSON text, as it is laid out, without the member that begins like this.
fn without_member(text: &str, start: &str) -> String {
    let indent = &start[..start.len() - start.trim_start().len()];
    let (mut lines, mut is_inside) = (Vec::<String>::new(), false);
    for line in text.split('\n') {
        let is_end = line.trim_start().starts_with(['}', ']']);
        if is_inside {
            is_inside = !(is_end && line.trim_end_matches(',').len() == indent.len() + 1);
        } else if line.starts_with(start) {
            is_inside = line.ends_with(['{', '[']);
        } else {
            // What was before the last member is the last one now.
            if let Some(last) = lines.last_mut().filter(|last| is_end && last.ends_with(',')) {
                last.pop();
            }
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}
