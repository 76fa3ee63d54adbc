//! Finds a secret in pieces with words between them: no piece is long enough to identify it, but together they do.

use super::{BEGINNING, TELLING, across, hash, skeleton};
use std::ops::Range;
use zeroize::Zeroizing;

/// Where a run of [`BEGINNING`] letters and digits occurs, and in which secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SecretRun {
    hash: u64,
    secret: usize,
    at: usize,
}

/// The runs of all secrets.
#[derive(Clone)]
pub(super) struct SecretRuns {
    list: Vec<SecretRun>,
    /// How many letters and digits each secret has.
    lengths: Vec<usize>,
}

impl SecretRuns {
    pub(super) fn of(secrets: &[Zeroizing<String>]) -> Self {
        let (mut list, mut lengths) = (Vec::new(), Vec::new());
        for (secret, text) in secrets.iter().enumerate() {
            let plain = skeleton(text);
            let windows = plain.windows(BEGINNING).enumerate();
            list.extend(windows.map(|(at, window)| SecretRun { hash: hash(window), secret, at }));
            lengths.push(plain.len());
        }
        list.sort_unstable();
        Self { list, lengths }
    }

    /// Adds the places of the pieces of each secret of which more than half is found.
    pub(super) fn find(
        &self,
        bytes: &[u8],
        places: &[&Range<usize>],
        found: &mut Vec<Range<usize>>,
    ) {
        let mut there: Vec<(Vec<bool>, Vec<Range<usize>>)> =
            self.lengths.iter().map(|length| (vec![false; *length], Vec::new())).collect();
        for (first, window) in bytes.windows(BEGINNING).enumerate() {
            let hash = hash(window);
            let from = self.list.partition_point(|part| part.hash < hash);
            let place = across(places[first], places[first + BEGINNING - 1]);
            for part in self.list[from..].iter().take_while(|part| part.hash == hash) {
                let (is_there, pieces) = &mut there[part.secret];
                is_there[part.at..part.at + BEGINNING].fill(true);
                if pieces.last() != Some(&place) {
                    pieces.push(place.clone());
                }
            }
        }
        for (is_there, pieces) in there {
            // Fewer than in a run that identifies a secret may be ordinary words.
            let held = is_there.iter().filter(|is_there| **is_there).count();
            if held >= TELLING && held * 2 > is_there.len() {
                found.extend(pieces);
            }
        }
    }
}
