// Builds npm packages: `gloomers`, which starts the program, and one for a platform, which contains it.
//
//   node packaging/npm/build.mjs VERSION FOLDER                        the package gloomers
//   node packaging/npm/build.mjs VERSION FOLDER PLATFORM PROGRAM SHARE the package @gloomers/PLATFORM
//
// PLATFORM is one of PLATFORMS, SHARE a folder with manual pages. The tarball is written to FOLDER.

import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PLATFORMS = {
  "linux-x64": { os: ["linux"], cpu: ["x64"], libc: ["glibc"] },
  "linux-x64-musl": { os: ["linux"], cpu: ["x64"], libc: ["musl"] },
  "linux-arm64": { os: ["linux"], cpu: ["arm64"], libc: ["glibc"] },
  "linux-arm64-musl": { os: ["linux"], cpu: ["arm64"], libc: ["musl"] },
  "darwin-x64": { os: ["darwin"], cpu: ["x64"] },
  "darwin-arm64": { os: ["darwin"], cpu: ["arm64"] },
};

const here = dirname(fileURLToPath(import.meta.url));
const [version, folder, platform, program, share] = process.argv.slice(2);
if (!folder || (platform && !(PLATFORMS[platform] && program && share))) {
  console.error(`usage: build.mjs VERSION FOLDER [PLATFORM PROGRAM SHARE], PLATFORM one of ${Object.keys(PLATFORMS).join(", ")}`);
  process.exit(254);
}

const common = {
  version,
  license: "MIT OR Apache-2.0",
  homepage: "https://github.com/gossip-gloomers/gossip-gloomers",
  repository: { type: "git", url: "git+https://github.com/gossip-gloomers/gossip-gloomers.git" },
};
const contents = mkdtempSync(join(tmpdir(), "gloomers-npm-"));
const readme = readFileSync(join(here, "../README.md"), "utf8");
let manifest;
if (platform) {
  manifest = {
    name: `@gloomers/${platform}`,
    description: `The program of the package gloomers, for ${platform}`,
    ...common,
    ...PLATFORMS[platform],
    files: ["gloomers", "man"],
    preferUnplugged: true,
  };
  cpSync(program, join(contents, "gloomers"));
  chmodSync(join(contents, "gloomers"), 0o755);
  cpSync(join(share, "man/man1"), join(contents, "man"), { recursive: true });
} else {
  manifest = {
    name: "gloomers",
    description: "Tests nodes of distributed systems as Maelstrom does, in any language, and says why one failed",
    keywords: ["maelstrom", "gossip-glomers", "jepsen", "distributed-systems", "testing"],
    ...common,
    bin: { gloomers: "gloomers.js" },
    files: ["gloomers.js"],
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(Object.keys(PLATFORMS).map((name) => [`@gloomers/${name}`, version])),
  };
  cpSync(join(here, "gloomers.js"), join(contents, "gloomers.js"));
  chmodSync(join(contents, "gloomers.js"), 0o755);
}
if (platform) manifest.man = readdirSync(join(contents, "man")).map((page) => `man/${page}`);
writeFileSync(join(contents, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
writeFileSync(join(contents, "README.md"), readme);
mkdirSync(folder, { recursive: true });
execFileSync("npm", ["pack", "--silent", "--pack-destination", resolve(folder)], { cwd: contents, stdio: "inherit" });
rmSync(contents, { recursive: true });
