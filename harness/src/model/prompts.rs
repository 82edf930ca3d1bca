//! What the model asks a claude. The elements are those by which v9.0.0's prompts can be told apart; the words are few, because
//! nobody reads them: `<what_happened>` marks an observation, `PROGRESS SUMMARY` a summary, anything else is a prompt.

use super::pending::Work;

const ANSWER_FORM: &str = "\
Answer with blocks of this form:
<observation>
  <type>bugfix | feature | refactor | change | discovery | decision</type>
  <title>in a few words</title>
  <subtitle>in a sentence</subtitle>
  <facts><fact>one at a time</fact></facts>
  <narrative>what was done and why</narrative>
  <concepts><concept>a tag</concept></concepts>
  <files_read><file>a path</file></files_read>
  <files_modified><file>a path</file></files_modified>
</observation>";

/// The first message of a child: the opening of a session, or the continuation of one.
pub(super) fn opening(user_prompt: &str, prompt_number: u32, project: &str, today: &str) -> String {
    let greeting = if prompt_number > 1 {
        format!("The session that you watch goes on with prompt {prompt_number}.")
    } else {
        format!(
            "You watch another session that works on {project}, and note what is worth remembering."
        )
    };
    format!(
        "{greeting}\n\n<observed_from_primary_session>\n  <user_request>{user_prompt}</user_request>\n  \
         <requested_at>{today}</requested_at>\n</observed_from_primary_session>\n\n{ANSWER_FORM}\n"
    )
}

/// The message that carries a work item.
pub(super) fn item(work: &Work, occurred_at: &str) -> String {
    match work {
        Work::Observation {
            tool_name,
            tool_input,
            tool_response,
            cwd,
            ..
        } => {
            let place = cwd.as_deref().map_or_else(String::new, |cwd| {
                format!("\n  <working_directory>{cwd}</working_directory>")
            });
            format!(
                "<observed_from_primary_session>\n  <what_happened>{tool_name}</what_happened>\n  \
                 <occurred_at>{occurred_at}</occurred_at>{place}\n  <parameters>{tool_input}</parameters>\n  \
                 <outcome>{tool_response}</outcome>\n</observed_from_primary_session>"
            )
        }
        Work::Summarize {
            last_assistant_message,
        } => format!(
            "PROGRESS SUMMARY\nSum up what this session has done so far. Its last words were:\n{last_assistant_message}\n\n\
             Answer with one block of this form:\n<summary>\n  <request></request>\n  <investigated></investigated>\n  \
             <learned></learned>\n  <completed></completed>\n  <next_steps></next_steps>\n  <notes></notes>\n</summary>"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_can_be_told_by_its_mark_and_carries_its_marker() {
        let observation = item(
            &Work::Observation {
                tool_name: "Bash".into(),
                tool_input: r#"{"command":"echo lhm-1-1-o1z"}"#.into(),
                tool_response: "{}".into(),
                prompt_number: Some(1),
                cwd: Some("/tmp".into()),
            },
            "2026-01-07T00:00:00Z",
        );
        let summary = item(
            &Work::Summarize {
                last_assistant_message: "lhm-1-1-s1z".into(),
            },
            "",
        );
        let opening = opening("lhm-1-1-p1z", 1, "project", "2026-01-07");
        assert!(observation.contains("<what_happened>") && observation.contains("lhm-1-1-o1z"));
        assert!(summary.contains("PROGRESS SUMMARY") && summary.contains("lhm-1-1-s1z"));
        assert!(opening.contains("lhm-1-1-p1z"));
        for mark in ["<what_happened>", "PROGRESS SUMMARY"] {
            assert!(!opening.contains(mark));
        }
        assert!(!summary.contains("<what_happened>") && !observation.contains("PROGRESS SUMMARY"));
    }
}
