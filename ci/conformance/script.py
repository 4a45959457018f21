"""Reads a mysqltest file as a list of statements, as far as it can be read without running it.

What cannot (conditions and loops, statements with variables whose values are made at run time, users, files) is kept with
a reason why it is skipped.
"""

import re
from dataclasses import dataclass, field

# Commands of mysqltest, by what becomes of them here. Everything else that begins a statement is SQL.
STATEMENTS = {"eval", "evalp", "query", "query_vertical", "query_horizontal", "send", "send_eval"}
IGNORED = set(
    """append_file assert cat_file change_user character_set chmod_file copy_file copy_files_wildcard die diff_files
    dirty_close disable_abort_on_error disable_async_client disable_column_names disable_connect_log disable_cursor_protocol
    disable_info disable_metadata disable_non_blocking_api disable_prepare_warnings disable_ps2_protocol disable_ps_protocol
    disable_query_log disable_reconnect disable_result_log disable_rpl_parse disable_service_connection
    disable_session_track_info disable_testcase disable_view_protocol disable_warnings echo enable_abort_on_error
    enable_async_client enable_column_names enable_connect_log enable_cursor_protocol enable_info enable_metadata
    enable_non_blocking_api enable_prepare_warnings enable_ps2_protocol enable_ps_protocol enable_query_log
    enable_reconnect enable_result_log enable_rpl_parse enable_service_connection enable_session_track_info
    enable_testcase enable_view_protocol enable_warnings error exec file_exists horizontal_results list_files
    list_files_append_file list_files_write_file lowercase_result mkdir move_file optimizer_trace output perl ping
    query_attributes query_get_value real_sleep reap remove_file remove_files_wildcard require reset_connection
    result_format rmdir save_master_pos send_quit send_shutdown shutdown_server skip sleep source start_timer
    sync_slave_with_master sync_with_master system vertical_results wait_for_slave_to_stop write_file""".split()
)
KNOWN = STATEMENTS | IGNORED | set(
    """connect connection disconnect delimiter dec disable_parsing enable_parsing end exit if inc let replace_column
    replace_numeric_round replace_regex replace_result sorted_result while""".split()
)
# Commands that are followed by lines which end with one that says EOF.
WITH_BODY = {"perl", "write_file", "append_file"}


@dataclass
class Step:
    """A statement, or the opening or closing of a session (`action`), on the session called `session`."""

    line: int
    sql: str
    session: str
    skipped: str = ""
    action: str = ""
    # What the file says of the result: hidden columns, any order, texts that are replaced.
    hidden: list = field(default_factory=list)
    sorted: bool = False
    vague: bool = False


class Reader:
    """The text of a file, handed out in pieces: commands after `--`, statements, braces."""

    def __init__(self, text):
        self.text, self.at, self.line, self.delimiter = text, 0, 1, ";"

    def skip(self, end):
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def end_of_line(self):
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end

    def body(self):
        """Skips the lines up to EOF."""
        end = re.compile(r"^EOF[ \t\r]*$", re.M).search(self.text, self.at)
        self.skip(end.end() if end else len(self.text))

    def statement(self):
        """Up to the delimiter, without what is a comment for mysqltest; quotes and comments of SQL are respected."""
        text, at, out, quote = self.text, self.at, [], ""
        while at < len(text):
            c = text[at]
            if quote:
                step = 2 if c == "\\" and quote != "`" else 1
                quote = "" if c == quote else quote
            elif text.startswith(self.delimiter, at):
                break
            elif c == "#" or re.compile(r"--[ \t\n]").match(text, at):
                end = text.find("\n", at)
                at = len(text) if end < 0 else end
                continue
            elif text.startswith("/*", at):
                end = text.find("*/", at + 2)
                step = (len(text) if end < 0 else end + 2) - at
            else:
                step, quote = 1, c if c in "'\"`" else ""
            out.append(text[at : at + step])
            at += step
        self.skip(min(len(text), at + len(self.delimiter)))
        return "".join(out)

    def condition(self):
        """Skips a parenthesis with what is in it."""
        depth, at = 0, self.text.index("(", self.at)
        while at < len(self.text):
            depth += {"(": 1, ")": -1}.get(self.text[at], 0)
            at += 1
            if depth == 0:
                break
        self.skip(at)


class Script:
    """The steps of one file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            raw = file.read()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        self.reader = Reader(text)
        self.steps, self.variables = [], {}
        self.sessions, self.session = {"default"}, "default"
        # With statements that are sent and reaped later, several sessions cannot be followed one after the other.
        self.one_session = bool(re.search(r"^\s*(--)?\s*(send|reap|send_eval)\b", text, re.M))
        self.depth, self.parsing, self.over = 0, True, False
        self.notes = {}
        while not self.over and self.reader.at < len(text):
            self.piece()

    def piece(self):
        r = self.reader
        text, at = r.text, r.at
        c = text[at]
        if c.isspace():
            return r.skip(at + 1)
        if text.startswith(r.delimiter, at):
            return r.skip(at + len(r.delimiter))
        if c in "{}":
            self.depth = max(0, self.depth - (c == "}"))
            return r.skip(at + 1)
        line = text[at : r.end_of_line()]
        if c == "#" or (not self.parsing and not re.match(r"(--\s*)?enable_parsing", line)):
            return r.skip(r.end_of_line())
        where = r.line
        if line.startswith("--"):
            r.skip(r.end_of_line())
            found = re.match(r"--\s*(\w+)[ \t]*(.*)", line)
            name = found.group(1).lower() if found else ""
            if name in ("if", "while"):
                self.depth += 1
            elif name in KNOWN:
                self.command(name, found.group(2).rstrip(), where)
            return None
        if re.match(r"(if|while)\s*\(", line, re.I):
            self.depth += 1
            return r.condition()
        statement = r.statement()
        found = re.match(r"(\w+)\b\s*(.*)", statement, re.S)
        name = found.group(1).lower() if found else ""
        if name not in KNOWN or (name == "end" and r.delimiter != ";"):
            return self.add(statement, where)
        return self.command(name, found.group(2), where)

    def command(self, name, argument, where):
        if name in STATEMENTS:
            sql, unknown = self.substituted(argument) if "eval" in name else (argument, False)
            self.add(sql, where, "send" if name.startswith("send") else "variable" if unknown else "")
        elif name in ("replace_result", "replace_regex", "replace_numeric_round"):
            self.notes["vague"] = True
        elif name == "replace_column":
            self.notes["hidden"] = [int(n) - 1 for n in argument.split()[::2] if n.isdigit()]
        elif name == "sorted_result":
            self.notes["sorted"] = True
        elif name == "let":
            self.let(argument)
        elif name in ("inc", "dec"):
            self.variables.pop(argument.strip().lstrip("$"), None)
        elif name == "delimiter":
            wanted = argument.strip() or ";"
            self.reader.delimiter = wanted.removesuffix(";") or wanted if wanted != ";;" else wanted
        elif name in ("disable_parsing", "enable_parsing"):
            self.parsing = name == "enable_parsing"
        elif name in ("connect", "connection", "disconnect"):
            getattr(self, name)(argument, where)
        elif name == "exit" and self.depth == 0:
            self.over = True
        if name in WITH_BODY:
            self.reader.body()

    def let(self, argument):
        found = re.match(r"\$?(\w+)\s*=\s*(.*)", argument, re.S)
        if not found:
            return
        value, unknown = self.substituted(found.group(2).strip())
        if unknown or self.depth or value.startswith("`") or "query_get_value" in value:
            self.variables.pop(found.group(1), None)
        else:
            self.variables[found.group(1)] = value

    def substituted(self, text):
        """The text with the values of its variables, and whether one of them is not known."""
        names = re.findall(r"\$(\w+)", text)
        unknown = any(name not in self.variables for name in names)
        return re.sub(r"\$(\w+)", lambda m: self.variables.get(m.group(1), m.group(0)), text), unknown

    def connect(self, argument, where):
        parts = [part.strip().strip("'\"`*") for part in argument.strip().strip("()").split(",")] + [""] * 8
        self.session = parts[0]
        simple = parts[2] in ("", "root") and not parts[3] and not parts[7] and "$" not in parts[0] + parts[4]
        if simple and not self.depth and not self.one_session:
            self.sessions.add(self.session)
            self.steps.append(Step(where, parts[4] or "test", self.session, action="connect"))

    def connection(self, argument, _):
        self.session = argument.strip()

    def disconnect(self, argument, where):
        name = argument.strip()
        if name in self.sessions and not self.depth:
            self.steps.append(Step(where, "", name, action="disconnect"))
            self.sessions -= {name} - {"default"}

    def add(self, sql, where, skipped=""):
        sql, notes, self.notes = sql.strip(), self.notes, {}
        if self.depth:
            skipped = "block"
        elif self.session not in self.sessions:
            skipped = skipped or "session"
        if sql:
            self.steps.append(Step(where, sql, self.session, skipped, **notes))
