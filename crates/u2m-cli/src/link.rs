//! Addresses and codes at a terminal: links to click, pictures for a camera, the clipboard.

use crate::output::{fit, line, note};
use crate::{events, screen};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use std::io::IsTerminal;
use supports_hyperlinks::Stream;

/// Shows an address alone on its line, below what it is for. Where the terminal takes links, it is one.
pub(crate) fn show(what: &str, address: &str) {
    if events::are_on() {
        return note(&format!("{what} {address}"));
    }
    let address = fit(address);
    let shown = match std::io::stderr().is_terminal() && supports_hyperlinks::on(Stream::Stderr) {
        true => linked(&address),
        false => address,
    };
    line(&format!("{}\n\n{shown}\n", fit(what)));
}

/// A text that leads to itself (OSC 8).
fn linked(address: &str) -> String {
    format!("\u{1b}]8;;{address}\u{1b}\\{address}\u{1b}]8;;\u{1b}\\")
}

/// Draws an address for a camera, if the terminal has the room.
pub(crate) fn draw(address: &str) {
    match picture(address) {
        Some(picture) if screen::can_draw() && fits(&picture) => line(&format!("{picture}\n")),
        _ => note("There is no room for a QR code here: open the address by hand."),
    }
}

/// Dark on light, whatever the ground is, by half blocks: two rows of squares a line.
fn picture(address: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
    let picture =
        code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
    // The colours of the terminal may be either way round: these are not.
    Some(picture.lines().map(|row| format!("\u{1b}[30;107m{row}\u{1b}[0m\n")).collect())
}

fn fits(picture: &str) -> bool {
    let widest = picture.lines().map(|row| screen::width_of(row) - STYLES).max().unwrap_or(0);
    widest < screen::width() && picture.lines().count() < screen::height()
}

/// How many columns the styles of a row would take if they were text: escapes take none.
const STYLES: usize = "[30;107m".len() + "[0m".len();

/// Puts a code on the clipboard of the terminal (OSC 52). Whether it takes it, it does not say.
pub(crate) fn copy(code: &str) {
    if !std::io::stderr().is_terminal() || screen::is_plain() {
        return note("The code was not copied: standard error is no terminal with a clipboard.");
    }
    crate::output::ask(&format!("\u{1b}]52;c;{}\u{7}", base64(code.as_bytes())));
    note("The code is on the clipboard, if this terminal has one for programs.");
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_square_and_has_its_own_colours() {
        let picture = picture("https://a.example/device?user_code=ABCD-EFGH").unwrap();
        let rows: Vec<_> = picture.lines().collect();
        assert!(
            rows.iter().all(|row| row.starts_with("\u{1b}[30;107m") && row.ends_with("\u{1b}[0m"))
        );
        let width = screen::width_of(rows[0]) - STYLES;
        assert!(width.abs_diff(rows.len() * 2) <= 1, "{width} by {}", rows.len());
    }

    #[test]
    fn a_link_leads_to_what_it_shows() {
        assert_eq!(linked("https://a"), "\u{1b}]8;;https://a\u{1b}\\https://a\u{1b}]8;;\u{1b}\\");
    }
}
