//! Texts that want to be more than text, and what each format must hold against them.

use quick_junit::Report as Document;
use serde_json::Value;

use super::escape::is_harmless;
use super::examples::failing;
use super::story::{Moment, Story};
use super::{Made, Report, WitnessLine};
use crate::judge::{GrowthFigure, Threshold};
use crate::timeline::event::Source;

/// What a process, a session or a file may be called. The last ones are what bytes that are no UTF-8 have become.
pub(crate) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "<script>alert(1)</script>",
        "</script><img src=x onerror=alert(2)>",
        "\"><svg onload=alert(3)>' style='x",
        "<!-- --> <![CDATA[ ]]> ]]> <?xml?> &amp; &#64; &lt;",
        "`rm -rf` ``two`` ```\nfence\n```",
        "a | b || c \\| d",
        "**bold** __bold__ *a* _a_ ~~gone~~ $math$ ==mark==",
        "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x1b[0m",
        "\u{9b}31m \u{90}x\u{9c} \u{7f}",
        "nul\0 tab\t line\nreturn\r both\r\n",
        "safe\u{202e}txt.exe\u{202c} \u{2066}x\u{2069} \u{200b}\u{feff}\u{2028}\u{2029}\u{e0041}",
        "\u{fffe} \u{ffff} \u{1fffe} \u{fdd0}",
        "@mention @org/team #123 owner/repo#5 GH-7 www.evil.example http://evil.example mailto:a@evil.example",
        "![](http://evil.example/x.png) [click](http://evil.example) [a]: http://evil.example [^1] ![[x]]",
        "- list",
        "1. list",
        "    code",
        "# heading",
        "> quote",
        "+ [ ] task",
        "---",
        "===",
        ": definition",
        "https://evil.example:80/ https://user@evil.example https://evil.example/`a`",
        ":tada: {{7*7}} ${7*7} <%= 7*7 %>",
        "",
        " ",
        "\u{fffd}\u{fffd}(lone surrogates) \u{fffd}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("long ".repeat(2_000));
    texts.push("x<".repeat(5_000));
    texts
}

/// A failing report in which everything that somebody else may choose is this text.
pub(crate) fn report(text: &str) -> Report {
    let mut report = failing();
    let text = text.to_owned();
    report.scenario.name.clone_from(&text);
    report.worker.name.clone_from(&text);
    report.worker.version = Some(text.clone());
    report.worker.cleanup = vec![text.clone()];
    report.reasons = vec![text.clone()];
    report.unexpected = vec![text.clone()];
    report.smallest_leak.clone_from(&text);
    report.forecast.words.clone_from(&text);
    report.unbalanced = Some(text.clone());
    report.command.clone_from(&text);
    report.scenario_file = Some(text.clone());
    report.started = Some(text.clone());
    report.thresholds = vec![Threshold {
        metric: text.clone(),
        limit: 1,
        actual: 2,
        ok: false,
    }];
    report.growth = vec![
        GrowthFigure {
            figure: text.clone(),
            judged: true,
            grows: true,
            ..GrowthFigure::default()
        },
        GrowthFigure {
            figure: format!("other {text}"),
            reason: Some(text.clone()),
            ..GrowthFigure::default()
        },
    ];
    report.witnesses = vec![WitnessLine {
        witness: Source::Control,
        failed: Some(text.clone()),
        off: Some(text.clone()),
    }];
    report.made = Made {
        harness: text.clone(),
        kernel: text.clone(),
        cores: 2,
        runtime: Some(text.clone()),
        install: vec![text.clone()],
        settings: [(text.clone(), text.clone())].into(),
        stop: Some(text.clone()),
        description: text.clone(),
        issue: Some(text.clone()),
        should: Some(text.clone()),
        impact: Some(text.clone()),
        scenario: text.clone(),
    };
    report.stories = vec![Story {
        session: text.clone(),
        signature: text.clone(),
        moments: vec![Moment {
            after_ms: 5,
            what: text.clone(),
        }],
        omitted: 1,
    }];
    for finding in &mut report.findings {
        finding.signature.clone_from(&text);
        finding.subject.clone_from(&text);
        finding.cause.clone_from(&text);
        finding.sessions = vec![text.clone()];
        finding.evidence.expected.clone_from(&text);
        finding.evidence.seen.clone_from(&text);
        for process in &mut finding.processes {
            process.command.clone_from(&text);
            process.session = Some(text.clone());
        }
    }
    report
}

/// Demands that nothing controls a terminal, line breaks apart.
#[track_caller]
pub(crate) fn check_plain(shown: &str) {
    let bad: Vec<char> = shown
        .chars()
        .filter(|c| *c != '\n' && !is_harmless(*c))
        .collect();
    assert!(bad.is_empty(), "{bad:?} in {shown}");
}

/// Demands that nothing but colours controls a terminal.
#[track_caller]
pub(crate) fn check_coloured(shown: &str) {
    let mut rest = shown.to_owned();
    for colour in ["1;31", "1;32", "1;33", "31", "32", "33", "0"] {
        rest = rest.replace(&format!("\x1b[{colour}m"), "");
    }
    check_plain(&rest);
}

/// Demands JSON that controls nothing and can be read.
#[track_caller]
pub(crate) fn check_json(json: &str) -> Value {
    check_plain(json);
    serde_json::from_str(json).expect("it is JSON")
}

/// Demands XML of characters that XML 1.0 has, which a reader of JUnit takes.
#[track_caller]
pub(crate) fn check_junit(xml: &str) {
    check_plain(xml);
    let of_xml = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(of_xml), "{xml}");
    assert!(!xml.contains("<script") && !xml.contains("<img") && !xml.contains("<![CDATA["));
    let document = Document::deserialize_from_str(xml).expect("it is JUnit");
    assert_eq!(document.test_suites.len(), 1);
}

/// HTML's text as it is shown, as far as ours is escaped.
fn decoded(html: &str) -> String {
    let escapes = [
        ("&#8203;", "\u{200b}"),
        ("&#64;", "@"),
        ("&#35;", "#"),
        ("&#58;", ":"),
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    let all = escapes.iter();
    all.fold(html.to_owned(), |text, (escape, sign)| {
        text.replace(escape, sign)
    })
}

/// Demands Markdown in which nothing is there but what the renderers themselves write, and nobody is called and nothing linked.
#[track_caller]
pub(crate) fn check_markdown(shown: &str) {
    check_markdown_with(shown, false);
}

/// Demands as much of Markdown in which the author of a scenario may have code and plain links.
#[track_caller]
pub(crate) fn check_authored(shown: &str) {
    check_markdown_with(shown, true);
}

#[track_caller]
fn check_markdown_with(shown: &str, authored: bool) {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
    check_plain(shown);
    let mut text = String::new();
    // In code nobody is called and nothing is linked; what ends the code too early would be seen as something else.
    let mut in_code = false;
    for event in Parser::new_ext(shown, Options::all()) {
        match event {
            Event::Start(
                Tag::Paragraph
                | Tag::Heading { .. }
                | Tag::Table(_)
                | Tag::TableHead
                | Tag::TableRow
                | Tag::TableCell
                | Tag::List(None)
                | Tag::Item
                | Tag::Strong
                | Tag::HtmlBlock,
            )
            | Event::SoftBreak => {}
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::Link) => in_code = false,
            Event::End(end) => in_code &= end != TagEnd::CodeBlock,
            Event::Text(_) if in_code => {}
            Event::Code(_) if authored => {}
            Event::Start(Tag::Link { dest_url, .. }) if authored => {
                assert!(dest_url.starts_with("https://"), "{dest_url}");
                in_code = true;
            }
            // What the renderers themselves write as code.
            Event::Code(part) if ["install", "--source CLONE"].contains(&&*part) => {}
            Event::Text(part) => text += &part,
            // What the renderers themselves fold away.
            Event::Html(part) => {
                let inside = part
                    .replace("<details>", "")
                    .replace("</details>", "")
                    .replace("<summary>", "")
                    .replace("</summary>", "");
                assert!(!inside.contains(['<', '>']), "{part}");
                text += &decoded(&inside);
            }
            other => panic!("{other:?} in {shown}"),
        }
    }
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let next = letters.peek().copied();
        assert!(
            !matches!(c, '@' | '#') || next == Some('\u{200b}'),
            "{c} and {next:?} in {text}"
        );
    }
    for link in ["://", "www.", "GH-", ":tada:"] {
        assert!(!text.contains(link), "{link} in {text}");
    }
}

/// Demands HTML with no more elements than another page of the same shape, code apart, and with no handler in any.
#[track_caller]
pub(crate) fn check_html(page: &str, harmless: &str) {
    check_plain(page);
    let elements = |page: &str| {
        // What stands in backticks is shown as code, which does nothing.
        let page = page.replace("<code>", "").replace("</code>", "");
        let starts = page.match_indices('<').filter(|(at, _)| {
            let rest = &page[at + 1..];
            // Names between backticks are shown as code.
            let code = rest.starts_with("code>") || rest.starts_with("/code>");
            !code
                && rest
                    .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
        });
        starts.count()
    };
    assert_eq!(elements(page), elements(harmless));
    for never in ["<img", "<svg onload", "<script>alert"] {
        assert!(!page.contains(never), "{never}");
    }
}
