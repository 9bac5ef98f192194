#!/usr/bin/env node
// Starts the program that the package of this platform holds.
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const platform = `luma-client-${process.platform}-${process.arch}`;
const fail = (reason) => {
  console.error(`error: ${reason}`);
  process.exit(3);
};

let program;
try {
  program = require.resolve(`${platform}/${process.platform === "win32" ? "luma.exe" : "luma"}`);
} catch {
  fail(
    `the package ${platform} is not installed. Install luma-client without --omit=optional; ` +
      "if there is no such package, use: cargo install luma-cli",
  );
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A terminal sends Ctrl-C and a hangup to both. A second one would end luma at once.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", (error) => fail(`cannot start ${program}: ${error.message}`));
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
