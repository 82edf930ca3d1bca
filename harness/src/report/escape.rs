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

/// Text for Markdown that may become HTML: nothing in it is markup, a link, a mention or a reference.
pub fn markdown(text: &str) -> String {
    let plain = plain(text);
    let mut safe = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // GitHub makes mentions, references and links of these, even where nothing marks them up.
            '@' => safe.push_str("&#64;"),
            '#' => safe.push_str("&#35;"),
            ':' => safe.push_str("&#58;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '~' | '\\' | '!' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            other => safe.push(other),
        }
    }
    safe.replace("www.", "www&#46;")
}

/// Text between tags of HTML, and of Markdown's own HTML, where a backslash escapes nothing.
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
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            // Marks and overrides of direction, which make text read otherwise than it is.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible, or a line break to some.
            | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{00ad}' | '\u{e0000}'..='\u{e007f}')
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
            ("@someone #603", "&#64;someone &#35;603"),
            ("http://x www.y", "http&#58;//x www&#46;y"),
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
    fn nothing_is_a_tag_in_html() {
        assert_eq!(
            html("<b onclick='x'>\"&\"</b> @a #1 \x1b"),
            "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/b&gt; &#64;a &#35;1 \\x1b"
        );
    }
}
