//! The book of each item, when all is over: its bin, and why.

use fake_claude::control::TurnKind;

use super::{Answer, Course, Item, Items};
use crate::judge::books::Work;
use crate::judge::facts::{Facts, Look};
use crate::judge::sessions::SessionKey;
use crate::scenario::{Bin, End};
use crate::timeline::event::Source;

/// The book of an item that is a finding, settled.
#[derive(Debug)]
pub(in crate::judge) struct Settled {
    pub marker: String,
    pub session: SessionKey,
    pub kind: TurnKind,
    pub bin: Bin,
    /// Whether it waits in or behind a live claude.
    pub waits: bool,
    /// Whether it lies in the worker's queue.
    pub queued: bool,
    /// Whether no claude ever read it.
    pub unread: bool,
    /// Whether the claude that read it last ended before it answered.
    pub left: bool,
    /// Whether it speaks against the worker.
    pub blames: bool,
    pub cause: &'static str,
    pub offered_seq: u64,
}

/// The count that an item in this bin belongs to; in none, it was answered or given up.
const fn count_of(work: &mut Work, bin: Option<Bin>, gave_up: bool) -> &mut u32 {
    match bin {
        None if gave_up => &mut work.aborted,
        None => &mut work.answered,
        Some(Bin::Duplicated) => &mut work.duplicated,
        Some(Bin::Lost) => &mut work.lost,
        Some(Bin::Pending) => &mut work.pending,
        Some(Bin::Refused) => &mut work.refused,
        Some(Bin::Skipped) => &mut work.skipped,
        Some(_) => &mut work.unknown,
    }
}

/// Why an item waits that a live claude has, or that stands behind one.
const WAITS: &str = "waits in or behind a live claude";

/// Why an item is lost whose turn failed.
const FAILED: &str = "its turn ended in an error";

/// Why an item is lost whose turn nobody heard the end of.
const DESERTED: &str = "given to a claude whose worker went away before it answered";

/// Why nobody knows about an item, without the control socket and a store that can be read back.
const UNSEEN: &str = "nobody saw whether it was answered";

/// Why an item waits that was answered when what is stored had been read for the last time.
const LATE: &str = "answered after stored work was read back for the last time";

/// Why an item waits that may have been under way all the time.
const WENT_ON: &str = "work went on when the time was over";

/// Why an item waits of which more may be heard.
const GOES_ON: &str = "the run goes on";

impl Item {
    /// Why nobody answered it, from what the fakes said.
    const fn why_lost(&self) -> &'static str {
        match self.given {
            _ if self.elsewhere > 0 => "answered in a turn of another kind alone",
            None => "accepted, and never given to a claude",
            Some((_, Course::Read | Course::Silent)) => "given to a claude that never answered it",
            Some((_, Course::Left)) => "given to a claude that ended before it answered",
            Some((_, Course::Failed)) => FAILED,
            Some((_, Course::Deserted)) => DESERTED,
        }
    }
}

/// Whether nothing went on when it was looked, so that what was neither stored nor waiting then is lost.
#[derive(Debug, Clone, Copy)]
struct NothingGoesOn {
    first: bool,
    second: bool,
}

/// Whether nothing went on at a look. `kept` says that something lay in the worker's queue, which could be read then.
fn nothing_went_on(facts: &Facts, look: Look, kept: bool) -> bool {
    facts.looked(look).is_some_and(|(at, quiet)| {
        // Without a worker nothing goes on.
        quiet || kept || facts.workers.at(at).is_none()
    })
}

impl Items {
    /// Answered items of which nobody knows whether they were stored.
    pub fn unread(&self) -> u32 {
        let Some(store) = self.known_store().filter(|store| !store.complete) else {
            return 0;
        };
        let mut unread = 0;
        self.each(|marker, item| {
            let answered = item.good > 0 && self.last_seen(marker, item).stored == 0;
            unread += u32::from(answered && store.kinds.contains(&item.kind));
        });
        unread
    }

    /// Counts every item in its bin, and gives those that are findings, in the order of their markers.
    pub fn settle(&self, facts: &Facts, work: &mut Work) -> Vec<Settled> {
        // A worker that counts in its queue what it will never hand out lets no run come to rest by itself. Where that queue could be
        // read, what is neither in it nor with a claude is not on its way either.
        let mut kept = false;
        if facts.rest.is_some() {
            self.each(|_, item| kept |= item.kept);
        }
        let mut nothing_goes_on = NothingGoesOn {
            first: nothing_went_on(facts, Look::First, kept),
            second: false,
        };
        if self.looked_again() {
            let rest = facts.again.is_some_and(|again| again.rest.is_some());
            let mut kept = false;
            if rest {
                self.each(|marker, item| kept |= self.last_seen(marker, item).kept);
            }
            nothing_goes_on.second = nothing_went_on(facts, Look::Second, kept);
        }
        let mut found = Vec::new();
        self.each(|marker, item| {
            found.extend(self.settle_one(facts, (marker, item), nothing_goes_on, work));
        });
        found.sort_by(|a, b| a.marker.cmp(&b.marker));
        found
    }

    /// Counts one item in its bin; gives it where that is a finding.
    fn settle_one(
        &self,
        facts: &Facts,
        (marker, first): (&str, &Item),
        nothing_goes_on: NothingGoesOn,
        work: &mut Work,
    ) -> Option<Settled> {
        let item = &self.last_seen(marker, first);
        let end = facts.sessions.end_of(item.session).map(|ended| ended.end);
        // Whoever aborts a session gives up what it has not answered.
        let aborted = item.aborted || end == Some(End::Abort);
        // What was nowhere at the first look was lost then, whatever went on later.
        let nowhere =
            nothing_goes_on.second || (nothing_goes_on.first && !first.kept && !first.waiting);
        let (bin, cause) = self.bin(facts, item, aborted, nowhere);
        *count_of(work, bin, aborted && item.good == 0 && item.stored == 0) += 1;
        let bin = bin?;
        let excused = item.answer.is_some_and(|(_, at)| {
            let of_worker = |process| facts.workers.includes(process);
            facts.workers.was_away(at, facts.hold())
                || facts.pauses.hold(of_worker, at, facts.hold())
        });
        Some(Settled {
            marker: marker.to_owned(),
            session: item.session,
            kind: item.kind,
            bin,
            waits: item.waiting && bin == Bin::Pending && cause != LATE,
            queued: item.kept && bin == Bin::Pending,
            unread: item.given.is_none(),
            left: matches!(item.given, Some((_, Course::Left))),
            blames: match bin {
                Bin::Refused => !excused,
                // Who hangs up in the middle of a request hears no answer.
                Bin::Unknown => !excused && end != Some(End::Disconnect),
                Bin::Skipped => false,
                _ => true,
            },
            cause,
            offered_seq: item.offered_seq,
        })
    }

    /// The bin of an item that is a finding; none for one that was answered or given up. Evidence of an answer beats what the worker
    /// said about it. `nowhere` says that nothing goes on by which it could still be answered.
    fn bin(
        &self,
        facts: &Facts,
        item: &Item,
        aborted: bool,
        nowhere: bool,
    ) -> (Option<Bin>, &'static str) {
        // A turn of another kind that repeats the item may store it too, so records may be as many as turns that held it.
        let turns = u32::from(item.good) + u32::from(item.elsewhere);
        if item.good >= 2 {
            let cause = if item.answered_by_others {
                "answered by more than one claude"
            } else {
                "answered more than once by the same claude"
            };
            return (Some(Bin::Duplicated), cause);
        }
        if item.stored > turns.max(1) {
            return (Some(Bin::Duplicated), "stored more often than answered");
        }
        let readable = self
            .known_store()
            .is_some_and(|store| store.complete && store.kinds.contains(&item.kind));
        let watched = facts.watched_throughout(Source::Control);
        if item.stored > 0 && turns == 0 && watched && !aborted {
            return (
                Some(Bin::Lost),
                match item.given {
                    Some((_, Course::Failed)) => FAILED,
                    _ => "stored as done, and no turn of it ended well",
                },
            );
        }
        if item.stored > 0 || (item.good > 0 && !readable) {
            return (None, "");
        }
        // What the driver gave up waits for nobody, wherever it lies.
        if aborted {
            return (None, "");
        }
        if item.kept {
            return (Some(Bin::Pending), "kept in the worker's queue on disk");
        }
        match item.answer.map(|(answer, _)| answer) {
            Some(Answer::Refused) => return (Some(Bin::Refused), "the worker said no"),
            Some(Answer::Skipped) => {
                return (Some(Bin::Skipped), "the worker said that it skips it");
            }
            None if facts.goes_on => return (Some(Bin::Pending), GOES_ON),
            None | Some(Answer::Unknown) => return (Some(Bin::Unknown), "no answer came"),
            Some(Answer::Accepted) => {}
        }
        if facts.goes_on {
            return (Some(Bin::Pending), GOES_ON);
        }
        if item.good > 0 {
            // It was on its way when it was looked for the last time.
            return match &self.again {
                Some(_) if item.waiting => (Some(Bin::Pending), LATE),
                _ => (Some(Bin::Lost), "answered by claude and never stored"),
            };
        }
        if item.waiting {
            return (Some(Bin::Pending), WAITS);
        }
        match facts.drained {
            None => (Some(Bin::Pending), "the run did not wait for it"),
            Some(_) if !nowhere => (Some(Bin::Pending), WENT_ON),
            Some(_) if watched => (Some(Bin::Lost), item.why_lost()),
            // It is not where answers are stored, whatever became of it.
            Some(_) if readable => (Some(Bin::Lost), "cause unknown"),
            Some(_) => (Some(Bin::Pending), UNSEEN),
        }
    }
}
