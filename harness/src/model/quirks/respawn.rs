//! `respawns-the-ended`: a supervisor that never learnt that the session is over.

use std::sync::Arc;

use crate::model::sdk_agent::SdkAgent;
use crate::model::sessions::ActiveSession;

/// Starts one more claude, which resumes the session. It is greeted, and then nobody has anything for it or ends it.
pub(in crate::model) fn resume(agent: &Arc<SdkAgent>, session: &Arc<ActiveSession>) {
    // Where it cannot be started there is nothing to be left over.
    if let Ok(conversation) = agent.begin(session, &session.continuation(), |_| {}) {
        let agent = Arc::clone(agent);
        tokio::spawn(agent.read_to_the_end(Arc::clone(session), conversation));
    }
}
