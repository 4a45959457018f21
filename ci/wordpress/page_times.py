"""How long pages take on one WordPress and on another with the same content, request by request in turn.

    page_times.py NAME=URL NAME=URL ROUNDS     the first is compared with the second; what is not installed is installed first
"""

import statistics
import sys
import time

from browser import Browser, need

PASSWORD = "Setts-and-sounds-1"


def installed(site):
    """Logs in; installs first if that was not done. Makes one post."""
    browser = Browser({1: site})
    form = {"weblog_title": "Times", "user_name": "admin", "admin_password": PASSWORD, "admin_password2": PASSWORD}
    form |= {"pw_weak": "on", "admin_email": "a@example.com", "blog_public": 0, "language": ""}
    if "weblog_title" in browser.ask(1, "/wp-admin/install.php").body:
        need(browser.ask(1, "/wp-admin/install.php?step=2", form), "Success!")
    browser.log_in(1, "admin", PASSWORD)
    made = browser.rest(1, "/wp/v2/posts", {"title": "Timed", "status": "publish", "content": "Some words"})
    return browser, made["id"]


PAGES = {
    "home page": lambda b, post, n: need(b.ask(1, "/"), "Timed"),
    "post": lambda b, post, n: need(b.ask(1, f"/?p={post}"), "Some words"),
    "search": lambda b, post, n: need(b.ask(1, "/?s=words"), "Timed"),
    "posts in wp-admin": lambda b, post, n: need(b.ask(1, "/wp-admin/edit.php"), "Timed"),
    "edit a post": lambda b, post, n: b.rest(1, f"/wp/v2/posts/{post}", {"content": f"Some words, edition {n}"}),
    "comment": lambda b, post, n: b.rest(1, "/wp/v2/comments", {"post": post, "content": f"Comment {n}"}),
}


def main():
    sites = [argument.split("=", 1) for argument in sys.argv[1:3]]
    rounds = int(sys.argv[3])
    people = [installed(url) for _, url in sites]
    times = {page: ([], []) for page in PAGES}
    for number in range(rounds + 1):
        for page, visit in PAGES.items():
            # Whoever goes first changes from round to round; the first round only warms up.
            for place in ((0, 1), (1, 0))[number % 2]:
                started = time.monotonic()
                visit(*people[place], number)
                if number > 0:
                    times[page][place].append((time.monotonic() - started) * 1000)
    print(f"{'page, median ms of ' + str(rounds):32} {sites[0][0]:>10} {sites[1][0]:>10}  ratio")
    sums = [0.0, 0.0]
    for page, pair in times.items():
        medians = [statistics.median(values) for values in pair]
        sums = [total + median for total, median in zip(sums, medians)]
        print(f"{page:32} {medians[0]:10.1f} {medians[1]:10.1f}  {medians[0] / medians[1]:5.2f}")
    ratio = sums[0] / sums[1]
    verdict = "met" if ratio <= 1.5 else "NOT MET"
    print(f"{'sum':32} {sums[0]:10.1f} {sums[1]:10.1f}  {ratio:5.2f}  (target: at most 1.5; {verdict})")


main()
