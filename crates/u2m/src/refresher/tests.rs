//! How long callers wait, and what is reported of a login that another program saved.

use super::*;
use crate::store::MemoryStore;
use crate::transport::ReqwestTransport;
use std::cell::RefCell;
use u2m_cache::FileStore;
use u2m_core::{AccessToken, Host, ProfileName, Session};

fn keeper() -> Refresher {
    let target = Target::workspace(Host::parse("https://a.example").unwrap());
    let transport = Arc::new(ReqwestTransport::new());
    Refresher::new(TokenRequest::new(target), Arc::new(MemoryStore::new()), transport, None)
}

#[test]
fn only_who_had_time_and_has_begun_something_is_still_waiting() {
    let second = Duration::from_secs(1);
    for (wait, goes_on, is_waiting) in [
        (Some(second), true, true),
        (Some(second), false, false),
        (Some(Duration::ZERO), true, false),
        (Some(Duration::ZERO), false, false),
        (None, true, true),
        (None, false, false),
    ] {
        let keeper = Refresher { wait, ..keeper() };
        keeper.set_goes_on(goes_on);
        let told = matches!(keeper.time_is_over(), TokenError::StillWaiting);
        assert_eq!(told, is_waiting, "{wait:?} {goes_on}");
    }
}

#[test]
fn who_has_a_time_of_its_own_looks_once_before_it_waits_for_others() {
    let second = Duration::from_secs(1);
    for (wait, patience, is_busy, asked) in [
        (None, second, true, vec![second]),
        (None, Duration::ZERO, true, vec![Duration::ZERO]),
        (Some(second), second, false, vec![Duration::ZERO]),
        (Some(second), second, true, vec![Duration::ZERO, second]),
        (Some(second), Duration::ZERO, true, vec![Duration::ZERO]),
    ] {
        let keeper = Refresher { wait, ..keeper() };
        let patiences = RefCell::new(Vec::new());
        let take = |patience| patiences.borrow_mut().push(patience);
        keeper.waiting_for_others(patience, take, |()| is_busy);
        assert_eq!(patiences.into_inner(), asked, "{wait:?} {patience:?} {is_busy}");
    }
}

#[test]
fn a_login_of_another_program_is_said_to_be_for_one_host_once_and_where_nothing_else_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let tied = |name: &str, profile_file: Option<&str>, is_shown: bool| {
        let target = Target::workspace(Host::parse("https://a.example").unwrap());
        let request = TokenRequest::new(target.with_profile(ProfileName::parse(name).unwrap()));
        let theirs = Session::new(AccessToken::new("another program's"));
        let mut first = request.first_use(&theirs).unwrap();
        first.is_shown = is_shown;
        let store = Arc::new(FileStore::at(folder.path().join("cache.json")));
        let keeper = Refresher {
            profile_file: profile_file.map(Sanitized::new),
            ..Refresher::new(request, store, Arc::new(ReqwestTransport::new()), None)
        };
        keeper.tie(&first, Duration::from_secs(10)).unwrap();
        keeper.take_notices().into_iter().map(|notice| notice.text).collect::<Vec<_>>()
    };
    let text = "another program saved the login 'dev' without its host; from now on it is for https://a.example alone";
    assert_eq!(tied("dev", None, false), [text]);
    assert!(tied("dev", None, false).is_empty(), "that is known by now");
    let text = text.replace("dev", "two") + ", as /cfg says";
    assert_eq!(tied("two", Some("/cfg"), false), [text]);
    assert!(tied("three", None, true).is_empty());
}

#[test]
fn what_was_found_due_is_gone_on_from_once_and_for_a_moment() {
    let own = Session::new(AccessToken::new("own"));
    let keeper = keeper();
    assert!(keeper.request.first_use(&own).is_none(), "its key names its host");
    let found = |at: Instant| {
        keeper.found_due(Some(own.clone()));
        keeper.due.lock().unwrap().as_mut().unwrap().at = at;
    };
    let due = || (keeper.was_just_due(), keeper.take_due());
    assert_eq!(due(), (false, None));
    // However long the machine was suspended, this is no more than a moment ago.
    found(Instant::now() + Duration::from_secs(3600));
    assert_eq!((due(), due()), ((true, Some(own.clone())), (false, None)));
    found(Instant::now().checked_sub(MOMENT * 2).unwrap());
    assert_eq!(due(), (false, None));
    found(Instant::now() + Duration::from_secs(3600));
    keeper.found_due(None);
    assert_eq!(due(), (false, None));
}
