// Somebody who asks WordPress without looking: plain requests and its REST interface, with the cookies of a login.

const SHOWN = 300; // characters of an answer that is not as it should be

export class Person {
  #nonce = null;

  /** `request` is Playwright's: a window's own (which then shares its login), or one without a window. */
  constructor(request, site) {
    this.request = request;
    this.site = site;
  }

  async ask(node, path, options = {}) {
    const answer = await this.request.fetch(this.site(node) + path, { timeout: 60_000, ...options });
    return { status: answer.status(), body: await answer.text(), url: answer.url() };
  }

  async logIn(node, user, password) {
    await this.ask(node, "/wp-login.php");
    const form = { log: user, pwd: password, testcookie: "1", redirect_to: `${this.site(node)}/wp-admin/` };
    need(await this.ask(node, "/wp-login.php", { method: "POST", form }), ["wp-admin-bar"]);
  }

  /** The answer of the REST interface, decoded; anything but success is an error. */
  async rest(node, route, data, method = data ? "POST" : "GET") {
    if (!this.#nonce) {
      const { body } = await this.ask(node, "/wp-admin/admin-ajax.php?action=rest-nonce");
      if (!/^[0-9a-f]{10}$/.test(body.trim())) throw new Error(`no nonce: ${body.slice(0, SHOWN)}`);
      this.#nonce = body.trim();
    }
    const options = { method, data, headers: { "X-WP-Nonce": this.#nonce } };
    const answer = await this.ask(node, `/index.php?rest_route=${route}`, options);
    if (answer.status >= 300) throw new Error(describe(answer));
    return JSON.parse(answer.body);
  }
}

function describe({ status, url, body }) {
  const text = body.replace(/<(script|style)[\s\S]*?<\/\1>|<[^>]+>/g, " ").replace(/\s+/g, " ");
  return `HTTP ${status} from ${url}: ${text.slice(0, SHOWN)}`;
}

/** An answer with this status (200 unless told), all of the texts and none of the absent ones. */
export function need(answer, texts, { absent = [], status = 200 } = {}) {
  const missing = texts.filter((text) => !answer.body.includes(text));
  const unwanted = absent.filter((text) => answer.body.includes(text));
  if (answer.status !== status || missing.length || unwanted.length) {
    throw new Error(`missing ${JSON.stringify(missing)}, unwanted ${JSON.stringify(unwanted)}: ${describe(answer)}`);
  }
  return answer;
}
