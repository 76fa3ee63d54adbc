//! What a flight that was begun for one question means for those who asked another.

use super::Landed;
use u2m_core::{Ask, How, Token, TokenError};

/// What a landed flight means for one of those who waited for it. Of the question that it was begun with, the core has
/// decided already.
pub(crate) fn settle_ask(ask: &Ask, asked: &Ask, landed: Landed) -> Settled {
    let issued = match landed {
        Ok(issued) => issued,
        Err(error) if ask == asked => return Settled::Is(Err(error)),
        // Whoever takes any token may find one where one that had to be new was not to be had.
        Err(_) if *ask == Ask::Usable => return Settled::Again,
        Err(TokenError::SameTokenAgain) => return Settled::Again,
        Err(error) => return Settled::Is(Err(error)),
    };
    let token = issued.session().token();
    let suits = match (ask, issued.how()) {
        _ if ask == asked => true,
        (Ask::Usable, _) => true,
        // Who is content with an old token gives up earlier than who needs a new one.
        (_, How::Kept(_)) | (Ask::Newer(None), How::Stored) => false,
        (Ask::Newer(None), _) => true,
        (Ask::Newer(Some(seen)) | Ask::Other(seen), _) => token.access_token() != seen,
        _ => false,
    };
    if suits { Settled::Is(Ok(token)) } else { Settled::Again }
}

/// Whether one who waited has what was asked for.
pub(crate) enum Settled {
    /// No: the flight was begun for another's question.
    Again,
    /// Yes, or there is none to be had.
    Is(Result<Token, TokenError>),
}
