// A WordPress that is not yet installed, on three Marmot nodes, used in a browser as people would.
//
//     test.mjs RUN_SH CLUSTER_DATA WEB_BASE SCREENSHOTS
//
// Whatever is done through one web server must be on all of them within a second. On the way node 3 is killed (SIGKILL)
// under writes, and brought back with `RUN_SH up`.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { equal, launch, open, Report } from "../browser/browser.mjs";
import { need, Person } from "./person.mjs";

const [run, data, webBase, screenshots] = process.argv.slice(2);
const ALL = [1, 2, 3];
const ALIVE = [1, 2];
const site = (node) => `http://127.0.0.1:${Number(webBase) + node}`;
const TITLE = "Quorum of badgers";
const WORD = "xylophonic";
const BODY = `A ${WORD} tale: it's \\ 100% "quoted" — 🦡 ünïcode.`;
const COMMENT = "Moderated, then shown";
const PASSWORD = "Setts-and-sounds-1";
const square = (text) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">${
  text ? `<text y="8" font-size="8">${text}</text>` : '<rect width="9" height="9" fill="#c3c4c7"/>'}</svg>`;
const WITHIN = 1000; // ms: no attempt that starts later counts
const FEWEST_WRITES = 5; // while node 3 is dead

const browser = await launch();
const page = await open(browser); // the administrator's window
const guest = await open(browser); // that of somebody without a login
const admin = new Person(page.context().request, site);
const visitor = new Person(guest.context().request, site);
const report = new Report("wordpress", screenshots);
const step = (name, check) => report.step(name, page, check);
const lags = [];
const broken = [];
const post = {};
const writes = { acknowledged: 0, failed: [] };
let expectedToFail = null; // the node that was killed

for (const window of [page, guest]) {
  // Pictures that WordPress has elsewhere: of people, and of emoji (named by their numbers).
  await window.route("**/avatar/*", (route) => route.fulfill({ contentType: "image/svg+xml", body: square("") }));
  await window.route("**/emoji/**/*.svg", (route) => {
    const numbers = /([0-9a-f-]+)\.svg$/.exec(route.request().url())[1].split("-");
    const emoji = String.fromCodePoint(...numbers.map((number) => Number.parseInt(number, 16)));
    return route.fulfill({ contentType: "image/svg+xml", body: square(emoji) });
  });
  window.on("pageerror", (error) => broken.push(`${window.url()}: ${error.message}`));
  window.on("response", (response) => {
    const allowed = expectedToFail && response.url().startsWith(site(expectedToFail));
    if (response.status() >= 500 && !allowed) broken.push(`${response.url()}: HTTP ${response.status()}`);
  });
}

/** Repeats a check on each of the nodes until it holds there. What counts is when the request was sent that saw it last. */
async function onEach(nodes, check) {
  const started = performance.now();
  const one = async (node) => {
    for (;;) {
      const asked = performance.now() - started;
      try {
        await check(node);
        return asked;
      } catch (error) {
        if (asked > WITHIN) throw new Error(`not within ${WITHIN} ms: ${error.message}`);
      }
      await sleep(10);
    }
  };
  const lag = Math.round(Math.max(...(await Promise.all(nodes.map(one)))));
  lags.push(lag);
  const answered = Math.round(performance.now() - started);
  return `on nodes ${nodes.join(", ")} asked after ${lag} ms, answered after ${answered} ms`;
}

const shown = (nodes, path, texts, options = {}, who = visitor) =>
  onEach(nodes, async (node) => need(await who.ask(node, path), texts, options));
const address = () => `/?p=${post.id}`;

/** Until the browser shows this text. */
const sees = (window, text) => window.getByText(text).first().waitFor();

/**
 * Until WordPress has proposed a password. Its script for that comes after the page, and then moves the cursor into the
 * field of the password: whatever is being filled in at that moment would be typed there.
 */
const passwordProposed = (window) => window.waitForFunction(() => document.activeElement?.id === "pass1");

async function logIn(window, node, user, password) {
  await window.goto(`${site(node)}/wp-login.php`);
  await window.fill("#user_login", user);
  await window.fill("#user_pass", password);
  await window.click("#wp-submit");
}

/** The line of a list in the administration that has this text, under the mouse, so that its actions can be clicked. */
async function line(text) {
  const found = page.locator("#the-list tr, #the-comment-list tr", { hasText: text }).first();
  await found.hover();
  return found;
}

async function retitle(title) {
  const field = page.locator(".wp-block-post-title");
  await field.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.type(title);
}

// ---- Installing, logging in

await step("install_on_1", async () => {
  await page.goto(`${site(1)}/wp-admin/install.php`);
  await passwordProposed(page);
  await page.fill("#weblog_title", "Three nodes");
  await page.fill("#user_login", "admin");
  await page.fill("#pass1", PASSWORD);
  await page.fill("#admin_email", "a@example.com");
  await page.check("#blog_public");
  await page.click("#submit");
  await sees(page, "Success!");
  return shown(ALL, "/", ["Three nodes", "Hello world!"]);
});

await step("first_post_has_id_1_and_its_comment", () => shown(ALL, "/?p=1", ["Hello world!", "A WordPress Commenter"]));

await step("wrong_password_is_refused_on_3", async () => {
  await logIn(page, 3, "admin", "no");
  await page.locator("#login_error").waitFor();
});

await step("log_in_on_2", async () => {
  await logIn(page, 2, "admin", PASSWORD);
  await page.locator("#wpadminbar").waitFor();
});

await step("the_login_holds_on_all", () => shown(ALL, "/wp-admin/", ["Dashboard"], {}, admin));

// ---- A post

await step("publish_on_2", async () => {
  await page.goto(`${site(2)}/wp-admin/post-new.php`);
  // The guide greets everybody once.
  await page.getByRole("button", { name: "Close dialog" }).click();
  await page.locator(".wp-block-post-title").click();
  await page.keyboard.type(TITLE);
  await page.keyboard.press("Enter");
  await page.keyboard.type(BODY);
  const open = async (panel) => {
    const toggle = page.locator(".components-panel__body-toggle", { hasText: panel });
    if ((await toggle.getAttribute("aria-expanded")) === "false") await toggle.click();
  };
  await page.locator(".edit-post-sidebar__panel-tab", { hasText: "Post" }).click();
  await open("Categories");
  await page.getByRole("button", { name: "Add New Category" }).click();
  await page.getByLabel("New Category Name").fill("Setts");
  await page.locator(".editor-post-taxonomies__hierarchical-terms-submit").click();
  await page.getByRole("checkbox", { name: "Setts" }).waitFor();
  await open("Tags");
  await page.getByLabel("Add New Tag").fill("nocturnal");
  await page.keyboard.press("Enter");
  // A new tag is shown before WordPress has given it an id; a post that is published before that goes without it.
  await page.waitForFunction(() => window.wp.data.select("core/editor").getEditedPostAttribute("tags").length === 1);
  await page.locator(".editor-post-publish-panel__toggle").click();
  await page.locator(".editor-post-publish-panel .editor-post-publish-button").click();
  await sees(page, "is now live");
  post.id = Number(new URL(page.url()).searchParams.get("post"));
  return shown(ALL, address(), [TITLE, WORD, "🦡 ünïcode", "Setts", "nocturnal"]);
});

await report.step("read_on_3", guest, async () => {
  await guest.goto(`${site(3)}/`);
  await guest.getByRole("link", { name: TITLE }).first().click();
  await sees(guest, WORD);
});

// ---- A comment

await report.step("comment_on_3", guest, async () => {
  await guest.fill("#comment", COMMENT);
  await guest.fill("#author", "Guest");
  await guest.fill("#email", "g@example.com");
  await guest.click("#submit");
  await sees(guest, "Your comment is awaiting moderation");
  return shown(ALL, "/wp-admin/edit-comments.php", [COMMENT], {}, admin);
});

const stranger = new Person((await browser.newContext()).request, site);
await step("a_held_comment_is_not_shown", () => shown(ALL, address(), [], { absent: [COMMENT] }, stranger));

await step("moderate_on_1", async () => {
  await page.goto(`${site(1)}/wp-admin/edit-comments.php`);
  const comment = await line(COMMENT);
  await comment.locator(".approve a").click();
  await comment.locator(".unapprove a").waitFor();
  return shown(ALL, address(), [COMMENT], {}, stranger);
});

await report.step("one_post_three_nodes", guest, async () => {
  const frame = (node) => `<figure><figcaption>WordPress ${node} on node ${node}</figcaption><iframe src="${site(node)}${address()}"></iframe></figure>`;
  await guest.goto(`${site(1)}/readme.html`);
  await guest.setContent(`<style>
      body { margin: 0; display: flex; gap: 12px; background: #dcdcde; font: 15px sans-serif }
      figure { margin: 12px 0 12px 12px; flex: 1; height: 876px; overflow: hidden } figure:last-child { margin-right: 12px }
      figcaption { background: #1d2327; color: white; padding: 8px 12px; border-radius: 6px 6px 0 0 }
      iframe { width: 150%; height: 150%; border: 0; background: white; transform: scale(0.667); transform-origin: 0 0 }
    </style>${ALL.map(frame).join("")}`);
  for (const frame of guest.frames().slice(1)) await frame.getByText(COMMENT).first().waitFor();
});

// ---- Node 3 dies, work goes on, node 3 comes back

async function writeOn(node, until) {
  for (let count = 1; !until.aborted; count += 1) {
    try {
      await admin.rest(node, "/wp/v2/comments", { post: post.id, content: `Comment ${count} through node ${node}` });
      writes.acknowledged += 1;
    } catch (error) {
      writes.failed.push(`node ${node}: ${error.message}`);
    }
  }
}

await step("kill_node_3_under_writes", async () => {
  const until = new AbortController();
  const writers = ALIVE.map((node) => writeOn(node, until.signal));
  await sleep(1000);
  const before = writes.acknowledged;
  expectedToFail = 3;
  process.kill(Number(readFileSync(`${data}/node3.pid`, "utf8")), "SIGKILL");
  await sleep(2000);
  until.abort();
  await Promise.all(writers);
  equal(writes.failed.join("\n"), "", "writes that failed");
  const after = writes.acknowledged - before;
  if (before === 0 || after < FEWEST_WRITES) throw new Error(`${before} comments before it died, ${after} afterwards`);
  return `${before} comments before it died, ${after} in the 2 s afterwards, no error`;
});

await report.step("web_3_says_so", guest, async () => {
  equal((await guest.goto(`${site(3)}/`)).status(), 500, "status");
  await sees(guest, "Error establishing a database connection");
});

await step("edit_on_1_while_node_3_is_down", async () => {
  await page.goto(`${site(1)}/wp-admin/edit.php`);
  const row = await line(TITLE);
  await row.locator("button.editinline").click();
  await page.fill(".inline-editor input.ptitle", `${TITLE} II`);
  await page.click(".inline-editor button.save");
  await page.locator("#the-list tr:not(.inline-editor)", { hasText: `${TITLE} II` }).waitFor();
  return shown(ALIVE, "/", [`${TITLE} II`]);
});

await step("add_a_user_on_2_while_node_3_is_down", async () => {
  await page.goto(`${site(2)}/wp-admin/user-new.php`);
  await passwordProposed(page);
  await page.fill("#user_login", "brock");
  await page.fill("#email", "b@example.com");
  await page.fill("#pass1", "pw-Brock-and-more-1");
  await page.selectOption("#role", "editor");
  await page.uncheck("#send_user_notification");
  await page.click("#createusersub");
  await sees(page, "New user created.");
  return shown(ALIVE, "/wp-admin/users.php", ["brock"], {}, admin);
});

await step("change_a_setting_on_1_while_node_3_is_down", async () => {
  await page.goto(`${site(1)}/wp-admin/options-general.php`);
  await page.fill("#blogname", "Three nodes, renamed");
  await page.click("#submit");
  await sees(page, "Settings saved.");
  return shown(ALIVE, "/", ["Three nodes, renamed"]);
});

await step("bring_node_3_back", async () => {
  await promisify(execFile)(run, ["up"]);
  expectedToFail = null;
  const note = await shown([3], "/", [`${TITLE} II`, "Three nodes, renamed"]);
  await page.goto(`${site(3)}/wp-admin/users.php`);
  await sees(page, "brock");
  return note;
});

await step("acknowledged_comments_are_on_all", async () => {
  for (const node of ALL) {
    await page.goto(`${site(node)}/wp-admin/edit-comments.php?p=${post.id}&comment_status=approved`);
    const total = (await page.locator(".displaying-num").first().innerText()).replace(/\D/g, "");
    equal(Number(total), writes.acknowledged + 1, `comments on node ${node}: those acknowledged and the guest's`);
  }
  return `${writes.acknowledged} comments`;
});

// ---- The rest of what people do

await step("edit_on_3", async () => {
  await page.goto(`${site(3)}/wp-admin/post.php?post=${post.id}&action=edit`);
  await retitle(`${TITLE} III`);
  await page.locator(".editor-post-publish-button").click();
  await sees(page, "Post updated.");
  return shown(ALL, address(), [`${TITLE} III`, WORD]);
});

await step("revisions_on_all", () =>
  onEach(ALL, async (node) => {
    const revisions = await admin.rest(node, `/wp/v2/posts/${post.id}/revisions`);
    const titles = [...new Set(revisions.map(({ title }) => title.rendered))].sort();
    equal(titles.join(", "), [TITLE, `${TITLE} II`, `${TITLE} III`].join(", "), "titles of revisions");
    post.first = revisions.find(({ title }) => title.rendered === TITLE).id;
  }));

await step("restore_a_revision_on_1", async () => {
  await page.goto(`${site(1)}/wp-admin/revision.php?revision=${post.first}`);
  await page.locator(".revisions-diff .diff").first().waitFor();
  await page.locator("input.restore-revision").click();
  await page.locator(".wp-block-post-title", { hasText: new RegExp(`^${TITLE}$`) }).waitFor();
  return shown(ALL, address(), [TITLE], { absent: [`${TITLE} II`] });
});

await report.step("search_on_2", guest, async () => {
  await guest.goto(`${site(2)}/?s=zzznothing`);
  equal(await guest.getByText(TITLE).count(), 0, "posts found for a word that is nowhere");
  await guest.locator(".wp-block-search__input").first().fill(WORD);
  await guest.keyboard.press("Enter");
  await guest.waitForURL(new RegExp(`s=${WORD}`));
  await sees(guest, TITLE);
  return shown(ALL, `/?s=${WORD}`, [TITLE]);
});

await step("search_in_the_administration_on_3", async () => {
  await page.goto(`${site(3)}/wp-admin/edit.php`);
  await page.fill("#post-search-input", "badgers");
  await page.click("#search-submit");
  await sees(page, "Search results for:");
  await page.locator("#title a").click();
  await page.waitForURL(/orderby=title/);
  equal(await page.locator("#the-list tr").count(), 1, "posts found");
});

// WordPress makes the addresses of categories and tags when somebody looks at this page, not when it is installed.
await step("save_permalinks_on_1", async () => {
  await page.goto(`${site(1)}/wp-admin/options-permalink.php`);
  await page.click("#submit");
  await sees(page, "Permalink structure updated.");
  return shown(ALL, "/category/setts/", [TITLE]);
});

await report.step("archives_of_category_and_tag", guest, async () => {
  await guest.goto(site(1) + address());
  for (const term of ["Setts", "nocturnal"]) {
    await guest.getByRole("link", { name: term, exact: true }).first().click();
    await guest.getByRole("heading", { name: new RegExp(`: ${term}$`) }).waitFor();
    await guest.getByRole("link", { name: TITLE }).first().click();
  }
  await shown(ALL, new Date().toISOString().replace(/^(\d+)-(\d+).*/, "/?m=$1$2"), [TITLE]);
  return shown(ALL, "/?feed=rss2", [TITLE]);
});

await report.step("the_new_user_logs_in_on_3", guest, async () => {
  await logIn(guest, 3, "brock", "pw-Brock-and-more-1");
  await guest.locator("#wpadminbar").waitFor();
});

await step("a_page_made_on_3", async () => {
  const made = await admin.rest(3, "/wp/v2/pages", { title: "About setts", status: "publish", content: "Deep down" });
  const note = await shown(ALL, `/?page_id=${made.id}`, ["About setts", "Deep down"]);
  await page.goto(`${site(1)}/?page_id=${made.id}`);
  return note;
});

await step("trash_on_1", async () => {
  await page.goto(`${site(1)}/wp-admin/edit.php`);
  await (await line(TITLE)).locator(".submitdelete").click();
  await sees(page, "1 post moved to the Trash");
  return shown(ALL, "/", [], { absent: [TITLE] });
});

await step("delete_on_2", async () => {
  await page.goto(`${site(2)}/wp-admin/edit.php?post_status=trash&post_type=post`);
  await (await line(TITLE)).locator(".submitdelete").click();
  await sees(page, "1 post permanently deleted");
  return shown(ALL, address(), [], { status: 404 });
});

// ---- What nobody may have seen

await step("no_script_or_page_failed", () => equal(broken.join("\n"), "", "errors in the browser"));

// WordPress logs every refused statement; a node logs what it cannot do.
await step("no_errors_are_logged", () => {
  for (const node of ALL) {
    const logs = {
      [`wordpress${node}.log`]: /WordPress database error.*/g,
      [`web${node}.log`]: /PHP (Fatal|Warning|Parse).*/g,
      [`node${node}/marmot.log`]: /.*\bERROR\b.*/g,
    };
    for (const [log, pattern] of Object.entries(logs)) {
      const found = readFileSync(`${data}/${log}`, "utf8").match(pattern) ?? [];
      equal(found.slice(0, 3).join("\n"), "", `the first of ${found.length} errors in ${log}`);
    }
  }
});

await browser.close();
lags.sort((a, b) => a - b);
console.log(`   ${lags.length} times seen on all nodes, by requests sent at most ${lags.at(-1)} ms after the change was answered`);
process.exit(report.close());
