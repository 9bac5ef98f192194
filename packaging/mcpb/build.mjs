// The folder of an MCPB bundle with the binaries of one or more systems.
//
//     node packaging/mcpb/build.mjs OUT linux=target/dist/luma darwin=luma win32=luma.exe
//     npx @anthropic-ai/mcpb pack OUT luma-client.mcpb
//
// A bundle tells systems apart, but not processors: `darwin` is a universal binary.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const programs = { linux: "luma", darwin: "luma-darwin", win32: "luma.exe" };
const root = fileURLToPath(new URL("../..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "packaging/mcpb/manifest.json")));
const [out, ...binaries] = process.argv.slice(2);
if (!out || binaries.length === 0) {
  console.error("usage: build.mjs OUT SYSTEM=BINARY...");
  process.exit(2);
}

mkdirSync(join(out, "server"), { recursive: true });
const systems = binaries.map((argument) => {
  const [system, binary] = argument.split("=");
  const file = join(out, "server", programs[system]);
  copyFileSync(binary, file);
  chmodSync(file, 0o755);
  return system;
});
manifest.compatibility.platforms = systems;
if (!systems.includes("linux")) manifest.server.entry_point = `server/${programs[systems[0]]}`;
writeFileSync(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, name), join(out, name));
