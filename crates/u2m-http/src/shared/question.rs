//! What a fetch that was begun for one question means for those who asked another.

use super::fetch::{Came, Fetch, Fetched};
use u2m_core::{Ask, Token};

/// Whether one who waited has what was asked for.
pub(super) enum Settled<E> {
    /// No: the fetch was begun for another's question.
    Again,
    /// Yes, or there is none to be had.
    Is(Result<Token, E>),
}

/// What came of a fetch for `asked` means this for somebody who waited for it with `ask`. Of the question that it was begun with,
/// the source has decided already.
pub(super) fn settle<F: Fetch>(
    source: &F,
    ask: &Ask,
    asked: &Ask,
    outcome: Result<Fetched<F::Error>, F::Error>,
) -> Settled<F::Error> {
    let fetched = match outcome {
        Ok(fetched) => fetched,
        Err(error) if ask == asked => return Settled::Is(Err(error)),
        // Whoever takes any token may find one where one that had to be new was not to be had.
        Err(_) if *ask == Ask::Usable => return Settled::Again,
        Err(error) if source.is_about_the_question(&error) => return Settled::Again,
        Err(error) => return Settled::Is(Err(error)),
    };
    let token = fetched.token;
    let suits = match (ask, fetched.came) {
        _ if ask == asked => true,
        (Ask::Usable, _) => true,
        // Who is content with an old token gives up earlier than who needs a new one.
        (_, Came::Kept(_)) | (Ask::Newer(None), Came::Stored) => false,
        (Ask::Newer(None), Came::Renewed) => true,
        (Ask::Newer(Some(seen)) | Ask::Other(seen), _) => token.access_token() != seen,
        _ => false,
    };
    if suits { Settled::Is(Ok(token)) } else { Settled::Again }
}
