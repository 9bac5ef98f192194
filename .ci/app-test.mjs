// The view in Chromium, in front of the real server with the simulated service.
// Usage: node app-test.mjs LUMA NODE_MODULES CHROMIUM [FOLDER_FOR_PICTURES]; ONLY=part of a test's name.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const [, , luma, modules, executablePath, pictures] = process.argv;
const require = createRequire(path.join(modules, "index.js"));
const { chromium } = require("playwright-core");
const { build } = require("esbuild");

const key = "an-access-key-for-the-test-of-the-view";
const bundle = await build({
  entryPoints: [path.join(import.meta.dirname, "app-host-page.mjs")], nodePaths: [modules],
  bundle: true, format: "esm", write: false, logLevel: "error",
});
const page = `<!doctype html><meta charset="utf-8"><title>A host</title>
<style>html { background: #fbfaf8; } html[data-theme=dark] { background: #121214; color-scheme: dark; }
body { margin: 20px; } iframe { border: 0; display: block; }</style>
<div id="stage"></div><script type="module" src="/host.js"></script>`;
const files = http.createServer(({ url }, response) => {
  const isScript = url === "/host.js";
  response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
  response.end(isScript ? bundle.outputFiles[0].text : page);
});
files.listen(0, "127.0.0.1");
await once(files, "listening");
const origin = `http://127.0.0.1:${files.address().port}`;

const server = spawn(luma, ["--simulate", "mcp", "--http", "127.0.0.1:0", "--allow-origin", origin], {
  env: { ...process.env, LUMA_MCP_ACCESS_KEY: key }, stdio: ["ignore", "ignore", "pipe"],
});
const [line] = await once(server.stderr, "data");
const url = String(line).match(/http:\S+/)[0];

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const faults = [];
async function tab(options = {}) {
  const tab = await browser.newPage({ viewport: { width: 760, height: 720 }, ...options });
  tab.on("pageerror", (error) => faults.push(`${error}`));
  await tab.goto(origin);
  await tab.waitForFunction(() => window.connect);
  return { tab, ...await tab.evaluate(([url, key]) => window.connect(url, key), [url, key]) };
}

const { tab: screen, tools, capabilities } = await tab();
const view = screen.frameLocator("iframe");
const log = () => screen.evaluate(() => window.log);
const call = (name, args = {}) =>
  screen.evaluate(([name, args]) => window.call(name, args), [name, args]);
const present = (name, args, options, where = screen) =>
  where.evaluate(([name, args, options]) => window.present(name, args, options), [name, args, options]);
const visible = (selector) => view.locator(selector).first().waitFor({ timeout: 20_000 });
const text = (selector) => view.locator(selector).innerText();
const answer = (result, isError = false) =>
  ({ content: [{ type: "text", text: JSON.stringify({ result }) }], structuredContent: { result }, isError });
const documented = ["making-light", "making-tall-dark", "done-dark", "done-light-280", "list-light"];
async function picture(name) {
  if (!pictures || !process.env.ALL && !documented.includes(name)) return;
  await screen.mouse.move(0, 0);
  await screen.locator("iframe").screenshot({ path: path.join(pictures, `view-${name}.png`) });
}
// The height that the view asks for is that of its content: nothing is cut off.
async function fits(where = screen) {
  // It takes a moment until the host has heard of it.
  await where.frames()[1].waitForFunction(() => {
    const { scrollHeight, scrollWidth } = document.documentElement;
    return scrollHeight <= innerHeight + 1 && scrollWidth <= innerWidth;
  }, null, { timeout: 5_000 });
}

const tests = {
  async "the server offers the view, and paid tools to the model alone"() {
    assert.ok("io.modelcontextprotocol/ui" in capabilities.extensions);
    const paid = tools.filter((tool) => !tool.annotations.readOnlyHint);
    assert.equal(paid.length, 4);
    for (const tool of paid) assert.deepEqual(tool._meta.ui.visibility, ["model"], tool.name);
  },

  async "a submit shows progress, plays the film, and tells the model"() {
    await present("luma_generate_video", { prompt: "A fox in the snow", aspect_ratio: "16:9", loop: true });
    await visible("#clock");
    assert.equal(await text("#prompt"), "A fox in the snow");
    assert.match(await text("#state"), /Waiting|Making/);
    assert.match(await text("#clock"), /0:0\d\s*usually 1 to 5 minutes/);
    const before = await view.locator("#stage").boundingBox();
    await visible("#film");
    assert.deepEqual(await view.locator("#stage").boundingBox(), before, "the stage jumps");
    const frame = screen.frames()[1];
    await frame.waitForFunction(() => document.querySelector("#film").currentTime > 0.3, null, { timeout: 20_000 });
    assert.equal(await text("#state"), "Ready");
    assert.equal(await text("#size"), "1360 × 752");
    assert.equal(await text("#live"), "Ready.");
    const { calls, contexts, refused } = await log();
    assert.ok(calls.length >= 1 && calls.every(({ name }) => name === "luma_get_task"), JSON.stringify(calls));
    assert.equal(contexts.length, 1);
    assert.match(contexts[0].content[0].text, /completed.*mp4/);
    assert.equal(contexts[0].structuredContent.result.state, "completed");
    assert.equal(refused.length, 0);
    await fits();
  },

  async "save, copy, loop, mute and continue reach the host"() {
    await view.locator("#save").click();
    await view.locator("#copy").click();
    await view.locator("#loop").click();
    assert.equal(await view.locator("#loop").getAttribute("aria-pressed"), "false");
    await view.locator("#mute").click();
    assert.equal(await view.locator("#film").evaluate((film) => film.muted), false);
    await view.locator("#wish").fill("It runs into the wood");
    await view.locator("#wish").press("Enter");
    await screen.waitForFunction(() => window.log.files.length && window.log.messages.length);
    const { files, messages, calls, refused } = await log();
    assert.equal(files[0].contents[0].type, "resource_link");
    assert.match(files[0].contents[0].uri, /\.mp4$/);
    assert.match(messages[0].content[0].text, /^Continue the Luma video with the id \S+: It runs into the wood$/);
    assert.equal(refused.length, 0);
    assert.ok(calls.every(({ name }) => name === "luma_get_task"));
  },

  async "the view may not call a paid tool"() {
    const error = await screen.frames()[1].evaluate(() =>
      request("tools/call", { name: "luma_generate_video", arguments: { prompt: "a" } }).catch((error) => error.message));
    assert.match(error, /not for views/);
    assert.deepEqual((await log()).refused, ["luma_generate_video"]);
  },

  async "a failed task shows the reason and what it cost"() {
    const { structuredContent: { result: { tasks } } } = await call("luma_list_tasks", { state: "failed" });
    await present("luma_get_task", { task_id: tasks[0].task_id });
    await visible("#failure");
    assert.equal(await text("#reason"), "The simulated failure.");
    assert.match(await text("#cost"), /not billed/);
    assert.ok(await view.locator("#stage").isHidden());
    await fits();
    await picture("failed");
  },

  async "a refused submit says that nothing was spent"() {
    await present("luma_generate_video", { prompt: " " });
    await visible("#failure");
    assert.match(await text("#cost"), /no credits were spent/);
  },

  async "a submit in doubt says so"() {
    const result = { error: { code: "unconfirmed", message: "the response was lost" }, next_step: "Look." };
    await present("luma_generate_video", { prompt: "A fox" }, { answer: answer(result, true) });
    await visible("#failure");
    assert.match(await text("#cost"), /then it is billed/);
  },

  async "a film that the host blocks is offered as a link"() {
    const { structuredContent: { result: { tasks } } } = await call("luma_list_tasks", { state: "completed" });
    await present("luma_get_task", { task_id: tasks[0].task_id }, { blocks: true });
    await visible("#veil");
    assert.match(await text("#why"), /cannot be shown inside this app/);
    await fits();
    await picture("blocked");
    await view.locator("#open").click();
    await screen.waitForFunction(() => window.log.links.length);
    assert.match((await log()).links[0], /\.mp4$/);
  },

  async "save opens the link if the host has no downloads"() {
    const { structuredContent: { result: { tasks } } } = await call("luma_list_tasks", { state: "completed" });
    await present("luma_get_task", { task_id: tasks[0].task_id }, { capabilities: { openLinks: {}, serverTools: {} } });
    await visible("#film");
    assert.ok(await view.locator("#next").isHidden());
    await view.locator("#save").click();
    await screen.waitForFunction(() => window.log.links.length);
    assert.deepEqual((await log()).contexts, []);
  },

  async "markup in a prompt stays text"() {
    const prompt = `<img src=x onerror="parent.postMessage('broken','*')"><b>bold</b>`;
    await present("luma_generate_video", { prompt });
    await visible("#film");
    assert.equal(await text("#prompt"), prompt);
    assert.equal(await view.locator("#prompt *").count(), 0);
    await present("luma_list_tasks", {});
    await visible(".tile");
    assert.equal(await view.locator(".name", { hasText: "onerror" }).count(), 1);
    assert.equal(await view.locator(".name *").count(), 0);
    const task = { task_id: "<i>x</i>", state: "completed", prompt, error: { code: "<u>", message: "<u>no</u>" },
      video: { url: "javascript:parent.postMessage('broken','*')" }, thumbnail: { url: "javascript:1" } };
    await present("luma_get_task", { task_id: "a" }, { answer: answer(task) });
    await view.locator("#prompt", { hasText: "onerror" }).waitFor();
    assert.ok(await view.locator("#film").isHidden());
    assert.equal(await view.locator("#one i, #one u").count(), 4, "more than the decoration");
  },

  async "several tasks are a grid that leads to each"() {
    const looks = async () => (await log()).calls.filter(({ name }) => name === "luma_get_tasks_batch").length;
    for (const prompt of ["A lighthouse at dusk, waves", "Clouds over a ridge, time lapse"]) {
      await call("luma_generate_video", { prompt, aspect_ratio: "16:9" });
    }
    await present("luma_list_tasks", {});
    await visible(".tile");
    assert.match(await text("#count"), /in the making/);
    assert.ok(await view.locator(".tile[data-state=failed]").count() >= 1);
    await screen.waitForFunction(() => window.log.calls.some(({ name }) => name === "luma_get_tasks_batch"));
    await view.locator("#count", { hasText: /^\d+$/ }).waitFor({ timeout: 30_000 });
    assert.ok(await looks() >= 1);
    assert.ok((await log()).contexts.length >= 1);
    await fits();
    const first = view.locator(".tile[data-state=completed]").first();
    await first.focus();
    await first.press("Enter");
    await visible("#film");
    await view.locator("#back").press("Enter");
    await visible(".tile");
    assert.equal(await view.locator(".tile:focus").count(), 1);
    const failed = { tasks: [{ task_id: "gone", error: { code: "not_found", message: "no such task" } }] };
    await present("luma_get_tasks_batch", { task_ids: ["gone"] }, { answer: answer(failed) });
    assert.match(await text(".tile"), /gone\s*Not found/);
  },

  async "a service in trouble is asked less often, and then not at all"() {
    const result = { task_id: "a", state: "processing", next_step: "Wait." };
    const trouble = answer({ error: { code: "timeout", message: "the service is silent" }, next_step: "Wait." }, true);
    const { tab: other } = await tab();
    await other.clock.install();
    const calls = async () => (await other.evaluate(() => window.log.calls)).length;
    await present("luma_get_task", { task_id: "a" }, { answer: answer(result), lookup: trouble }, other);
    const view = other.frameLocator("iframe");
    for (let step = 0; step < 300 && await view.locator("#again").isHidden(); step += 1) {
      await other.clock.runFor(2_000);
    }
    assert.equal(await calls(), 6);
    assert.match(await view.locator("#until").innerText(), /the last lookup failed/);
    await view.locator("#retry").click();
    await other.clock.runFor(2_000);
    assert.ok(await calls() > 6);
    await other.close();
  },

  async "it is light, dark, in the colours of the host, and narrow"() {
    const seconds = Math.floor(Date.now() / 1000);
    const prompt = "A lighthouse at dusk, waves, slow zoom in";
    const making = { task_id: "a", state: "processing", created_at: seconds - 74 };
    const { structuredContent: { result } } = await call("luma_list_tasks", { state: "completed" });
    const done = result.tasks.find((task) => task.prompt === prompt);
    const { prompt: _, ...nameless } = done;
    const tasks = [
      { ...making, prompt: "Clouds over a ridge, time lapse" },
      ...result.tasks.filter((task) => !task.prompt.includes("<")).slice(0, 4),
      { task_id: "b", state: "failed", prompt: "A sign with readable text", created_at: seconds - 4000,
        error: { code: "api_error", message: "no" } },
    ];
    const wide = { prompt, aspect_ratio: "16:9" };
    const shapes = [
      ["making", "luma_generate_video", wide, making, "#clock"],
      ["done", "luma_generate_video", wide, done, "#actions"],
      ["making-tall", "luma_generate_video", { prompt, aspect_ratio: "9:16" }, making, "#clock"],
      ["words", "luma_generate_video", { prompt: "unbreakable".repeat(60) }, nameless, "#actions"],
      ["list", "luma_list_tasks", {}, { tasks }, ".tile"],
    ];
    for (const theme of ["light", "dark"]) {
      for (const width of [560, 280]) {
        for (const [name, tool, args, given, part] of shapes) {
          const lookup = answer(given.tasks ? { tasks: [] } : making);
          await present(tool, args, { theme, width, answer: answer(given), lookup });
          await visible(part);
          if (part === "#actions") {
            await screen.frames()[1].waitForFunction(() => document.querySelector("#film").readyState > 0);
          }
          if (part === ".tile") {
            await screen.frames()[1].waitForFunction(() => [...document.images].every((image) => image.complete));
          }
          // What moves comes to rest, for the picture.
          if (pictures) await screen.waitForTimeout(1_500);
          await fits();
          await picture(`${name}-${theme}${width === 280 ? "-280" : ""}`);
          const card = view.locator(part === ".tile" ? "#many" : "#one");
          const paper = await card.evaluate((card) => getComputedStyle(card).backgroundColor);
          assert.equal(paper, theme === "dark" ? "rgb(29, 29, 31)" : "rgb(255, 255, 255)");
        }
      }
    }
    const styles = { "--color-background-primary": "rgb(1, 2, 3)", "--font-sans": "serif" };
    await present("luma_generate_video", wide, { answer: answer(making), lookup: answer(making), styles });
    await visible("#clock");
    assert.equal(await view.locator("#one").evaluate((card) => getComputedStyle(card).backgroundColor), "rgb(1, 2, 3)");
  },

  async "nothing moves for people who want it so"() {
    const { tab: calm } = await tab({ reducedMotion: "reduce" });
    const result = { task_id: "a", state: "processing", next_step: "Wait." };
    await present("luma_generate_video", { prompt: "A fox" }, { answer: answer(result), lookup: answer(result) }, calm);
    await calm.frameLocator("iframe").locator("#clock").waitFor();
    const moving = await calm.frames()[1].evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
    await calm.close();
  },
};

let failed = 0;
const only = process.env.ONLY;
for (const [name, test] of Object.entries(tests)) {
  if (only && !name.includes(only)) continue;
  try {
    await test();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}
if (faults.length) console.log("errors in pages:", faults);
await browser.close();
server.kill();
files.close();
process.exit(failed || faults.length ? 1 : 0);
