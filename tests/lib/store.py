# SPDX-License-Identifier: Apache-2.0
"""A daemon with its object store, for tests."""

import hashlib
import json
import os
import re
import sqlite3

from daemon import Daemon
from s3 import Client, read_key
from suite import run

SMALL = b"hello, object\n"


class Store(Daemon):
    """A daemon, its S3 address, and clients for it."""

    def __init__(self, state, *flags):
        super().__init__(state, *flags)
        line = self.process.stdout.readline().decode()
        self.url = re.search(r"\(S3\): (http://[0-9.:]+)", line)[1]
        self.credentials = os.path.join(state, "credentials")
        self.key = read_key(self.credentials)
        self.s3 = Client(self.url, self.key)
        self.env = {"PATH": "/usr/bin:/bin", "HOME": os.path.dirname(state), "AWS_SHARED_CREDENTIALS_FILE": self.credentials,
                    "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "LC_ALL": "C.UTF-8",
                    "AWS_MAX_ATTEMPTS": "2", "TZ": "UTC"}

    def run(self, *command, env=None, **more):
        return run(list(command), env={**self.env, **(env or {})}, seconds=100, **more)

    def aws(self, *words, **more):
        return self.run("/usr/bin/aws", "--endpoint-url", self.url, *words, **more)

    def api(self, *words):
        got = self.aws("s3api", *words)
        if got.status != 0:
            raise RuntimeError(f"aws s3api {' '.join(words)}: {got.err_text()}")
        return json.loads(got.out) if got.out.strip() else {}

    def objects(self):
        """Rows and files of the store."""
        database = sqlite3.connect(os.path.join(self.state, "objects", "objects.db"))
        try:
            rows = database.execute("SELECT key FROM object").fetchall()
            named = {f"{row[0]:016x}" for row in database.execute(
                "SELECT file FROM object WHERE parts = 0 UNION ALL SELECT file FROM part")}
        finally:
            database.close()
        folder = os.path.join(self.state, "objects", "files")
        # Empty ones are made in advance.
        return rows, named, {f for f in os.listdir(folder) if f in named or os.path.getsize(os.path.join(folder, f)) > 0}


def bucket(store, name):
    answer = store.s3("PUT", f"/{name}")
    if answer.status != 200:
        raise RuntimeError(f"making bucket {name}: {answer}")
    return name


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def blob(size, seed=1):
    return b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(size // 32 + 1))[:size]


def listed(store, name):
    """All keys of a bucket."""
    keys, after = set(), ""
    while True:
        answer = store.s3("GET", f"/{name}", "list-type=2" + (f"&start-after={after}" if after else ""))
        page = answer.all("Key")
        keys.update(page)
        if answer.all("IsTruncated") != ["true"]:
            return keys
        after = page[-1]
