"""A person with a browser, and the list of what was checked. Standard library only."""

import html
import http.cookiejar
import json
import re
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request


class Answer:
    def __init__(self, status, body, url):
        self.status, self.body, self.url = status, body, url

    def __str__(self):
        text = re.sub(r"\s+", " ", re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", self.body, flags=re.S))
        return f"HTTP {self.status} from {self.url}: {html.unescape(text)[:300]}"


class Browser:
    """One cookie jar for all web servers, as of a browser behind a load balancer."""

    def __init__(self, sites):
        self.sites = sites
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self.nonce = None

    def ask(self, node, path, form=None, js=None, method=None):
        data, headers = None, {}
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        if js is not None:
            data, headers["Content-Type"] = json.dumps(js).encode(), "application/json"
        if self.nonce:
            headers["X-WP-Nonce"] = self.nonce
        request = urllib.request.Request(self.sites[node] + path, data, headers, method=method)
        try:
            response = self.opener.open(request, timeout=60)
        except urllib.error.HTTPError as error:
            response = error
        return Answer(response.status, response.read().decode("utf8", "replace"), response.url)

    def log_in(self, node, user, password):
        self.ask(node, "/wp-login.php")
        form = {"log": user, "pwd": password, "testcookie": 1, "wp-submit": "Log In"}
        form["redirect_to"] = self.sites[node] + "/wp-admin/"
        answer = self.ask(node, "/wp-login.php", form)
        need(answer, "wp-admin-bar")
        nonce = self.ask(node, "/wp-admin/admin-ajax.php?action=rest-nonce").body.strip()
        if not re.fullmatch(r"[0-9a-f]{10}", nonce):
            raise AssertionError(f"no nonce: {nonce[:200]}")
        self.nonce = nonce

    def rest(self, node, route, js=None, method=None, want=(200, 201)):
        """The answer of WordPress's REST interface, decoded."""
        answer = self.ask(node, "/index.php?rest_route=" + route, js=js, method=method)
        if answer.status not in want:
            raise AssertionError(str(answer))
        return json.loads(answer.body)


def need(answer, *texts, absent=(), status=200):
    missing = [text for text in texts if text not in answer.body]
    unwanted = [text for text in absent if text in answer.body]
    if answer.status != status or missing or unwanted:
        raise AssertionError(f"missing {missing}, unwanted {unwanted}: {answer}")
    return answer


def seen(ask, within=1.0):
    """Repeats a check until it holds. The last attempt that counts starts `within` seconds from now, no later."""
    started = time.monotonic()
    while True:
        attempt = time.monotonic() - started
        try:
            return ask()
        except AssertionError as error:
            if attempt > within:
                raise AssertionError(f"not seen within {within} s: {error}") from error
            time.sleep(0.02)


class Report:
    """Runs steps one after the other, whatever became of the ones before."""

    def __init__(self):
        self.passed = self.failed = 0

    def step(self, name, check):
        started = time.monotonic()
        try:
            check()
            result, note = "ok", ""
            self.passed += 1
        except Exception as error:  # a step that breaks is a failed step, and says how
            result, note = "FAILED", f"  {type(error).__name__}: {error}"
            if not isinstance(error, AssertionError):
                note += "\n" + traceback.format_exc()
            self.failed += 1
        ms = (time.monotonic() - started) * 1000
        print(f"test {name} ... {result} ({ms:.0f} ms){note}", flush=True)

    def close(self):
        """The closing line, in the form that ci/all.sh adds up; the exit code."""
        word = "ok" if self.failed == 0 else "FAILED"
        print(f"test result: {word}. {self.passed} passed; {self.failed} failed;", flush=True)
        return 1 if self.failed else 0
