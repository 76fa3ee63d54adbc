//! What `help` says.

use crate::args::Topic;

const ALL: &str = "\
Sign in to Databricks once in a browser; every program gets a fresh token.

Usage: u2m COMMAND [PROFILE|HOST] [FLAGS]

Commands:
  login     sign in, and save the login and a profile
  token     print a token, refreshed when it is time
  version   print the version that SDKs ask for
  help      print this

'u2m auth COMMAND' is the same as 'u2m COMMAND'. 'u2m COMMAND --help' says more.

Exit codes:
  0 done   1 failed   2 wrong usage   3 not signed in   4 sign in again
  5 unclear which profile or host   6 network or time-out   7 token store
  130 interrupted
";

const LOGIN: &str = "\
Sign in, and save the login and a profile.

Usage: u2m login [PROFILE|HOST] [FLAGS]

Without a host, login.databricks.com lets you pick a workspace.

Flags:
  --host URL            the host to sign in to
  --account-id ID       the account, for an account console or a unified host
  -p, --profile NAME    the profile to save as (else made from the host)
  --scopes A,B          scopes to ask for (else the profile's, else all-apis)
  --timeout DURATION    how long to wait for you, such as 90s (default 10m)
  --no-browser          only print the address to open
  --paste               also read the address that the browser ends at from the
                        terminal; needs no free port
  --port N              the port that the browser comes back to (else 8020 to 8040)
  --allow-issuer HOST   a host that a login without --host may lead to

Environment: BROWSER, DATABRICKS_CONFIG_FILE, DATABRICKS_AUTH_STORAGE (plaintext),
DATABRICKS_DISCOVERY_HOST, DATABRICKS_OAUTH_CALLBACK_PORT, U2M_TOKEN_CACHE,
HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.
";

const TOKEN: &str = "\
Print a token, refreshed when it is time. Programs that ask at the same time share
one refresh. Never opens a browser.

Usage: u2m token [PROFILE|HOST] [FLAGS]

Flags:
  --host URL            the host that was signed in to
  --account-id ID       the account, for an account console or a unified host
  -p, --profile NAME    the profile (else DATABRICKS_CONFIG_PROFILE, DATABRICKS_HOST,
                        or the default profile)
  --force-refresh       a token newer than the stored one; one that another process
                        fetched in the last 5 seconds counts
  -o, --output FORMAT   json (default) or text
  --timeout DURATION    how long to wait for other processes and the server, if less
                        than the usual 35s; more changes nothing

Environment: as for login.
";

const VERSION: &str = "\
Print the version of the Databricks CLI that this program stands in for.

Usage: u2m version [--output json|text]

'--output json' names u2m's own version as U2mVersion.
";

/// The text on `topic`, with the name that the program was called by.
pub(crate) fn text(topic: Topic, name: &str) -> String {
    let text = match topic {
        Topic::All => ALL,
        Topic::Login => LOGIN,
        Topic::Token => TOKEN,
        Topic::Version => VERSION,
    };
    if name == "u2m" {
        text.to_owned()
    } else {
        text.replace("Usage: u2m", &format!("Usage: {name}"))
    }
}
