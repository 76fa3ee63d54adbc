//! A home, a fake server, and a session bus with a keyring on it.

use crate::common::{Ran, Running, World, free_port, now, printed_token, ran};
use crate::secret_service::SecretService;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use u2m::config::ConfigFile;
use u2m::source::Lifetime;
use u2m::text::format_local;
use u2m_testkit::{IssuedTokens, follow_login};

/// The variable that names a store.
const VARIABLE: &str = "DATABRICKS_AUTH_STORAGE";

pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) service: SecretService,
}

impl Desk {
    /// With an unlocked keyring; `None` where the programs for it are missing.
    pub(crate) fn new() -> Option<Self> {
        SecretService::start().map(Self::with)
    }

    /// With a bus, and nobody on it.
    pub(crate) fn without_keyring() -> Option<Self> {
        SecretService::without_keyring().map(Self::with)
    }

    fn with(service: SecretService) -> Self {
        let world = World::new();
        let run = world.path("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::set_permissions(&run, PermissionsExt::from_mode(0o700)).unwrap();
        Self { world, service }
    }

    /// A profile for the server.
    pub(crate) fn profile(self) -> Self {
        self.world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", self.world.url()));
        self
    }

    /// The program on this bus, with the store that `mode` names, or none by name.
    pub(crate) fn command(&self, line: &str, mode: Option<&str>) -> Command {
        let mut command = self.off_the_bus(line, mode);
        command.env("DBUS_SESSION_BUS_ADDRESS", self.service.address());
        command
    }

    /// The same without any bus.
    pub(crate) fn off_the_bus(&self, line: &str, mode: Option<&str>) -> Command {
        let mut command = self.world.command(line);
        command.env_remove(VARIABLE).envs(mode.map(|mode| (VARIABLE, mode)));
        command.env("XDG_RUNTIME_DIR", self.world.path("run"));
        command
    }

    pub(crate) fn run(&self, line: &str, mode: Option<&str>) -> Ran {
        ran(self.command(line, mode))
    }

    /// A token that the server takes.
    pub(crate) fn token(&self, line: &str, mode: Option<&str>) -> String {
        let ran = self.run(line, mode);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}");
        let token = printed_token(&ran.stdout);
        assert!(self.world.server.is_active(&token));
        token
    }

    /// Signs in as a person would; what was said.
    pub(crate) fn login(&self, mode: Option<&str>) -> Ran {
        sign_in(self.command("login --host {URL} --profile dev", mode))
    }

    /// What the item of a login says.
    pub(crate) fn item(&self, account: &str) -> serde_json::Value {
        serde_json::from_str(&self.service.lookup(account)).unwrap()
    }

    /// How many items Databricks' programs have in this keyring.
    pub(crate) fn items(&self) -> usize {
        self.service.search(&["service", "databricks-cli"]).matches("label = ").count()
    }

    /// Puts a login of the server into the keyring as Databricks' own command line does, with `left` seconds left of an hour.
    pub(crate) fn seed(&self, left: i64) -> IssuedTokens {
        let tokens = self.world.sign_in();
        let token = serde_json::json!({"token": {
            "access_token": tokens.access_token(),
            "token_type": "Bearer",
            "refresh_token": tokens.refresh_token().unwrap(),
            "expiry": format_local(now().plus(Lifetime::from_seconds(left))),
            "expires_in": 3600,
        }});
        self.put("dev", &token);
        tokens
    }

    /// Lets the tokens of a login expire `left` seconds from now.
    pub(crate) fn age(&self, left: i64) {
        let mut item = self.item("dev");
        item["token"]["expiry"] = format_local(now().plus(Lifetime::from_seconds(left))).into();
        self.put("dev", &item);
    }

    fn put(&self, account: &str, item: &serde_json::Value) {
        let attributes = ["service", "databricks-cli", "username", account];
        // What u2m stored would stay beside what secret-tool stores.
        self.service.secret_tool(&[&["clear"], &attributes[..]].concat(), "");
        let label = format!("--label=Password for '{account}' on 'databricks-cli'");
        let stored = [&["store", &label], &attributes[..]].concat();
        assert!(self.service.secret_tool(&stored, &item.to_string()).status.success());
    }

    /// The login in the keyring can still be renewed.
    pub(crate) fn is_alive(&self) -> bool {
        let item = self.item("dev");
        self.world.server.is_refreshable(item["token"]["refresh_token"].as_str().unwrap())
    }

    /// No file below the home holds one of the secrets, and none is all of them.
    pub(crate) fn assert_in_no_file(&self, secrets: &[&str]) {
        assert!(!secrets.is_empty());
        for (name, content) in self.world.tree() {
            for secret in secrets {
                assert!(secret.len() > 8 && !content.contains(secret), "{secret} in {name}");
            }
        }
    }

    /// What the settings say about the store.
    pub(crate) fn setting(&self) -> Option<String> {
        let config = ConfigFile::read(self.world.config()).unwrap();
        config.setting("auth_storage").map(str::to_owned)
    }

    /// What `storage show` says, as JSON.
    pub(crate) fn shown(&self, mode: Option<&str>) -> serde_json::Value {
        let ran = self.run("storage show --output json", mode);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

/// Follows the address that a login shows.
pub(crate) fn sign_in(mut command: Command) -> Ran {
    command.args(["--no-browser", "--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    let url = running.url();
    follow_login(&url).unwrap();
    running.done()
}
