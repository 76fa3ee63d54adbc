//! The meaning of the server's errors. Their texts are never shown: they may repeat what was sent, even a password.

use crate::error::StoreError;
use std::io;

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RedisFault {
    /// The connection ended.
    Broken,
    /// No answer within the time limit.
    Late,
    NoSuchName,
    /// Nothing listens at the address.
    NotListening,
    NotRedis,
    /// The server returned an error with this text.
    Said(String),
    TooLarge,
    /// It closed the first connection without an answer.
    Wordless,
}

impl RedisFault {
    pub(super) fn of(error: io::Error) -> Self {
        use io::ErrorKind::{ConnectionRefused, NotFound, TimedOut, WouldBlock};
        match error.kind() {
            ConnectionRefused | NotFound => Self::NotListening,
            TimedOut | WouldBlock => Self::Late,
            _ => Self::Broken,
        }
    }

    /// Returns whether the server's error text contains this code. Before Redis 7 the error of a script contains its code
    /// inside the text.
    pub(super) fn says(&self, code: &str) -> bool {
        matches!(self, Self::Said(words) if words.contains(code))
    }

    /// Returns whether another connection may work: this one leads to a server that has changed its role or is not ready.
    pub(super) fn spoils_the_connection(&self) -> bool {
        match self {
            Self::Said(_) => {
                ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH"].iter().any(|code| self.says(code))
            }
            _ => true,
        }
    }
}

/// The server's error codes and their meaning. The first one that the text contains counts.
const PASSING: [(&str, &str); 7] = [
    ("LOADING", "it is still loading its data"),
    ("MASTERDOWN", "it is a replica that has lost its primary server"),
    ("CLUSTERDOWN", "its cluster is not ready"),
    ("TRYAGAIN", "its cluster is not ready"),
    ("UNBLOCKED", "it has just become a replica"),
    ("BUSY", "it is busy with another script"),
    ("max number of clients", "it has too many clients"),
];

const REFUSALS: [(&str, &str); 13] = [
    ("READONLY", "it is a replica that can only be read; use the address of the primary server"),
    ("MISCONF", "it cannot write to its disk and takes no changes; look into its log"),
    (
        "NOREPLICAS",
        "it has fewer replicas than min-replicas-to-write asks for; start them, or lower that number",
    ),
    (
        "MOVED",
        "it is one node of a cluster, and the login is on another; clusters are not supported",
    ),
    (
        "ASK ",
        "it is one node of a cluster, and the login is on another; clusters are not supported",
    ),
    ("CROSSSLOT", "it is a cluster; clusters are not supported"),
    ("without any password", "it wants no password, and its URL has one; take it out"),
    ("NOAUTH", "it wants a password; put one into its URL"),
    ("WRONGPASS", "user name or password are wrong; check those in its URL"),
    ("invalid password", "user name or password are wrong; check those in its URL"),
    (
        "NOPERM",
        "this user may not do that; it has to be allowed to run scripts (EVALSHA, SCRIPT LOAD) on the keys of the prefix",
    ),
    ("DB index", "it has no database of the number in its URL"),
    ("DENIED", "it takes connections from its own machine alone (protected-mode)"),
];

pub(super) fn fault(server: &str, trouble: &RedisFault) -> StoreError {
    let server = server.to_owned();
    let unavailable =
        |why: &str| StoreError::Unavailable { server: server.clone(), why: why.to_owned() };
    let refused = |why| StoreError::Refused { server: server.clone(), why };
    match trouble {
        RedisFault::Broken => unavailable("the connection broke"),
        RedisFault::Late => unavailable("no answer in time"),
        RedisFault::NoSuchName => unavailable("its name is not known"),
        RedisFault::NotListening => unavailable("nobody listens there"),
        RedisFault::NotRedis => refused("what answers there is not Redis, or expects TLS"),
        RedisFault::TooLarge => refused("its answer is larger than any login"),
        RedisFault::Wordless => {
            unavailable("it ended the connection at once; it may expect TLS, or not be Redis")
        }
        RedisFault::Said(_) if trouble.says("OOM") => StoreError::Full { server },
        RedisFault::Said(_) if trouble.says("WRONGTYPE") => {
            refused("other data stands where the login should be; use another prefix")
        }
        RedisFault::Said(_) => {
            let refusal = REFUSALS.iter().find(|(code, _)| trouble.says(code));
            if let Some((_, why)) = refusal {
                return refused(why);
            }
            match PASSING.iter().find(|(code, _)| trouble.says(code)) {
                Some((_, why)) => unavailable(why),
                None => refused(
                    "it does not know a command that is needed; it has to be Redis 5 or later",
                ),
            }
        }
    }
}

/// Copies an error for another thread that waited for the same answer.
pub(super) fn same(error: &StoreError) -> StoreError {
    match error {
        StoreError::BadEntry { key, why } => StoreError::BadEntry { key: key.clone(), why },
        StoreError::Full { server } => StoreError::Full { server: server.clone() },
        StoreError::Refused { server, why } => StoreError::Refused { server: server.clone(), why },
        StoreError::Unavailable { server, why } => {
            StoreError::Unavailable { server: server.clone(), why: why.clone() }
        }
        other => StoreError::Unavailable { server: "Redis".to_owned(), why: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::CacheKey;

    fn of(words: &str) -> StoreError {
        fault("redis.example:6379", &RedisFault::Said(words.to_owned()))
    }

    #[test]
    fn a_login_that_cannot_be_read_is_that_for_all_who_read_it() {
        let bad = StoreError::BadEntry { key: CacheKey::new("dev"), why: "it was changed" };
        let told = same(&bad);
        assert!(!told.is_transient());
        assert_eq!(told.to_string(), bad.to_string());
    }

    #[test]
    fn each_failure_says_what_is_wrong_and_what_may_pass_is_transient() {
        let passing = [
            ("LOADING Redis is loading the dataset in memory", "loading"),
            (
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                "primary",
            ),
            ("CLUSTERDOWN Hash slot not served", "cluster"),
            ("TRYAGAIN Multiple keys request during rehashing of slot", "cluster"),
            ("BUSY Redis is busy running a script.", "busy"),
            ("ERR max number of clients reached", "too many clients"),
        ];
        for (words, says) in passing {
            assert!(of(words).is_transient(), "{words}");
            assert!(of(words).to_string().contains(says), "{words}");
        }
        let lasting = [
            ("READONLY You can't write against a read only replica.", "primary"),
            ("ERR Error running script: @user_script: 1: -READONLY You can't write", "primary"),
            ("NOPERM this user has no permissions to run the 'evalsha' command", "EVALSHA"),
            ("NOAUTH Authentication required.", "wants a password"),
            ("WRONGPASS invalid username-password pair or user is disabled.", "are wrong"),
            ("ERR invalid password", "are wrong"),
            (
                "ERR AUTH <password> called without any password configured for the default user.",
                "wants no",
            ),
            ("ERR DB index is out of range", "no database"),
            ("ERR invalid DB index", "no database"),
            ("DENIED Redis is running in protected mode because", "protected-mode"),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", "prefix"),
            ("MOVED 3999 127.0.0.1:6381", "cluster"),
            ("ERR unknown command 'EVALSHA'", "Redis 5"),
        ];
        for (words, says) in lasting {
            assert!(!of(words).is_transient(), "{words}");
            assert!(of(words).to_string().contains(says), "{words}: {}", of(words));
        }
        assert!(matches!(of("OOM command not allowed"), StoreError::Full { .. }));
        assert!(matches!(of("ERR Error running script: -OOM command"), StoreError::Full { .. }));
        for trouble in
            [RedisFault::Broken, RedisFault::Late, RedisFault::NotListening, RedisFault::Wordless]
        {
            assert!(fault("redis.example:6379", &trouble).is_transient());
        }
        let tls = fault("redis.example:6379", &RedisFault::NotRedis);
        assert!(!tls.is_transient() && tls.to_string().contains("TLS"));
    }

    #[test]
    fn t14_the_servers_own_words_are_not_repeated() {
        let shown = of("ERR unknown command `AUTH`, with args beginning with: `canary`");
        assert!(!format!("{shown} {shown:?}").contains("canary"));
    }
}
