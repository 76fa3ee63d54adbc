//! Connections: opened when needed, kept for reuse, limited in number and in time. All stores of a process that were opened
//! with one URL share them.

use super::address::ServerAddress;
use super::entry::Read;
use super::fault::{RedisFault, fault};
use super::queue::RequestQueue;
use super::reply::RespReply;
use super::script;
use super::wire::{CommandWords, RedisConnection};
use crate::error::StoreError;
use crate::named_mutex::end_of;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use zeroize::Zeroize;

/// The maximum number of requests at a time. Others wait.
const MOST: usize = 32;

/// The connections to one server.
pub(super) struct Pool {
    address: ServerAddress,
    server: String,
    timeout: Duration,
    state: Mutex<PoolState>,
    freed: Condvar,
    pub(super) room: RequestQueue<Read>,
}

#[derive(Default)]
struct PoolState {
    idle: Vec<RedisConnection>,
    lent: usize,
    /// How many consecutive connections failed.
    failures: u32,
}

/// A request to the server.
enum PoolRequest<'a> {
    Script(&'a [script::ScriptCall]),
    Plain(&'a [CommandWords]),
}

impl PoolRequest<'_> {
    /// Returns the request as it is sent, or `None` if the name of the script is not known yet.
    fn words(&self) -> Option<Vec<CommandWords>> {
        match self {
            Self::Plain(words) => Some(words.to_vec()),
            Self::Script(calls) => {
                let name = SCRIPT.get()?;
                Some(calls.iter().map(|call| call.words(name)).collect())
            }
        }
    }
}

/// The name of the script, as the first server returned it. It is derived from the script's text.
static SCRIPT: OnceLock<String> = OnceLock::new();

/// An answer of the script: a list of texts, or an error.
pub(super) type PoolAnswer = Result<Vec<String>, StoreError>;

impl Pool {
    /// Parses the URL. It does not connect yet.
    pub(super) fn shared(url: &str, timeout: Duration) -> Result<Arc<Self>, StoreError> {
        type Pools = Mutex<HashMap<([u8; 32], Duration), Weak<Pool>>>;
        static POOLS: OnceLock<Pools> = OnceLock::new();
        let address = ServerAddress::parse(url).map_err(|why| StoreError::CannotOpen { why })?;
        let name = (Sha256::digest(url.as_bytes()).into(), timeout);
        let mut pools =
            POOLS.get_or_init(Pools::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&name).and_then(Weak::upgrade) {
            return Ok(pool);
        }
        pools.retain(|_, pool| pool.strong_count() > 0);
        let pool = Arc::new(Self::new(address, timeout));
        pools.insert(name, Arc::downgrade(&pool));
        Ok(pool)
    }

    fn new(address: ServerAddress, timeout: Duration) -> Self {
        Self {
            server: address.name(),
            address,
            timeout,
            state: Mutex::default(),
            freed: Condvar::new(),
            room: RequestQueue::new(),
        }
    }

    /// Returns the server's name for messages, without credentials.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Returns the maximum duration of a request, including the wait for a connection.
    pub(super) fn longest(&self) -> Duration {
        self.timeout.saturating_mul(8)
    }

    /// Runs the script once for each of these calls, in this order and in one round trip.
    ///
    /// # Errors
    /// Fails if the server cannot be reached. An error for a single call is returned in that call's place.
    pub(super) fn run(&self, calls: &[script::ScriptCall]) -> Result<Vec<PoolAnswer>, StoreError> {
        let replies = self.ask(&PoolRequest::Script(calls))?;
        Ok(replies.into_iter().map(|reply| self.answer(reply)).collect())
    }

    /// Sends commands other than running the script. An error in one of them fails all.
    pub(super) fn plain(&self, asked: &[CommandWords]) -> Result<Vec<RespReply>, StoreError> {
        let replies = self.ask(&PoolRequest::Plain(asked))?;
        match replies.iter().find_map(said) {
            Some(trouble) => Err(fault(&self.server, &trouble)),
            None => Ok(replies),
        }
    }

    fn answer(&self, reply: RespReply) -> PoolAnswer {
        match reply {
            RespReply::List(list) => {
                Ok(list.into_iter().map(|reply| reply.text().unwrap_or_default()).collect())
            }
            RespReply::Error(words) => Err(fault(&self.server, &RedisFault::Said(words))),
            RespReply::Nil | RespReply::Text(_) => Err(fault(&self.server, &RedisFault::NotRedis)),
        }
    }

    /// Sends a request. A kept connection that turns out to be dead is replaced once, so everything may be executed twice.
    fn ask(&self, asked: &PoolRequest<'_>) -> Result<Vec<RespReply>, StoreError> {
        let mut lent = self.lend()?;
        let kept = lent.kept.take().filter(|line| !line.is_stale()).zip(asked.words());
        let outcome = match kept {
            Some((mut line, words)) => match Self::on(&mut line, &words, end_of(self.timeout)) {
                Err(RedisFault::Broken) => {
                    // The other kept connections led to the same server.
                    self.state().idle.clear();
                    self.afresh(&mut lent, asked)
                }
                outcome => Self::after(&mut lent, line, outcome),
            },
            None => self.afresh(&mut lent, asked),
        };
        outcome.map_err(|trouble| fault(&self.server, &trouble))
    }

    fn on(
        line: &mut RedisConnection,
        words: &[CommandWords],
        end: Instant,
    ) -> Result<Vec<RespReply>, RedisFault> {
        let replies = line.exchange(words, end)?;
        if !replies.iter().filter_map(said).any(|trouble| trouble.says("NOSCRIPT")) {
            return Ok(replies);
        }
        // The server no longer has the script.
        let again: Vec<CommandWords> = [script::load()].into_iter().chain(words.to_vec()).collect();
        let mut replies = line.exchange(&again, end)?;
        match said(&replies.remove(0)) {
            Some(trouble) => Err(trouble),
            None => Ok(replies),
        }
    }

    fn afresh(
        &self,
        lent: &mut LentConnection<'_>,
        asked: &PoolRequest<'_>,
    ) -> Result<Vec<RespReply>, RedisFault> {
        let failures = self.state().failures;
        if failures > 0 {
            // Clients that lost the server together should not all reconnect at the same moment.
            let most = Duration::from_millis(5 << failures.min(6)).min(self.timeout / 4);
            std::thread::sleep(most.mul_f64(super::entry::chance()));
        }
        let opened = self.open(asked, end_of(self.timeout));
        let mut state = self.state();
        state.failures = if opened.is_ok() { 0 } else { state.failures.saturating_add(1) };
        drop(state);
        let (line, replies) = opened?;
        Self::after(lent, line, Ok(replies))
    }

    /// Connects, authenticates, loads the script and sends the request: in one round trip where that is safe.
    fn open(
        &self,
        asked: &PoolRequest<'_>,
        end: Instant,
    ) -> Result<(RedisConnection, Vec<RespReply>), RedisFault> {
        let mut line = RedisConnection::open(&self.address.door, end)?;
        let mut words = self.greeting();
        let greeting = words.len();
        // If the database cannot be selected, nothing is executed in another one.
        let at_once = asked.words().filter(|_| self.address.database == 0);
        words.extend(at_once.iter().flatten().cloned());
        let replies = line.exchange(&words, end);
        words.zeroize();
        let mut replies = replies.map_err(|trouble| match trouble {
            RedisFault::Broken => RedisFault::Wordless,
            other => other,
        })?;
        let rest = replies.split_off(greeting);
        if let Some(trouble) = replies.iter().find_map(said) {
            return Err(trouble);
        }
        if let Some(RespReply::Text(script)) = replies.pop() {
            let _ = SCRIPT.set(script);
        }
        if at_once.is_some() {
            return Ok((line, rest));
        }
        let replies = line.exchange(&asked.words().ok_or(RedisFault::NotRedis)?, end)?;
        Ok((line, replies))
    }

    fn greeting(&self) -> Vec<CommandWords> {
        let mut words = Vec::new();
        if let Some(password) = &self.address.password {
            let mut login: CommandWords = vec![b"AUTH".to_vec()];
            login.extend(self.address.user.as_ref().map(|user| user.clone().into_bytes()));
            login.push(password.as_bytes().to_vec());
            words.push(login);
        }
        if self.address.database != 0 {
            words.push(vec![b"SELECT".to_vec(), self.address.database.to_string().into_bytes()]);
        }
        words.push(script::load());
        words
    }

    /// Keeps a connection on which no answer is outstanding.
    fn after(
        lent: &mut LentConnection<'_>,
        line: RedisConnection,
        outcome: Result<Vec<RespReply>, RedisFault>,
    ) -> Result<Vec<RespReply>, RedisFault> {
        let spoils = match &outcome {
            Ok(replies) => {
                replies.iter().filter_map(said).any(|trouble| trouble.spoils_the_connection())
            }
            Err(trouble) => trouble.spoils_the_connection(),
        };
        if !spoils {
            lent.kept = Some(line);
        }
        outcome
    }

    /// Reserves one of the request slots, with a kept connection if there is one.
    fn lend(&self) -> Result<LentConnection<'_>, StoreError> {
        // Each request before this one may need its full time.
        let end = end_of(self.timeout.saturating_mul(4));
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
        Ok(LentConnection { kept: state.idle.pop(), pool: self })
    }

    /// Lock poisoning is ignored: each change is one step, so a panic cannot leave it half changed.
    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said(reply: &RespReply) -> Option<RedisFault> {
    if let RespReply::Error(words) = reply { Some(RedisFault::Said(words.clone())) } else { None }
}

/// A request slot. A connection that is in it when it is dropped is kept.
struct LentConnection<'p> {
    kept: Option<RedisConnection>,
    pool: &'p Pool,
}

impl Drop for LentConnection<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.lent -= 1;
        state.idle.extend(self.kept.take());
        drop(state);
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn ping(pool: &Pool) -> StoreError {
        pool.plain(&[vec![b"PING".to_vec()]]).unwrap_err()
    }

    #[test]
    fn t14_credentials_in_the_url_are_shown_by_nothing() {
        let pool =
            Pool::shared("redis://me:canary@127.0.0.1:1/3", Duration::from_millis(50)).unwrap();
        assert_eq!(pool.server(), "Redis at 127.0.0.1:1/3");
        let error = ping(&pool);
        assert!(error.is_transient());
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[test]
    fn store_3_a_server_that_takes_the_connection_and_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://127.0.0.1:{}", silent.local_addr().unwrap().port());
        let pool = Pool::shared(&url, Duration::from_millis(100)).unwrap();
        let start = Instant::now();
        assert!(ping(&pool).is_transient());
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn stores_of_one_url_share_their_connections_and_others_do_not() {
        let second = Duration::from_secs(1);
        let one = Pool::shared("redis://:a@127.0.0.1:1", second).unwrap();
        assert!(Arc::ptr_eq(&one, &Pool::shared("redis://:a@127.0.0.1:1", second).unwrap()));
        assert_eq!(one.longest(), second * 8);
        let other = Pool::shared("redis://:b@127.0.0.1:1", second).unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        // Those in use are still known when one more is made.
        assert!(Arc::ptr_eq(&one, &Pool::shared("redis://:a@127.0.0.1:1", second).unwrap()));
        assert!(Arc::ptr_eq(&other, &Pool::shared("redis://:b@127.0.0.1:1", second).unwrap()));
    }
}
