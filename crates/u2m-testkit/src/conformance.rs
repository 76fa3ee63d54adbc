//! Tests whether a store follows the rules that u2m relies on.
//!
//! [`check`] takes a function that opens the store and calls it several times, as other processes would. It saves, removes and
//! renews logins under names of its own and removes them at the end; other contents of the store are not touched. It cannot test
//! whether locks work between processes and end with them. A store that uses `u2m_cache::EntryLocks` or a server's locks gets
//! that from there; any other store needs a test with several processes.
//!
//! ```
//! use u2m_cache::MemoryStore;
//! use u2m_testkit::conformance;
//!
//! // Clones of one are the same store; most others are opened by their path or their address.
//! let store = MemoryStore::new();
//! conformance::check(move || store.clone()).unwrap();
//! ```

mod claims;
mod crowd;
mod entries;
mod ground;
mod locks;
mod notes;
mod several;
mod shown;

use ground::{ConformanceBench, RuleReport};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use u2m_cache::TokenStore;

/// Longer than any correct store takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// How often one rule may wait for that long.
const WAITS: u32 = 5;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident: $sentence:literal, $test:path;)*) => {
        /// A rule that u2m relies on in every store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule { $(#[doc = $sentence] $name,)* }

        impl Rule {
            /// All rules, in the order in which they are checked.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }

            fn test(self) -> fn(&ConformanceBench) -> RuleReport {
                match self { $(Self::$name => $test,)* }
            }
        }
    };
}

rules! {
    KeepsWhatIsSaved: "a login comes back as it was saved, through whatever opens the store", entries::keeps_what_is_saved;
    AbsentIsNone: "what was never saved is absent, and removing it is no error", entries::absent_is_none;
    ListsNames: "all names are listed, sorted, each once", entries::lists_names;
    RemovesOneLogin: "a removed login is gone for all, and no other is", entries::removes_one_login;
    KeepsRefreshToken: "a login that can be renewed gives way to one that cannot only after it was refused for good",
        notes::keeps_refresh_token;
    KeepsNamesApart: "names are kept apart whatever stands in them, or refused", entries::keeps_names_apart;
    KeepsEveryByte: "tokens are kept byte for byte, long ones too", entries::keeps_every_byte;
    AnswersEach: "several at once are answered one by one", several::answers_each;
    PutsBackOverSpent: "putting back replaces what was spent, and nothing newer or removed", several::puts_back_over_spent;
    PreparesWithoutTrace: "showing that a login could be kept leaves nothing behind", several::prepares_without_trace;
    LocksForOne: "a lock has one holder among all, and each login a lock of its own", locks::locks_for_one;
    WaitsAsLongAsTold: "waiting for a lock ends with the patience for it", locks::waits_as_long_as_told;
    HandsLocksOn: "whoever waits for a lock gets it when it is given back", locks::hands_locks_on;
    LetsGoInAPanic: "a lock ends with a thread that panics under it", locks::lets_go_in_a_panic;
    NeedsNoLockToRead: "logins are read, listed and saved while somebody holds the lock", locks::needs_no_lock_to_read;
    NewerLoginStays: "what a refresh has bought replaces the state that was claimed, and no newer login", claims::newer_login_stays;
    RemovalStays: "what a refresh has bought does not bring a removed login back", claims::removal_stays;
    LoginReplacesAll: "a new login that is saved under the lock replaces whatever is there", claims::login_replaces_all;
    ClaimsForOne: "a refresh token is claimed by one at a time, whatever names lead to it", claims::claims_for_one;
    SpentStaysSpent: "a refresh token that was spent under one name is not handed out under another", claims::spent_stays_spent;
    ProvesWithoutChange: "showing that a save will work changes nothing, and then it works", claims::proves_without_change;
    RemembersFailures: "how a refresh failed is told to whoever holds the lock next", notes::remembers_failures;
    KeepsPausesApart: "a pause that is remembered is the one that was noted, for those whom it is about", notes::keeps_pauses_apart;
    LosesNoWriter: "many writers lose nothing of each other", crowd::loses_no_writer;
    RenewsOnce: "a crowd renews each state of a login once", crowd::renews_once;
    ShowsNoSecret: "no token shows in what the store says of itself", shown::shows_no_secret;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// A rule that a store breaks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenRule {
    /// The rule.
    pub rule: Rule,
    /// What was observed; contains no tokens.
    pub why: String,
}

/// All rules that a store breaks. They are shown one per line, also by `unwrap`.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenRules(Vec<BrokenRule>);

impl BrokenRules {
    /// Returns the broken rules, in the order in which they were checked.
    pub fn list(&self) -> &[BrokenRule] {
        &self.0
    }
}

impl fmt::Display for BrokenRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks {} of {} rules", self.0.len(), Rule::ALL.len())?;
        self.0.iter().try_for_each(|broken| {
            write!(f, "\n- {} ({:?}): {}", broken.rule, broken.rule, broken.why)
        })
    }
}

impl fmt::Debug for BrokenRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BrokenRules {}

/// Tests a store against every rule. `open` must open the same store each time, as another process would.
///
/// # Errors
/// Returns the broken rules, with what was observed of each.
pub fn check<S: TokenStore + 'static>(
    open: impl Fn() -> S + Send + Sync + 'static,
) -> Result<(), BrokenRules> {
    check_within(open, LONG)
}

/// As [`check`], with another time limit: an operation that takes longer than `limit` counts as hanging. [`check`] allows a
/// minute.
///
/// # Errors
/// Returns the broken rules, with what was observed of each.
///
/// ```
/// use std::time::Duration;
/// use u2m_testkit::conformance;
/// let store = u2m_cache::MemoryStore::new();
/// conformance::check_within(move || store.clone(), Duration::from_secs(600)).unwrap();
/// ```
pub fn check_within<S: TokenStore + 'static>(
    open: impl Fn() -> S + Send + Sync + 'static,
    limit: Duration,
) -> Result<(), BrokenRules> {
    let open: ground::Open = Arc::new(move || Arc::new(open()));
    let told = Rule::ALL.iter().map(|rule| (*rule, told_of(*rule, &open, limit)));
    let broken: Vec<_> =
        told.filter_map(|(rule, told)| Some(BrokenRule { rule, why: told.err()? })).collect();
    if broken.is_empty() { Ok(()) } else { Err(BrokenRules(broken)) }
}

/// Runs a rule on a thread of its own. A store that hangs or panics breaks the rule.
fn told_of(rule: Rule, open: &ground::Open, limit: Duration) -> RuleReport {
    let (send, receive) = mpsc::channel();
    let ground = ConformanceBench::new(Arc::clone(open), limit);
    let body = move || {
        let told = rule.test()(&ground);
        ground.clear();
        let _ = send.send(told);
    };
    let thread = std::thread::Builder::new().name("u2m-conformance".into()).spawn(body);
    thread.map_err(|error| format!("no thread to check it on: {error}"))?;
    match receive.recv_timeout(limit.saturating_mul(WAITS)) {
        Ok(told) => told,
        Err(RecvTimeoutError::Timeout) => Err("it came to no end".to_owned()),
        Err(RecvTimeoutError::Disconnected) => Err("it panicked".to_owned()),
    }
}
