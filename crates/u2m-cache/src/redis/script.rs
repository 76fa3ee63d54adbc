//! The operations that are atomic: the script that the server runs. It is one script of several parts, so that a server that
//! has one part has them all. Each part may be run twice with the same arguments, so that a call whose answer was lost is
//! simply repeated.

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
    /// Releases a claim.
    Disclaim = "disclaim" in "lua/disclaim.lua",
    /// Removes a login, and leaves a tombstone.
    Delete = "delete" in "lua/delete.lua",
    /// Records that an entry holds a refresh token.
    Hold = "hold" in "lua/hold.lua",
    /// Renews a claim.
    Keep = "keep" in "lua/keep.lua",
    /// Takes a lease.
    Lock = "lock" in "lua/lock.lua",
    /// Replaces any existing login, if it is still the one that was read.
    Login = "login" in "lua/login.lua",
    /// Records a failure.
    Note = "note" in "lua/note.lua",
    /// Renews a lease and records that a refresh token is going to be sent.
    Prove = "prove" in "lua/prove.lua",
    /// Reads an entry as it is at one moment.
    Read = "read" in "lua/read.lua",
    /// Releases a lease.
    Release = "release" in "lua/release.lua",
    /// Renews a lease.
    Renew = "renew" in "lua/renew.lua",
    /// Writes again what the server has lost.
    Restore = "restore" in "lua/restore.lua",
    /// Saves the result of a refresh.
    Save = "save" in "lua/save.lua",
    /// Records that a refresh token is used up.
    Spend = "spend" in "lua/spend.lua",
    /// Removes the record that a refresh token is going to be sent.
    Unmark = "unmark" in "lua/unmark.lua",
}

/// One call of a part.
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

    /// Returns the call as it is sent. `name` is the name of the script.
    pub(super) fn words(&self, name: &str) -> CommandWords {
        let count = self.keys.len().to_string();
        let head = ["EVALSHA", name, count.as_str()];
        let rest = self.keys.iter().chain(&self.arguments).map(String::as_str);
        let words = head.into_iter().chain(rest).chain([self.part.word()]);
        words.map(|word| word.as_bytes().to_vec()).collect()
    }
}

/// Loads the script into the server, which returns its name.
pub(super) fn load() -> CommandWords {
    ["SCRIPT", "LOAD", TEXT].map(|word| word.as_bytes().to_vec()).into()
}
