//! u2m's login: the same steps as in earnest, driven without a network.

use crate::{REDIRECT, answer, callback_with};
use measure::Contest;
use std::error::Error;
use u2m_core::{
    AccountId, AfterCallback, Answer, BeforeCallback, Browse, CallbackMatch, Entropy, Host,
    LoginRequest, Target, Timestamp,
};

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// An account's endpoints are fixed, so nothing is fetched before the browser is shown a URL.
fn request() -> Result<LoginRequest, Box<dyn Error>> {
    let host = Host::parse("https://workspace.example.com")?;
    Ok(LoginRequest::new(Target::account(host, AccountId::parse("5f1e0a52")?)))
}

fn start(request: LoginRequest) -> Browse {
    let mut random = [0; 64];
    getrandom::fill(&mut random).expect("the system has randomness");
    let BeforeCallback::Listen(listen) = request.start(Entropy::new(random)) else {
        unreachable!("an account's endpoints are fixed")
    };
    let browse = listen.bound(8020);
    assert_eq!(browse.redirect_uri(), REDIRECT);
    browse
}

fn state_of(browse: &Browse) -> &str {
    crate::state_of(browse.url().as_str())
}

pub(crate) fn enter_start(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    let request = request()?;
    contest.call("u2m", move || start(request.clone()));
    Ok(())
}

pub(crate) fn enter_callback(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    let browse = start(request()?);
    let target = callback_with(state_of(&browse));
    contest.call("u2m", move || hear(&browse, std::hint::black_box(&target)));
    Ok(())
}

fn hear(browse: &Browse, target: &str) -> CallbackMatch {
    browse.hear(target.split_once('?').map_or("", |(_, query)| query))
}

pub(crate) fn enter_whole(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    let (request, body) = (request()?, answer());
    contest.call("u2m", move || {
        let browse = start(request.clone());
        let CallbackMatch::Callback(callback) = hear(&browse, &callback_with(state_of(&browse)))
        else {
            unreachable!("the state is right")
        };
        let Ok(AfterCallback::Exchange(exchange)) = browse.called_back(callback) else {
            unreachable!("there is a code")
        };
        let body = Answer::new(200, body.clone().into()).with_content_type("application/json");
        exchange.answered(Ok(body), NOW).expect("a good answer")
    });
    Ok(())
}
