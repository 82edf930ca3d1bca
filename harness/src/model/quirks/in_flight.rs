//! What becomes of items whose claude ended or fell silent: `forgets-in-flight`, `dead-turn-is-done`.

use crate::model::pending::{Item, Work};
use crate::model::policy::Quirk;
use crate::model::sdk_agent::SdkAgent;
use crate::model::sessions::ActiveSession;

/// Takes the items that a quirk gives up, and gives back those that wait again.
pub(in crate::model) fn give_up(
    agent: &SdkAgent,
    session: &ActiveSession,
    unanswered: Vec<Item>,
) -> Vec<Item> {
    let is_done = agent.quirks.contains(&Quirk::DeadTurnIsDone);
    if !is_done && !agent.quirks.contains(&Quirk::ForgetsInFlight) {
        return unanswered;
    }
    for item in &unanswered {
        // Where the data folder takes no more, it stays on disk as pending and is taken up after a restart.
        if is_done {
            let _ = agent.store(session, &done(&item.work));
        }
        let _ = agent.sessions.confirm([item]);
    }
    Vec::new()
}

/// The answer that no claude has given: that the item is done, in the words of the item, because there are no others.
fn done(work: &Work) -> String {
    match work {
        Work::Observation { tool_input, .. } => format!(
            "<observation><type>change</type><title>Done</title><narrative>{tool_input}</narrative></observation>"
        ),
        Work::Summarize {
            last_assistant_message,
        } => format!("<summary><completed>{last_assistant_message}</completed></summary>"),
    }
}
