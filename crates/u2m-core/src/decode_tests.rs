use super::*;
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

const TEXT: &str =
    r#"{"refresh_token":"the token","filler":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    out.extend(compress_to_vec(text, 6));
    out.extend([0; 8]);
    out
}

fn read(body: &[u8], coding: Option<&str>) -> String {
    let plain = plain(Zeroizing::new(body.to_vec()), coding, None, 1 << 16);
    String::from_utf8_lossy(&plain).into_owned()
}

#[test]
fn codings_are_undone_by_what_the_bytes_are() {
    let text = TEXT.as_bytes();
    for coding in [None, Some("gzip"), Some("identity"), Some("br"), Some("deflate, GZIP")] {
        assert_eq!(read(&gzip(text), coding), TEXT, "{coding:?}");
        assert_eq!(read(&gzip(&gzip(text)), coding), TEXT, "{coding:?} twice");
        assert_eq!(read(&compress_to_vec_zlib(text, 6), coding), TEXT, "{coding:?} zlib");
        assert_eq!(read(text, coding), TEXT, "{coding:?} said, and not done");
    }
    assert_eq!(read(&compress_to_vec(text, 6), Some("deflate")), TEXT);
    let (head, tail) = text.split_at(20);
    assert_eq!(read(&[gzip(head), gzip(tail)].concat(), None), TEXT, "in two members");
    assert_eq!(read(&[gzip(text), b"behind".to_vec()].concat(), None), TEXT, "bytes behind");
    let mut named = vec![0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 2, 0, 1, 2];
    named.extend(b"name\0comment\0\x01\x02");
    named.extend(compress_to_vec(text, 6));
    assert_eq!(read(&named, None), TEXT, "with every part of a head, and without its tail");
}

#[test]
fn t9_what_inflates_beyond_the_limit_stops_there() {
    let bomb = gzip(&vec![b' '; 8 << 20]);
    assert!(bomb.len() < 16 << 10);
    assert_eq!(plain(Zeroizing::new(bomb), None, None, 1000).len(), 1000);
    let many = gzip(&[b'x'; 600]).repeat(50);
    assert_eq!(plain(Zeroizing::new(many), None, None, 1000).len(), 1000);
}

#[test]
fn what_breaks_off_is_read_as_far_as_it_came() {
    let text = TEXT.repeat(40);
    let whole = gzip(text.as_bytes());
    for end in 0..whole.len() {
        let read = plain(Zeroizing::new(whole[..end].to_vec()), Some("gzip"), None, 1 << 16);
        assert!(text.as_bytes().starts_with(&read) || read[..] == whole[..end], "{end}");
    }
    let most = plain(Zeroizing::new(whole[..whole.len() - 9].to_vec()), None, None, 1 << 16);
    assert!(most.len() > text.len() / 2);
}

#[test]
fn marks_go_and_wide_text_becomes_narrow() {
    let wide = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "{\"a\":\"é𝄞\"}".encode_utf16().flat_map(unit).collect()
    };
    let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
    let wider: Vec<u8> =
        "\u{feff}{\"a\":\"é𝄞\"}".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    for body in [
        "{\"a\":\"é𝄞\"}".as_bytes().to_vec(),
        "\u{feff}{\"a\":\"é𝄞\"}".as_bytes().to_vec(),
        "\u{feff}\u{feff}{\"a\":\"é𝄞\"}".as_bytes().to_vec(),
        [vec![0xff, 0xfe], little.clone()].concat(),
        [vec![0xfe, 0xff], big.clone()].concat(),
        little,
        big,
        wider,
    ] {
        assert_eq!(read(&body, None), "{\"a\":\"é𝄞\"}", "{body:?}");
        assert_eq!(read(&gzip(&body), None), "{\"a\":\"é𝄞\"}", "{body:?} in gzip");
    }
}

#[test]
fn only_codings_that_are_not_undone_are_unknown() {
    assert!(is_unknown(Some("br")) && is_unknown(Some("gzip, zstd")));
    assert!(!is_unknown(None) && !is_unknown(Some("GZIP")) && !is_unknown(Some("x-gzip,deflate")));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_body(body in proptest::collection::vec(0u8.., 0..300), flags in 0u8..32) {
        for head in [&[][..], &[0x1f, 0x8b, 8, flags], &[0x78, 0x9c], &[0xff, 0xfe], &[0xfe, 0xff]] {
            for coding in [None, Some("deflate")] {
                let whole = Zeroizing::new([head, &body].concat());
                proptest::prop_assert!(plain(whole, coding, None, 200).len() <= 600);
            }
        }
    }
}

#[test]
fn letters_of_one_byte_are_read_where_they_were_named_and_utf_8_stays_what_it_is() {
    let read = |body: &[u8], charset| {
        let plain = plain(Zeroizing::new(body.to_vec()), None, charset, 1 << 16);
        String::from_utf8_lossy(&plain).into_owned()
    };
    for name in ["iso-8859-1", "ISO-8859-1", "latin1", "us-ascii", "windows-1252"] {
        assert_eq!(
            read(b"{\"a\":\"g\xfcltig \x80 \x93x\x94\"}", Some(name)),
            "{\"a\":\"gültig € “x”\"}"
        );
        assert_eq!(
            read("{\"a\":\"gültig\"}".as_bytes(), Some(name)),
            "{\"a\":\"gültig\"}",
            "{name}"
        );
        let cut = "{\"a\":\"gü".as_bytes();
        assert_eq!(read(&cut[..cut.len() - 1], Some(name)), "{\"a\":\"g\u{fffd}", "{name}");
    }
    for name in [None, Some("utf-8"), Some("shift_jis"), Some("")] {
        assert_eq!(read(b"g\xfc", name), "g\u{fffd}", "{name:?}");
    }
}

#[test]
fn what_a_gzip_member_says_of_itself_is_skipped_whole() {
    let head = |flags: u8, more: &[u8]| {
        let head = [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 0], more, b"data"].concat();
        after_head(&head).map(<[u8]>::to_vec)
    };
    for (flags, more) in [
        (0, &[][..]),
        (4, &[0, 0]),
        (4, &[3, 0, 1, 2, 3]),
        (8, b"name\0"),
        (16, b"comment\0"),
        (2, &[1, 2]),
        (4 | 8 | 16 | 2, b"\x01\0x\0\0\x01\x02"),
    ] {
        assert_eq!(head(flags, more).as_deref(), Some(&b"data"[..]), "{flags}");
    }
    assert_eq!(head(4, &[9, 0]), None);
    assert_eq!(after_head(&[0x1f, 0x8b, 8]), None);
}
