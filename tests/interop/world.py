# SPDX-License-Identifier: Apache-2.0
"""world - a program made with the real tools, its broker, a real agent and the Python node."""
import json
import os
import queue
import random
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.environ.get("PYTHON", "/usr/bin/python3")
BIN = os.environ.get("TOCSIN_BIN", "")
WAIT = 20
BULK, EMERGENCY = 0, 1


class Failure(Exception):
    pass


class Child:
    """A started program, its lines as they come."""

    def __init__(self, world, name, *argv):
        self.name, self.seen, self.lines = name, [], queue.Queue()
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, bufsize=1)
        world.children.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait(self, what, accept):
        """The first line from now on that accept takes."""
        until = time.monotonic() + WAIT
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise Failure(f"{self.name}: waited {WAIT} s in vain for {what}") from None
            if line is None:
                raise Failure(f"{self.name} ended, waiting for {what}")
            self.seen.append(line)
            if accept(line):
                return line

    def event(self, name, **fields):
        """The next event of node.py with these fields."""
        def accept(line):
            found = json.loads(line) if line.startswith("{") else {}
            return found.get("event") == name and all(
                found.get(key) == value for key, value in fields.items())
        return json.loads(self.wait(f"{name} {fields}", accept))

    def command(self, **fields):
        self.process.stdin.write(json.dumps(fields) + "\n")

    def stop(self):
        self.command(quit=True)
        if self.process.wait(timeout=WAIT) != 0:
            raise Failure(f"{self.name} failed")

    def kill(self):
        self.process.kill()
        self.process.wait()


class World:
    """A program with a broker, a Python node "py", a real agent "real", and publishers."""

    def __init__(self, folder):
        self.folder, self.children = folder, []
        self.program = os.path.join(folder, "program")

    def path(self, name):
        return os.path.join(self.folder, name)

    def home(self, name):
        return os.path.join(self.program, "members", name)

    def file(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def tool(self, *argv, fails=False):
        """stdout of the real CLI, bytes."""
        done = subprocess.run([os.path.join(BIN, "tocsin"), *argv], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=WAIT, check=False)
        if (done.returncode != 0) != fails:
            raise Failure(f"tocsin {' '.join(argv)}: {done.stderr.decode()}")
        return done.stdout

    def as_(self, name, *argv):
        return self.tool("-H", self.home(name), *argv)

    def json_as(self, name, *argv):
        return [json.loads(line) for line in self.as_(name, *argv, "--json").splitlines()]

    def publisher(self, name, *argv, fails=False):
        """The answer that publisher.py got."""
        done = subprocess.run([PYTHON, os.path.join(HERE, "publisher.py"), "--home",
                               self.home(name), *argv], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=WAIT, check=False)
        if (done.returncode != 0) != fails:
            raise Failure(f"publisher.py {' '.join(argv)}: {done.stdout} {done.stderr.decode()}")
        return json.loads(done.stdout)

    def member(self, name, *argv):
        self.tool("-H", self.program, "member", "add", name, *argv, "--generate-keys")

    def until(self, what, probe):
        """What probe returns once it is true; each call asks a program, so none is lost."""
        until = time.monotonic() + WAIT
        while not (got := probe()):
            if time.monotonic() > until:
                raise Failure(f"waited {WAIT} s in vain: {what}")
        return got

    def start(self):
        port = free_ports()
        self.tool("init", self.program, "--name", "interop", "--listen", "127.0.0.1",
                  "--advertise", "127.0.0.1", "--base-port", str(port))
        for name in ("vendor", "cert"):
            self.member(name, "--roles", "publisher,approver", "--clearance", "red",
                        "--publish", ">", "--emergency")
        self.member("duty", "--roles", "approver", "--clearance", "red")
        self.member("rogue", "--roles", "publisher", "--clearance", "green", "--publish", "rogue.>")
        self.member("watch", "--roles", "operator")
        for name, topics in (("py", "advisory.>,emergency.>,rogue.>"), ("real", ">"),
                             ("spare", ">")):
            self.member(name, "--roles", "node", "--clearance", "red", "--receive", topics)
        self.start_broker()
        agent = Child(self, "agent", os.path.join(BIN, "tocsin-agent"), "--home", self.home("real"))
        agent.wait("ready", lambda line: "ready" in line.split())
        self.node = self.start_node()

    def start_broker(self):
        self.broker = Child(self, "broker", os.path.join(BIN, "tocsin-broker"), "--home",
                            os.path.join(self.program, "broker"))
        self.broker.wait("ready", lambda line: "ready" in line.split())

    def start_node(self):
        node = Child(self, "node.py", PYTHON, os.path.join(HERE, "node.py"), "--home",
                     self.home("py"), "--state", self.path("node"))
        node.welcomes = {w["lane"]: w for w in (node.event("welcome"), node.event("welcome"))}
        return node

    def inbox(self, name, alert_id):
        """The line of the real agent's inbox; None if it is not there."""
        return next((line for line in self.json_as(name, "inbox", "--all")
                     if plain(line["id"]) == alert_id), None)

    def row(self, publisher, alert_id, node):
        """The line of the board."""
        board = self.json_as(publisher, "board", dashed(alert_id))[0]
        return next(row for row in board["nodes"] if row["node"] == node)


def free_ports():
    """Two neighbours that are free now."""
    for _ in range(1000):
        base, held = random.randrange(20000, 32000), []
        try:
            for port in (base, base + 1):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise Failure("no free ports")


def plain(alert_id):
    return alert_id.replace("-", "")


def dashed(alert_id):
    i = plain(alert_id)
    return f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}"


def same(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")
