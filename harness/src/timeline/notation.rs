//! A short notation for hand-written histories, for tests alone.
//!
//! Statements stand on lines of their own or are parted by `;`. Each begins with its moment: `1.5s serves 10 s1`. A statement that
//! reaches the recorder later than it happened says when: `1.5s@3s serves 10 s1`. A stretch repeats a statement every 100 ms:
//! `1s..6s tick`. A process is its pid, and `10@7` is the one with start time 7. Events are ordered by their arrival.

use fake_claude::control::{Role, Say, TurnKind};
use fake_claude::quantity::{Size, Span};
use serde::de::DeserializeOwned;

use super::event::{Event, EventKind, LoadStop, RunFacts, Source, WorkerResources};
use crate::process::{ProcessIdentity, ProcessRow, ProcessState};
use crate::units::RunTime;

/// The events of a history.
pub(crate) fn events(text: &str) -> Vec<Event> {
    let mut arrivals: Vec<(RunTime, Event)> = Vec::new();
    let statements = text
        .split(['\n', ';'])
        .map(str::trim)
        .filter(|statement| !statement.is_empty());
    for statement in statements {
        let (when, what) = statement
            .split_once(' ')
            .unwrap_or_else(|| panic!("no moment: {statement}"));
        if let Some((from, to)) = when.split_once("..") {
            let (mut at, to) = (moment(from), moment(to));
            while at <= to {
                arrivals.push((at, event(at, what)));
                at = at + Span::from_millis(100);
            }
        } else if let Some((at, arrival)) = when.split_once('@') {
            arrivals.push((moment(arrival), event(moment(at), what)));
        } else {
            arrivals.push((moment(when), event(moment(when), what)));
        }
    }
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    let numbered = arrivals.into_iter().enumerate();
    numbered
        .map(|(seq, (_, event))| Event {
            seq: seq as u64,
            ..event
        })
        .collect()
}

fn moment(text: &str) -> RunTime {
    let span: Span = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    RunTime(span.as_nanos())
}

fn event(at: RunTime, what: &str) -> Event {
    let mut words = Words {
        words: what.split_whitespace().collect(),
        at: 0,
        text: what,
    };
    let (source, event) = words.event();
    Event {
        seq: 0,
        at,
        source,
        event,
    }
}

struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
    text: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> &'a str {
        self.maybe()
            .unwrap_or_else(|| panic!("something is missing: {}", self.text))
    }

    fn maybe(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn owned(&mut self) -> String {
        self.next().to_owned()
    }

    fn process(&mut self) -> ProcessIdentity {
        identity(self.next())
    }

    /// What stands behind a keyword, wherever that is.
    fn after(&self, keyword: &str) -> Option<&'a str> {
        let place = self.words.iter().position(|word| *word == keyword)?;
        self.words.get(place + 1).copied()
    }

    fn number<T: std::str::FromStr>(&self, keyword: &str) -> Option<T> {
        self.after(keyword).map(|word| parsed(word))
    }

    fn has(&self, keyword: &str) -> bool {
        self.words.contains(&keyword)
    }

    /// The value of `key=value`.
    fn value(&self, key: &str) -> Option<&'a str> {
        self.words
            .iter()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn items(&mut self) -> Vec<String> {
        let list = self.maybe().unwrap_or("");
        let items = list.split(',').filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    }

    fn event(&mut self) -> (Source, EventKind) {
        let verb = self.next();
        let run = |event| (Source::Run, event);
        let driver = |event| (Source::Driver, event);
        match verb {
            "run" => run(EventKind::RunStarted(self.run_facts())),
            "worker" => run(EventKind::WorkerStarted {
                process: self.process(),
            }),
            "ready" => run(EventKind::WorkerReady {
                after: Span::from_millis(50),
            }),
            "stop" => run(EventKind::WorkerStopAsked),
            "fault" => run(EventKind::FaultCame {
                fault: 1,
                what: named(self.next()),
                victim: None,
                failed: None,
            }),
            "enough" => run(EventKind::LoadStopped {
                why: match self.value("disk") {
                    Some(bytes) => LoadStop::Disk {
                        bytes: parsed(bytes),
                    },
                    None => LoadStop::SureFailure {
                        finding: "a finding".to_owned(),
                    },
                },
            }),
            "worker-exit" => run(EventKind::WorkerExited {
                process: self.process(),
                code: self.number("code"),
                signal: self.number("signal"),
                asked: !self.has("unasked"),
            }),
            "load" => run(EventKind::LoadFinished),
            "drained" => run(EventKind::Drained {
                quiet: self.next() == "quiet",
            }),
            "again" => driver(EventKind::LookedAgain {
                quiet: self.next() == "quiet",
            }),
            "grace" => run(EventKind::GracePassed),
            "residue" => run(EventKind::ResiduePassed),
            "interrupted" => run(EventKind::Interrupted),
            "over" => run(EventKind::RunEnded),
            "missed" => run(EventKind::SampleMissed {
                reason: "busy".to_owned(),
            }),
            "fail" => run(EventKind::WitnessFailed {
                witness: named(self.next()),
                reason: "gone".to_owned(),
            }),
            "open" => driver(EventKind::SessionOpened {
                session: self.owned(),
            }),
            "prompt-end" => driver(EventKind::PromptEnded {
                session: self.owned(),
            }),
            "prompt-begin" => driver(EventKind::PromptBegun {
                session: self.owned(),
            }),
            "end" => driver(EventKind::SessionEnded {
                session: self.owned(),
                end: named(self.next()),
            }),
            "answered" => driver(EventKind::EndAnswered {
                session: self.owned(),
                status: Some(200),
                after: parsed(self.next()),
            }),
            "stall" => driver(EventKind::SessionStalled {
                session: self.owned(),
                waiting_for: "an answer".to_owned(),
            }),
            "offer" => driver(EventKind::WorkOffered {
                item: self.owned(),
                session: self.owned(),
                kind: named(self.next()),
            }),
            "accept" => driver(EventKind::WorkAccepted { item: self.owned() }),
            "refuse" => driver(EventKind::WorkRefused {
                item: self.owned(),
                status: 503,
                reason: "no".to_owned(),
            }),
            "skip" => driver(EventKind::WorkSkipped {
                item: self.owned(),
                reason: "private".to_owned(),
            }),
            "unknown" => driver(EventKind::WorkUnknown {
                item: self.owned(),
                reason: "time-out".to_owned(),
            }),
            "abort" => driver(EventKind::WorkAborted { item: self.owned() }),
            "stored" => driver(EventKind::WorkStored {
                item: self.owned(),
                times: parsed(self.next()),
            }),
            "kept" => driver(EventKind::WorkKept { item: self.owned() }),
            "store" => driver(EventKind::StoreRead {
                kinds: self.items().iter().map(|kind| named(kind)).collect(),
                complete: self.next() == "complete",
            }),
            "portable" => (Source::Portable, self.sample()),
            "tick" => (Source::Table, self.sample()),
            "seen" => (Source::Table, self.seen()),
            "gone" => (
                Source::Table,
                EventKind::ProcessGone {
                    process: self.process(),
                },
            ),
            "exited" => (
                Source::Reaper,
                EventKind::ProcessExited {
                    process: self.process(),
                    code: self.number("code"),
                    signal: self.number("signal"),
                },
            ),
            "reaped" => (
                Source::Reaper,
                EventKind::ProcessReaped {
                    process: self.process(),
                    code: self.number("code"),
                    signal: self.number("signal"),
                },
            ),
            "examined" => run(self.examined()),
            "cookie" => (
                Source::Cookie,
                EventKind::CookieFound {
                    process: self.process(),
                },
            ),
            "harness-signal" => run(EventKind::HarnessSignalled {
                process: self.process(),
                signal: parsed(self.next()),
            }),
            "pause" => run(EventKind::ProcessPaused {
                process: self.process(),
            }),
            "continue" => run(EventKind::ProcessContinued {
                process: self.process(),
            }),
            "second" => run(EventKind::SecondWorkerStarted {
                process: self.process(),
            }),
            "second-exit" => run(EventKind::SecondWorkerExited {
                process: self.process(),
                code: self.number("code"),
                signal: self.number("signal"),
            }),
            "lost" => (
                Source::Control,
                EventKind::LifelineLost {
                    process: self.process(),
                },
            ),
            _ => {
                let process = self.process();
                let say = self.say(verb, process);
                (Source::Control, EventKind::Said { process, say })
            }
        }
    }

    fn say(&mut self, verb: &str, process: ProcessIdentity) -> Say {
        let owed = self.number("owed").unwrap_or_default();
        match verb {
            "hello" => {
                let role: Role = named(self.next());
                let session = self.maybe().filter(|word| *word != "parent");
                Say::Hello {
                    pid: process.pid,
                    start_time: process.start_time,
                    ppid: self.number("parent").unwrap_or(5),
                    role,
                    session: session.map(str::to_owned),
                    argv: vec!["/run/bin/claude".to_owned(), "--verbose".to_owned()],
                    cwd: "/".to_owned(),
                    stdin: "pipe:[1]".to_owned(),
                }
            }
            "serves" => Say::Serves {
                session: self.owned(),
            },
            "work" => Say::SawWork {
                kind: named(self.next()),
                markers: self.items(),
            },
            "turn" => Say::TurnStarted {
                turn: parsed(self.next()),
                kind: named(self.next()),
                markers: self.items(),
            },
            "done" | "failed" => Say::TurnEnded {
                turn: parsed(self.next()),
                kind: named::<TurnKind>(self.next()),
                good: verb == "done",
                markers: self.items(),
            },
            "eof" => Say::SawEof { owed },
            "signal" => Say::SawSignal {
                signal: parsed(self.next()),
                sender: self.number("from").unwrap_or(0),
                ignored: self.has("ignored"),
                owed,
            },
            "did" => Say::Did {
                what: self.owned(),
                pid: self.number("pid"),
            },
            "bye" => Say::Goodbye {
                why: named(self.next()),
                code: Some(0),
                owed,
            },
            _ => panic!("no such verb: {}", self.text),
        }
    }

    fn run_facts(&self) -> RunFacts {
        let only = self.value("only").unwrap_or("table,control,reaper");
        RunFacts {
            isolation: Default::default(),
            witnesses: only.split(',').map(named).collect(),
            sessions_planned: self.value("planned").map_or(0, parsed),
            lasts: self.value("lasts").map(parsed),
            tick: Span::from_millis(100),
            memory_bytes: 64_000_000_000,
            ballast: self.has("ballast"),
            time_scale: 1.0,
            compress: self.value("compress").map_or(1.0, parsed),
        }
    }

    fn seen(&mut self) -> EventKind {
        let process = self.process();
        let command = self.text.split_once(" cmd ").map(|(_, command)| command);
        EventKind::ProcessSeen {
            process,
            ppid: self.number("parent").unwrap_or(5),
            host_pid: None,
            pgid: self.number("pgid").unwrap_or(5),
            sid: self.number("sid").unwrap_or(5),
            command: command.unwrap_or("/run/bin/claude --verbose").to_owned(),
            role: self.after("role").map(named),
        }
    }

    /// `tick [CHILDREN] [late SPAN] [rss SIZE] [worker SIZE [files N] [pipes N] [threads N]] [row PID STATE PPID SIZE]`
    fn sample(&mut self) -> EventKind {
        let size = |text: Option<&str>| text.map(|text| parsed::<Size>(text).as_bytes());
        let children = self.words.get(1).and_then(|word| word.parse().ok());
        let row = self.words.iter().position(|word| *word == "row");
        let changed = row.map(|place| {
            let row = &self.words[place + 1..];
            ProcessRow {
                process: identity(row[0]),
                state: named::<ProcessState>(row[1]),
                ppid: parsed(row[2]),
                rss_bytes: parsed::<Size>(row[3]).as_bytes(),
            }
        });
        EventKind::Sampled {
            late: self.number("late").unwrap_or_default(),
            children: children.unwrap_or_default(),
            rss_bytes: size(self.after("rss")).unwrap_or_default(),
            worker: size(self.after("worker")).map(|rss_bytes| WorkerResources {
                rss_bytes,
                files: self.number("files"),
                pipes: self.number("pipes"),
                threads: self.number("threads"),
            }),
            changed: changed.into_iter().collect(),
        }
    }

    /// `examined PID [by PID,PID] [partly] [pss SIZE]`
    fn examined(&mut self) -> EventKind {
        let holders = self.after("by").unwrap_or("");
        let holders = holders.split(',').filter(|pid| !pid.is_empty());
        EventKind::Examined {
            process: self.process(),
            pss_bytes: self
                .after("pss")
                .map(|size| parsed::<Size>(size).as_bytes()),
            stdin_holders: holders.map(identity).collect(),
            holders_known: !self.has("partly"),
        }
    }
}

fn identity(text: &str) -> ProcessIdentity {
    let (pid, start) = text.split_once('@').unwrap_or((text, "1"));
    ProcessIdentity::new(parsed(pid), parsed(start))
}

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("unreadable: {text}"))
}

/// A word as JSON names it.
fn named<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_value(text.into()).unwrap_or_else(|error| panic!("{text}: {error}"))
}
