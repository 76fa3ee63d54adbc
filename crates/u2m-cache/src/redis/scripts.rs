//! What happens in one step: the scripts that the server runs. Each may be run twice with the same arguments, so that one
//! whose answer was lost is simply asked again.

use redis::Script;
use std::sync::OnceLock;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $file:literal;)*) => {
        /// The scripts, with their hashes.
        pub(super) struct Scripts {
            $($(#[$doc])* pub(super) $name: Script,)*
        }

        /// They are the same for every store.
        pub(super) fn scripts() -> &'static Scripts {
            static SCRIPTS: OnceLock<Scripts> = OnceLock::new();
            SCRIPTS.get_or_init(|| Scripts {
                $($name: Script::new(concat!(include_str!("lua/common.lua"), include_str!($file))),)*
            })
        }
    };
}

scripts! {
    /// Removes a login, and leaves a tombstone.
    delete: "lua/delete.lua";
    /// Takes a lease.
    lock: "lua/lock.lua";
    /// Replaces whatever login there is, if it is still the one that was read.
    login: "lua/login.lua";
    /// Remembers a failure.
    note: "lua/note.lua";
    /// Renews a lease, and writes down that a refresh token is about to be spent.
    prove: "lua/prove.lua";
    /// Reads an entry as it is at one moment.
    read: "lua/read.lua";
    /// Gives a lease back.
    release: "lua/release.lua";
    /// Saves what a refresh brought.
    save: "lua/save.lua";
}
