//! What the server's failures mean. Its own words are never shown: they may repeat what was sent, a password too.

use crate::error::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

pub(super) fn fault(server: &str, error: &RedisError) -> StoreError {
    let server = server.to_owned();
    let unavailable =
        |why: &str| StoreError::Unavailable { server: server.clone(), why: why.to_owned() };
    let refused = |why| StoreError::Refused { server: server.clone(), why };
    // Before version 7 a script's failure carries its code within its words.
    let says = |words: &str| {
        error.code() == Some(words) || error.detail().is_some_and(|text| text.contains(words))
    };
    if says("OOM") {
        return StoreError::Full { server };
    }
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => {
            refused("it is a replica that can only be read; use the address of the primary server")
        }
        _ if says("READONLY") => {
            refused("it is a replica that can only be read; use the address of the primary server")
        }
        _ if says("MISCONF") => {
            refused("it cannot write to its disk and takes no changes; look into its log")
        }
        _ if says("NOREPLICAS") => refused(
            "it has fewer replicas than min-replicas-to-write asks for; start them, or lower that number",
        ),
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => refused(
            "it is one node of a cluster, and the login is on another; clusters are not supported",
        ),
        ErrorKind::AuthenticationFailed => {
            refused("user name or password are wrong; check those in its URL")
        }
        _ if says("NOAUTH") => refused("it wants a password; put one into its URL"),
        _ if says("WRONGPASS") => {
            refused("user name or password are wrong; check those in its URL")
        }
        _ if says("NOPERM") => refused(
            "this user may not do that; it has to be allowed to run scripts (EVALSHA, SCRIPT LOAD) on the keys of the prefix",
        ),
        ErrorKind::Server(ServerErrorKind::BusyLoading) => {
            unavailable("it is still loading its data")
        }
        ErrorKind::Server(
            ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::TryAgain
            | ServerErrorKind::NotBusy,
        ) => unavailable("it is not ready"),
        _ if says("BUSY") => unavailable("it is busy with another script"),
        _ if says("WRONGTYPE") => {
            refused("other data stands where the login should be; use another prefix")
        }
        ErrorKind::Server(_) | ErrorKind::Extension => {
            refused("it does not know a command that is needed; it has to be Redis 5 or later")
        }
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            unavailable("what it answers is not understood")
        }
        _ if error.is_timeout() => unavailable("no answer in time"),
        _ if error.is_connection_refusal() => unavailable("nobody listens there"),
        ErrorKind::Io => unavailable("the connection broke, or its name is not known"),
        _ => unavailable("the connection cannot be used"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, detail: &str) -> StoreError {
        fault("redis.example:6379", &redis::make_extension_error(code.into(), Some(detail.into())))
    }

    #[test]
    fn each_failure_says_what_to_do_and_what_may_pass_is_transient() {
        assert!(matches!(of("OOM", "command not allowed"), StoreError::Full { .. }));
        assert!(matches!(of("ERR", "Error running script: -OOM command"), StoreError::Full { .. }));
        assert!(of("READONLY", "").to_string().contains("primary"));
        assert!(of("NOPERM", "").to_string().contains("EVALSHA"));
        let lost = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(fault("redis.example:6379", &lost).is_transient());
        assert!(!of("WRONGTYPE", "").is_transient());
    }

    #[test]
    fn t14_the_servers_own_words_are_not_repeated() {
        let shown = of("ERR", "unknown command `AUTH`, with args beginning with: `canary`");
        assert!(!format!("{shown} {shown:?}").contains("canary"));
    }
}
