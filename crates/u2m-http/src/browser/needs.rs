//! Determines the variables that a browser gets: those that browsers, and the programs that find
//! them, are known to need, and those that the user names. All others are withheld, because any
//! variable may hold a secret (T16).

use super::env::{BrowserEnv, Platform};
use std::borrow::Cow;
use std::ffi::OsStr;
use url::Url;

/// The variable that names more variables, separated by commas:
/// `U2M_BROWSER_ENV=SSH_CONNECTION,TMUX`. They are passed on unchanged.
const MORE: &str = "U2M_BROWSER_ENV";

/// The names that are needed, grouped by purpose. On Windows, case does not matter.
const NAMES: [&[&str]; 12] = [
    // User and location.
    &["HOME", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "TZDIR", "USER", MORE],
    // The choice of browser, and how to reach one outside this machine or container.
    &[
        "BROWSER",
        "CONTAINER_ID",
        "FLATPAK_ID",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PREFIX",
        "SNAP",
        "SNAP_INSTANCE_NAME",
        "SNAP_NAME",
        "SNAP_REAL_HOME",
        "SNAP_USER_COMMON",
        "SNAP_USER_DATA",
        "TOOLBOX_PATH",
        "VSCODE_CLIENT_COMMAND",
        "VSCODE_CLIENT_COMMAND_CWD",
        "VSCODE_CLI_AUTHORITY",
        "VSCODE_IPC_HOOK_CLI",
        "container",
    ],
    // The screen. The activation token lets a window come to the front, and is good for nothing else.
    &[
        "DESKTOP",
        "DESKTOP_SESSION",
        "DESKTOP_STARTUP_ID",
        "DISPLAY",
        "HYPRLAND_INSTANCE_SIGNATURE",
        "I3SOCK",
        "ICEAUTHORITY",
        "NIRI_SOCKET",
        "SESSION_MANAGER",
        "SWAYSOCK",
        "WAYLAND_DISPLAY",
        "WINDOWID",
        "WINDOWPATH",
        "XAUTHLOCALHOSTNAME",
        "XAUTHORITY",
        "XDG_ACTIVATION_TOKEN",
    ],
    // The session bus, and what is reached over it.
    &[
        "AT_SPI_BUS_ADDRESS",
        "DBUS_SESSION_BUS_ADDRESS",
        "DBUS_SESSION_BUS_PID",
        "DBUS_SESSION_BUS_WINDOWID",
        "DBUS_SYSTEM_BUS_ADDRESS",
        "GNOME_KEYRING_CONTROL",
        "GNOME_KEYRING_PID",
        "NO_AT_BRIDGE",
    ],
    // Language and keyboard.
    &["IM_CONFIG_PHASE", "INPUT_METHOD", "LANG", "LANGUAGE", "LOCPATH", "NLSPATH", "XMODIFIERS"],
    // Appearance.
    &[
        "DRI_PRIME",
        "ELECTRON_OZONE_PLATFORM_HINT",
        "FREETYPE_PROPERTIES",
        "VDPAU_DRIVER",
        "XENVIRONMENT",
    ],
    // Trust, and the location of Kerberos tickets, which is a file name.
    &["KRB5CCNAME", "KRB5_CONFIG", "NIX_SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CERT_FILE"],
    // Where Nix keeps programs and locales.
    &[
        "LOCALE_ARCHIVE",
        "LOCALE_ARCHIVE_2_27",
        "NIX_LD",
        "NIX_LD_LIBRARY_PATH",
        "NIX_PROFILES",
        "NIX_XDG_DESKTOP_PORTAL_DIR",
    ],
    // Browsers that run in a terminal.
    &["COLORTERM", "LYNX_CFG", "LYNX_LSS", "TERM", "TERMINFO", "TERMINFO_DIRS", "W3M_DIR"],
    // macOS.
    &[
        "COMMAND_MODE",
        "SECURITYSESSIONID",
        "XPC_FLAGS",
        "XPC_SERVICE_NAME",
        "__CF_USER_TEXT_ENCODING",
    ],
    // Windows. WSL passes on what `WSLENV` names.
    &[
        "ALLUSERSPROFILE",
        "APPDATA",
        "COMMONPROGRAMFILES",
        "COMMONPROGRAMFILES(X86)",
        "COMMONPROGRAMW6432",
        "COMPUTERNAME",
        "COMSPEC",
        "DRIVERDATA",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "LOGONSERVER",
        "NUMBER_OF_PROCESSORS",
        "OS",
        "PATHEXT",
        "PROGRAMDATA",
        "PROGRAMFILES",
        "PROGRAMFILES(X86)",
        "PROGRAMW6432",
        "PSMODULEPATH",
        "PUBLIC",
        "SESSIONNAME",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "USERDOMAIN",
        "USERDOMAIN_ROAMINGPROFILE",
        "USERNAME",
        "USERPROFILE",
        "WINDIR",
        "WSLENV",
    ],
    // Android's Termux.
    &["ANDROID_DATA", "ANDROID_ROOT", "EXTERNAL_STORAGE"],
];

/// Prefixes of names that are needed: desktops, toolkits, browsers, drivers. Names that look like
/// secrets are withheld even so.
const FAMILIES: [&str; 38] = [
    "CHROME_",
    "CHROMIUM_",
    "CLUTTER_",
    "DBX_",
    "DISTROBOX_",
    "EGL_",
    "FCITX_",
    "FONTCONFIG_",
    "GALLIUM_",
    "GDK_",
    "GIO_",
    "GNOME_",
    "GSETTINGS_",
    "GTK_",
    "IBUS_",
    "KDE_",
    "LC_",
    "LIBGL_",
    "LIBVA_",
    "LXQT_",
    "MATE_",
    "MESA_",
    "MOZ_",
    "NIXOS_",
    "PANGO_",
    "PLASMA_",
    "PROCESSOR_",
    "QT_",
    "SDL_",
    "SOMMELIER_",
    "UIM_",
    "VK_",
    "WSL2_",
    "WSL_",
    "XCURSOR_",
    "XDG_",
    "__GLX_",
    "__NV_",
];

/// The variables that set proxies. Only the address in their values is needed.
const PROXIES: [&str; 4] = ["ALL_PROXY", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY"];

/// Words in a name that indicate a secret.
const SECRETS: [&str; 10] = [
    "APIKEY",
    "AUTH",
    "CONNECTION_STRING",
    "COOKIE",
    "CREDENTIAL",
    "PASS",
    "PWD",
    "SECRET",
    "TOKEN",
    "_KEY",
];

/// Returns the environment of the browser process.
pub(super) fn needed(env: &BrowserEnv) -> impl Iterator<Item = (&OsStr, Cow<'_, OsStr>)> {
    let more = env.get(MORE).unwrap_or_default().to_string_lossy().into_owned();
    env.all().filter_map(move |(name, value)| {
        let text = name.to_str()?;
        if more.split(',').any(|wanted| is_same(env.platform(), wanted.trim(), text)) {
            return Some((name, Cow::Borrowed(value)));
        }
        if is_proxy(text) {
            return without_login(value).map(|value| (name, value));
        }
        is_needed(env.platform(), text).then_some((name, Cow::Borrowed(value)))
    })
}

fn is_needed(platform: Platform, name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_known = |known: &&str| is_same(platform, known, name);
    NAMES.iter().copied().flatten().any(is_known)
        || upper == "NO_PROXY"
        || (FAMILIES.iter().any(|family| name.starts_with(family))
            && !SECRETS.iter().any(|word| upper.contains(word)))
}

fn is_same(platform: Platform, one: &str, other: &str) -> bool {
    match platform {
        Platform::Windows => one.eq_ignore_ascii_case(other),
        Platform::Linux | Platform::MacOs | Platform::Wsl => one == other,
    }
}

/// Returns whether the variable sets a proxy. Programs look for these names in either case.
fn is_proxy(name: &str) -> bool {
    PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
}

/// Returns the address of a proxy without its user name and password, which browsers ask the user
/// for. Returns `None` if the address cannot be parsed and may contain them.
fn without_login(proxy: &OsStr) -> Option<Cow<'_, OsStr>> {
    let text = proxy.to_str()?;
    if !text.contains('@') {
        return Some(Cow::Borrowed(proxy));
    }
    let is_bare = !text.contains("://");
    let address = if is_bare { format!("http://{text}") } else { text.to_owned() };
    let mut url = Url::parse(&address).ok().filter(Url::has_host)?;
    url.set_username("").and_then(|()| url.set_password(None)).ok()?;
    let clean = url.as_str();
    let clean = if is_bare { clean.strip_prefix("http://")? } else { clean };
    (!clean.contains('@')).then(|| Cow::Owned(clean.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(platform: Platform, vars: &[(&str, &str)]) -> Vec<(String, String)> {
        let env = BrowserEnv::new(platform, vars.iter().copied());
        let text = |part: &OsStr| part.to_str().unwrap().to_owned();
        needed(&env).map(|(name, value)| (text(name), text(&value))).collect()
    }

    fn gets(platform: Platform, name: &str) -> bool {
        !given(platform, &[(name, "x")]).is_empty()
    }

    #[test]
    fn t16_a_secret_stays_out_whatever_its_name_is() {
        for secret in [
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "ARM_CLIENT_SECRET",
            "AWS_SECRET_ACCESS_KEY",
            "DATABASE_URL",
            "DATABRICKS_AZURE_CLIENT_SECRET",
            "DATABRICKS_CLIENT_SECRET",
            "DATABRICKS_HOST",
            "DATABRICKS_PASSWORD",
            "DATABRICKS_TOKEN",
            "GH_PAT",
            "GOOGLE_CREDENTIALS",
            "LESSOPEN",
            "MYSQL_PWD",
            "MY_ANYTHING",
            "NIX_CONFIG",
            "PGPASSWORD",
            "SSHPASS",
            "SSH_AUTH_SOCK",
            "SSLKEYLOGFILE",
            "U2M_CLIENT_SECRET",
            "npm_config__auth_token",
        ] {
            for platform in [Platform::Linux, Platform::MacOs, Platform::Windows, Platform::Wsl] {
                assert!(!gets(platform, secret), "{secret}");
            }
        }
    }

    #[test]
    fn t16_what_looks_like_a_secret_stays_out_of_a_family_too() {
        for secret in [
            "CHROME_API_KEY",
            "CHROME_CLOUD_MANAGEMENT_ENROLLMENT_TOKEN",
            "GNOME_ONLINE_PASSWORD",
            "GTK_APIKEY",
            "KDE_AUTH",
            "MOZ_CREDENTIALS",
            "QT_SECRET",
            "SDL_CONNECTION_STRING",
            "SNAP_COOKIE",
            "VK_PWD",
            "WSL_PASSPHRASE",
            "XDG_SESSION_COOKIE",
            "XDG_secret",
        ] {
            assert!(!gets(Platform::Linux, secret), "{secret}");
        }
    }

    #[test]
    fn what_a_browser_needs_it_gets() {
        for needed in [
            "BROWSER",
            "CHROME_DESKTOP",
            "COLORTERM",
            "DBUS_SESSION_BUS_ADDRESS",
            "DISPLAY",
            "GNOME_KEYRING_CONTROL",
            "GTK_THEME",
            "HOME",
            "KDE_FULL_SESSION",
            "KRB5CCNAME",
            "LANG",
            "LC_ALL",
            "MOZ_ENABLE_WAYLAND",
            "NO_PROXY",
            "PATH",
            "QT_QPA_PLATFORM",
            "SSL_CERT_FILE",
            "TERM",
            "TMPDIR",
            "VSCODE_IPC_HOOK_CLI",
            "WAYLAND_DISPLAY",
            "WSL_INTEROP",
            "XAUTHORITY",
            "XDG_ACTIVATION_TOKEN",
            "XDG_RUNTIME_DIR",
            "https_proxy",
            "no_proxy",
        ] {
            assert!(gets(Platform::Linux, needed), "{needed}");
        }
        for needed in ["Path", "SystemRoot", "ProgramFiles(x86)", "LocalAppData", "u2m_browser_env"]
        {
            assert!(gets(Platform::Windows, needed) && !gets(Platform::Linux, needed), "{needed}");
        }
    }

    #[test]
    fn a_person_names_more_and_these_are_handed_on_as_they_are() {
        let vars = [
            ("HTTPS_PROXY", "http://me:secret@proxy:3128"),
            ("MY_TOKEN", "mine"),
            ("MY_TOKENS", "others"),
            ("TMUX", "/tmp/tmux"),
            ("U2M_BROWSER_ENV", "TMUX, MY_TOKEN,,HTTPS_PROXY"),
        ];
        let expected: Vec<_> = vars
            .into_iter()
            .filter(|(name, _)| *name != "MY_TOKENS")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(given(Platform::Linux, &vars), expected);
        assert!(
            given(Platform::Linux, &[("U2M_BROWSER_ENV", "my_var"), ("MY_VAR", "x")]).len() == 1
        );
        assert!(
            given(Platform::Windows, &[("U2M_BROWSER_ENV", "my_var"), ("MY_VAR", "x")]).len() == 2
        );
    }

    #[test]
    fn t16_a_proxy_is_handed_on_without_its_password() {
        for (value, expected) in [
            ("http://proxy:3128", Some("http://proxy:3128")),
            ("proxy:3128", Some("proxy:3128")),
            ("", Some("")),
            ("http://me:secret@proxy:3128", Some("http://proxy:3128/")),
            ("me:secret@proxy:3128", Some("proxy:3128/")),
            ("https://me@proxy", Some("https://proxy/")),
            ("socks5h://me:secret@proxy:1080", Some("socks5h://proxy:1080")),
            ("http://me:sec@ret@proxy", Some("http://proxy/")),
            ("http://proxy/a@b", None),
            ("http://me:secret@", None),
            ("me:secret@@", None),
        ] {
            for name in ["HTTPS_PROXY", "http_proxy", "All_Proxy", "ftp_proxy"] {
                let given = given(Platform::Linux, &[(name, value)]);
                let value_of = given.first().map(|(_, value)| value.as_str());
                assert_eq!(value_of, expected, "{name}={value}");
            }
        }
    }
}
