"""A worker made of the Agent SDK for Python alone: reads requests as JSON lines on stdin, runs one `query()` for each session with
streaming input, and answers with JSON lines on stdout.

Usage: python3 host.py --claude PROGRAM [--end KIND]

The session's consumer stands in the body of its `async for` while there is nothing to do, so that its end finds it where a real
consumer is when it has just read a result. `--end` says what an `end` request makes of the session:
  complete  the input ends, and the iterator is read until it completes
  break     the consumer breaks off with `break` and forgets the iterator, which Python then closes in its own time
  aclose    the consumer breaks off and closes the iterator with `aclose()`
  break-in-turn, aclose-in-turn  the same, but the consumer stands where it has read the first message of a turn, and has no result yet
  abort     the session is a `ClaudeSDKClient`: `interrupt()`, then `disconnect()`
  exit      the host exits once every session was told to end
"""

import argparse
import asyncio
import json
import sys

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage, SystemMessage, query

flags = argparse.ArgumentParser()
flags.add_argument("--claude", required=True)
ENDS = ["complete", "break", "break-in-turn", "aclose", "aclose-in-turn", "abort", "exit"]
flags.add_argument("--end", default="complete", choices=ENDS)
flags = flags.parse_args()

stored = []
sessions = {}
ended = set()


def say(**line):
    """Writes a line. Nothing else may write to stdout."""
    print(json.dumps(line), flush=True)


def note(text):
    print(text, file=sys.stderr, flush=True)


class Session:
    """One session: what is handed to it, and the task that reads what comes back."""

    def __init__(self, name, cwd):
        self.name = name
        self.options = ClaudeAgentOptions(cli_path=flags.claude, cwd=cwd)
        self.waiting = []
        self.owed = 0
        self.input_ended = self.left = self.aborted = False
        self.changed = asyncio.Event()
        self.arrived = asyncio.Event()
        self.told_to_abort = asyncio.Event()
        run = self.run_client if flags.end == "abort" else self.run_query
        self.task = asyncio.create_task(self.noted(run))

    def change(self):
        self.changed.set()
        self.arrived.set()

    def give(self, text):
        self.waiting.append(text)
        self.owed += 1
        self.change()

    async def input(self):
        while True:
            while self.waiting:
                message = {"role": "user", "content": self.waiting.pop(0)}
                yield {"type": "user", "session_id": self.name, "message": message, "parent_tool_use_id": None}
            if self.input_ended:
                return
            await self.arrived.wait()
            self.arrived.clear()

    async def take(self, message):
        """Keeps a result, and stands still while nothing is owed. Whether the consumer leaves."""
        if flags.end.endswith("-in-turn") and isinstance(message, SystemMessage):
            while not self.left:
                await self.changed.wait()
                self.changed.clear()
        if isinstance(message, ResultMessage):
            stored.append({"number": len(stored) + 1, "text": message.result or ""})
            self.owed -= 1
            while self.owed <= 0 and not (self.input_ended or self.left or self.aborted):
                await self.changed.wait()
                self.changed.clear()
        return self.left or self.aborted

    async def run_query(self):
        messages = query(prompt=self.input(), options=self.options)
        async for message in messages:
            if await self.take(message):
                break
        if flags.end.startswith("aclose"):
            await messages.aclose()

    async def run_client(self):
        client = ClaudeSDKClient(self.options)
        await client.connect()
        sender = asyncio.create_task(client.query(self.input()))
        reader = asyncio.create_task(self.read(client))
        await self.told_to_abort.wait()
        await client.interrupt()
        await client.disconnect()
        sender.cancel()
        reader.cancel()

    async def read(self, client):
        async for message in client.receive_messages():
            if await self.take(message):
                break

    async def noted(self, run):
        try:
            await run()
            note(f"{self.name}: the iterator is over")
        except Exception as error:
            note(f"{self.name}: {error!r}")

    def end(self):
        self.input_ended = flags.end == "complete"
        self.left = flags.end.startswith(("break", "aclose"))
        if flags.end == "abort":
            self.aborted = True
            self.told_to_abort.set()
        self.change()

    def abort(self):
        """Cancels whoever reads: what asyncio has in place of an abort controller."""
        self.task.cancel()


def answer(id, ask, session=None, **rest):
    """Answers a request; whether the host is to exit."""
    if ask == "stored":
        say(id=id, status="ok", items=stored)
    elif ask == "open":
        sessions[session] = Session(session, rest.get("cwd"))
        say(id=id, status="ok")
    elif session not in sessions:
        say(id=id, status="refused", reason=f"no session {session}")
    elif ask in ("prompt", "observation", "summary"):
        sessions[session].give(rest["text"])
        say(id=id, status="ok")
    elif ask == "abort":
        sessions[session].abort()
        say(id=id, status="ok")
    elif ask == "end":
        ended.add(session)
        say(id=id, status="ok")
        if flags.end == "exit":
            return ended == set(sessions)
        sessions[session].end()
    else:
        say(id=id, status="error", reason=f"unknown request {ask}")
    return False


async def main():
    lines = asyncio.StreamReader(limit=64 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say(ready=True)
    # An empty line means that nobody asks any more.
    while line := await lines.readline():
        request = json.loads(line)
        try:
            if answer(**request):
                return
        except Exception as error:
            say(id=request["id"], status="error", reason=repr(error))


asyncio.run(main())
