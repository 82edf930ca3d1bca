// Preloaded into a worker's runtime (bun or node): time goes faster by a factor. Timer delays are divided, clocks multiplied from the
// moment of loading on, so that what a program measures agrees with what it waited for. Work of the processor takes what it takes.
"use strict";
const factor = Number(process.env.LEAK_HARNESS_TIME_SCALE);
if (Number.isFinite(factor) && factor > 0 && factor !== 1) {
  const divided = (delay) => (typeof delay === "number" ? delay / factor : delay);

  for (const name of ["setTimeout", "setInterval"]) {
    const original = globalThis[name];
    const scaled = function (callback, delay, ...rest) {
      return original(callback, divided(delay), ...rest);
    };
    // Keeps what hangs on the function itself, such as the form for promises.
    Object.defineProperties(scaled, Object.getOwnPropertyDescriptors(original));
    globalThis[name] = scaled;
    require("node:timers")[name] = scaled;
  }

  const promises = require("node:timers/promises");
  for (const name of ["setTimeout", "setInterval"]) {
    const original = promises[name];
    promises[name] = (delay, ...rest) => original(divided(delay), ...rest);
  }

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

  const elapsed = performance.now.bind(performance);
  performance.now = () => elapsed() * factor;
  const bigint = process.hrtime.bigint;
  const nanoseconds = () => BigInt(Math.round(Number(bigint()) * factor));
  process.hrtime = (earlier) => {
    const total = nanoseconds() - (earlier ? BigInt(earlier[0]) * 1000000000n + BigInt(earlier[1]) : 0n);
    return [Number(total / 1000000000n), Number(total % 1000000000n)];
  };
  process.hrtime.bigint = nanoseconds;
  const uptime = process.uptime.bind(process);
  process.uptime = () => uptime() * factor;
}
