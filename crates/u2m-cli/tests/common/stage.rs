//! The world of a case: what is there before it, and how it is played.

use crate::case::Case;
use crate::common::{self, Ran, U2M, World, now, ran};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use u2m::Timestamp;
use u2m::source::Lifetime;
use u2m_testkit::{Endpoint, Fault, HostMetadata, IssuedTokens, Settings, Times, http::StatusCode};

/// A world as the case wants it.
pub(crate) struct Stage<'c> {
    pub(crate) case: &'c Case,
    pub(crate) world: World,
    pub(crate) url: String,
    pub(crate) tokens: IssuedTokens,
    pub(crate) before: std::collections::BTreeMap<String, String>,
    pub(crate) start: Timestamp,
}

impl<'c> Stage<'c> {
    pub(crate) fn set(case: &'c Case) -> Self {
        let mut settings = Settings::new();
        let mut server = case.all("server").flat_map(|words| words.split(' '));
        while let Some(word) = server.next() {
            settings = match word {
                "takes" => settings.with_personal_token(server.next().unwrap()),
                "me-refused" => settings.with_me_refused(StatusCode::BAD_REQUEST),
                "unified" => settings.with_host_metadata(HostMetadata::unified("acc-1")),
                "no-metadata" => settings.with_host_metadata(HostMetadata::absent()),
                "opaque" => settings.with_access_token_form(u2m_testkit::AccessTokenForm::Opaque),
                "down" => settings,
                "no-issuer" => settings.without_metadata_member("issuer"),
                "revokes" => settings.with_revocation(),
                "openid" => settings.with_well_known(u2m_testkit::WellKnown::OpenId),
                other => panic!("{}: what is a server '{other}'?", case.name),
            };
        }
        for workspace in case.all("workspace") {
            let (id, name) = workspace.split_once(' ').unwrap();
            settings = settings.with_workspace(id.parse().unwrap(), name);
        }
        for cluster in case.all("cluster") {
            let cluster: serde_json::Value = serde_json::from_str(cluster).unwrap();
            settings = settings.with_cluster(cluster);
        }
        if case.one("iss").is_some() {
            settings = settings.with_iss(u2m_testkit::Iss::Present);
        }
        let world = World::with(settings);
        let tokens = world.sign_in();
        let down = case.all("server").any(|word| word == "down");
        let url = if down {
            format!("http://127.0.0.1:{}", common::free_port())
        } else {
            world.url().to_owned()
        };
        let mut stage = Self { case, world, url, tokens, before: Default::default(), start: now() };
        stage.prepare();
        stage.before = stage.world.tree();
        stage
    }

    pub(crate) fn prepare(&self) {
        for (title, text) in &self.case.blocks {
            if let Some(path) = title.strip_prefix("file ") {
                self.world.write(path, &self.filled(text));
            }
        }
        for login in self.case.all("login") {
            let (key, left) = login.rsplit_once(' ').unwrap();
            self.world.seed(&self.filled(key), left.parse().unwrap());
        }
        for login in self.case.all("own") {
            let (key, left) = login.rsplit_once(' ').unwrap();
            self.world.keep(&self.filled(key), left.parse().unwrap(), &self.tokens);
        }
        for login in self.case.all("sealed") {
            let (key, left) = login.rsplit_once(' ').unwrap();
            self.world.seal(&self.filled(key), left.parse().unwrap(), &self.tokens);
        }
        for line in self.case.all("before") {
            let mut command = Command::new(U2M);
            command.args(words(&self.filled(line)));
            self.surround(&mut command);
            let ran = ran(command);
            assert_eq!(ran.code, Some(0), "{}: {line}: {}", self.case.name, ran.stderr);
        }
        for link in self.case.all("link") {
            let (path, target) = link.split_once(' ').unwrap();
            std::os::unix::fs::symlink(self.world.path(target), self.world.path(path)).unwrap();
        }
        for chmod in self.case.all("chmod") {
            let (mode, path) = chmod.split_once(' ').unwrap();
            let mode = u32::from_str_radix(mode, 8).unwrap();
            std::fs::set_permissions(self.world.path(path), PermissionsExt::from_mode(mode))
                .unwrap();
        }
        for fault in self.case.all("fault") {
            self.inject(fault);
        }
    }

    pub(crate) fn inject(&self, fault: &str) {
        let mut words = fault.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let endpoint = match word() {
            "token" => Endpoint::Token,
            "metadata" => Endpoint::Metadata,
            "host-metadata" => Endpoint::HostMetadata,
            "api" => Endpoint::Api,
            "revocation" => Endpoint::Revocation,
            other => panic!("{}: what is an endpoint '{other}'?", self.case.name),
        };
        let fault = match word() {
            "drop" => Fault::drop_connection(),
            "hang" => Fault::never_answer(),
            status => {
                let status = StatusCode::from_bytes(status.as_bytes()).unwrap();
                Fault::status(status, word(), self.filled(word()))
            }
        };
        self.world.server.inject(endpoint, Times::Always, fault);
    }

    /// The text with its variables filled in.
    pub(crate) fn filled(&self, text: &str) -> String {
        let hostport = self.url.strip_prefix("http://").unwrap();
        let mut text = text
            .replace("{URL}", &self.url)
            .replace("{HOSTPORT}", hostport)
            .replace("{PORT}", hostport.split(':').nth(1).unwrap())
            .replace("{HOME}", &self.world.home().to_string_lossy())
            .replace("{access}", self.tokens.access_token())
            .replace("{refresh}", self.tokens.refresh_token().unwrap())
            .replace("{long}", &"x".repeat(20_000))
            .replace("{megabyte}", &"x".repeat(1 << 20));
        while let Some(at) = text.find("{in ") {
            let end = at + text[at..].find('}').unwrap();
            let seconds: i64 = text[at + 4..end].parse().unwrap();
            let time = u2m::text::format_local(self.start.plus(Lifetime::from_seconds(seconds)));
            text.replace_range(at..=end, &time);
        }
        text
    }

    /// Whether the program is called by the name of Databricks' CLI.
    pub(crate) fn plays_databricks(&self) -> bool {
        self.case.one("as") == Some("databricks")
    }

    /// `None` if this machine cannot play the case.
    pub(crate) fn play(&self, is_auth: bool) -> Option<Ran> {
        let mut command = match (self.case.one("as"), self.case.one("terminal")) {
            (None, None) => Command::new(U2M),
            (None, Some(_)) => {
                let mut command = Command::new("setsid");
                command.args(["--wait", U2M]);
                command
            }
            (Some(name), _) => {
                std::os::unix::fs::symlink(U2M, self.world.path(name)).unwrap();
                Command::new(self.world.path(name))
            }
        };
        command
            .args(is_auth.then_some("auth"))
            .args(words(&self.filled(self.case.one("args").unwrap_or_default())));
        self.surround(&mut command);
        if self.case.one("unprivileged").is_some() && !self.world.unprivileged(&mut command) {
            return None;
        }
        for chown in self.case.all("chown") {
            let (owner, path) = chown.split_once(' ').unwrap();
            std::os::unix::fs::chown(self.world.path(path), Some(owner.parse().unwrap()), None)
                .ok()?;
        }
        let ran = ran(command);
        if let Some(name) = self.case.one("as") {
            std::fs::remove_file(self.world.path(name)).unwrap();
        }
        Some(ran)
    }

    pub(crate) fn surround(&self, command: &mut Command) {
        self.world.surround(command);
        if self.case.one("browser").is_some() {
            // This very program, which any machine has.
            let program = std::env::current_exe().unwrap();
            let browser = format!("'{}' --exact the_browser --ignored %s", program.display());
            command.env("BROWSER", browser);
            command.env("DATABRICKS_OAUTH_CALLBACK_PORT", common::free_port().to_string());
        }
        for variable in self.case.all("env") {
            let (name, value) = variable.split_once('=').unwrap();
            command.env(name, self.filled(value));
        }
        self.case.all("unset").for_each(|name| {
            command.env_remove(name);
        });
    }
}

/// Splits at blanks outside of `'…'`.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, any) = (!quoted, true),
            ' ' if !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    words.extend(any.then_some(word));
    words
}
