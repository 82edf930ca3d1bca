// A worker made of the Agent SDK for TypeScript alone: reads requests as JSON lines on stdin, runs one `query()` for each session with
// streaming input, and answers with JSON lines on stdout. Plain JavaScript, so that every node and bun runs it as it is.
//
// Usage: node host.mjs --sdk SDK.mjs --claude PROGRAM [--end complete|break|break-in-turn|abort|exit]
//
// The session's consumer stands in the body of its `for await` while there is nothing to do, so that its end finds it where a real
// consumer is when it has just read a result. `--end` says what an `end` request makes of the session:
//   complete  the input ends, and the iterator is read until it completes
//   break     the consumer breaks off with `break`
//   break-in-turn  the same, but the consumer stands where it has read the first message of a turn, and has no result yet
//   abort     the abort controller fires
//   exit      the host exits once every session was told to end
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: { sdk: { type: "string" }, claude: { type: "string" }, end: { type: "string", default: "complete" } },
});
const { query } = await import(pathToFileURL(flags.sdk).href);

/** Writes a line. Nothing else may write to stdout. @param {object} line */
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
/** @param {string} text */
const note = (text) => process.stderr.write(`${text}\n`);

/** Texts of results, as the worker's store: what reached the consumer. @type {{ number: number, text: string }[]} */
const stored = [];

class Session {
  /** @param {string} id @param {string} cwd */
  constructor(id, cwd) {
    this.id = id;
    this.abortController = new AbortController();
    /** @type {string[]} */
    this.waiting = [];
    this.owed = 0;
    this.inputEnded = false;
    this.left = false;
    this.wake = () => {};
    this.changed = this.nextChange();
    this.query = query({
      prompt: this.input(),
      options: { pathToClaudeCodeExecutable: flags.claude, abortController: this.abortController, cwd, stderr: () => {} },
    });
    this.done = this.consume();
  }

  nextChange() {
    return new Promise((resolve) => (this.wake = resolve));
  }

  change() {
    const wake = this.wake;
    this.changed = this.nextChange();
    wake();
  }

  /** @param {string} text */
  give(text) {
    this.waiting.push(text);
    this.owed += 1;
    this.change();
  }

  async *input() {
    while (true) {
      while (this.waiting.length > 0) {
        const content = [{ type: "text", text: this.waiting.shift() }];
        yield { type: "user", session_id: this.id, message: { role: "user", content }, parent_tool_use_id: null };
      }
      if (this.inputEnded) return;
      await this.changed;
    }
  }

  async consume() {
    try {
      for await (const message of this.query) {
        if (flags.end === "break-in-turn" && message.type === "system") {
          while (!this.left) await this.changed;
          break;
        }
        if (message.type !== "result") continue;
        stored.push({ number: stored.length + 1, text: String(message.result ?? "") });
        this.owed -= 1;
        while (this.owed <= 0 && !this.inputEnded && !this.left && !this.abortController.signal.aborted) await this.changed;
        if (this.left) break;
      }
      note(`${this.id}: the iterator is over`);
    } catch (error) {
      note(`${this.id}: ${error}`);
    }
  }

  abort() {
    this.abortController.abort();
    this.change();
  }

  end() {
    switch (flags.end) {
      case "complete":
        this.inputEnded = true;
        break;
      case "break":
      case "break-in-turn":
        this.left = true;
        break;
      case "abort":
        return this.abort();
    }
    this.change();
  }
}

/** @type {Map<string, Session>} */
const sessions = new Map();
/** Sessions that were told to end. @type {Set<string>} */
const ended = new Set();

/** @param {any} line */
function answer({ id, ask, session: name, ...rest }) {
  if (ask === "stored") return say({ id, status: "ok", items: stored });
  if (ask === "open") {
    sessions.set(name, new Session(name, rest.cwd));
    return say({ id, status: "ok" });
  }
  const session = sessions.get(name);
  if (!session) return say({ id, status: "refused", reason: `no session ${name}` });
  switch (ask) {
    case "prompt":
    case "observation":
    case "summary":
      session.give(rest.text);
      return say({ id, status: "ok" });
    case "abort":
      session.abort();
      return say({ id, status: "ok" });
    case "end":
      ended.add(name);
      say({ id, status: "ok" });
      if (flags.end !== "exit") session.end();
      else if (ended.size === sessions.size) process.exit(0);
      return;
    default:
      return say({ id, status: "error", reason: `unknown request ${ask}` });
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const request = JSON.parse(line);
  try {
    answer(request);
  } catch (error) {
    say({ id: request.id, status: "error", reason: String(error) });
  }
});
// Nobody asks any more.
lines.on("close", () => process.exit(0));
say({ ready: true });
