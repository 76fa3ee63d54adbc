//! Rules about logins that are saved, read, listed and removed.

use super::ground::{ConformanceBench, Opened, RuleReport, StoreUnderTest, holds, insist};
use u2m_core::{AccessToken, CacheKey, RefreshToken, Session};

pub(super) fn keeps_what_is_saved(on: &ConformanceBench) -> RuleReport {
    let key = on.key("kept");
    // From little to much, and back to little.
    let logins = [on.bare("a"), on.login("b"), on.full("c")?, on.full("d")?, on.login("e")];
    for login in &logins {
        let store = on.open();
        store.save(&key, login).asked("saving a login")?;
        holds(&store, &key, Some(login))?;
        holds(&on.open(), &key, Some(login))?;
    }
    Ok(())
}

pub(super) fn absent_is_none(on: &ConformanceBench) -> RuleReport {
    let (store, key) = (on.open(), on.key("absent"));
    holds(&store, &key, None)?;
    store.delete(&key).asked("removing what is not there")?;
    holds(&on.open(), &key, None)?;
    insist(!listed(&store)?.contains(&key), "a name is listed that nothing was saved under")
}

pub(super) fn lists_names(on: &ConformanceBench) -> RuleReport {
    let (store, mut keys) = (on.open(), ["b", "c", "a", "A", "é"].map(|name| on.key(name)));
    for key in &keys {
        store.save(key, &on.login("a")).asked("saving a login")?;
        store.save(key, &on.login("b")).asked("saving a login again")?;
    }
    keys.sort();
    let all = listed(&on.open())?;
    let ours: Vec<_> = all.iter().filter(|key| keys.contains(key)).collect();
    insist(all.is_sorted(), "names are not sorted by their bytes")?;
    insist(
        ours == keys.iter().collect::<Vec<_>>(),
        "names that were saved are not listed once each",
    )
}

pub(super) fn removes_one_login(on: &ConformanceBench) -> RuleReport {
    let (store, keys) = (on.open(), ["a", "b", "c"].map(|name| on.key(name)));
    for key in &keys {
        store.save(key, &on.login("a")).asked("saving a login")?;
    }
    store.delete(&keys[1]).asked("removing a login")?;
    for store in [store, on.open()] {
        holds(&store, &keys[0], Some(&on.login("a")))?;
        holds(&store, &keys[1], None)?;
        holds(&store, &keys[2], Some(&on.login("a")))?;
        insist(!listed(&store)?.contains(&keys[1]), "the name of a removed login is listed")?;
    }
    on.open().save(&keys[1], &on.login("b")).asked("saving a login where one was removed")?;
    holds(&on.open(), &keys[1], Some(&on.login("b")))
}

pub(super) fn keeps_names_apart(on: &ConformanceBench) -> RuleReport {
    let (long, longer) = ("x".repeat(1000), "x".repeat(1001));
    let odd = [
        "",
        " ",
        ".",
        "..",
        "../",
        "/",
        "\\",
        "~",
        "-",
        "*",
        "%",
        "%00",
        "_",
        "'",
        "\"",
        "`",
        ";",
        "\n",
        "\t",
        "\u{0}",
        "[",
        "#",
        "https://host.example/?q=",
        "Upper",
        "upper",
        "ß",
        "ss",
        "\u{e9}",
        "e\u{301}",
        "\u{1f511}",
        &long,
        &longer,
    ];
    let mut kept: Vec<(CacheKey, Session)> = Vec::new();
    for (at, odd) in odd.iter().enumerate() {
        let (store, key, login) = (on.open(), on.odd_key(odd, odd), on.login(&at.to_string()));
        match store.save(&key, &login) {
            Ok(()) => kept.push((key, login)),
            Err(_) => {
                let found = store.load(&key);
                insist(
                    !matches!(found, Ok(Some(_))),
                    format!("the name {odd:?} is refused, and saved"),
                )?;
                insist(
                    !listed(&store)?.contains(&key),
                    format!("the name {odd:?} is refused, and listed"),
                )?;
            }
        }
    }
    let all_hold = |kept: &[(CacheKey, Session)], but: &[CacheKey]| {
        let (store, listed) = (on.open(), listed(&on.open())?);
        let named =
            |key: &CacheKey, why: String| format!("under a name as {:?}: {why}", short(key));
        for (key, login) in kept {
            holds(&store, key, Some(login)).map_err(|why| named(key, why))?;
            insist(listed.contains(key), named(key, "it is not listed".to_owned()))?;
        }
        for key in but {
            holds(&store, key, None).map_err(|why| named(key, why))?;
        }
        Ok::<_, String>(())
    };
    all_hold(&kept, &[])?;
    let mut gone = Vec::new();
    for at in (0..kept.len()).rev().step_by(2) {
        let (key, _) = kept.remove(at);
        on.open().delete(&key).asked("removing a login with an odd name")?;
        gone.push(key);
    }
    all_hold(&kept, &gone)
}

/// The beginning of a name.
fn short(key: &CacheKey) -> String {
    key.as_str().chars().take(40).collect()
}

pub(super) fn keeps_every_byte(on: &ConformanceBench) -> RuleReport {
    let odd: String =
        (0..128_u8).map(char::from).chain("é\u{2028}\u{fffd}\u{1f511}".chars()).collect();
    let long = "0123456789abcdefghijklmnopqrstuv".repeat(1 << 10);
    let key = on.key("bytes");
    for text in [odd, long, "x".to_owned()] {
        let login = on.login("bytes");
        let (access, refresh) = (&login.access_token, login.refresh_token.as_ref());
        let refresh = refresh.map_or("", RefreshToken::expose);
        let login = Session::new(AccessToken::new(format!("{}{text}", access.expose())))
            .with_refresh_token(RefreshToken::new(format!("{text}{refresh}")));
        on.open().save(&key, &login).asked("saving long or odd tokens")?;
        holds(&on.open(), &key, Some(&login))?;
    }
    Ok(())
}

/// All names.
pub(super) fn listed(store: &Opened) -> RuleReport<Vec<CacheKey>> {
    store.keys().asked("listing names")
}
