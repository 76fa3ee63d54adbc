//! `u2m completion`: what makes a shell complete words. The scripts are short, and ask this program what may come next.

use crate::args::Args;
use crate::complete::{Candidate, SHELLS, candidates};
use crate::failure::{Class, Failure};
use crate::{output, place};

/// The word by which the scripts ask.
const WORDS: &str = "words";

const BASH: &str = r#"_u2m() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$(printf %q "${line%%$'\t'*}")")
    done < <("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _u2m u2m
"#;

const ZSH: &str = r#"#compdef u2m
_u2m() {
    local line at=${words[(i)--]}
    local -a described
    # What follows -- is another command's line.
    if (( at < CURRENT )); then
        (( CURRENT -= at ))
        shift $at words
        _normal
        return
    fi
    for line in "${(@f)$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -n "$line" ]] && described+=("${${${line%%$'\t'*}//\\/\\\\}//:/\\:}:${line#*$'\t'}")
    done
    _describe u2m described
}
compdef _u2m u2m
"#;

const FISH: &str = r#"function __u2m_after_dashes
    contains -- -- (commandline -opc)
end
function __u2m_other_command
    set -l done (commandline -opc)
    set -l at (contains -i -- -- $done)
    set -l line (string escape -- $done[(math $at + 1)..-1])
    complete -C (string join -- ' ' $line (commandline -ct))
end
complete -c u2m -n __u2m_after_dashes -f -a '(__u2m_other_command)'
complete -c u2m -n 'not __u2m_after_dashes' -f -a '(u2m completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
"#;

const POWERSHELL: &str = r#"Register-ArgumentCompleter -Native -CommandName u2m -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if ($wordToComplete -eq '') { $words += '' }
    u2m completion words -- @words 2>$null | ForEach-Object {
        $text, $about = $_ -split "`t", 2
        if (-not $about) { $about = $text }
        $word = $text
        if ($text -notmatch '^[\w./:+-]+$') {
            $word = "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($text) + "'"
        }
        [System.Management.Automation.CompletionResult]::new($word, $text, 'ParameterValue', $about)
    }
}
"#;

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let script = match args.argument.as_deref() {
        Some("bash") => BASH,
        Some("zsh") => ZSH,
        Some("fish") => FISH,
        Some("powershell") => POWERSHELL,
        Some(WORDS) => return output::result(next(args)),
        other => {
            let said = other.map_or_else(
                || "no shell was named.".to_owned(),
                |other| format!("unsupported shell: {}.", u2m::text::Sanitized::new(other)),
            );
            let text = format!("{said} Run: {name} completion {}", SHELLS.join("|"));
            return Err(Failure::new(Class::Usage, text));
        }
    };
    output::result(script)
}

/// A line for each way to go on, its meaning behind a tab.
fn next(args: &Args) -> String {
    let words: Vec<String> =
        args.rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let found = candidates(&words, &profiles);
    found.into_iter().map(|Candidate { text, about }| format!("{text}\t{about}\n")).collect()
}

/// The profiles with a host. A file that cannot be read has none: a shell that completes is no place for errors.
fn profiles() -> Vec<Candidate> {
    let Ok((_, config)) = place::config() else { return Vec::new() };
    let named = config.profiles().into_iter().filter(|profile| profile.host().is_some());
    // A name that a terminal cannot show is not offered to one.
    let shown = named.filter(|profile| !profile.name().contains(char::is_control));
    let candidate = |profile: u2m::config::Profile<'_>| Candidate {
        text: profile.name().to_owned(),
        about: u2m::text::Sanitized::new(profile.host().unwrap_or_default()).to_string(),
    };
    shown.map(candidate).collect()
}
