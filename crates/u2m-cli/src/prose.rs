//! What help and the manual say about each command, besides its flags.

use crate::args::Command;

/// What a command is for, and what else there is to know.
pub(crate) struct Prose {
    /// One or two sentences above the usage line.
    pub(crate) purpose: &'static str,
    /// Paragraphs and tables below the flags; lines that begin with blanks stay as they are.
    pub(crate) more: &'static str,
    /// Command lines, without the program's name, and what each of them does.
    pub(crate) examples: &'static [(&'static str, &'static str)],
}

pub(crate) const ALL: Prose = Prose {
    examples: &[
        ("login --host https://my-workspace.cloud.databricks.com", "sign in, and make a profile"),
        ("token --output text", "print a token for a script"),
        ("whoami", "see which login is used, and whether it works"),
    ],
    purpose: "Sign in to Databricks once in a browser; every program gets a fresh token.",
    more: "\
'u2m auth COMMAND' is the same as 'u2m COMMAND'. 'u2m COMMAND --help' says more.

Exit codes:
  0 done   1 failed   2 wrong usage   3 not signed in   4 sign in again
  5 unclear which profile or host   6 network or time-out   7 token store
  130 interrupted   143 terminated
",
};

/// The settings that every command with a login looks at.
const ENVIRONMENT: &str = "\
Environment: DATABRICKS_CONFIG_PROFILE, DATABRICKS_HOST, DATABRICKS_ACCOUNT_ID,
DATABRICKS_CONFIG_FILE, DATABRICKS_AUTH_STORAGE (secure, encrypted or plaintext;
see 'u2m storage --help'), U2M_TOKEN_CACHE, HTTPS_PROXY, ALL_PROXY, NO_PROXY,
SSL_CERT_FILE, SSL_CERT_DIR.
";

pub(crate) fn of(command: Command) -> Prose {
    let (purpose, more) = match command {
        Command::Completion => (
            "Print what makes a shell complete this program's words, flags and profiles.",
            "\
bash        source <(u2m completion bash)                    in ~/.bashrc
zsh         source <(u2m completion zsh)                     in ~/.zshrc
fish        u2m completion fish | source                     in config.fish
PowerShell  u2m completion powershell | Out-String | Invoke-Expression
                                                             in $PROFILE
",
        ),
        Command::Describe => (
            "Show which login is used, where each setting comes from, and whether it works.",
            "\
A login's tokens are never shown. Without --exit-zero a login that does not work
ends with the code of its reason. What nobody has set is as the host says it, if
it was asked: workspace, account, cloud, discovery URL.
",
        ),
        Command::Doctor => (
            "Look for what keeps logins from working: profile file, store, clock, network,\nproxy, callback ports, browser. One line each: ok, warn or fail, and what to do.",
            "Ends with 1 if a check has failed.\n",
        ),
        Command::Env => (
            "Print the settings of a profile as environment variables.",
            "\
Secrets are left out unless --sensitive is given. In the place of Databricks'
CLI (auth env) it adds what the host says of itself, and the path of this
program.
",
        ),
        Command::Exec => (
            "Run a program with a login in its environment, for as long as its token lives.",
            "\
Sets DATABRICKS_HOST, DATABRICKS_TOKEN, DATABRICKS_AUTH_TYPE=pat and the ids
that are known (no host for a login of --issuer); removes the variables of other
logins (client id and secret, user and password, profile, OIDC, metadata
service). The token is in no argument. Ends as the program ends; 127 where it is
not found, 126 where it cannot be run.
",
        ),
        Command::Import => (
            "Bring in logins that other programs have made, without spending them.",
            "\
Looks for logins of the profiles in the profile file, in the files of
Databricks' Python and Java SDKs. A profile that is signed in already is left
alone. Logins of Databricks' own command line need no import: u2m reads them
where they are. Nothing is changed where a login comes from; after u2m has
refreshed an imported one, the other program has to sign in again, because
servers accept a refresh token only once.
",
        ),
        Command::Login => (
            "Sign in, and save the login and a profile.",
            "\
Without a host, login.databricks.com lets you pick a workspace. On a terminal,
what is not said is asked.

The browser gets those variables that browsers need, and no others: any may hold
a secret. U2M_BROWSER_ENV=NAME,NAME hands on more.

Environment: BROWSER, DATABRICKS_CONFIG_FILE, DATABRICKS_AUTH_STORAGE (secure,
encrypted or plaintext; see 'u2m storage --help'), DATABRICKS_DISCOVERY_HOST,
DATABRICKS_OAUTH_CALLBACK_PORT, U2M_BROWSER_ENV, U2M_TOKEN_CACHE, HTTPS_PROXY,
ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR.
",
        ),
        Command::Logout => (
            "End a login: remove its tokens from every place where they are kept.",
            "\
Then the server is asked to revoke them, where it offers that; a failure is a
warning. Elsewhere tokens that were copied stay valid until they run out.
",
        ),
        Command::Man => (
            "Print the manual, or write a page for each command to a folder.",
            "\
u2m man | man -l -
u2m man --to ~/.local/share/man/man1
",
        ),
        Command::Profiles => (
            "List the profiles, and which of them work.",
            "\
Servers are asked at the same time. '-' stands for a profile that no server was
asked about.
",
        ),
        Command::StorageShow | Command::StorageMigrate => (
            "Where the logins are kept, and moving them.",
            "\
secure      the system's keyring
encrypted   a file of u2m's own that only its key opens
plaintext   ~/.databricks/token-cache.json, which other programs share

'migrate' copies a login, reads it back, and only then removes the old copy.
Where auth_storage is set, it follows: in the profile, or with --all in
[__settings__], as far as other programs know the store; until then the login
is found where it was moved to. DATABRICKS_AUTH_STORAGE goes before both, and
names the one store that a command uses.

The key of the encrypted file comes from the file that U2M_STORAGE_KEY_FILE
names, else from the program in U2M_STORAGE_KEY_COMMAND, else from the keyring.
A key file that is not there is made; keep it where the encrypted file is not.
",
        ),
        Command::Switch => (
            "Choose the profile that is used when none is named.",
            "DATABRICKS_CONFIG_PROFILE and DATABRICKS_HOST go before it.\n",
        ),
        Command::Token => (
            "Print the token of a person's login, refreshed when it is time. Programs that\nask at the same time share one refresh. Opens no browser unasked. What machines\nsign in with (a client id and a secret, a personal token) is not used.",
            ENVIRONMENT,
        ),
        Command::Version => (
            "Print the version of the Databricks CLI that this program stands in for.",
            "'--output json' names u2m's own version as U2mVersion.\n",
        ),
    };
    Prose { purpose, more, examples: examples(command) }
}

fn examples(command: Command) -> &'static [(&'static str, &'static str)] {
    match command {
        Command::Completion => &[("completion zsh", "print the lines for zsh")],
        Command::Describe => &[
            ("describe", "the login that is used where none is named"),
            ("describe dev --offline", "what is known of profile dev without asking a server"),
        ],
        Command::Doctor => &[
            ("doctor", "check everything"),
            ("doctor dev --json", "the same for profile dev, for a program"),
        ],
        Command::Env => &[
            ("env dev --format shell", "export lines for eval in a shell"),
            ("env dev --with-token --format dotenv", "a file for programs that take a token"),
        ],
        Command::Exec => &[
            ("exec -p dev -- terraform plan", "run terraform with the login of profile dev"),
            ("exec -- python job.py", "run a script with the default login"),
        ],
        Command::Import => &[
            ("import", "bring in what SDKs have signed in to"),
            ("import dev --from python", "only profile dev, only from Python's SDK"),
        ],
        Command::Login => &[
            ("login", "ask for everything"),
            ("login --host https://my-workspace.cloud.databricks.com -p dev", "make or renew dev"),
            ("login --web", "choose the workspace in the browser"),
            ("login dev --device --qr", "sign in with a phone"),
        ],
        Command::Logout => &[
            ("logout dev", "end the login of profile dev"),
            ("logout --all --auto-approve", "end every login without being asked"),
        ],
        Command::Man => &[("man --to ~/.local/share/man/man1", "install the pages for one user")],
        Command::Profiles => &[
            ("ls", "list all profiles"),
            ("profiles --skip-validate --json", "the same for a program, without the network"),
        ],
        Command::StorageShow | Command::StorageMigrate => &[
            ("storage show", "see every login and where it is"),
            ("storage migrate --to secure dev", "move one login to the keyring"),
            ("storage migrate --to encrypted --all", "move all to u2m's sealed file"),
        ],
        Command::Switch => {
            &[("switch dev", "make dev the default"), ("switch --clear", "have no default")]
        }
        Command::Token => &[
            ("token", "the token of the default login, as JSON"),
            ("token dev -o text", "the token of profile dev, alone"),
            ("token dev --force-refresh", "a new one, whatever is left of the old"),
        ],
        Command::Version => &[("version --json", "both versions, for a program")],
    }
}
