//! What `help` says.

use crate::args::Command;

const ALL: &str = "\
Sign in to Databricks once in a browser; every program gets a fresh token.

Usage: u2m COMMAND [PROFILE|HOST] [FLAGS]

Commands:
  login     sign in, and save the login and a profile
  token     print a token, refreshed when it is time
  logout    end a login, wherever it is kept
  storage   show where logins are kept, and move them
  import    bring in logins of other programs
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

Environment: BROWSER, DATABRICKS_CONFIG_FILE, DATABRICKS_AUTH_STORAGE (secure,
encrypted or plaintext; see 'u2m storage --help'), DATABRICKS_DISCOVERY_HOST,
DATABRICKS_OAUTH_CALLBACK_PORT, U2M_TOKEN_CACHE, HTTPS_PROXY, NO_PROXY,
SSL_CERT_FILE.
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

const LOGOUT: &str = "\
End a login: remove its tokens from every place where they are kept. Needs no
network.

Usage: u2m logout [PROFILE|HOST] [FLAGS]

Flags:
  -p, --profile NAME    the profile whose login ends
  --host URL            the host whose login ends: its profile's, or its own
  --account-id ID       which account of that host
  --all                 end every login
  --delete              also remove the profile from the profile file
  --auto-approve        do not ask
  -o, --output FORMAT   text (default: nothing on standard output) or json

Tokens that were copied elsewhere stay valid until they run out.
";

const STORAGE: &str = "\
Where the logins are kept, and moving them.

Usage: u2m storage show [--output json|text]
       u2m storage migrate --to secure|encrypted|plaintext PROFILE|HOST|--all

  secure      the system's keyring
  encrypted   a file of u2m's own that only its key opens
  plaintext   ~/.databricks/token-cache.json, which other programs share

'migrate' copies a login, reads it back, and only then removes the old copy. Where
auth_storage is set, it follows: in the profile, or with --all in [__settings__], as
far as other programs know the store. DATABRICKS_AUTH_STORAGE goes before both.

The key of the encrypted file comes from the file that U2M_STORAGE_KEY_FILE names,
else from the program in U2M_STORAGE_KEY_COMMAND, else from the keyring. A key file
that is not there is made; keep it where the encrypted file is not.
";

const IMPORT: &str = "\
Bring in logins that other programs have made, without spending them.

Usage: u2m import [PROFILE] [--from python|java] [--output json|text]

Looks for logins of the profiles in the profile file, in the files of Databricks'
Python and Java SDKs. A profile that is signed in already is left alone. Logins of
Databricks' own command line need no import: u2m reads them where they are.
Nothing is changed where a login comes from; after u2m has refreshed an imported
one, the other program has to sign in again, because servers accept a refresh token
only once.
";

/// The text on a command, or on all of them, with the name that the program was called by.
pub(crate) fn text(command: Option<Command>, name: &str) -> String {
    let text = match command {
        None => ALL,
        Some(Command::Import) => IMPORT,
        Some(Command::Login) => LOGIN,
        Some(Command::Logout) => LOGOUT,
        Some(Command::StorageMigrate | Command::StorageShow) => STORAGE,
        Some(Command::Token) => TOKEN,
        Some(Command::Version) => VERSION,
        Some(_) => ALL,
    };
    if name == "u2m" {
        text.to_owned()
    } else {
        text.replace("Usage: u2m ", &format!("Usage: {name} "))
            .replace("\n       u2m ", &format!("\n       {name} "))
    }
}
