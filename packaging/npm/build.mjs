// The npm packages: one for each platform with its binary, and luma-client, which depends on them.
//
//     node packaging/npm/build.mjs OUT linux-x64=target/dist/luma win32-x64=luma.exe ...
//
// Each folder in OUT is a package: publish those of the platforms first.
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../..");
const main = JSON.parse(readFileSync(join(here, "luma-client/package.json")));
const [out, ...binaries] = process.argv.slice(2);
if (!out || binaries.length === 0) {
  console.error("usage: build.mjs OUT PLATFORM=BINARY...");
  process.exit(2);
}

const licenses = (folder) => {
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, name), join(folder, name));
};

for (const argument of binaries) {
  const [platform, binary] = argument.split("=");
  const name = `luma-client-${platform}`;
  if (!(name in main.optionalDependencies)) throw new Error(`luma-client does not depend on ${name}`);
  const folder = join(out, name);
  const [os, cpu] = platform.split("-");
  const program = os === "win32" ? "luma.exe" : "luma";
  mkdirSync(folder, { recursive: true });
  copyFileSync(binary, join(folder, program));
  chmodSync(join(folder, program), 0o755);
  licenses(folder);
  const { version, license, homepage, repository } = main;
  const description = `The program of luma-client for ${platform}`;
  const manifest = { name, version, description, license, homepage, repository, os: [os], cpu: [cpu] };
  manifest.files = [program, "LICENSE-*"];
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(folder, "README.md"), `${description}. Install \`luma-client\`.\n`);
}
const folder = join(out, "luma-client");
cpSync(join(here, "luma-client"), folder, { recursive: true });
copyFileSync(join(root, "crates/luma-cli/README.md"), join(folder, "README.md"));
licenses(folder);
