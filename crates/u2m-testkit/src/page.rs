//! The pages for people: self-contained, in light and dark, and clearly marked as fake.

/// The style of both pages. Nothing is loaded from anywhere: no script, no font, no image.
const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#f4f2ee;--card:#fff;--ink:#1d1b18;--soft:#6b665e;--line:#e2ddd4;\
--go:#1f6f54;--on-go:#fff}\
@media(prefers-color-scheme:dark){:root{--bg:#161513;--card:#211f1c;--ink:#f1ede6;--soft:#a8a196;\
--line:#37332e;--go:#5cc8a0;--on-go:#0d211a}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--bg);\
color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
main{width:100%;max-width:27rem;background:var(--card);border:1px solid var(--line);\
border-radius:14px;padding:2rem}\
.note{display:inline-block;margin:0 0 1.25rem;padding:.2rem .7rem;border:1px dashed var(--soft);\
border-radius:99px;color:var(--soft);font-size:.8rem}\
h1{margin:0 0 .5rem;font-size:1.35rem;line-height:1.3;overflow-wrap:anywhere}\
p{margin:0 0 1rem;color:var(--soft)}\
ul{list-style:none;margin:0 0 1.75rem;padding:0;border-top:1px solid var(--line)}\
li{padding:.55rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}\
code,li{font-family:ui-monospace,monospace;font-size:.9rem}\
nav{display:flex;gap:.75rem}\
a{flex:1;padding:.7rem 1rem;border:1px solid var(--line);border-radius:9px;text-align:center;\
text-decoration:none;font-weight:600;color:var(--ink)}\
a.go{background:var(--go);border-color:var(--go);color:var(--on-go)}\
a:focus-visible{outline:3px solid var(--soft);outline-offset:2px}";

/// Asks a person whether `client` may have `scopes`; each button is a link.
pub(crate) fn consent(client: &str, scopes: &[String], allow: &str, deny: &str) -> String {
    let scopes: String = scopes.iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let (client, allow, deny) = (escape(client), escape(allow), escape(deny));
    document(&format!(
        "<h1>Let {client} sign in for you?</h1><p>It asks for these scopes:</p><ul>{scopes}</ul>\
         <nav><a class=\"go\" id=\"allow\" href=\"{allow}\">Allow</a>\
         <a id=\"deny\" href=\"{deny}\">Deny</a></nav>"
    ))
}

/// The page at the server's own address.
pub(crate) fn welcome(base: &str) -> String {
    let base = escape(base);
    document(&format!(
        "<h1>It runs.</h1><p>Point a program at this host; nothing it gets here opens any real \
         door.</p><p><code>{base}</code></p>"
    ))
}

fn document(body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Fake authorization server for testing</title>\
         <link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head><body><main>\
         <div class=\"note\">Fake server for testing</div>{body}</main></body></html>"
    )
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_request_becomes_markup() {
        let page = consent("<b>", &["\"'&".to_owned()], "/?a=1&b=\"", "/");
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
        assert!(page.contains("<li>&quot;&#39;&amp;</li>"));
        assert!(page.contains("href=\"/?a=1&amp;b=&quot;\""));
    }
}
