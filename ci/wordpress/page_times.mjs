// How long pages take on one WordPress and on another with the same content, request by request in turn, so that whatever
// else the machine does slows both. Each page counts with its median, so that a few slow requests change nothing.
//
//     page_times.mjs NAME=URL NAME=URL ROUNDS     the first is compared with the second, and fails if it takes more than
//                                                 1.5 times as long; what is not installed is installed
import { request } from "../browser/browser.mjs";
import { need, Person } from "./person.mjs";

const PASSWORD = "Setts-and-sounds-1";
const TARGET = 1.5;

/** Logs in, after installing if that was not done, and makes one post. */
async function beginning(url) {
  const person = new Person(await request.newContext(), () => url);
  const form = {
    weblog_title: "Times", user_name: "admin", admin_password: PASSWORD, admin_password2: PASSWORD, pw_weak: "on",
    admin_email: "a@example.com", blog_public: "0", language: "",
  };
  if ((await person.ask(1, "/wp-admin/install.php")).body.includes("weblog_title")) {
    need(await person.ask(1, "/wp-admin/install.php?step=2", { method: "POST", form }), ["Success!"]);
  }
  await person.logIn(1, "admin", PASSWORD);
  const { id } = await person.rest(1, "/wp/v2/posts", { title: "Timed", status: "publish", content: "Some words" });
  return { person, post: id };
}

const page = (path, text) => async ({ person, post }) => need(await person.ask(1, path(post)), [text]);
const PAGES = {
  "home page": page(() => "/", "Timed"),
  "post": page((post) => `/?p=${post}`, "Some words"),
  "search": page(() => "/?s=words", "Timed"),
  "posts in wp-admin": page(() => "/wp-admin/edit.php", "Timed"),
  "edit a post": ({ person, post }, n) => person.rest(1, `/wp/v2/posts/${post}`, { content: `Some words, edition ${n}` }),
  "comment": ({ person, post }, n) => person.rest(1, "/wp/v2/comments", { post, content: `Comment ${n}` }),
};

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const sites = process.argv.slice(2, 4).map((argument) => argument.split(/=(.*)/));
const rounds = Number(process.argv[4]);
const sides = [];
for (const [, url] of sites) sides.push(await beginning(url));
const times = Object.fromEntries(Object.keys(PAGES).map((name) => [name, [[], []]]));
for (let round = 0; round <= rounds; round += 1) {
  for (const [name, visit] of Object.entries(PAGES)) {
    // Whoever goes first changes from round to round; the first round only warms up.
    for (const side of round % 2 ? [1, 0] : [0, 1]) {
      const started = performance.now();
      await visit(sides[side], round);
      if (round > 0) times[name][side].push(performance.now() - started);
    }
  }
}

const row = (name, a, b) => `${name.padEnd(32)} ${a.toFixed(1).padStart(10)} ${b.toFixed(1).padStart(10)}  ${(a / b).toFixed(2)}`;
const sums = [0, 0];
console.log(`${`page, median ms of ${rounds}`.padEnd(32)} ${sites[0][0].padStart(10)} ${sites[1][0].padStart(10)}  ratio`);
for (const [name, pair] of Object.entries(times)) {
  const [a, b] = pair.map(median);
  sums[0] += a;
  sums[1] += b;
  console.log(row(name, a, b));
}
const met = sums[0] / sums[1] <= TARGET;
console.log(`${row("sum", ...sums)}  (at most ${TARGET}: ${met ? "met" : "NOT MET"})`);
process.exit(met ? 0 : 1);
