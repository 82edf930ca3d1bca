//! The lanes of the page: the course of each session and process as data for the drawing script, the script, and its style.
//!
//! Data is written in columns and a command line as its difference to a like one, since thousands of sessions have to fit into a file
//! that is attached to an issue. Names and command lines are text that nobody vouches for: controlling characters are written out here,
//! and the script puts them into the page as text alone.

mod commands;

use std::collections::BTreeMap;

use fake_claude::control::Role;
use serde::Serialize;

use self::commands::{Command, Commands};
use super::embed::script_json;
use crate::judge::books::Fate;
use crate::judge::cause::SignalName;
use crate::judge::lanes::{Bar, Lane, Lanes};
use crate::report::escape::plain_cut;
use crate::scenario::End;

/// The script that draws the lanes, to be put after the data.
pub(super) const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("lanes/data.js"),
    include_str!("lanes/words.js"),
    include_str!("lanes/picture.js"),
    include_str!("lanes/overview.js"),
    include_str!("lanes/table.js"),
    include_str!("lanes/pointers.js"),
    include_str!("lanes/view.js"),
    "})();\n",
);
/// The style of the lanes. Colours are the page's.
pub(super) const STYLE: &str = include_str!("lanes/lanes.css");

/// The most processes of one page. Of more, those of sessions in which something was found are shown first, then the earliest.
pub const PROCESSES: usize = 30_000;
/// The most characters of a session's name.
const NAME: usize = 120;

/// What the script reads. A moment is in milliseconds since the run's start, where nothing else is said; a column has one value for each
/// session or process.
#[derive(Serialize)]
struct Data {
    /// When the recording ended.
    end_ms: u64,
    /// The lives of the workers.
    workers: Vec<(u64, Option<u64>)>,
    /// When the last worker was asked to stop.
    stop_ms: Option<u64>,
    /// Sessions that are not in the page.
    sessions_omitted: u64,
    /// Processes that are not in the page.
    bars_omitted: u64,
    sessions: Sessions,
    bars: Bars,
    marks: Marks,
    /// What the command lines of `bars.command` are.
    commands: Vec<Command>,
    /// The kinds of ends that `sessions.end` counts off.
    ends: [String; 4],
    /// The roles that `bars.role` counts off.
    roles: [&'static str; 5],
    /// The bins that `bars.fate` counts off.
    fates: [FateWords; 11],
    /// The names of the signals that occur.
    signals: BTreeMap<i32, String>,
}

/// Sessions in columns.
#[derive(Default, Serialize)]
struct Sessions {
    name: Vec<String>,
    opened: Vec<Option<u64>>,
    ended: Vec<Option<u64>>,
    end: Vec<Option<usize>>,
    stalled: Vec<u8>,
    /// How many of the bars belong to it; what is left at the end belongs to no session.
    bars: Vec<usize>,
}

/// Processes in columns.
#[derive(Default, Serialize)]
struct Bars {
    pid: Vec<u32>,
    host_pid: Vec<Option<u32>>,
    role: Vec<usize>,
    fate: Vec<usize>,
    /// Counted from the opening of its session, where it has one that opened; so it takes fewer digits.
    first: Vec<i64>,
    /// This and all that follow are counted from the first sighting.
    died: Vec<Option<i64>>,
    gone: Vec<Option<i64>>,
    due: Vec<Option<i64>>,
    eof: Vec<Option<i64>>,
    rss_kib: Vec<u64>,
    /// Signals that are not among the marks.
    marks_omitted: Vec<u32>,
    command: Vec<Option<usize>>,
}

/// Signals in columns.
#[derive(Default, Serialize)]
struct Marks {
    /// The place of the process among the bars; ascending.
    bar: Vec<usize>,
    /// Counted from the first sighting of the process.
    at: Vec<i64>,
    signal: Vec<i32>,
    sender: Vec<Option<u32>>,
    ours: Vec<u8>,
    ignored: Vec<u8>,
}

/// A bin in words.
#[derive(Serialize)]
struct FateWords {
    /// Its name in reports.
    name: &'static str,
    /// What it says of one process.
    meaning: &'static str,
    /// How it is drawn.
    kind: Kind,
}

/// How a bin is drawn.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Nothing was found.
    Good,
    /// It outlives its session or its worker.
    Over,
    /// It ended before its time.
    Killed,
    /// Nobody can tell.
    Doubt,
    /// It is meant to be as it is.
    Other,
}

const ENDS: [End; 4] = [End::Complete, End::Abandon, End::Abort, End::Disconnect];
const ROLES: [&str; 5] = ["primary", "payload", "grandchild", "helper", "probe"];

/// The bins, in the order of [`place_of_fate`].
const FATES: [FateWords; 11] = [
    FateWords {
        name: "clean",
        meaning: "gone and waited for in time",
        kind: Kind::Good,
    },
    FateWords {
        name: "retained",
        meaning: "alive past its grace, and its owner lives too",
        kind: Kind::Over,
    },
    FateWords {
        name: "reparented",
        meaning: "alive past its grace, and its owner is gone",
        kind: Kind::Over,
    },
    FateWords {
        name: "zombie",
        meaning: "dead past its grace and never waited for",
        kind: Kind::Over,
    },
    FateWords {
        name: "residue",
        meaning: "alive after its worker was stopped",
        kind: Kind::Over,
    },
    FateWords {
        name: "readopted",
        meaning: "survived a restart of its worker, and the new one owns up to it",
        kind: Kind::Over,
    },
    FateWords {
        name: "killed_early",
        meaning: "ended from outside while its session was open",
        kind: Kind::Killed,
    },
    FateWords {
        name: "crashed",
        meaning: "ended by itself with work owed",
        kind: Kind::Killed,
    },
    FateWords {
        name: "crashed",
        meaning: "ended by itself with work owed, as the scenario told it to",
        kind: Kind::Other,
    },
    FateWords {
        name: "survivor",
        meaning: "meant to live",
        kind: Kind::Other,
    },
    FateWords {
        name: "undecided",
        meaning: "the evidence does not suffice",
        kind: Kind::Doubt,
    },
];

const fn place_of_fate(fate: Fate) -> usize {
    match fate {
        Fate::Clean => 0,
        Fate::Retained => 1,
        Fate::Reparented => 2,
        Fate::Zombie => 3,
        Fate::Residue => 4,
        Fate::Readopted => 5,
        Fate::KilledEarly => 6,
        Fate::Crashed { planned: false } => 7,
        Fate::Crashed { planned: true } => 8,
        Fate::Survivor => 9,
        Fate::Undecided => 10,
    }
}

const fn place_of_role(role: Role) -> usize {
    match role {
        Role::Primary => 0,
        Role::Payload => 1,
        Role::Grandchild => 2,
        Role::Helper => 3,
        Role::Probe => 4,
    }
}

/// The lanes as JSON that may stand in a script element. `end_ms` is how long the recording is.
///
/// # Errors
///
/// None that the data can cause; the writer of JSON has one in its signature.
pub(super) fn data(lanes: &Lanes, end_ms: u64) -> Result<String, serde_json::Error> {
    let kept = kept(&lanes.sessions);
    let mut columns = Columns::default();
    let mut bars_omitted = u64::from(lanes.bars_omitted);
    let mut sessions_omitted = u64::from(lanes.sessions_omitted);
    for (lane, kept) in lanes.sessions.iter().zip(&kept) {
        if *kept {
            columns.session(lane);
        } else {
            sessions_omitted += 1;
            bars_omitted += lane.bars.len() as u64;
        }
    }
    let room = PROCESSES.saturating_sub(columns.bars.pid.len());
    for bar in lanes.others.iter().take(room) {
        columns.bar(bar, 0, "");
    }
    bars_omitted += lanes.others.len().saturating_sub(room) as u64;
    let end_ms = end_ms.max(last_moment(lanes));
    script_json(&Data {
        end_ms,
        workers: lanes.workers.clone(),
        stop_ms: lanes.stop_ms,
        sessions_omitted,
        bars_omitted,
        sessions: columns.sessions,
        bars: columns.bars,
        signals: columns
            .marks
            .signal
            .iter()
            .map(|signal| (*signal, SignalName(*signal).to_string()))
            .collect(),
        marks: columns.marks,
        commands: columns.commands.written(),
        ends: ENDS.map(|end| end.to_string()),
        roles: ROLES,
        fates: FATES,
    })
}

/// Which sessions are in the page: those with findings first, then the others, as long as there is room for their processes.
fn kept(sessions: &[Lane]) -> Vec<bool> {
    let mut kept = vec![false; sessions.len()];
    let mut room = PROCESSES;
    for wanted in [true, false] {
        for (lane, kept) in sessions.iter().zip(&mut kept) {
            if has_findings(lane) == wanted && lane.bars.len() <= room {
                room -= lane.bars.len();
                *kept = true;
            }
        }
    }
    kept
}

fn has_findings(lane: &Lane) -> bool {
    lane.stalled || lane.bars.iter().any(|bar| bar.fate.finding().is_some())
}

/// The last moment that anything is said of, for a recording that does not say how long it is.
fn last_moment(lanes: &Lanes) -> u64 {
    let of_bars = |bar: &Bar| {
        let seen = [Some(bar.first_ms), bar.died_ms, bar.gone_ms, bar.due_ms];
        seen.into_iter().flatten().max()
    };
    let sessions = lanes.sessions.iter();
    let of_sessions = sessions.flat_map(|lane| {
        let ended = lane.ended.map(|(at, _)| at);
        let own = [lane.opened_ms, ended].into_iter().flatten();
        own.chain(lane.bars.iter().filter_map(of_bars))
    });
    let of_workers = lanes
        .workers
        .iter()
        .map(|(start, end)| end.unwrap_or(*start));
    of_sessions
        .chain(lanes.others.iter().filter_map(of_bars))
        .chain(of_workers)
        .chain(lanes.stop_ms)
        .max()
        .unwrap_or_default()
}

/// How much later one moment is than another.
fn after(moment: u64, other: u64) -> i64 {
    moment as i64 - other as i64
}

/// The columns while they grow.
#[derive(Default)]
struct Columns {
    sessions: Sessions,
    bars: Bars,
    marks: Marks,
    commands: Commands,
}

impl Columns {
    fn session(&mut self, lane: &Lane) {
        let name = plain_cut(&lane.session, NAME);
        for bar in &lane.bars {
            self.bar(bar, lane.opened_ms.unwrap_or_default(), &name);
        }
        let columns = &mut self.sessions;
        columns.name.push(name);
        columns.opened.push(lane.opened_ms);
        columns.ended.push(lane.ended.map(|(at, _)| at));
        let how = lane.ended.map(|(_, how)| how);
        columns
            .end
            .push(how.and_then(|how| ENDS.iter().position(|end| *end == how)));
        columns.stalled.push(u8::from(lane.stalled));
        columns.bars.push(lane.bars.len());
    }

    fn bar(&mut self, bar: &Bar, opened_ms: u64, session: &str) {
        let place = self.bars.pid.len();
        for mark in &bar.marks {
            self.marks.bar.push(place);
            self.marks.at.push(after(mark.at_ms, bar.first_ms));
            self.marks.signal.push(mark.signal);
            self.marks.sender.push(mark.sender);
            self.marks.ours.push(u8::from(mark.ours));
            self.marks.ignored.push(u8::from(mark.ignored));
        }
        let since = |moment: Option<u64>| moment.map(|at| after(at, bar.first_ms));
        let columns = &mut self.bars;
        columns.pid.push(bar.process.pid);
        columns.host_pid.push(bar.host_pid);
        columns.role.push(place_of_role(bar.role));
        columns.fate.push(place_of_fate(bar.fate));
        columns.first.push(after(bar.first_ms, opened_ms));
        columns.died.push(since(bar.died_ms));
        columns.gone.push(since(bar.gone_ms));
        columns.due.push(since(bar.due_ms));
        columns.eof.push(since(bar.eof_ms));
        columns.rss_kib.push(bar.rss_bytes >> 10);
        columns.marks_omitted.push(bar.marks_omitted);
        columns
            .command
            .push(self.commands.place(&bar.command, session));
    }
}

#[cfg(test)]
mod tests;
