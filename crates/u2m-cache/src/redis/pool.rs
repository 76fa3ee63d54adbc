//! Connections: opened when they are needed, kept for the next one who asks, bounded in number and in time.

use super::fault::fault;
use crate::error::StoreError;
use crate::gate::end_of;
use redis::io::tcp::TcpSettings;
use redis::{
    Client, Connection, ConnectionLike, ErrorKind, IntoConnectionInfo, RedisError, RedisResult,
};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use u2m_core::Foreign;

/// More than this many questions at a time wait for each other.
const MOST: usize = 16;

/// The connections to one server.
pub(super) struct Pool {
    client: Client,
    server: String,
    timeout: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
}

impl Pool {
    /// Reads the URL; nothing is connected yet.
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, StoreError> {
        // What is wrong is not quoted: the URL may hold a password.
        let open = || -> RedisResult<Client> {
            let info = url.into_connection_info()?;
            Client::open(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
        };
        let client = open().map_err(|error| StoreError::CannotOpen {
            why: if error.kind() == ErrorKind::InvalidClientConfig && url.starts_with("redis") {
                "its URL is not understood, or needs TLS, which this program was built without"
            } else {
                "its URL has to be redis://[user:password@]host[:port][/database] or unix://path"
            },
        })?;
        let info = client.get_connection_info();
        let (address, database) = (info.addr().to_string(), info.redis_settings().db());
        let server = Foreign::new(&format!("Redis at {address}/{database}")).to_string();
        Ok(Self { client, server, timeout, state: Mutex::default(), freed: Condvar::new() })
    }

    /// How the server is called in messages: without credentials.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Asks the server. A kept connection that turns out to be dead is replaced once, so that `work` may happen twice.
    pub(super) fn ask<T>(
        &self,
        mut work: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        let mut lent = self.lend()?;
        let outcome = match lent.connection.take() {
            Some(mut kept) => match work(&mut kept) {
                Err(error) if error.is_connection_dropped() => {
                    // The others that were kept went with the same server.
                    self.state().idle.clear();
                    self.afresh(&mut lent, &mut work)
                }
                outcome => self.after(&mut lent, kept, outcome),
            },
            None => self.afresh(&mut lent, &mut work),
        };
        outcome.map_err(|error| fault(&self.server, &error))
    }

    fn afresh<T>(
        &self,
        lent: &mut Lent<'_>,
        work: &mut impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let mut connection = self.client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        let outcome = work(&mut connection);
        self.after(lent, connection, outcome)
    }

    /// Keeps a connection on which no answer is outstanding.
    fn after<T>(
        &self,
        lent: &mut Lent<'_>,
        connection: Connection,
        outcome: RedisResult<T>,
    ) -> RedisResult<T> {
        let is_server_answer = |error: &RedisError| {
            matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
        };
        let is_clean = outcome.as_ref().err().is_none_or(is_server_answer);
        if is_clean && connection.is_open() {
            lent.connection = Some(connection);
        }
        outcome
    }

    /// A place among those who ask, with a kept connection if there is one.
    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let end = end_of(self.timeout);
        let mut state = self.state();
        while state.lent >= MOST {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = "all connections to it are busy".to_owned();
                return Err(StoreError::Unavailable { server: self.server.clone(), why });
            }
            (state, _) =
                self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        state.lent += 1;
        Ok(Lent { connection: state.idle.pop(), pool: self })
    }

    /// A panic elsewhere leaves it whole: each change is one step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who ask; what is in it when it goes is kept.
struct Lent<'p> {
    connection: Option<Connection>,
    pool: &'p Pool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.lent -= 1;
        state.idle.extend(self.connection.take());
        drop(state);
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn t14_credentials_in_the_url_are_shown_by_nothing() {
        let pool = Pool::new("redis://me:canary@127.0.0.1:1/3", Duration::from_millis(50)).unwrap();
        assert_eq!(pool.server(), "Redis at 127.0.0.1:1/3");
        let error = pool.ask(|connection| redis::cmd("PING").query::<()>(connection)).unwrap_err();
        assert!(error.is_transient());
        assert!(!format!("{error} {error:?}").contains("canary"));
        for url in ["canary", "redis://u:canary@[", "rediss://u:canary@localhost"] {
            let error = Pool::new(url, Duration::from_millis(50)).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn store_3_a_server_that_takes_the_connection_and_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://127.0.0.1:{}", silent.local_addr().unwrap().port());
        let pool = Pool::new(&url, Duration::from_millis(100)).unwrap();
        let start = Instant::now();
        let asked = pool.ask(|connection| redis::cmd("PING").query::<()>(connection));
        assert!(asked.unwrap_err().is_transient());
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
