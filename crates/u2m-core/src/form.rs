//! Parses forms (`application/x-www-form-urlencoded`, WHATWG URL section 5.1) without leaving copies of secrets behind.

use crate::secret_text::SecretText;
use zeroize::Zeroizing;

/// Names and values, in order.
pub(crate) fn pairs(
    form: &[u8],
) -> impl Iterator<Item = (Zeroizing<String>, Zeroizing<String>)> + '_ {
    let parts = form.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    parts.map(|part| {
        let end = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        (decoded(&part[..end]), decoded(part.get(end + 1..).unwrap_or_default()))
    })
}

/// Undoes percent-encoding. Invalid UTF-8 becomes U+FFFD.
pub(crate) fn decoded(text: &[u8]) -> Zeroizing<String> {
    // The decoded text is never longer than the encoded one.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.split_at_checked(2).filter(|_| *first == b'%');
        let escaped = digits.and_then(|(digits, behind)| {
            let digit = |at: usize| char::from(digits[at]).to_digit(16);
            Some((u8::try_from(digit(0)? << 4 | digit(1)?).ok()?, behind))
        });
        let (byte, behind) =
            escaped.unwrap_or((if *first == b'+' { b' ' } else { *first }, behind));
        bytes.push(byte);
        rest = behind;
    }
    SecretText::from_utf8_lossy(&bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_reads_what_browsers_read(form in "[a&=+%0-9A-Fé]{0,40}", odd in any::<Vec<u8>>()) {
            for form in [form.as_bytes(), &odd] {
                let ours: Vec<_> = pairs(form).map(|(a, b)| (a.to_string(), b.to_string())).collect();
                let theirs: Vec<_> = url::form_urlencoded::parse(form).into_owned().collect();
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
