#!/usr/bin/env node
// Runs the program that the package for this platform contains, and ends as it does.
"use strict";

const { spawn } = require("node:child_process");

/** The package for this platform, as packaging/npm/build.mjs names them. */
function platformPackage() {
  const isMusl = process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
  return `@gloomers/${process.platform}-${process.arch}${isMusl ? "-musl" : ""}`;
}

/** The path of the program, or undefined if its package is not installed. */
function program() {
  try {
    return require.resolve(`${platformPackage()}/gloomers`);
  } catch {
    return undefined;
  }
}

const path = program();
if (path === undefined) {
  console.error(
    `gloomers has no package ${platformPackage()}, or it was not installed. Install without --omit=optional; if there is ` +
      "none for this platform, build it: cargo install gossip-gloomers",
  );
  process.exit(254);
}

const child = spawn(path, process.argv.slice(2), { stdio: "inherit" });
// Ctrl-C reaches the program by itself; it ends its nodes first, and this process ends after it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => signal === "SIGINT" || child.kill(signal));
}
child.on("error", (error) => {
  console.error(`${path} cannot be started: ${error.message}`);
  process.exit(255);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
