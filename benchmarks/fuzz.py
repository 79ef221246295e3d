"""A campaign of damaged files against every reader: ``python benchmarks/fuzz.py --hours 1 --seed 0 --out fuzz``.

Writes ``counts.csv`` (reader, mutation, outcome, cases) and one JSON line an unexpected outcome into ``findings.jsonl``. A case is known by
reader, seed and number: ``--case "snapshot npz" 17`` runs one again. Campaigns with other seeds run side by side; one that is started
again with the same folder and seed goes on where it stopped.
"""

import argparse
import collections
import csv
import faulthandler
import importlib.util
import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

BATCH = 15
"""Cases of one reader before the next one's turn."""

ADDRESS_SPACE = 2 * 1024**3
"""What a process may map beyond what it has after the right files were read, bytes."""


def limit_memory(extra=ADDRESS_SPACE):
    """Let allocations beyond it fail."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + extra
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def work(connection, readers, seed, stderr):
    """Cases that the parent asks for, one by one."""
    import fuzz_cases

    log = open(stderr, "w")
    faulthandler.enable(log)
    for reader in readers:
        fuzz_cases.seed_folder(reader)
    limit_memory()
    try:
        while True:
            order = connection.recv()
            if order is None:
                break
            connection.send(tuple(fuzz_cases.run(order[0], seed, order[1])))
    finally:
        fuzz_cases.forget()


class Campaign:
    def __init__(self, out, seed, readers):
        self.out, self.seed, self.readers = Path(out), seed, readers
        self.out.mkdir(parents=True, exist_ok=True)
        self.state = self.out / "state.json"
        state = json.loads(self.state.read_text()) if self.state.exists() else {"seed": seed, "next": {}, "seconds": 0.0, "counts": []}
        if state["seed"] != seed:
            raise SystemExit(f"{out} holds a campaign with the seed {state['seed']}")
        self.next, self.seconds = collections.Counter(state["next"]), state["seconds"]
        self.counts = collections.Counter({tuple(key): n for *key, n in state["counts"]})
        self.process = None

    def run(self, seconds):
        began, stop, spent = time.monotonic(), time.monotonic() + seconds, self.seconds
        while time.monotonic() < stop:
            for reader in self.readers:
                for _ in range(BATCH):
                    self.one(reader)
                    if time.monotonic() > stop:
                        break
                self.seconds = spent + time.monotonic() - began
                self.save()
        self.close()

    def one(self, reader):
        number = self.next[reader]
        self.next[reader] += 1
        if self.process is None:
            self.start()
        found = None
        try:
            self.connection.send((reader, number))
            if self.connection.poll(90):
                found = self.connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        if found is None:
            stuck = self.process.is_alive()
            self.process.kill()
            self.process.join()
            code = self.process.exitcode
            self.process = None
            detail = "" if stuck else (self.out / "stderr.txt").read_text()[:3000]
            found = (reader, "?", "stuck" if stuck else f"died with {code}", detail)
        _, mutation, what, detail = found
        self.counts[(reader, mutation, what)] += 1
        if what not in ("read", "refused"):
            with open(self.out / "findings.jsonl", "a") as file:
                line = {"reader": reader, "seed": self.seed, "number": number, "mutation": mutation, "what": what, "detail": detail}
                file.write(json.dumps(line) + "\n")

    def start(self):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.readers, self.seed, str(self.out / "stderr.txt")), daemon=True)
        self.process.start()
        theirs.close()

    def close(self):
        if self.process is not None:
            self.connection.send(None)
            self.process.join(30)

    def save(self):
        rows = sorted((*key, n) for key, n in self.counts.items())
        state = {"seed": self.seed, "next": self.next, "seconds": self.seconds, "counts": rows}
        partial = self.state.with_suffix(".tmp")
        partial.write_text(json.dumps(state))
        partial.replace(self.state)
        with open(self.out / "counts.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("reader", "mutation", "outcome", "cases"), *rows])


def main():
    from fuzz_seeds import NEEDS, READERS

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="fuzz")
    parser.add_argument("--reader", action="append", choices=list(READERS), help="only this one; may be repeated")
    parser.add_argument("--case", nargs=2, metavar=("READER", "NUMBER"), help="run one case, and show what comes of it")
    given = parser.parse_args()
    if given.case:
        import fuzz_cases

        outcome = fuzz_cases.run(given.case[0], given.seed, int(given.case[1]))
        print(outcome.mutation, outcome.what, outcome.detail, sep="\n")
        return
    readers = [one for one in given.reader or READERS if one not in NEEDS or importlib.util.find_spec(NEEDS[one])]
    campaign = Campaign(given.out, given.seed, readers)
    campaign.run(given.hours * 3600)
    cases = sum(campaign.counts.values())
    wrong = sum(n for (_, _, what), n in campaign.counts.items() if what not in ("read", "refused"))
    print(f"{cases} cases in {campaign.seconds / 3600:.2f} h, {wrong} with an unexpected outcome")


if __name__ == "__main__":
    main()
