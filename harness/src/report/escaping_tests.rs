//! Every renderer of a report against every hostile text.

use super::hostile::{
    check_authored, check_coloured, check_html, check_json, check_junit, check_plain, report, texts,
};
use super::terminal::Style;
use super::{html, issue, json, junit, markdown, terminal};
use crate::judge::lanes::Lanes;

#[test]
fn nothing_controls_the_terminal() {
    for text in texts() {
        for width in [60, 120] {
            for height in [None, Some(24)] {
                let style = |colour| Style {
                    colour,
                    width,
                    height,
                };
                check_plain(&terminal::render(&report(&text), style(false)));
                check_coloured(&terminal::render(&report(&text), style(true)));
            }
        }
    }
}

#[test]
fn json_reads_back_as_it_was() {
    for text in texts() {
        let hostile = report(&text);
        let written = json::render(&hostile).unwrap();
        check_json(&written);
        assert_eq!(json::parse(&written).unwrap(), hostile);
    }
}

#[test]
fn junit_is_read_by_its_readers() {
    for text in texts() {
        check_junit(&junit::render(&report(&text)).unwrap());
    }
}

#[test]
fn nothing_is_markup_in_markdown() {
    for text in texts() {
        check_authored(&markdown::render(&report(&text)));
        check_authored(&issue::render(&report(&text)));
    }
}

#[test]
fn nothing_that_a_process_chose_is_a_link() {
    let mut hostile = report("https://evil.example/x");
    for text in [
        &mut hostile.made.description,
        &mut hostile.made.scenario,
        &mut hostile.command,
    ] {
        "harmless".clone_into(text);
    }
    (hostile.made.should, hostile.made.impact) = (None, None);
    hostile.made.issue = Some("owner/repository#5".to_owned());
    for shown in [markdown::render(&hostile), issue::render(&hostile)] {
        check_authored(&shown);
        assert!(shown.contains("/owner/repository/issues/5)"));
        assert!(!shown.contains("<https://evil.example"), "{shown}");
    }
}

#[test]
fn nothing_is_an_element_of_the_page() {
    let page = |text: &str| {
        let whole = html::render(&report(text), &Lanes::default()).unwrap();
        [html::STYLE, html::CHART_LIBRARY, html::CHART_SCRIPT]
            .iter()
            .fold(whole, |page, shared| page.replace(shared, ""))
    };
    let harmless = page("harmless");
    for text in texts().iter().filter(|text| !text.trim().is_empty()) {
        check_html(&page(text), &harmless);
    }
}
