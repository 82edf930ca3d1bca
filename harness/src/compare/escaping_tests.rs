//! Every renderer of a comparison against every hostile text.

use super::{Comparison, compare, html, json, markdown, terminal};
use crate::report::Report;
use crate::report::hostile::{
    check_coloured, check_html, check_json, check_markdown, check_plain, report, texts,
};
use crate::report::html::{CHART_LIBRARY, CHART_SCRIPT, STYLE};
use crate::report::terminal::Style;

/// Two runs that differ in everything, this text in all that somebody else may choose.
fn compared(text: &str) -> (Comparison, Report, Report) {
    let (a, mut b) = (report(&format!("{text}.")), report(text));
    b.verdict = crate::scenario::Verdict::Inconclusive;
    b.sessions.ended = 60;
    (compare((text, &a), (text, &b), 0), a, b)
}

#[test]
fn nothing_controls_the_terminal_and_the_first_line_is_one() {
    for text in texts() {
        let (comparison, _, _) = compared(&text);
        let shown = |colour, height| {
            let style = Style {
                colour,
                width: 100,
                height,
            };
            terminal::render(&comparison, style)
        };
        for height in [None, Some(24)] {
            check_plain(&shown(false, height));
            check_coloured(&shown(true, height));
        }
        let second = shown(false, None)
            .lines()
            .nth(1)
            .map(|line| line.starts_with("A  "));
        assert_eq!(second, Some(true));
    }
}

#[test]
fn json_can_be_read() {
    for text in texts() {
        let (comparison, _, _) = compared(&text);
        let value = check_json(&json::render(&comparison).unwrap());
        assert_eq!(value["a"]["given"], text);
    }
}

#[test]
fn nothing_is_markup_in_markdown() {
    for text in texts() {
        check_markdown(&markdown::render(&compared(&text).0));
    }
}

#[test]
fn nothing_is_an_element_of_the_page() {
    let page = |text: &str| {
        let (comparison, a, b) = compared(text);
        let whole = html::render(&comparison, &a, &b).unwrap();
        [STYLE, CHART_LIBRARY, CHART_SCRIPT]
            .iter()
            .fold(whole, |page, shared| page.replace(shared, ""))
    };
    let harmless = page("harmless");
    for text in texts().iter().filter(|text| !text.trim().is_empty()) {
        check_html(&page(text), &harmless);
    }
}
