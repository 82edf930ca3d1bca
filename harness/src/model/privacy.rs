//! What users mark as private never reaches a child or the disk.

const HIDDEN: [(&str, &str); 2] = [
    ("<claude-mem-context>", "</claude-mem-context>"),
    ("<private>", "</private>"),
];

/// The text without what its author marked as private, and without what the product itself once put in.
pub(super) fn without_private(text: &str) -> String {
    let mut text = text.to_owned();
    for (open, close) in HIDDEN {
        let mut from = 0;
        while let Some(start) = text[from..].find(open).map(|found| found + from) {
            let Some(end) = text[start..].find(close) else {
                break;
            };
            text.replace_range(start..start + end + close.len(), "");
            from = start;
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::without_private;

    #[test]
    fn marked_parts_go_and_unclosed_marks_stay() {
        let cases = [
            ("plain", "plain"),
            ("a <private>secret</private> b", "a  b"),
            ("<private>all</private>", ""),
            ("<private>open", "<private>open"),
            ("x<private>1</private>y<private>2</private>z", "xyz"),
            ("<claude-mem-context>old</claude-mem-context> new", "new"),
        ];
        for (text, expected) in cases {
            assert_eq!(without_private(text), expected, "{text}");
        }
    }
}
