//! How a person signs in, whoever the login is to: which ways go together, the terminal that tells of it, and the sign-in
//! itself. Both `login.rs` and `login_issuer.rs` go through here, so that no way works for one of them alone.

use crate::args::Args;
use crate::failure::{Class, Failure};
use crate::person::{CodeExtras, Terminal, can_paste};
use crate::{advice, guard, output, place, waiting};
use std::path::Path;
use std::time::Duration;
use u2m::config::{CA_FILE_KEY, ConfigError, Editor};
use u2m::login::{BrowserError, browser_fn};
use u2m::oauth::IssuerTrust;
use u2m::process::LateSave;
use u2m::store::StoreFailure;
use u2m::text::{Sanitized, chain};
use u2m::{Builder, ChallengeError, Host, HostError, PersistentAuth, Scopes, SignedIn};

/// How long a person has, unless they say otherwise.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How long a login that cannot be saved is tried.
const LATE: Duration = Duration::from_secs(60);

/// Refuses ways to sign in that do not go together, before anything is asked.
pub(crate) fn check(args: &Args) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::new(Class::Usage, text));
    if args.device && args.paste {
        return usage(
            "--device and --paste are two ways to sign in without a browser here: leave one of them out",
        );
    }
    if args.web && (args.device || args.paste || args.no_browser) {
        return usage(
            "--web opens a browser here, and --device, --paste and --no-browser do without: leave one of them out",
        );
    }
    if (args.qr || args.copy) && !args.device {
        return usage("--qr and --copy are about the code of a device login: add --device");
    }
    if args.paste && !can_paste() {
        return usage(
            "--paste needs a terminal to read the address from, and there is none here; leave it out, and open the \
             address that is shown in a browser of this machine",
        );
    }
    Ok(())
}

/// Refuses a profile that could not be saved with what is known of it by now, before anybody is sent to a browser.
pub(crate) fn prove(path: &Path, profile: &str, values: &[(&str, &str)]) -> Result<(), Failure> {
    Editor::new(path).prove_profile(profile, values).map_err(|error| match &error {
        ConfigError::RefusedValue { key, reason } if key == CA_FILE_KEY => {
            let file = values.iter().find(|(key, _)| *key == CA_FILE_KEY).map(|(_, file)| *file);
            let text = format!(
                "--ca-file: {} cannot be kept with the profile: {reason}; give the file another path",
                place::shown(file.unwrap_or_default().as_ref())
            );
            Failure::new(Class::Usage, text)
        }
        ConfigError::RefusedName { .. } | ConfigError::RefusedValue { .. } => {
            Failure::new(Class::Usage, chain(&error))
        }
        _ => error.into(),
    })
}

/// What a login may lead to: Databricks' hosts, and those that the person names.
pub(crate) fn trust(args: &Args) -> Result<IssuerTrust, Failure> {
    args.allow_issuer.iter().try_fold(IssuerTrust::databricks(), |trust, named| {
        let wrong =
            |error: HostError| Failure::new(Class::Usage, format!("--allow-issuer: {error}"));
        Ok(trust.with_host(Host::typed(named).map_err(wrong)?.0))
    })
}

/// Gives a login the terminal, which calls it a login to `place`, and the time that the person has.
pub(crate) fn with_terminal(builder: Builder, args: &Args, place: String) -> (Builder, Terminal) {
    let no_browser = args.no_browser || args.paste;
    let timeout = args.timeout.unwrap_or(TIMEOUT);
    let is_none = place::env("BROWSER").is_some_and(|value| value == "none");
    let extras = CodeExtras { qr: args.qr, copy: args.copy };
    let person =
        Terminal::new(place, no_browser || is_none, args.paste, timeout).with_code_extras(extras);
    let mut builder = builder.with_person(person.clone()).with_login_timeout(timeout);
    if no_browser {
        builder = builder.with_browser(browser_fn(|_| async { Err(BrowserError::Disabled) }));
    }
    (builder, person)
}

/// Signs in, and tells what a person has to know of a login that went well; `failed` puts the failure into words, and `again` are
/// the words of this login.
pub(crate) fn sign_in(
    auth: &PersistentAuth,
    args: &Args,
    person: &Terminal,
    again: &str,
    failed: impl FnOnce(&ChallengeError) -> Failure,
) -> Result<SignedIn, Failure> {
    person.begin();
    let outcome = match args.device {
        true => auth.blocking().challenge_device(),
        false => auth.blocking().challenge(),
    };
    person.end();
    output::warn_of(auth.take_notices());
    let signed_in = outcome.map_err(|error| failed(&error))?;
    if let Some(why) = signed_in.unsaved() {
        let again = if args.device { format!("{again} --device") } else { again.to_owned() };
        save_late(auth, &signed_in, why, &again)?;
    }
    tell_scopes(&signed_in);
    tell_clock(&signed_in);
    Ok(signed_in)
}

/// Tries for a while more to save a login, in which the person may mend what is in the way; one that cannot be saved ends at its
/// server.
fn save_late(
    auth: &PersistentAuth,
    signed_in: &SignedIn,
    why: &StoreFailure,
    again: &str,
) -> Result<(), Failure> {
    output::note(&format!(
        "Signed in, but the login cannot be saved yet: {} It is tried for a minute more: mend that meanwhile, or give it up with \
         Ctrl-C.",
        advice::stopped(&chain(why))
    ));
    let _telling = guard::ExitGuard::begin();
    let is_enough = || guard::interrupted().is_some();
    let save = || auth.blocking().save_or_give_up(is_enough);
    match waiting::during("Waiting until the login can be saved", Some(LATE), save) {
        LateSave::GivenUp { why, revoked } => {
            let host = signed_in.host().map(ToString::to_string);
            let place = host.as_deref().or(signed_in.issuer()).unwrap_or("its server");
            let failure = advice::given_up(&why, revoked.as_ref(), place, again);
            if is_enough() {
                // What comes after a signal is not shown.
                output::note(&failure.text);
            }
            Err(failure)
        }
        _ => Ok(()),
    }
}

/// Says that this machine's clock is wrong: it is what the ends of tokens are counted by.
fn tell_clock(signed_in: &SignedIn) {
    if let Some(skew) = signed_in.clock_skew() {
        let seconds = skew.seconds();
        let way = if seconds > 0 { "ahead of" } else { "behind" };
        output::note(&format!(
            "Warning: this machine's clock is {} seconds {way} the server's: set it, or let the system keep it. Tokens end at the wrong time.",
            seconds.unsigned_abs()
        ));
    }
}

/// Who signed in, by the word of the token, which is good enough to be shown: to the person who did.
pub(crate) fn whom(signed_in: &SignedIn) -> String {
    let token = signed_in.token();
    let claims = u2m::oauth::UnverifiedClaims::read(token.access_token().expose());
    match claims.and_then(|claims| claims.sub) {
        Some(user) => format!(" as {}", Sanitized::new(&user)),
        None => String::new(),
    }
}

/// Says where what was granted is not what was asked for.
fn tell_scopes(signed_in: &SignedIn) {
    if !signed_in.is_granted_otherwise() {
        return;
    }
    let missing = signed_in.missing_scopes();
    if !missing.is_empty() {
        output::note(&format!("Warning: these scopes were not granted: {missing}"));
    }
    let asked = signed_in.asked_scopes();
    if asked.iter().any(|scope| scope == "offline_access") && !signed_in.is_renewable() {
        output::note(
            "Warning: a refresh token was asked for (offline_access), and none was granted: this login ends with its access token.",
        );
    }
    let words = |scopes: &Scopes| match scopes.to_string() {
        text if text.is_empty() => "none in particular".to_owned(),
        text => Sanitized::new(&text).to_string(),
    };
    if let Some(granted) = signed_in.granted_scopes() {
        output::note(&format!("Scopes asked for: {}. Granted: {}.", words(asked), words(granted)));
    }
}
