"""How far Marmot answers as MariaDB does, statement by statement, over files of MariaDB's own test suite.

    measure.py --reference PORT --marmot PORT --suite FOLDER [--table FILE] [--differences FILE] [NAME...]

Both servers are throw-away ones: their databases are dropped before each file. A statement agrees if both fail with the
same error number, or both succeed with the same column names and the same rows as text, in the same order if the outermost
level of the statement has ORDER BY. "Queries" are the statements that return rows at the reference.

Prints a line for each file, and at the end `test result:`, as the other steps do: what reaches its floor (floors.json)
passes. --raise lifts the floors to a little below what was measured; it never lowers one.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import re
import sys

from script import Script
from server import Server

HERE = os.path.dirname(os.path.abspath(__file__))

# What the totals, and each file, must reach, in percent.
FLOORS = os.path.join(HERE, "floors.json")
# How far below what was measured the floors are set: answers that depend on time and machine vary so much.
SLACK = {"agree": 0.5, "queries": 0.5, "file": 3.0}
# A file of fewer statements says too little.
FEWEST = 20

# Statements whose answers are no contract: plans, statistics, accounts, replication, files, and what would change the server
# for the files after it.
NO_CONTRACT = re.compile(
    r"""
    ^\s*(
        explain | desc(ribe)?\s+(select|extended|format) | help | handler | kill | shutdown | flush | reset | cache
      | analyze\s+(format|select|update|delete|insert|with|table|(local|no_write_to_binlog)\s+table)
      | check | checksum | repair | optimize | backup | purge | load\s+index | install | uninstall
      | show\s+((global|session|local)\s+)?(
            status | engines? | processlist | profiles? | plugins | open | grants | master | slave | replica | binary | binlog
          | all | (index|table|user|client)_stat | privileges | authors | contributors | explain)
      | set\s+(global\b|@@global\b|@@(global)\b) | set\s+(password|role|default\s+role)
      | grant | revoke | (drop|create|create\s+or\s+replace)\s+(user|role|server) | rename\s+user
      | create\s+(or\s+replace\s+)?function\s+\S+\s+returns\s+\w+\s+soname
      | change\s+master | (start|stop)\s+slave
    )\b
  | last_query_cost | optimizer_switch | optimizer_trace | debug_dbug | performance_schema\. | mysqltest_vardir
  | \b(outfile|dumpfile)\b | load\s+(data|xml) | (load_file|sleep)\s*\( | \b(get_lock|benchmark)\s*\(
  | ^\s*use\s+`?mysql`?\s*$
  | ^\s*(drop|alter|rename|truncate|delete|update|insert|replace|create|lock)\b.*\bmysql`?\s*\.\s*`?\w+
    """,
    re.I | re.X,
)


def outermost(sql):
    """The statement without what is in quotes, comments or parentheses."""
    text = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|/\*.*?\*/", "?", sql, flags=re.S)
    while True:
        shorter = re.sub(r"\([^()]*\)", " ", text)
        if shorter == text:
            return text
        text = shorter


def in_any_order(rows):
    return sorted(rows, key=lambda row: [(v is not None, v if isinstance(v, bytes) else str(v).encode()) for v in row])


def masked(rows, hidden):
    return [tuple(None if i in hidden else v for i, v in enumerate(row)) for row in rows]


def difference(step, reference, marmot):
    """What kind of difference there is between two answers; empty if they agree."""
    if marmot.lost() or reference.lost():
        return "connection lost" if not reference.lost() else ""
    if reference.error is not None or marmot.error is not None:
        if reference.error == marmot.error:
            return ""
        if reference.error is None:
            return "table missing since an earlier statement" if marmot.error == 1146 else "refused"
        return "accepted" if marmot.error is None else "another error"
    if len(reference.results) != len(marmot.results):
        return "another number of results"
    ordered = re.search(r"\border\s+by\b", outermost(step.sql), re.I) and not step.sorted
    for wanted, got in zip(reference.results, marmot.results):
        if (wanted is None) != (got is None):
            return "another number of results"
        if wanted is None:
            continue
        if wanted[0] != got[0]:
            return "column names"
        if len(wanted[1]) != len(got[1]):
            return "rows"
        if step.vague:
            continue
        left, right = masked(wanted[1], step.hidden), masked(got[1], step.hidden)
        if left != right and in_any_order(left) != in_any_order(right):
            return "rows"
        if left != right and ordered:
            return "order"
    return ""


def names_in(path):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


class Measurement:
    def __init__(self, options):
        self.reference, self.marmot = Server(options.reference), Server(options.marmot)
        # MySQL's default is stricter than MariaDB's: both are asked under the same.
        ((mode,),) = self.reference.run_alone("SELECT @@global.sql_mode")
        self.marmot.run_alone(f"SET GLOBAL sql_mode = '{mode}'")
        self.suite = options.suite
        self.unstable = {tuple(line.split()) for line in names_in(os.path.join(HERE, "unstable.txt"))}
        self.differences = open(options.differences, "w", encoding="utf-8") if options.differences else None
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.kinds = collections.Counter()

    def both(self, do):
        return list(self.pool.map(do, (self.reference, self.marmot)))

    def file(self, name):
        """The counts of one file."""
        counts = collections.Counter()
        steps = Script(os.path.join(self.suite, f"{name}.test")).steps
        self.both(lambda server: server.start_file())
        for step in steps:
            if step.action:
                self.both(lambda server: server.carry_out(step))
                continue
            counts["statements"] += 1
            if step.skipped:
                counts["skipped"] += 1
            elif NO_CONTRACT.search(step.sql):
                counts["excluded"] += 1
            else:
                self.statement(name, step, counts)
        return counts

    def statement(self, name, step, counts):
        reference, marmot = self.both(lambda server: server.ask(step))
        if reference.lost() or (name, str(step.line)) in self.unstable:
            counts["excluded"] += 1
            return
        kind = difference(step, reference, marmot)
        counts.update(compared=1, agree=not kind, queries=reference.is_query(), queries_agree=reference.is_query() and not kind)
        if not kind:
            return
        self.kinds[kind] += 1
        if self.differences:
            answers = f"  reference: {reference}\n  marmot:    {marmot}"
            print(f"{name}.test:{step.line} [{kind}]\n  {step.sql[:500]}\n{answers}", file=self.differences)


def share(part, whole):
    return 100 * part / whole if whole else 100.0


def row(name, counts):
    agree, queries = share(counts["agree"], counts["compared"]), share(counts["queries_agree"], counts["queries"])
    left_out = f"{counts['skipped']} | {counts['excluded']}"
    return f"| {name} | {counts['compared']} | {agree:.1f} | {counts['queries']} | {queries:.1f} | {left_out} |"


def table(files, total, kinds):
    """The Markdown page."""
    lines = [
        "# Agreement with MariaDB, statement by statement",
        "",
        "Written by `ci/conformance.sh --write`: each statement of these files of MariaDB's own test suite runs on MariaDB",
        "10.11 and on one Marmot node, both under MariaDB's default `sql_mode`. It agrees if both fail with the same error",
        "number, or both give the same column names and the same rows as text (in order where the statement asks for one).",
        "*Queries* are the statements that return rows.",
        "*Skipped* cannot be run one by one (loops, files, users), *excluded* are no contract (plans, statistics, accounts).",
        "",
        "| file | compared | agree % | queries | agree % | skipped | excluded |",
        "|---|---|---|---|---|---|---|",
        row("**all**", total),
    ]
    lines += [row(name, counts) for name, counts in sorted(files.items())]
    lines += ["", "| what differs | statements |", "|---|---|"]
    lines += [f"| {kind} | {count} |" for kind, count in kinds.most_common()]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=int, required=True)
    parser.add_argument("--marmot", type=int, required=True)
    parser.add_argument("--suite", required=True)
    parser.add_argument("--table")
    parser.add_argument("--differences")
    parser.add_argument("--raise", dest="lift", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    measurement = Measurement(options)
    with open(FLOORS, encoding="utf-8") as file:
        floors = json.load(file)
    files, total, results = {}, collections.Counter(), []

    def test(what, percent, floor):
        results.append(percent >= floor)
        verdict = "ok" if results[-1] else f"FAILED (below {floor} %)"
        print(f"test {what} ({percent:.1f} %) ... {verdict}", flush=True)

    for name in options.names or names_in(os.path.join(HERE, "tests.txt")):
        counts = files[name] = measurement.file(name)
        total.update(counts)
        enough = counts["compared"] >= FEWEST
        test(f"conformance::{name}", share(counts["agree"], counts["compared"]), floors["file"] if enough else 0)
    lowest = [share(c["agree"], c["compared"]) for c in files.values() if c["compared"] >= FEWEST]
    measured = {
        "agree": share(total["agree"], total["compared"]),
        "queries": share(total["queries_agree"], total["queries"]),
        "file": min(lowest, default=100.0),
    }
    if not options.names:
        test("conformance: all statements", measured["agree"], floors["agree"])
        test("conformance: all queries", measured["queries"], floors["queries"])
        if options.lift:
            raised = {name: max(floors[name], round(measured[name] - SLACK[name], 1)) for name in floors}
            with open(FLOORS, "w", encoding="utf-8") as file:
                file.write(json.dumps(raised, indent=2) + "\n")
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.write(table(files, total, measurement.kinds))
    failed = results.count(False)
    verdict = "FAILED" if failed else "ok"
    agree = f"{total['agree']} of {total['compared']} statements and {total['queries_agree']} of {total['queries']} queries agree"
    print(f"\ntest result: {verdict}. {results.count(True)} passed; {failed} failed; {agree}")
    sys.exit(failed > 0)


main()
