//! How text and data come into a page without becoming part of it.

use std::fmt;

use serde::Serialize;

use crate::report::escape;

/// The escaper of all templates: what controls a terminal or the direction of letters shows as a visible escape, and nothing is markup.
#[derive(Debug, Clone, Copy)]
pub struct Visible;

impl askama::filters::Escaper for Visible {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        dest.write_str(&escape::html(string))
    }
}

/// A sentence of the harness in which backticks set apart what is typed or called by name. It escapes its own text, so templates
/// say `safe` of it.
pub struct Prose<'a>(pub &'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, after)) = rest.split_once('`')
            && let Some((code, after)) = after.split_once('`')
        {
            write!(
                f,
                "{}<code>{}</code>",
                escape::html(before),
                escape::html(code)
            )?;
            rest = after;
        }
        f.write_str(&escape::html(rest))
    }
}

/// Text of several lines for the inside of a `<pre>`: the breaks stay, and all else is escaped as everywhere. It escapes its own text,
/// so templates say `safe` of it.
pub struct Lines<'a>(pub &'a str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, line) in self.0.lines().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&escape::html(line))?;
        }
        Ok(())
    }
}

/// Data as JSON for the inside of a `<script type="application/json">`. Such an element ends at the first `</script`, whatever that
/// stands in, so no character that can be part of a tag is left; the two line separators are line breaks to some readers.
///
/// # Errors
///
/// When the data cannot be written as JSON.
pub fn script_json(data: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(data)?;
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings JSON has none of these, and inside of one this is the same character.
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", c as u32));
            }
            other => safe.push(other),
        }
    }
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_backticks_are_code_and_nothing_else_is_markup() {
        for (text, expected) in [
            ("primary `claude` ends", "primary <code>claude</code> ends"),
            ("`a` and `b`", "<code>a</code> and <code>b</code>"),
            ("one ` alone", "one ` alone"),
            ("`a` and ` alone", "<code>a</code> and ` alone"),
            ("<b>`<i>`\x1b", "&lt;b&gt;<code>&lt;i&gt;</code>\\x1b"),
        ] {
            assert_eq!(Prose(text).to_string(), expected);
        }
    }

    #[test]
    fn lines_stay_lines_and_nothing_is_markup() {
        let text = "a = 1\r\n# </code><script>\n\n\x1b[2J";
        let shown = "a = 1\n&#35; &lt;/code&gt;&lt;script&gt;\n\n\\x1b[2J";
        assert_eq!(Lines(text).to_string(), shown);
    }

    #[test]
    fn json_cannot_end_its_element_and_reads_back_as_it_was() {
        let hostile = "</script><script>alert(1)</script><!--<b>&amp;\u{2028}\u{2029}\0\x1b\"'";
        let json = script_json(&hostile).unwrap();
        for never in ["<", ">", "&", "\u{2028}", "\u{2029}", "\0", "\x1b"] {
            assert!(!json.contains(never), "{never:?} in {json}");
        }
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }
}
