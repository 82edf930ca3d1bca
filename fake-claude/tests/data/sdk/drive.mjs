// Drives an Agent SDK against a program given by its path, and tells what the SDK made of it.
//
// Usage: node drive.mjs SDK PROGRAM CASE
// SDK is the path of the SDK's module; the last line of stdout is one JSON object.
import { pathToFileURL } from "node:url";

const [sdk, program, name] = process.argv.slice(2);
const { query } = await import(pathToFileURL(sdk).href);

const RESUMED = "11111111-2222-4333-8444-555555555555";

/** Messages that are handed over one by one, until it is closed. */
class Messages {
  #waiting = [];
  #wake = () => {};
  #closed = false;

  say(text) {
    this.#waiting.push({
      type: "user",
      session_id: "session-1",
      message: { role: "user", content: [{ type: "text", text }] },
      parent_tool_use_id: null,
    });
    this.#wake();
  }

  close() {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    while (true) {
      while (this.#waiting.length > 0) yield this.#waiting.shift();
      if (this.#closed) return;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}

const messages = new Messages();
const abortController = new AbortController();
const options = {
  pathToClaudeCodeExecutable: program,
  model: "claude-sonnet-4-5",
  disallowedTools: ["Bash", "Read"],
  abortController,
  cwd: process.cwd(),
  stderr: () => {},
  ...(name === "resume" && { resume: RESUMED }),
  ...(name === "partial" && { includePartialMessages: true }),
};
const seen = { types: [], results: [], sessions: [], tools: [], error: null };
const session = query({ prompt: messages, options });
messages.say("lhm-1-1-p1z");

let turns = 0;
try {
  for await (const message of session) {
    seen.types.push(message.subtype ? `${message.type}/${message.subtype}` : message.type);
    if (message.type === "system" && message.subtype === "init") {
      seen.sessions.push(message.session_id);
      seen.tools = message.tools;
      if (name === "abort") abortController.abort();
      if (name === "interrupt" && turns === 0) await session.interrupt();
    }
    if (message.type === "result") {
      seen.results.push(message.result ?? message.subtype);
      turns += 1;
      if (turns === 1) {
        if (name === "two-turns") seen.commands = (await session.supportedCommands()).length;
        if (name === "two-turns") await session.setModel("claude-haiku-4-5");
        messages.say("lhm-1-1-p2z");
      } else {
        messages.close();
      }
    }
  }
} catch (error) {
  seen.error = `${error.name}: ${error.message}`;
}
messages.close();
console.log(JSON.stringify(seen));
