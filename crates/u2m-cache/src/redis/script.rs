//! What happens in one step: the script that the server runs. It is one script of several parts, so that a server which
//! knows one of them knows them all. Each part may be run twice with the same arguments, so that one whose answer was lost
//! is simply asked again.

use super::wire::CommandWords;

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $word:literal in $file:literal,)*) => {
        /// A part of the script.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Part {
            $($(#[$doc])* $name,)*
        }

        impl Part {
            const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }

        const TEXT: &str = concat!(
            include_str!("lua/common.lua"),
            $("parts['", $word, "'] = function()\n", include_str!($file), "end\n",)*
            "return parts[ARGV[#ARGV]]()\n",
        );
    };
}

parts! {
    /// Claims a refresh token.
    Claim = "claim" in "lua/claim.lua",
    /// Gives a claim back.
    Disclaim = "disclaim" in "lua/disclaim.lua",
    /// Removes a login, and leaves a tombstone.
    Delete = "delete" in "lua/delete.lua",
    /// Writes down that an entry holds a refresh token.
    Hold = "hold" in "lua/hold.lua",
    /// Makes a claim last.
    Keep = "keep" in "lua/keep.lua",
    /// Takes a lease.
    Lock = "lock" in "lua/lock.lua",
    /// Replaces whatever login there is, if it is still the one that was read.
    Login = "login" in "lua/login.lua",
    /// Remembers a failure.
    Note = "note" in "lua/note.lua",
    /// Renews a lease, and writes down that a refresh token is about to be spent.
    Prove = "prove" in "lua/prove.lua",
    /// Reads an entry as it is at one moment.
    Read = "read" in "lua/read.lua",
    /// Gives a lease back.
    Release = "release" in "lua/release.lua",
    /// Makes a lease last.
    Renew = "renew" in "lua/renew.lua",
    /// Puts back what the server has lost.
    Restore = "restore" in "lua/restore.lua",
    /// Saves what a refresh brought.
    Save = "save" in "lua/save.lua",
    /// Writes down that a refresh token is spent.
    Spend = "spend" in "lua/spend.lua",
    /// Takes back that a refresh token is about to be spent.
    Unmark = "unmark" in "lua/unmark.lua",
}

/// One run of a part.
pub(super) struct ScriptCall {
    part: Part,
    keys: Vec<String>,
    arguments: Vec<String>,
}

impl ScriptCall {
    pub(super) fn new(part: Part, keys: &[&str]) -> Self {
        Self { part, keys: keys.iter().map(ToString::to_string).collect(), arguments: Vec::new() }
    }

    pub(super) fn arg(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// As the server takes it; `name` is that of the script.
    pub(super) fn words(&self, name: &str) -> CommandWords {
        let count = self.keys.len().to_string();
        let head = ["EVALSHA", name, count.as_str()];
        let rest = self.keys.iter().chain(&self.arguments).map(String::as_str);
        let words = head.into_iter().chain(rest).chain([self.part.word()]);
        words.map(|word| word.as_bytes().to_vec()).collect()
    }
}

/// Gives the server the script, which answers with its name.
pub(super) fn load() -> CommandWords {
    ["SCRIPT", "LOAD", TEXT].map(|word| word.as_bytes().to_vec()).into()
}
