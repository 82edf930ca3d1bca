#!/usr/bin/env python3
"""A second opinion on the history of claude-mem, which shares nothing with the harness but the run that both look at.

    python3 reports/claude-mem-history/confirm.py --harness target/release/leak-harness --kept confirmed --table confirmed.md RELEASE ...

For each release and each row, `leak-harness matrix` makes the one cell, as it makes it for the history. Meanwhile this program looks on by
three ways of its own:

  ps        every few hundredths of a second it walks /proc from the harness downwards, and so sees which processes were started, which
            of them are claudes or descend from one, from when to when each lived, and who lived on;
  database  it holds the worker's SQLite database open, and looks for the markers of the work in stored observations and summaries and in
            the queue: as they stood when the run had waited long enough, or when all was over where a reader would hold up the worker;
  journals  it reads what the fakes and the driver said, word for word (recording/events.jsonl): what each claude read, answered and
            heard, when each session ended. What the harness made of it (report.json, history.json) is read last, to be compared.

What is compared is always one run: which work a claude finishes before it is killed is a race in several releases, and comes out otherwise
in the next run. A moment is only known to lie between two looks; where the harness counts a number that was possible between them,
both agree. All cells together, `KEPT/matrix.json`, become the history by `leak-harness matrix --again KEPT/matrix.json --out DIR`.
Nothing but the Python standard library is needed. Exit code 1 where a cell differs.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

ROWS = ["plain", "ignores-eof", "ignores-sigterm", "wrapper", "leaves-in-group", "hangs-in-mid-turn", "dies-in-mid-turn", "long-turn"]
MOMENTS = [0, 5, 15, 60, 240]
# How long a process may live on after its session's end, in seconds of the worker's time (see `leak-harness explain retained`).
GRACE = {"complete": 12, "abandon": 240}
# Between two looks of the harness, in seconds.
TICK = 0.1
SECONDS_PER_TICK = 1 / os.sysconf("SC_CLK_TCK")
# Between two looks, in seconds.
LOOK = 0.04
# How exactly a moment of the recording and one of /proc can be brought together: start times are in hundredths of a second.
SLACK = 0.03
# Roles, as the fakes tell them, of those who serve a session; not a claude that is asked for its version, or the wrapper of another.
SERVING = ("primary", "payload", "grandchild")
# A marker of a work item: -oN is an observation, -sN a summary. Prompts (-pN) are no work items.
ITEM = re.compile(r"lhm-[0-9a-f]+-\d+-[os]\d+z")


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


# --- ps ------------------------------------------------------------------------------------------------------------------------------


class Process:
    """A process as /proc shows it: its life lies between the first and the last look at which it was there and no zombie."""

    def __init__(self, pid, start, parent, command, before, at):
        self.pid, self.start, self.parent, self.command = pid, start, parent, command
        self.before = before  # the look at which it was not there yet
        self.first = self.last = at
        self.after = None  # the look at which it was gone or a zombie

    @classmethod
    def again(cls, fields):
        process = cls.__new__(cls)
        process.__dict__.update(fields)
        return process

    def surely_at(self, moment):
        return self.first <= moment <= self.last

    def maybe_at(self, moment):
        return self.before < moment and (self.after is None or moment < self.after)


class Watch(threading.Thread):
    """Looks at everything below one process until it is told to stop."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.seen, self.over, self.looks = root, {}, threading.Event(), []

    def run(self):
        before = now()
        while not self.over.is_set():
            at = now()
            present = {}
            todo = [(self.root, None)]
            while todo:
                pid, parent = todo.pop()
                asked = now()
                try:
                    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                    start, state = int(stat[19]), stat[0]
                    process = self.seen.get((pid, start))
                    if process is None or self.unnamed(process):
                        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
                        if process is None:
                            process = self.seen[pid, start] = Process(pid, start, parent, command, before, now())
                        else:
                            process.command = command
                    if state not in "ZX":
                        present[process] = asked
                    children = [
                        child
                        for thread in os.listdir(f"/proc/{pid}/task")
                        for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
                    ]
                except (OSError, IndexError):
                    continue
                todo += [(int(child), process) for child in children]
            # A look takes a while on a busy machine: who was not found may have gone at any moment of it.
            end = now()
            for process in self.seen.values():
                if process in present:
                    process.last, process.after = present[process], None
                elif process.after is None:
                    process.after = end
            self.looks.append(at)
            before = at
            self.over.wait(max(0.0, LOOK - (now() - at)))

    @staticmethod
    def unnamed(process):
        # Between fork and exec a process still carries the command of its parent.
        return not is_claude(process) and process.last - process.first < 1


def is_claude(process):
    """Whether this is a claude at work; one that is only asked for its version is none."""
    return process.command[0].endswith("/bin/claude") and "--version" not in process.command


def claude_above(process):
    """Whether this is a claude at work, or descends from one."""
    return process is not None and (is_claude(process) or claude_above(process.parent))


# --- database ------------------------------------------------------------------------------------------------------------------------


class Database(threading.Thread):
    """Opens the worker's database as soon as there is one, and holds it, so that it can be read when its folder is gone.

    Nothing is read before the end where that could hold up the worker: some releases keep a rollback journal, where a reader shuts out
    the writer. In write-ahead mode a reader disturbs nobody, has to read once to hold the log as well, and can follow what is written:
    what a worker does with its queue when it is stopped is no longer what it held when the run had waited long enough.
    """

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.connection, self.over, self.error = folder, None, threading.Event(), "no database was seen"
        self.course = []  # moment of a look that found a change, what was stored, what was queued

    def run(self):
        self.open()
        version = None
        while not self.over.wait(0.1):
            at = now()
            try:
                # It is another one when somebody else has written.
                (changed,) = self.connection.execute("PRAGMA data_version").fetchone()
                if changed != version:
                    self.course.append((at, self.stored(), sorted(self.queued())))
                    version = changed
            except sqlite3.Error:
                continue  # Its tables are still being made, or its folder is being removed.

    def open(self):
        while not self.over.wait(0.1):
            for path in self.folder.glob("*/home/.claude-mem/claude-mem.db"):
                try:
                    if self.connection is None:
                        self.connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=5, check_same_thread=False)
                    with open(path, "rb") as file:
                        write_ahead = file.read(20)[18:] == b"\2\2"
                    if write_ahead:
                        self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                        return
                except (OSError, sqlite3.Error) as error:
                    self.error = str(error)

    def stored(self):
        """In how many records each item is stored: as the title of an observation, as the request of a summary."""
        times = Counter()
        for question, kind in (("SELECT title FROM observations", "-o"), ("SELECT request FROM session_summaries", "-s")):
            for (text,) in self.connection.execute(question):
                times.update(item for item in set(ITEM.findall(text or "")) if kind in item)
        return times

    def queued(self):
        """Items in the worker's queue that are waiting or under way."""
        if not self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'pending_messages'").fetchone():
            return set()
        rows = self.connection.execute("SELECT * FROM pending_messages WHERE status IN ('pending', 'processing')")
        return {item for row in rows for item in ITEM.findall(json.dumps([str(value) for value in row]))}


# --- journals ------------------------------------------------------------------------------------------------------------------------


class Journals:
    """What the fakes and the driver said, and which signals the harness sent."""

    def __init__(self, path):
        self.said = defaultdict(list)  # by (pid, start time): moment, statement
        self.host_pid, self.commands, self.exits, self.ends, self.prompt_ends = {}, {}, {}, {}, defaultdict(list)
        self.accepted, self.harness_signals, self.times = set(), {}, {}
        self.opened, self.session_of = {}, {}
        for line in open(path):
            event = json.loads(line)
            at, (kind, fact) = event["at"] / 1e9, next(iter(event["event"].items())) if isinstance(event["event"], dict) else (event["event"], {})
            who = tuple(fact["process"][key] for key in ("pid", "start_time")) if "process" in fact else None
            if kind == "said":
                self.said[who].append((at, fact["say"]))
            elif kind == "process_seen":
                self.host_pid[who], self.commands[who] = fact["host_pid"], fact["command"]
            elif kind == "process_exited":
                self.exits.setdefault(who, (at, fact["code"], fact["signal"]))
            elif kind == "session_opened":
                self.opened[fact["session"]] = at
            elif kind == "session_ended":
                self.ends[fact["session"]] = at
            elif kind in ("prompt_ended", "prompt_begun"):
                self.prompt_ends[fact["session"]].append((at, kind == "prompt_ended"))
            elif kind == "work_offered":
                self.session_of[fact["item"]] = fact["session"]
            elif kind == "work_accepted":
                self.accepted.add(fact["item"])
            elif kind == "harness_signalled":
                self.harness_signals.setdefault(who, at)
            elif kind in ("worker_stop_asked", "drained", "looked_again", "store_read", "residue_passed"):
                self.times[kind] = at
        self.accepted = {item for item in self.accepted if ITEM.fullmatch(item)}
        self.answers = Counter()  # good turns by item
        self.answered_at = {}
        for statements in self.said.values():
            for at, say in statements:
                if say["say"] == "turn_ended" and say["good"]:
                    for item in set(filter(ITEM.fullmatch, say["markers"])):
                        self.answers[item] += 1
                        self.answered_at[item] = min(at, self.answered_at.get(item, at))

    def role(self, who):
        return next((say["role"] for _, say in self.said[who] if say["say"] == "hello"), None) if who in self.said else None

    def session(self, who):
        return next((say["session"] for _, say in self.said.get(who, []) if say["say"] in ("serves", "hello") and say.get("session")), None)

    def claudes(self):
        """Those who said that they serve a session, and those who came to say nothing before a signal ended them."""
        speechless = {who for who in self.commands if who not in self.said and "claude" in self.commands[who] and self.exits.get(who, (0, 0, 0))[2]}
        return {who for who in self.said if self.role(who) in SERVING} | speechless

    def life(self, who):
        """From its first word, or where it said none from its end, to its end."""
        moments = [at for at, _ in self.said.get(who, [])]
        if who in self.exits:
            moments.append(self.exits[who][0])
        return min(moments), max(moments)

    def owes(self, who, at):
        """Whether it has read something by then that it had not answered."""
        read, done = Counter(), Counter()
        for moment, say in self.said.get(who, []):
            if moment <= at and say["say"] == "saw_work":
                read.update(say["markers"])
            if moment <= at and say["say"] == "turn_ended":
                done.update(say["markers"])
        return bool(read - done)

    def between_prompts(self, session, at):
        state = False
        for moment, ended in self.prompt_ends[session]:
            if moment <= at:
                state = ended
        return state

    def killed(self, hang):
        """Claudes that a signal, or the end of their stdin, ended while they had work or their session was under way, by the worker's
        doing: those that owed work items that nobody had answered; those whose session was under way; and those of which nobody knows
        which session they served, while some were under way."""
        owing, idle, unknown = set(), set(), set()
        stop = self.times.get("worker_stop_asked", float("inf"))
        children = {say["ppid"]: who for who, statements in self.said.items() for _, say in statements if say["say"] == "hello" and say["role"] == "payload"}
        for who, statements in self.said.items():
            if self.role(who) not in SERVING:
                continue
            said = [say["say"] for _, say in statements]
            goodbye = next(((at, say) for at, say in statements if say["say"] == "goodbye"), None)
            exit_at, _, signal = self.exits.get(who, (None, None, None))
            at = goodbye[0] if goodbye else exit_at
            if at is None or at >= min(stop, self.harness_signals.get(who, stop)):
                continue
            why = goodbye[1]["why"] if goodbye else "signal" if signal else None
            if why not in ("signal", "eof"):
                continue
            if hang and said.count("turn_started") > said.count("turn_ended") and self.turn(statements) == 2:
                continue  # It hung, as it was told to: it would never have answered.
            read, good = set(), set()
            for _, say in statements:
                if say["say"] == "saw_work":
                    read |= set(filter(ITEM.fullmatch, say["markers"]))
                if say["say"] == "turn_ended" and say["good"]:
                    good |= set(say["markers"])
            owed = {item for item in read - good if self.answered_at.get(item, float("inf")) > at and item in self.accepted}
            # A wrapper does not read what its child reads.
            session = self.session(who) or self.session(children.get(who[0]))
            under_way = {
                name
                for name, since in self.opened.items()
                if since <= at < self.ends.get(name, float("inf")) and not self.between_prompts(name, at)
            }
            if owed:
                owing.add(who)
            elif why == "signal" and session in under_way:
                idle.add(who)
            elif why == "signal" and session is None and under_way:
                unknown.add(who)
        return owing, idle, unknown

    @staticmethod
    def turn(statements):
        return max((say["turn"] for _, say in statements if say["say"] == "turn_started"), default=0)


# --- one cell ------------------------------------------------------------------------------------------------------------------------


def look_at(harness, release, row, kept):
    """Makes one cell and looks on. What was seen is put down in `look.json`, beside the recording and what the harness said."""
    with tempfile.TemporaryDirectory(prefix="confirm-", ignore_cleanup_errors=True) as folder:
        runs, out = Path(folder) / "temporary", Path(folder) / "out"
        runs.mkdir()
        command = [harness, "--quiet", "matrix", "--worker", f"claude-mem@{release}", "--only", row, "--jobs", "1", "--keep", "--out", str(out)]
        run = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(runs)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        watch, database = Watch(run.pid), Database(runs)
        watch.start()
        database.start()
        _, said = run.communicate()
        for thread in (watch, database):
            thread.over.set()
            thread.join()
        if database.connection is None or not list(out.glob("**/events.jsonl")):
            raise LookupError(f"{release} {row}: {database.error}; the harness said: {said[-400:]}")
        seen = list(watch.seen.values())
        place = {process: index for index, process in enumerate(seen)}
        for process in seen:
            process.parent = place.get(process.parent)
        look = {
            "processes": [vars(process) for process in seen],
            "looks": watch.looks,
            "stored": database.stored(),
            "queued": sorted(database.queued()),
            "course": database.course,
        }
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "look.json").write_text(json.dumps(look))
        for name in ("history.json", "matrix.json"):
            shutil.copy(out / name, kept)
        shutil.copytree(next(out.glob("**/report.json")).parent, kept / "run")


class Figure:
    """One thing that was looked at: what this program saw, what the harness says, and whether they agree."""

    def __init__(self, name, mine, theirs, agree=None):
        self.name, self.mine, self.theirs = name, mine, theirs
        self.agree = mine == theirs if agree is None else agree

    def __str__(self):
        if not self.agree:
            return f"**{self.mine} here, {self.theirs} there**"
        if self.is_exact():
            return "-" if self.theirs is None else str(self.theirs)
        return f"{self.theirs} ({self.mine[0]}-{self.mine[1]})"

    def is_exact(self):
        """Whether this program came to one figure, not to bounds of what was possible."""
        return not isinstance(self.mine, tuple) or self.mine[0] == self.mine[1]


def compare(kept, row):
    """The figures of one cell, as they were put down."""
    look = json.loads((kept / "look.json").read_text())
    journals = Journals(kept / "run/recording/events.jsonl")
    processes = [Process.again(fields) for fields in look["processes"]]
    for process in processes:
        process.parent = None if process.parent is None else processes[process.parent]
    slack = (-SLACK, 0, SLACK)
    longest = max(after - before for before, after in zip(look["looks"], look["looks"][1:]))

    # By itself, first: the processes.
    claudes = [process for process in processes if claude_above(process)]
    by_host_pid = {(pid, who[1]): who for who, pid in journals.host_pid.items()}
    speaker = {process: by_host_pid.get((process.pid, process.start)) for process in claudes}
    # When the recording's clock began: nobody said hello before it was started, and nobody said goodbye when it was gone.
    hellos = [process.start * SECONDS_PER_TICK - journals.life(speaker[process])[0] for process in claudes if speaker[process] in journals.said]
    goodbyes = [
        process.after - journals.said[speaker[process]][-1][0]
        for process in claudes
        if process.after and speaker[process] in journals.said and journals.said[speaker[process]][-1][1]["say"] == "goodbye"
    ]
    zero = (max(hellos) + min(goodbyes)) / 2 if goodbyes else max(hellos)

    # Who spoke and was never looked at, because it lived for less than the time between two looks, or a little more on a busy machine.
    missed = [
        (since - LOOK, until)
        for who in journals.claudes() - set(speaker.values())
        for since, until in [journals.life(who)]
        if until - since < 2 * longest
    ]
    # How many lived at a moment: at least so many, and at most.
    living = lambda at, group: (
        sum(all(process.surely_at(at + by) for by in slack) for process in group),
        sum(any(process.maybe_at(at + by) for by in slack) for process in group)
        + sum(since - SLACK <= at - zero <= until + SLACK for since, until in missed),
    )
    between = lambda bounds, number: bounds is not None and number is not None and bounds[0] <= number <= bounds[1]

    def session(process):
        while process is not None:
            if found := journals.session(speaker.get(process)):
                return found
            process = process.parent

    # Then the work, by the database; answered twice is seen in the journals alone where the worker stores it once.
    # It counts as it stood when the run looked at it for the last time, where it could be followed, and else as it was left behind.
    looked = zero + journals.times.get("store_read", float("inf"))
    before = [(stored, queued) for at, stored, queued in look["course"] if at <= looked]
    stored, queued = before[-1] if before else (look["stored"], look["queued"])
    stored, queued, accepted = Counter(stored), set(queued), journals.accepted
    twice = {item for item in accepted if stored[item] > 1 or journals.answers[item] > 1}
    once = {item for item in accepted if stored[item] == 1} - twice
    # An item also waits with a claude that lives and has not answered it, and behind one that has not answered what came before: at the
    # end of the time that the run gave it, which is the drain where nothing was left open.
    waited = max((journals.times[name] for name in ("drained", "looked_again") if name in journals.times), default=float("inf"))

    def lived_then(process):
        """Alive by two looks, or by one shortly before, where the worker was stopped before the next: then the kernel's word decides."""
        ended = journals.exits.get(speaker[process], (float("inf"),))[0]
        return process.surely_at(zero + waited) or (process.maybe_at(zero + waited) and ended > waited)

    held_up = {session(process) for process in claudes if lived_then(process) and journals.owes(speaker[process], waited)}
    behind = {item for item in accepted if journals.session_of.get(item) in held_up and journals.answered_at.get(item, float("inf")) > waited}
    waiting = ((queued | behind) & accepted) - once - twice
    missing = accepted - once - twice - waiting

    # Only now the harness.
    report = json.loads((kept / "run/report.json").read_text())
    history = json.loads((kept / "history.json").read_text())["rows"][0]
    bins, work, scale = report["processes"], report["work"], report["scenario"]["time_scale"]
    stop = journals.times.get("worker_stop_asked", float("inf"))
    last_end = max(journals.ends.values())
    grace = GRACE[history["end"]] / scale

    def due(process):
        return max(journals.ends.get(session(process), last_end), process.first - zero) + grace

    # Outlived: alive when the grace of its session had passed, or when the worker had gone and the time to follow it was over.
    gone = journals.times.get("residue_passed", float("inf"))
    late = [min(due(process), gone) + zero for process in claudes]
    # On a machine that held this program up while a grace ran, the worker was held up too.
    held_up_by = [max(0.0, after - before - LOOK) for before, after in zip(look["looks"], look["looks"][1:])]

    def allowance(at):
        return 2 * TICK + longest + sum(late for moment, late in zip(look["looks"], held_up_by) if at - grace <= moment <= at)

    def stayed(process, at):
        """Alive well after that moment, or at that moment and still when the harness itself put an end to things."""
        end = zero + stop
        at_the_end = process.first <= at < process.last - SLACK and process.last >= end - longest - SLACK
        return process.surely_at(at + allowance(at)) or at_the_end

    outlived = (
        sum(map(stayed, claudes, late)),
        sum(process.maybe_at(at - SLACK) for process, at in zip(claudes, late)),
    )
    overdue = {speaker[process] for process, at in zip(claudes, late) if stayed(process, at)}
    owing, idle, unknown = (who - overdue for who in journals.killed(row == "hangs-in-mid-turn"))
    killed = (len(owing | idle), len(owing | idle | unknown))
    held = max((sum(process.surely_at(at) and process.surely_at(at + 2 * TICK) for process in claudes) for at in look["looks"]), default=0)
    most = max((living(at, claudes)[1] for at in look["looks"]), default=0)
    # The time to follow the worker is a second, at the scale of the history two looks: too short for /proc, so it is the kernel's word to
    # the waiter that counts here.
    left = sum(at > gone for at in (journals.exits.get(who, (float("inf"),))[0] for who in journals.host_pid))

    figures = [
        Figure("started", started := (len(claudes), len(claudes) + len(missed)), bins["spawned"], between(started, bins["spawned"])),
        # A number that held for two ticks of the harness cannot have escaped it, and it cannot have seen more than there were.
        Figure("most at once", (held, most), bins["peak"], held <= bins["peak"] <= most),
    ]
    for moment in MOMENTS:
        at = last_end + moment / scale
        # What was gone when the harness stopped the worker did not come back; what lived then might have gone by itself.
        mine = living(zero + min(at, stop), claudes)
        mine = mine if at < stop or mine[0] == 0 else None
        theirs = history["alive_after_ms"][str(moment * 1000)]
        figures.append(Figure(f"alive {moment} s", mine, theirs, mine is theirs is None or between(mine, theirs)))
    bounds = sum(bins[name] for name in ("retained", "reparented", "zombie", "residue", "readopted"))
    figures += [
        Figure("outlived", outlived, bounds, between(outlived, bounds)),
        Figure("killed early", killed, bins["killed_early"], between(killed, bins["killed_early"])),
        Figure("accepted", len(accepted), history["accepted"]),
        Figure("stored", len(once), work["answered"]),
        Figure("twice", len(twice), work["duplicated"]),
        Figure("queued", len(waiting), work["pending"]),
        Figure("missing", len(missing), work["lost"]),
        Figure("left", left, history["left_after_sigterm"]),
    ]
    return figures


# --- the tables ----------------------------------------------------------------------------------------------------------------------


def table(found, releases, rows):
    """All cells as Markdown: first whether they agree, then the figures. `found` has the figures by release and row."""
    cells = [figure for figures in found.values() for figure in figures]
    agreeing = sum(all(figure.agree for figure in figures) for figures in found.values())
    exact = sum(figure.agree and figure.is_exact() for figure in cells)
    within = sum(figure.agree for figure in cells) - exact
    lines = [
        f"{agreeing} of {len(found)} cells agree in all figures. Of {len(cells)} figures {exact} are the same, {within} lie within the bounds "
        f"that stand behind them, and {len(cells) - exact - within} differ.",
        "",
    ]
    lines += ["| release | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for release in releases:
        marks = ("agrees" if all(figure.agree for figure in found[release, row]) else "**differs**" for row in rows)
        lines.append(f"| {release} | " + " | ".join(marks) + " |")
    for row in rows:
        names = [figure.name for figure in found[releases[0], row]]
        lines += ["", f"## {row}", "", "| release | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
        lines += [f"| {release} | " + " | ".join(map(str, found[release, row])) + " |" for release in releases]
    return "\n".join(lines) + "\n"


def merged(kept, releases, rows):
    """The matrices of all cells as one, for `leak-harness matrix --again`. How they were made is told without the folders of a machine."""
    arguments = [Path(argument).name if os.path.isabs(argument) else argument for argument in sys.argv[1:]]
    command = f"python3 reports/claude-mem-history/confirm.py {shlex.join(arguments)}"
    parts = [json.loads((kept / f"{release}-{row}" / "matrix.json").read_text()) for row in rows for release in releases]
    whole = dict(parts[0], command=command, elapsed_ms=sum(part["elapsed_ms"] for part in parts))
    whole["rows"] = [parts[index * len(releases)]["rows"][0] for index in range(len(rows))]
    whole["columns"] = [part["columns"][0] for part in parts[: len(releases)]]
    whole["cells"] = [part["cells"][0] for part in parts]
    return whole


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--harness", default="leak-harness", help="the program to look at")
    flags.add_argument("--kept", type=Path, default=Path("confirmed"), help="where looks are put down; a cell that is there is not made again")
    flags.add_argument("--jobs", type=int, default=2, help="cells at a time")
    flags.add_argument("--row", action="append", choices=ROWS, help="only this row")
    flags.add_argument("--table", type=Path, help="write the tables to this file")
    flags.add_argument("releases", nargs="+", help="releases in the cache, such as 9.0.12")
    flags = flags.parse_args()
    rows = flags.row or ROWS
    cells = [(release, row) for release in flags.releases for row in rows]

    def figures(cell):
        kept = flags.kept / "-".join(cell)
        try:
            if not (kept / "look.json").exists():
                look_at(flags.harness, *cell, kept)
            return compare(kept, cell[1])
        except Exception as error:  # One cell that cannot be looked at is no reason to leave the others.
            return [Figure("error", repr(error), None)]

    found = {}
    with concurrent.futures.ThreadPoolExecutor(flags.jobs) as pool:
        for cell, result in zip(cells, pool.map(figures, cells)):
            found[cell] = result
            differs = [f"{figure.name}: {figure.mine} here, {figure.theirs} there" for figure in result if not figure.agree]
            print(*cell, "; ".join(differs) or "agrees", flush=True)
    (flags.kept / "matrix.json").write_text(json.dumps(merged(flags.kept, flags.releases, rows)))
    if flags.table:
        flags.table.write_text(table(found, flags.releases, rows))
    return int(any(not figure.agree for result in found.values() for figure in result))


if __name__ == "__main__":
    sys.exit(main())
