"""A WordPress that is not yet installed, on three Marmot nodes, driven as people would.

    drive.py RUN_SH CLUSTER_DATA WEB_BASE

Whatever is done through one web server must be seen through the others within a second. On the way node 3 is killed
(SIGKILL) under writes, and brought back with `RUN_SH up`.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time

from browser import Browser, Report, need, seen

RUN, DATA, WEB_BASE = sys.argv[1], sys.argv[2], int(sys.argv[3])
SITES = {node: f"http://127.0.0.1:{WEB_BASE + node}" for node in (1, 2, 3)}
TITLE, WORD, PASSWORD = "Quorum of badgers", "xylophonic", "Setts-and-sounds-1"
BODY = f"<!-- wp:paragraph --><p>A {WORD} tale: it's \\ 100% \"quoted\" — 🦡 ünïcode.</p><!-- /wp:paragraph -->"
ALL = (1, 2, 3)

report = Report()
admin, guest = Browser(SITES), Browser(SITES)
post = {}
written = {"acknowledged": 0, "failed": []}


def on(nodes, path, *texts, who=guest, **options):
    """Every one of the nodes shows it within a second from now."""
    for node in nodes:
        seen(lambda: need(who.ask(node, path), *texts, **options))


def page():
    return f"/?p={post['id']}"


def install():
    form = {"weblog_title": "Three nodes", "user_name": "admin", "admin_password": PASSWORD}
    form |= {"admin_password2": PASSWORD, "pw_weak": "on", "admin_email": "a@example.com", "blog_public": 0}
    need(guest.ask(1, "/wp-admin/install.php?step=2", form | {"language": ""}), "Success!")
    on(ALL, "/", "Three nodes", "Hello world!")


def wrong_password():
    need(guest.ask(3, "/wp-login.php", {"log": "admin", "pwd": "no"}), "login_error")


def publish():
    draft = need(admin.ask(2, "/wp-admin/post-new.php"), "post_ID")
    post["id"] = int(re.search(r"name='post_ID' value='(\d+)'", draft.body).group(1))
    post["category"] = admin.rest(2, "/wp/v2/categories", {"name": "Setts", "description": "homes"})["id"]
    post["tag"] = admin.rest(2, "/wp/v2/tags", {"name": "nocturnal"})["id"]
    fields = {"title": TITLE, "status": "publish", "content": BODY}
    fields |= {"categories": [post["category"]], "tags": [post["tag"]]}
    admin.rest(2, f"/wp/v2/posts/{post['id']}", fields)


def comment(node, text, **author):
    form = {"comment": text, "comment_post_ID": post["id"], "comment_parent": 0, "submit": "Post Comment"}
    need(guest.ask(node, "/wp-comments-post.php", form | author), absent=["wp-die-message"])


def follow(node, path, link, *texts):
    """Opens a page of the administration and follows the link on it that the pattern finds."""
    answer = admin.ask(node, path)
    found = re.search(f'href=["\']([^"\']*{link}[^"\']*)["\']', answer.body)
    if not found:
        raise AssertionError(f"no link {link} on {answer}")
    url = found.group(1).replace("&amp;", "&").replace("&#038;", "&").removeprefix(SITES[node])
    return need(admin.ask(node, url if url.startswith("/") else "/wp-admin/" + url), *texts)


def moderate():
    on([1], "/wp-admin/edit-comments.php", "Held for moderation", who=admin)
    follow(1, "/wp-admin/edit-comments.php", r"comment\.php\?[^\"']*action=approvecomment")
    on(ALL, page(), "Held for moderation", who=Browser(SITES))


def write_on(node, until):
    count = 0
    while not until.is_set():
        count += 1
        text = f"Comment {count} through node {node}"
        try:
            admin.rest(node, "/wp/v2/comments", {"post": post["id"], "content": text})
            written["acknowledged"] += 1
        except Exception as error:
            written["failed"].append(f"node {node}: {error}")


def kill_under_writes():
    """Both nodes that live on go on writing, without one error."""
    until = threading.Event()
    writers = [threading.Thread(target=write_on, args=(node, until)) for node in (1, 2)]
    for writer in writers:
        writer.start()
    time.sleep(1)
    with open(f"{DATA}/node3.pid", encoding="ascii") as file:
        os.kill(int(file.read()), signal.SIGKILL)
    before = written["acknowledged"]
    time.sleep(2)
    until.set()
    for writer in writers:
        writer.join()
    if written["failed"] or before == 0 or written["acknowledged"] < before + 5:
        raise AssertionError(f"{before} comments written before, then {written}")


def edit_while_down():
    admin.rest(1, f"/wp/v2/posts/{post['id']}", {"title": TITLE + " II"})
    on((1, 2), "/", TITLE + " II")
    user = {"username": "brock", "email": "b@example.com", "password": "pw-Brock-1", "roles": ["editor"]}
    admin.rest(2, "/wp/v2/users", user)
    admin.rest(1, "/wp/v2/settings", {"title": "Three nodes, renamed"})
    on((1, 2), "/", "Three nodes, renamed")


def bring_back():
    subprocess.run([RUN, "up"], check=True, stdout=subprocess.DEVNULL)
    on([3], "/", TITLE + " II", "Three nodes, renamed")


def count_comments():
    for node in ALL:
        answer = admin.ask(node, f"/wp-admin/edit-comments.php?p={post['id']}&comment_status=approved")
        total = int(re.search(r'displaying-num">([\d,]+) items?<', answer.body).group(1).replace(",", ""))
        if total != written["acknowledged"] + 1:
            acknowledged = written["acknowledged"]
            raise AssertionError(f"node {node} has {total} comments, not {acknowledged} acknowledged and a guest's")


def revisions():
    for node in ALL:
        found = admin.rest(node, f"/wp/v2/posts/{post['id']}/revisions")
        titles = {revision["title"]["rendered"] for revision in found}
        if not {TITLE, TITLE + " II", TITLE + " III"} <= titles:
            raise AssertionError(f"node {node} has revisions {titles}")


def edit_back():
    admin.rest(3, f"/wp/v2/posts/{post['id']}", {"title": TITLE + " III"})
    on(ALL, page(), TITLE + " III", WORD)


def archives():
    need(admin.ask(1, "/wp-admin/options-permalink.php"), "permalink_structure")
    month = time.strftime("/?m=%Y%m", time.gmtime())
    for path in (f"/?cat={post['category']}", "/?tag=nocturnal", month, "/?feed=rss2"):
        on(ALL, path, TITLE + " III")


def search():
    on(ALL, f"/?s={WORD}", TITLE + " III")
    on(ALL, "/?s=zzznothing", absent=[TITLE])
    listed = "/wp-admin/edit.php?s=badgers&post_status=all&post_type=post&orderby=title&order=desc"
    on(ALL, listed, TITLE + " III", who=admin)


def new_user():
    on(ALL, "/wp-admin/users.php", "brock", who=admin)
    Browser(SITES).log_in(3, "brock", "pw-Brock-1")


def new_page():
    made = admin.rest(3, "/wp/v2/pages", {"title": "About setts", "status": "publish", "content": "Deep down"})
    on(ALL, f"/?page_id={made['id']}", "About setts", "Deep down")


def delete():
    follow(1, "/wp-admin/edit.php", rf"post\.php\?post={post['id']}&amp;action=trash", "1 post moved to the Trash")
    on(ALL, "/", absent=[TITLE])
    admin.rest(2, f"/wp/v2/posts/{post['id']}&force=true", method="DELETE")
    on(ALL, page(), status=404)


def no_errors_logged():
    """WordPress logs every refused statement; a node logs what it cannot do."""
    for node in ALL:
        for path, pattern in ((f"wordpress{node}.log", "WordPress database error.*"), (f"web{node}.log", "PHP Fatal.*"),
                              (f"node{node}/marmot.log", r".*\bERROR\b.*")):
            if not os.path.exists(f"{DATA}/{path}"):
                raise AssertionError(f"there is no {path}")
            with open(f"{DATA}/{path}", encoding="utf8", errors="replace") as file:
                found = re.findall(pattern, file.read())
            if found:
                raise AssertionError(f"{path}: {len(found)} errors, the first: {found[0][:500]}")


step = report.step
step("install_form", lambda: need(guest.ask(1, "/wp-admin/install.php"), "weblog_title"))
step("install_on_1", install)
step("first_post_has_id_1_and_its_comment", lambda: on(ALL, "/?p=1", "Hello world!", "A WordPress Commenter"))
step("wrong_password_is_refused_on_3", wrong_password)
step("log_in_on_2", lambda: admin.log_in(2, "admin", PASSWORD))
step("the_login_holds_on_all", lambda: on(ALL, "/wp-admin/", "Dashboard", who=admin))
step("publish_on_2", publish)
step("read_on_all", lambda: on(ALL, page(), TITLE, WORD, "🦡 ünïcode", "Setts", "nocturnal"))
step("comment_on_3", lambda: comment(3, "Held for moderation", author="Guest", email="g@example.com", url=""))
step("a_comment_is_held", lambda: on(ALL, page(), absent=["Held for moderation"], who=Browser(SITES)))
step("moderate_on_1", moderate)
step("kill_node_3_under_writes", kill_under_writes)
step("web_3_says_so", lambda: need(guest.ask(3, "/"), "Error establishing a database connection", status=500))
step("edit_while_node_3_is_down", edit_while_down)
step("bring_node_3_back", bring_back)
step("acknowledged_comments_are_on_all", count_comments)
step("edit_on_3", edit_back)
step("revisions_on_all", revisions)
step("search_on_all", search)
step("archives_on_all", archives)
step("new_user_on_all_logs_in_on_3", new_user)
step("new_page_on_3", new_page)
step("delete_on_1_and_2", delete)
step("no_errors_are_logged", no_errors_logged)
sys.exit(report.close())
