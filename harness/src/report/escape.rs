//! Makes text that nobody vouches for harmless in the place where it is shown.
//!
//! A process chooses its own command line, and may put into it what clears a terminal, reverses the order of letters, closes a table's
//! cell, runs a script in a browser or calls people by name in a pull request.

/// Text for a terminal, or for plain text of any kind: nothing that controls anything is left, line breaks included.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            safe.push(c);
        } else if (c as u32) < 0x100 {
            safe.push_str(&format!("\\x{:02x}", c as u32));
        } else {
            safe.push_str(&format!("\\u{{{:x}}}", c as u32));
        }
    }
    safe
}

/// Plain text of at most so many characters, its end marked where it was cut.
pub fn plain_cut(text: &str, most: usize) -> String {
    // What is beyond the cut is not worth escaping; an escape is never cut in two.
    let mut safe = String::new();
    let mut length = 0;
    for c in text.chars() {
        let escaped = plain(c.encode_utf8(&mut [0; 4]));
        length += escaped.chars().count();
        if length > most {
            while safe.chars().count() >= most.max(1) {
                safe.pop();
            }
            safe.push('…');
            return safe;
        }
        safe.push_str(&escaped);
    }
    safe
}

/// An invisible character between two others, as HTML writes it.
const APART: &str = "&#8203;";

/// Text for Markdown that may become HTML: nothing in it is markup, a link, a mention or a reference, at the start of a line neither.
///
/// Mentions, references and bare links are found by GitHub and GitLab in what the Markdown has become, where an escaped `@` is an `@`
/// again. What keeps them apart is an invisible character behind the sign, as bots do that quote the release notes of others
/// (<https://github.com/renovatebot/renovate/pull/1083>).
pub fn markdown(text: &str) -> String {
    let plain = plain(text);
    let mut safe = String::with_capacity(plain.len());
    let number = plain.chars().take_while(char::is_ascii_digit).count();
    let mut rest = plain.chars();
    let mut place = 0;
    while let Some(c) = rest.next() {
        let next = rest.clone().next();
        match c {
            // What begins a list, underlines a heading or indents code does so at the start of a line alone.
            '-' | '+' | '=' if place == 0 && (next == Some(c) || next == Some(' ')) => {
                safe.push('\\');
                safe.push(c);
            }
            '.' if place == number && number > 0 && matches!(next, None | Some(' ')) => {
                safe.push_str("&#46;");
            }
            ' ' if safe.len() == place * "&#32;".len() => safe.push_str("&#32;"),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' | '#' => {
                safe.push(c);
                safe.push_str(APART);
            }
            // The first one of a line would begin a definition.
            ':' if place == 0 => safe.push_str("\\:"),
            '|' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '~' | '\\' | '!' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            other => safe.push(other),
        }
        place += 1;
    }
    unlinked(&safe)
}

/// Text of a scenario's author for Markdown: plain `https` addresses are links, what stands between backticks is code, and nothing else
/// is markup. Whoever runs a scenario vouches for its words, which no process has chosen.
pub fn authored(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut safe, mut waiting) = (String::new(), String::new());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let alone = waiting.is_empty() || waiting.ends_with([' ', '(']);
        match code(rest).or_else(|| address(rest).filter(|_| alone)) {
            Some((length, marked)) => {
                append(&mut safe, &mut waiting);
                safe.push_str(&marked);
                rest = &rest[length..];
            }
            None => {
                waiting.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    append(&mut safe, &mut waiting);
    safe
}

/// An issue of a project, `owner/repository#number`, as a link to it on GitHub; anything else as text without markup.
pub fn reference(issue: &str) -> String {
    let name = |text: &str| {
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !text.is_empty() && text.chars().all(of_name)
    };
    let parts = issue
        .split_once('#')
        .and_then(|(project, number)| Some((project, project.split_once('/')?, number)));
    match parts {
        Some((project, (owner, repository), number))
            if name(owner)
                && name(repository)
                && !number.is_empty()
                && number.chars().all(|c| c.is_ascii_digit()) =>
        {
            let text = markdown(issue);
            format!("[{text}](https://github.com/{project}/issues/{number})")
        }
        _ => markdown(issue),
    }
}

/// Appends what waits as Markdown without markup. Only at the start of a line does a space more mean anything.
fn append(safe: &mut String, waiting: &mut String) {
    let body = match waiting.strip_prefix(' ') {
        Some(body) if !safe.is_empty() => {
            safe.push(' ');
            body
        }
        _ => waiting.as_str(),
    };
    safe.push_str(&markdown(body));
    waiting.clear();
}

/// What stands between two single backticks, as code, and how long it is with them.
fn code(text: &str) -> Option<(usize, String)> {
    let (inside, after) = text.strip_prefix('`')?.split_once('`')?;
    let fits = !inside.is_empty()
        && inside.trim() == inside
        && inside.chars().all(is_harmless)
        && !after.starts_with('`');
    fits.then(|| (inside.len() + 2, format!("`{inside}`")))
}

/// A plain `https` address, as a link, and how long it is, with the angle brackets that may stand around it.
fn address(text: &str) -> Option<(usize, String)> {
    let bracket = usize::from(text.starts_with('<'));
    let behind = text[bracket..].strip_prefix("https://")?;
    let of_address = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '#' | '?' | '=' | '%')
    };
    let end = behind.find(|c| !of_address(c)).unwrap_or(behind.len());
    // What ends a sentence is no part of an address.
    let address = behind[..end].trim_end_matches(['.', '?']);
    // With a port or a user's name in it, an address may lead elsewhere than it seems to.
    let after = behind[address.len()..].chars().next();
    let ends = match bracket {
        0 => matches!(
            after,
            None | Some(' ' | '.' | ',' | ';' | ')' | '?' | '!' | '"' | '\'')
        ),
        _ => after == Some('>'),
    };
    let fits = ends && address.starts_with(|c: char| c.is_ascii_alphanumeric());
    let length = "https://".len() + address.len() + 2 * bracket;
    fits.then(|| (length, format!("<https://{address}>")))
}

/// Text between tags of HTML that stands in Markdown, where a backslash escapes nothing, but mentions and references are found.
pub fn html_in_markdown(text: &str) -> String {
    let apart = |sign: &str| format!("{sign}{APART}");
    unlinked(&html(text))
        .replace("&#64;", &apart("&#64;"))
        .replace("&#35;", &apart("&#35;"))
}

/// Markdown in which nothing is taken for a link, a picture's name or a reference that nothing marks up. Other colons stay as they are,
/// for those who read the text as it was written.
fn unlinked(markdown: &str) -> String {
    let mut safe = String::with_capacity(markdown.len());
    for (place, c) in markdown.char_indices() {
        safe.push(c);
        if c == ':' && may_be_more(&markdown[place + 1..]) {
            safe.push_str(APART);
        }
    }
    for start in ["www.", "WWW.", "GH-", "gh-"] {
        let (word, sign) = start.split_at(start.len() - 1);
        safe = safe.replace(start, &format!("{word}{APART}{sign}"));
    }
    safe
}

/// Whether what follows a colon makes a link of it, or a picture's name such as `:tada:`.
fn may_be_more(rest: &str) -> bool {
    // In Markdown the line below a letter is escaped.
    let after_name = rest.trim_start_matches(|c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '\\')
    });
    rest.starts_with("//") || (after_name.len() < rest.len() && after_name.starts_with(':'))
}

/// JSON in which nothing controls a terminal or the direction of letters: what does is written as JSON's own escape, and reads back as it
/// was.
pub fn json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        // Line breaks stand between its parts; inside of a string JSON has none.
        if is_harmless(c) || c == '\n' {
            safe.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    safe
}

/// Text between tags of HTML, or in an attribute of one.
pub fn html(text: &str) -> String {
    let plain = plain(text);
    let mut safe = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '@' => safe.push_str("&#64;"),
            '#' => safe.push_str("&#35;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Whether a character shows itself and does nothing else.
pub(crate) fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            // Marks and overrides of direction, which make text read otherwise than it is.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible, or a line break to some.
            | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
        // No characters at all, and none of XML's.
        && (c as u32) & 0xfffe != 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_controls_a_terminal_is_left() {
        for (text, expected) in [
            ("claude --verbose", "claude --verbose"),
            ("\x1b[2Jgone", "\\x1b[2Jgone"),
            ("a\0b\r\nc\td\x7f", "a\\x00b\\x0d\\x0ac\\x09d\\x7f"),
            ("\u{9b}31m", "\\x9b31m"),
            ("safe\u{202e}exe.txt", "safe\\u{202e}exe.txt"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("größe 大", "größe 大"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn a_cut_never_parts_an_escape() {
        assert_eq!(plain_cut("claude", 6), "claude");
        assert_eq!(plain_cut("claude", 5), "clau…");
        assert_eq!(plain_cut("abc\x1bdef", 6), "abc…");
        assert_eq!(plain_cut("abc\x1bdef", 8), "abc\\x1b…");
        assert_eq!(plain_cut("", 0), "");
    }

    #[test]
    fn nothing_is_markup_in_markdown() {
        for (text, expected) in [
            ("a | b", "a \\| b"),
            ("`rm`", "\\`rm\\`"),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert\\(1\\)&lt;/script&gt;",
            ),
            ("@someone #603", "@&#8203;someone #&#8203;603"),
            (
                "http://x www.y GH-1",
                "http:&#8203;//x www&#8203;.y GH&#8203;-1",
            ),
            (
                ":+1: a:b_c:d 12:30 x: y",
                "\\:&#8203;+1: a:&#8203;b\\_c:d 12:30 x: y",
            ),
            (": no definition", "\\: no definition"),
            ("- a", "\\- a"),
            ("+ a - b", "\\+ a - b"),
            ("===", "\\==="),
            ("-84", "-84"),
            ("1.00 x", "1.00 x"),
            ("12. a 3. b", "12&#46; a 3. b"),
            ("v1.2", "v1.2"),
            ("    a b", "&#32;&#32;&#32;&#32;a b"),
            (
                "**bold** [l](u) ![i](u)",
                "\\*\\*bold\\*\\* \\[l\\]\\(u\\) \\!\\[i\\]\\(u\\)",
            ),
            ("\x1b[0m\u{202e}", "\\\\x1b\\[0m\\\\u{202e}"),
        ] {
            assert_eq!(markdown(text), expected);
        }
    }

    #[test]
    fn an_author_has_links_and_code_and_nothing_else() {
        for (text, expected) in [
            (
                "see https://example.org/a_b#c-1.",
                "see <https://example.org/a_b#c-1>.",
            ),
            (
                "(https://example.org), <https://example.org/x> and",
                "\\(<https://example.org>\\), <https://example.org/x> and",
            ),
            (
                "http://example.org xhttps://example.org https://-x",
                "http:&#8203;//example.org xhttps:&#8203;//example.org https:&#8203;//-x",
            ),
            (
                "https://a@evil.example <https://a.example:1>",
                "https:&#8203;//a@&#8203;evil.example &lt;https:&#8203;//a.example:1&gt;",
            ),
            ("`a_b` is\n  *it*", "`a_b` is \\*it\\*"),
            ("``a`` ` b` `", "\\`\\`a\\`\\` \\` b\\` \\`"),
            ("`\x1b`", "\\`\\\\x1b\\`"),
            ("- `a` - b @c", "\\- `a` \\- b @&#8203;c"),
        ] {
            assert_eq!(authored(text), expected);
        }
    }

    #[test]
    fn an_issue_is_a_link_and_nothing_else_is() {
        assert_eq!(
            reference("thedotmack/claude-mem#603"),
            "[thedotmack/claude-mem#&#8203;603](https://github.com/thedotmack/claude-mem/issues/603)"
        );
        for text in ["a/b#", "a/b/c#1", "a#1", "a/b#1)", "a/(b)#1", "a/b#x"] {
            assert_eq!(reference(text), markdown(text), "{text}");
        }
    }

    #[test]
    fn nobody_is_called_by_html_in_markdown() {
        assert_eq!(
            html_in_markdown("a: <b> @a #1 http://x"),
            "a: &lt;b&gt; &#64;&#8203;a &#35;&#8203;1 http:&#8203;//x"
        );
    }

    #[test]
    fn json_controls_nothing_and_reads_back_as_it_was() {
        let hostile = "\x1b[2J \u{9b}31m \u{7f} \u{202e} \u{e0041} \u{2028} größe 大 \n";
        let safe = json(&serde_json::to_string_pretty(&[hostile]).unwrap());
        assert!(safe.chars().all(|c| is_harmless(c) || c == '\n'), "{safe}");
        assert!(safe.contains("größe 大"));
        assert_eq!(
            serde_json::from_str::<[String; 1]>(&safe).unwrap(),
            [hostile]
        );
    }

    #[test]
    fn nothing_is_a_tag_in_html() {
        assert_eq!(
            html("<b onclick='x'>\"&\"</b> @a #1 \x1b"),
            "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/b&gt; &#64;a &#35;1 \\x1b"
        );
    }
}
