// Asks for /status.json once a second and draws it. No libraries; nothing comes from elsewhere.
"use strict";

const EVERY_MS = 1000;
const KEPT = 120;
/** A peer that lags by less is up to date. */
const IN_STEP_MS = 1500;
/** What one answer added to the one before, oldest first. */
const history = [];
let last = null;
let lastAt = 0;
let silentSince = null;

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; children may be text. */
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "line", "circle", "text", "rect", "path"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// -------------------------------------------------------------------------------------------------- numbers as text

function count(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)} M`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(0)} k`;
  return n >= 100 || Number.isInteger(n) ? String(Math.round(n)) : n.toFixed(1);
}

function duration(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1024) return `${n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)} ${unit}`;
    n /= 1024;
  }
  return `${n.toFixed(1)} TB`;
}

// ----------------------------------------------------------------------------------------------- what happened since

function difference(before, now) {
  const added = { count: now.count - (before?.count ?? 0), seconds: now.seconds - (before?.seconds ?? 0) };
  added.buckets = now.buckets.map(([bound, n], i) => [bound, n - (before?.buckets[i]?.[1] ?? 0)]);
  return added;
}

/** The time that a share of what was counted did not exceed, by linear interpolation within its bucket. */
function quantile(times, share) {
  const wanted = times.count * share;
  let [from, below] = [0, 0];
  for (const [bound, n] of times.buckets) {
    if (n >= wanted && n > below) return from + (bound - from) * ((wanted - below) / (n - below));
    [from, below] = [bound, n];
  }
  return from;
}

function remember(status, at) {
  if (last && status.uptime_ms < last.uptime_ms) {
    // Another life of the node: it counts from 0 again.
    history.length = 0;
    last = null;
  }
  if (last && status.uptime_ms !== null) {
    const seconds = (at - lastAt) / 1000;
    const rate = (name) => ((status.numbers[name] ?? 0) - (last.numbers[name] ?? 0)) / seconds;
    const times = (name) => status.times[name] && difference(last.times[name], status.times[name]);
    const perSecond = (name) => (times(name)?.count ?? 0) / seconds;
    const slowest = (name) => (times(name)?.count ? quantile(times(name), 0.95) : null);
    const mean = (name) => (times(name)?.count ? times(name).seconds / times(name).count : null);
    history.push({
      throughput: [perSecond("read"), perSecond("write"), perSecond("commit")],
      latency: [slowest("read"), slowest("write"), slowest("commit")],
      conflicts: [rate("retries"), rate("conflict"), rate("discarded"), rate("aborted")],
      phases: [mean("prepare"), mean("accept"), mean("apply"), mean("sync")],
    });
    if (history.length > KEPT) history.shift();
  }
  [last, lastAt] = [status, at];
}

// ----------------------------------------------------------------------------------------------------------- drawing

function chart(id, names, show) {
  const [width, height, left, top] = [520, 170, 56, 8];
  const series = names.map((_, i) => history.map((h) => h[id][i]));
  const highest = Math.max(...series.flat().filter((v) => v !== null), 0);
  const ceiling = highest > 0 ? highest * 1.1 : 1;
  const x = (i) => left + ((i + KEPT - history.length) / (KEPT - 1)) * (width - left);
  const y = (v) => height - (v / ceiling) * (height - top);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height + 6}`, role: "img", "aria-label": names.join(", ") });
  for (const share of [0, 0.5, 1]) {
    const at = y(share * ceiling);
    svg.append(make("line", { class: "grid", x1: left, x2: width, y1: at, y2: at }));
    svg.append(make("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, highest > 0 || share === 0 ? show(share * ceiling) : ""));
  }
  const legend = make("div", { class: "legend" });
  series.forEach((values, i) => {
    let path = "";
    values.forEach((v, at) => {
      if (v === null) return;
      const alone = values[at - 1] == null && values[at + 1] == null;
      path += `${values[at - 1] == null ? "M" : "L"}${x(at).toFixed(1)},${y(v).toFixed(1)}${alone ? "h2" : ""}`;
    });
    svg.append(make("path", { class: `s${i}`, d: path }));
    // What nothing was counted of for a while has no value now.
    const now = values.slice(-5).findLast((v) => v !== null);
    legend.append(make("span", { class: `s${i}` }, names[i], make("b", {}, now == null ? "–" : show(now))));
  });
  byId(id).replaceChildren(svg, legend);
}

const isAway = (node) => node.state === "DEAD" || node.state === "SUSPECT";

function lagText(node) {
  if (isAway(node)) return node.silent_ms === null ? "away" : `away for ${duration(node.silent_ms / 1000)}`;
  if (node.link_up === false) return "no connection";
  // It reports twice a second: who is up to date with its reports keeps up.
  if (node.lag === 0 || (node.lag_ms !== null && node.lag_ms < IN_STEP_MS)) return "in step";
  return `${count(node.lag)} behind${node.lag_ms === null ? "" : `, ${duration(node.lag_ms / 1000)}`}`;
}

function drawPicture(nodes) {
  const [cx, cy, rx, ry] = [260, 158, nodes.length > 1 ? 165 : 0, nodes.length > 1 ? 104 : 0];
  const radius = nodes.length > 7 ? 24 : 36;
  const own = nodes.findIndex((n) => n.own);
  // This node on top.
  const placed = nodes.map((node, i) => {
    const angle = ((i - own) / nodes.length) * 2 * Math.PI - Math.PI / 2;
    return { node, x: cx + rx * Math.cos(angle), y: cy + ry * Math.sin(angle) };
  });
  const links = placed.filter((p) => !p.node.own && own >= 0).map(({ node, x, y }) => {
    const [fx, fy] = [placed[own].x, placed[own].y];
    const kind = isAway(node) || node.link_up === false ? "down" : node.lag_ms === null || node.lag_ms > 5000 ? "slow" : "up";
    const text = lagText(node);
    const [mx, my] = [fx + (x - fx) * 0.52, fy + (y - fy) * 0.52];
    const width = text.length * 6.6 + 10;
    return make("g", { class: `link ${kind}` },
      make("line", { x1: fx, y1: fy, x2: x, y2: y }),
      make("rect", { x: mx - width / 2, y: my - 10, width, height: 20, rx: 5 }),
      make("text", { x: mx, y: my + 4 }, text));
  });
  const circles = placed.map(({ node, x, y }) => {
    const kind = isAway(node) ? "away" : node.state === "JOINING" ? "joining" : "alive";
    const id = node.id.length > 6 ? `…${node.id.slice(-4)}` : node.id;
    return make("g", { class: `node ${kind}${node.own ? " own" : ""}`, "data-id": node.id },
      make("circle", { cx: x, cy: y, r: radius }),
      make("text", { class: "id", x, y: y + 5 }, id),
      make("text", { class: "address", x, y: node.own ? y - radius - 8 : y + radius + 17 },
        node.own ? `${node.address} (this)` : node.address));
  });
  const [top, bottom] = [Math.min(...placed.map((p) => p.y)) - radius - 24, Math.max(...placed.map((p) => p.y)) + radius + 26];
  byId("picture").setAttribute("viewBox", `0 ${top} 520 ${bottom - top}`);
  byId("picture").replaceChildren(...links, ...circles);
}

function drawTable(nodes) {
  const ago = (ms) => (ms === null ? "never" : ms < 1000 ? "now" : `${duration(ms / 1000)} ago`);
  // A clock that is behind and one that has not ticked since look the same; only one that is ahead does harm.
  const clock = (ms) => (ms < 2 ? "–" : duration(ms / 1000));
  byId("nodes").replaceChildren(...nodes.map((node) => {
    const tone = isAway(node) ? "bad-text" : node.state === "ALIVE" ? "good-text" : "warn-text";
    const cell = (text, of = "") => make("td", { class: of }, text);
    return make("tr", {},
      cell(node.own ? `${node.id} (this)` : node.id), cell(node.address), cell(node.state.toLowerCase(), tone),
      cell(node.voter ? "yes" : "no"), cell(node.own ? "" : count(node.lag), "n"),
      cell(node.own ? "" : node.lag_ms === null ? "?" : duration(node.lag_ms / 1000), "n"),
      cell(node.own ? "" : ago(node.silent_ms), "n"),
      cell(node.own ? "" : clock(node.clock_ahead_ms), "n"));
  }));
}

function drawTiles(status) {
  const n = status.numbers;
  const commits = (n.one_round ?? 0) + (n.two_rounds ?? 0);
  const tiles = {
    "Clients": count(n.connections ?? 0),
    "Open transactions": count(n.open_transactions ?? 0),
    "Oldest of them": n.oldest_transaction_ms ? duration(n.oldest_transaction_ms / 1000) : "–",
    "Held until decided": count(n.intents ?? 0),
    "Waiting for others": count(n.parked ?? 0),
    "Being recovered": count(n.recovering ?? 0),
    "Decided, not in files": count(n.backlog ?? 0),
    "Not here yet": count(n.lacking ?? 0),
    "Commits in one round": commits ? `${Math.round((100 * n.one_round) / commits)} %` : "–",
    "Slow statements": count(n.slow ?? 0),
    "Redo log": bytes(n.redo_bytes ?? 0),
    "Free on disk": bytes(n.free_bytes ?? 0),
  };
  byId("tiles").replaceChildren(...Object.entries(tiles).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function verdict(good, text) {
  byId("verdict").className = good ? "good" : "bad";
  byId("verdict").textContent = text;
  document.title = `${good ? "" : "● "}Marmot${last?.node ? ` ${last.node}` : ""}`;
}

function draw(status) {
  const parts = [status.node && `node ${status.node}`, `version ${status.version}`];
  if (status.uptime_ms !== null) parts.push(`up ${duration(status.uptime_ms / 1000)}`);
  if (status.voters) parts.push(`${status.alive_voters} of ${status.voters} voters alive`);
  byId("identity").textContent = parts.filter(Boolean).join(" · ");
  verdict(status.not_ready === null, status.not_ready === null ? "Ready" : "Not ready");
  showProblems(status.problems);
  drawPicture(status.nodes);
  drawTable(status.nodes);
  drawTiles(status);
  chart("throughput", ["reads", "writes", "COMMITs"], count);
  chart("latency", ["reads", "writes", "COMMITs"], duration);
  chart("conflicts", ["retried", "told the client", "merged away", "aborted"], count);
  chart("phases", ["prepare", "accept", "apply", "disk sync"], duration);
}

function showProblems(problems) {
  byId("problems").replaceChildren(...problems.map((p) => make("li", { class: p.bad ? "bad" : "" }, p.text)));
}

async function ask() {
  try {
    const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    const status = await answer.json();
    silentSince = null;
    remember(status, performance.now());
    draw(status);
  } catch (error) {
    silentSince ??= new Date();
    verdict(false, "No answer");
    const since = silentSince.toLocaleTimeString();
    showProblems([{ bad: true, text: `This node has not answered since ${since}: what is shown is old. (${error.message})` }]);
  }
  setTimeout(ask, EVERY_MS);
}

ask();
