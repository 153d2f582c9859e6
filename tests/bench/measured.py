# SPDX-License-Identifier: Apache-2.0
"""What run, compare and check have in common: starting the programs, medians, the machine."""
import json
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Programs:
    """Of a build directory: bin/tocsin-broker, bench/tocsin-swarm, bench/tocsin-floor."""

    def __init__(self, build):
        build = pathlib.Path(build)
        self.broker = build / "bin/tocsin-broker"
        self.swarm = build / "bench/tocsin-swarm"
        self.floor = build / "bench/tocsin-floor"
        for program in (self.broker, self.swarm, self.floor):
            if not program.is_file():
                sys.exit(f"{program} is not there: build the preset release first, "
                         "or name another build with --build")


def raise_descriptors(connections):
    """Two connections a node, here and at the broker. False: the machine does not allow it."""
    wanted = connections + 512
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return True
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, OSError):
        return False
    return True


def one_json(command, timeout=600):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          timeout=timeout, check=False, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{pathlib.Path(str(command[0])).name} failed ({done.returncode})")
    return json.loads(done.stdout)


def swarm(programs, where, **options):
    """tocsin-swarm in a directory of its own; option names as its own, _ for -."""
    folder = tempfile.mkdtemp(prefix="swarm.", dir=where)
    command = [programs.swarm, "--dir", os.path.join(folder, "w"), "--broker", programs.broker]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), value]
    try:
        return one_json(command)
    except RuntimeError:
        log = pathlib.Path(folder, "w/broker.log")
        if log.exists():
            sys.stderr.write(log.read_text(errors="replace")[-2000:])
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def floor(programs, where, **options):
    command = [programs.floor, "--dir", where]
    for name, value in options.items():
        command += ["--" + name, value]
    return one_json(command)


def medians(runs):
    """One object with the median of each number of several alike."""
    first = runs[0]
    if isinstance(first, dict):
        return {key: medians([run[key] for run in runs]) for key in first}
    if isinstance(first, bool) or not isinstance(first, (int, float)):
        return first
    return statistics.median(runs)


def get(tree, path, default=None):
    for word in path.split("."):
        if not isinstance(tree, dict) or word not in tree:
            return default
        tree = tree[word]
    return tree


def command_line(*words):
    try:
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False).stdout.strip()
    except OSError:
        return ""


def machine():
    memory = int(pathlib.Path("/proc/meminfo").read_text(encoding="ascii").split()[1])
    return {"processors": os.cpu_count(), "memory_mib": memory // 1024,
            "kernel": platform.release().split("-")[0], "arch": platform.machine(),
            "load_before": os.getloadavg()[0]}


def versions(programs):
    packages = ["libzmq5", "libsodium23", "liblmdb0"]
    found = command_line("dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages)
    return {"tocsin": command_line(str(programs.broker), "--version"),
            "packages": [line for line in found.splitlines() if line]}


def table(rows):
    """Rows of words, the first one the heading, as a Markdown table."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        lines.append("| " + " | ".join(str(cell).ljust(width)
                                       for cell, width in zip(row, widths)) + " |")
        if number == 0:
            lines.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def number(value, digits=1):
    return "-" if value is None else f"{value:,.{digits}f}"
