// Preloaded into a worker's runtime (bun or node): time goes faster by a factor. Timer delays are divided, clocks multiplied from the
// moment of loading on, so that what a program measures agrees with what it waited for. Work of the processor takes what it takes, and
// clocks outside the runtime stay as they are: times of files, of SQLite, of a sleep in a shell, `Atomics.wait`.
"use strict";
const factor = Number(process.env.LEAK_HARNESS_TIME_SCALE);
if (Number.isFinite(factor) && factor > 0 && factor !== 1) {
  const timers = require("node:timers");
  const promises = require("node:timers/promises");
  const { promisify } = require("node:util");
  const real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    hrtime: process.hrtime.bigint,
  };
  const divided = (delay) => {
    const number = Number(delay);
    return Number.isFinite(number) ? number / factor : delay;
  };

  // Not built on the runtime's own form for promises: bun builds that on the global one, which would divide twice, and node does not.
  const later = (delay, value, options = {}) =>
    new Promise((resolve, reject) => {
      const { signal, ref } = options ?? {};
      const aborted = () => {
        const error = new Error("The operation was aborted", { cause: signal.reason });
        reject(Object.assign(error, { name: "AbortError", code: "ABORT_ERR" }));
      };
      if (signal?.aborted) return aborted();
      const stop = () => {
        real.clearTimeout(timer);
        aborted();
      };
      const timer = real.setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve(value);
      }, divided(delay));
      if (ref === false) timer.unref?.();
      signal?.addEventListener("abort", stop, { once: true });
    });
  async function* every(delay, value, options) {
    for (;;) yield await later(delay, value, options);
  }

  for (const [name, promised] of [["setTimeout", later], ["setInterval", every]]) {
    const original = globalThis[name];
    const scaled = function (callback, delay, ...rest) {
      return original(callback, divided(delay), ...rest);
    };
    const { [promisify.custom]: _, ...others } = Object.getOwnPropertyDescriptors(original);
    Object.defineProperties(scaled, others);
    Object.defineProperty(scaled, promisify.custom, { value: promised, configurable: true });
    globalThis[name] = scaled;
    timers[name] = scaled;
    promises[name] = promised;
  }
  if (promises.scheduler) promises.scheduler.wait = (delay, options) => later(delay, undefined, options);

  const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (delay) => timeout(Math.ceil(divided(delay)));

  const wall = Date.now.bind(Date);
  const loaded = wall();
  const now = () => Math.floor(loaded + (wall() - loaded) * factor);
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    apply: () => new RealDate(now()).toString(),
    construct: (target, values, caller) =>
      Reflect.construct(target, values.length === 0 ? [now()] : values, caller),
    get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
  });
  RealDate.prototype.constructor = globalThis.Date;

  const faster = (clock) => {
    const first = clock();
    return () => first + (clock() - first) * factor;
  };
  performance.now = faster(performance.now.bind(performance));
  process.uptime = faster(process.uptime.bind(process));
  const first = real.hrtime();
  const nanoseconds = () => first + BigInt(Math.round(Number(real.hrtime() - first) * factor));
  process.hrtime = (earlier) => {
    const total = nanoseconds() - (earlier ? BigInt(earlier[0]) * 1000000000n + BigInt(earlier[1]) : 0n);
    return [Number(total / 1000000000n), Number(total % 1000000000n)];
  };
  process.hrtime.bigint = nanoseconds;

  if (globalThis.Bun) {
    const { sleepSync } = Bun;
    const span = (delay) => (delay instanceof RealDate ? Math.max(0, delay.getTime() - now()) : delay);
    Bun.sleep = (delay) => later(span(delay));
    Bun.sleepSync = (delay) => sleepSync(Math.ceil(divided(delay)));
    Bun.nanoseconds = faster(Bun.nanoseconds.bind(Bun));
  }

  // Ages and shares of the processor that a worker reads from `ps` are in the kernel's time.
  const childProcess = require("node:child_process");
  const seconds = (text) => {
    const [days, rest] = text.includes("-") ? text.split("-") : ["0", text];
    return rest.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86400;
  };
  const elapsed = (total) => {
    const pad = (number) => String(number).padStart(2, "0");
    const [days, hours] = [Math.floor(total / 86400), Math.floor((total % 86400) / 3600)];
    const rest = `${pad(Math.floor((total % 3600) / 60))}:${pad(total % 60)}`;
    return days > 0 ? `${days}-${pad(hours)}:${rest}` : hours > 0 ? `${pad(hours)}:${rest}` : rest;
  };
  const inColumn = (name, text) => {
    if (name === "etime" && /^[\d:-]+$/.test(text)) return elapsed(Math.floor(seconds(text) * factor));
    if (name === "etimes" && /^\d+$/.test(text)) return String(Math.floor(Number(text) * factor));
    if ((name === "%cpu" || name === "pcpu") && /^[\d.]+$/.test(text)) return (Number(text) / factor).toFixed(1);
    return text;
  };
  const aged = (command, output) => {
    const asked = /\bps\s+[^|]*?-[a-zA-Z]*o\s*(\S+)/.exec(String(command))?.[1];
    if (!asked || output == null) return output;
    if (typeof output !== "string") return Buffer.from(aged(command, output.toString()));
    const names = asked.split(",").map((column) => column.replace(/=.*$/, ""));
    const line = (text) => {
      let column = 0;
      return text.replace(/\S+/g, (word) => (column < names.length ? inColumn(names[column++], word) : word));
    };
    return output.split("\n").map(line).join("\n");
  };
  const { exec, execSync } = childProcess;
  childProcess.exec = function (command, options, callback) {
    const [given, done] = typeof options === "function" ? [undefined, options] : [options, callback];
    const told = done && ((error, stdout, stderr) => done(error, aged(command, stdout), stderr));
    return exec(command, given, told);
  };
  Object.defineProperty(childProcess.exec, promisify.custom, {
    value: (command, options) => {
      let child;
      const outcome = new Promise((resolve, reject) => {
        child = childProcess.exec(command, options, (error, stdout, stderr) =>
          error ? reject(Object.assign(error, { stdout, stderr })) : resolve({ stdout, stderr }),
        );
      });
      return Object.assign(outcome, { child });
    },
  });
  childProcess.execSync = (command, options) => aged(command, execSync(command, options));

  // What was imported by name from a module before this is loaded anew by node, where it can be.
  require("node:module").syncBuiltinESMExports?.();

  // The harness looks for this file: without it, or with another word in it, nothing is measured. Each way of waiting is tried
  // against the runtime's own clock, a few times, since a busy machine is late now and then, and never early.
  const { writeFileSync } = require("node:fs");
  const place = process.env.LEAK_HARNESS_TIME_SCALE_PROOF;
  const ways = {
    setTimeout: (delay) => new Promise((resolve) => globalThis.setTimeout(resolve, delay).unref?.()),
    "timers/promises": (delay) => promises.setTimeout(delay, undefined, { ref: false }),
    "the clock": async (delay) => {
      const began = Date.now();
      await new Promise((resolve) => real.setTimeout(resolve, delay / factor).unref?.());
      if (Math.abs(Date.now() - began - delay) > delay) throw new Error("late");
    },
  };
  const right = async (way) => {
    const wanted = 20;
    for (let attempt = 0; attempt < 20; attempt++) {
      const began = real.hrtime();
      const late = await way(wanted * factor).then(() => false, () => true);
      const took = Number(real.hrtime() - began) / 1e6;
      if (took < wanted * 0.8) return false;
      if (!late && took < wanted * Math.max(factor ** 0.5, 1.2)) return true;
    }
    return false;
  };
  const prove = async () => {
    const wrong = [];
    for (const [name, way] of Object.entries(ways)) if (!(await right(way))) wrong.push(name);
    return wrong.length === 0 ? `scaled by ${factor}` : `not scaled: ${wrong.join(", ")}`;
  };
  if (place) {
    prove()
      .catch((error) => `not scaled: ${error}`)
      .then((word) => writeFileSync(`${place}/${process.pid}`, `${word}\n`))
      .catch(() => {});
  }
}
