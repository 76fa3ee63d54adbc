//! Secrets written as hexadecimal digits.

use zeroize::Zeroizing;

/// Returns the bytes that `digits` encode, allocated once at full length, or `None` for anything other than pairs of digits.
pub(crate) fn decode(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.chunks(2) {
        let &[high, low] = pair else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_digits_are_read_in_either_case_and_nothing_else_is() {
        assert_eq!(decode(b"7b7D0a").unwrap().as_slice(), b"{}\n");
        assert_eq!(decode(b"").unwrap().as_slice(), b"");
        for other in ["7", "7g", "+f", " f", "7b7", "\u{e9}"] {
            assert!(decode(other.as_bytes()).is_none(), "{other}");
        }
    }
}
