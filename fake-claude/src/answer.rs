//! What a turn answers: pure text, made from what was asked.

use std::fmt::Write;

use crate::asked::Asked;
use crate::behaviour::Reply;
use crate::control::TurnKind;

/// Prose that means nothing to a reader of XML.
const PROSE: &str =
    "Happy to help! I have looked at what was done, and everything seems to be in order.";

/// The texts that a turn answers to all that it holds: one for each assistant message.
///
/// One is enough, except where observations and a summary were merged: a memory worker reads one root element of a text, so the two
/// must not stand in the same one.
pub fn texts(asked: &[&Asked], reply: Reply) -> Vec<String> {
    match reply {
        Reply::Empty => vec![String::new()],
        Reply::Prose => vec![PROSE.to_owned()],
        Reply::Honest => {
            let mut texts = Vec::new();
            for kind in [TurnKind::Prompt, TurnKind::Observation, TurnKind::Summary] {
                let mut text = String::new();
                for asked in asked.iter().filter(|asked| asked.kind == kind) {
                    for markers in &asked.parts {
                        write_part(&mut text, asked, markers);
                    }
                }
                if !text.is_empty() {
                    texts.push(text);
                }
            }
            if texts.is_empty() {
                texts.push(String::new());
            }
            texts
        }
    }
}

fn write_part(text: &mut String, asked: &Asked, markers: &[String]) {
    let markers = markers.join(" ");
    // Writing to a string cannot fail.
    let _ = match asked.kind {
        // A memory worker wants nothing in return for a prompt; anything that is no XML may be held against its sender.
        TurnKind::Prompt if asked.from_memory_worker => Ok(()),
        TurnKind::Prompt => {
            let gap = if text.is_empty() { "" } else { "\n" };
            write!(text, "{gap}{}", format!("ok {markers}").trim_end())
        }
        // No file is named: a worker may go and write beside it.
        TurnKind::Observation => write!(
            text,
            "<observation>\n\
             <type>discovery</type>\n\
             <title>A tool was used {markers}</title>\n\
             <subtitle>Observed by a stand-in</subtitle>\n\
             <facts><fact>The tool ran</fact></facts>\n\
             <narrative>The tool ran and its outcome was seen {markers}</narrative>\n\
             <concepts><concept>how-it-works</concept></concepts>\n\
             <files_read></files_read>\n\
             <files_modified></files_modified>\n\
             </observation>\n"
        ),
        TurnKind::Summary => write!(
            text,
            "<summary>\n\
             <request>Progress was asked for {markers}</request>\n\
             <investigated>What was done so far</investigated>\n\
             <learned>What was seen so far</learned>\n\
             <completed>The work up to here {markers}</completed>\n\
             <next_steps>Whatever comes next</next_steps>\n\
             <notes>Written by a stand-in {markers}</notes>\n\
             </summary>\n"
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: TurnKind, from_memory_worker: bool, parts: &[&str]) -> Asked {
        Asked {
            kind,
            from_memory_worker,
            parts: parts.iter().map(|part| vec![part.to_string()]).collect(),
        }
    }

    #[test]
    fn each_observation_has_a_block_with_its_markers() {
        let asked = [
            asked(TurnKind::Observation, true, &["lhm-1-1-o1z", "lhm-1-1-o2z"]),
            asked(TurnKind::Observation, true, &["lhm-1-1-o3z"]),
        ];
        let texts = texts(&asked.each_ref(), Reply::Honest);
        let [text] = texts.as_slice() else {
            panic!("one text: {texts:?}")
        };
        let blocks: Vec<&str> = text.split_inclusive("</observation>\n").collect();
        assert_eq!(blocks.len(), 3);
        for (block, marker) in blocks.iter().zip(["o1z", "o2z", "o3z"]) {
            assert!(block.starts_with("<observation>"));
            let in_title = format!("<title>A tool was used lhm-1-1-{marker}</title>");
            let in_narrative = format!("lhm-1-1-{marker}</narrative>");
            assert!(block.contains(&in_title) && block.contains(&in_narrative));
        }
    }

    #[test]
    fn observations_and_a_summary_never_stand_in_one_text() {
        let asked = [
            asked(TurnKind::Summary, true, &["lhm-1-1-s1z"]),
            asked(TurnKind::Observation, true, &["lhm-1-1-o1z"]),
            asked(TurnKind::Prompt, true, &["lhm-1-1-p1z"]),
        ];
        let texts = texts(&asked.each_ref(), Reply::Honest);
        assert_eq!(texts.len(), 2);
        assert!(texts[0].starts_with("<observation>") && !texts[0].contains("<summary>"));
        assert!(texts[1].starts_with("<summary>") && texts[1].contains("lhm-1-1-s1z</request>"));
    }

    #[test]
    fn a_prompt_is_answered_as_its_sender_wants() {
        let prompt = |from_memory_worker| {
            [asked(
                TurnKind::Prompt,
                from_memory_worker,
                &["lhm-1-1-p1z"],
            )]
        };
        assert_eq!(texts(&prompt(true).each_ref(), Reply::Honest), [""]);
        assert_eq!(
            texts(&prompt(false).each_ref(), Reply::Honest),
            ["ok lhm-1-1-p1z"]
        );
    }

    #[test]
    fn other_replies_hold_no_marker() {
        let asked = [asked(TurnKind::Observation, true, &["lhm-1-1-o1z"])];
        assert_eq!(texts(&asked.each_ref(), Reply::Empty), [""]);
        let prose = texts(&asked.each_ref(), Reply::Prose).concat();
        assert!(!prose.is_empty() && !prose.contains(['<']) && !prose.contains("lhm-"));
    }
}
