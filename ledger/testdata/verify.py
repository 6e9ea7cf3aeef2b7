"""An independent verifier of a ledger's chain and Merkle root (docs/ledger.md).

usage: verify.py DIRECTORY

It checks no signature: it says what the records come to, and whether that is
what the checkpoint says.
"""
import base64, gzip, hashlib, json, pathlib, sys


def sha(data):
    return hashlib.sha256(data).digest()


def root(nodes):  # (level, hash), the largest subtree first
    if not nodes:
        return sha(b"")
    h = nodes[-1][1]
    for _, left in reversed(nodes[:-1]):
        h = sha(b"\x01" + left + h)
    return h


def note(path):
    text = path.read_text().split("\n\n")[0].split("\n")
    return int(text[1]), base64.b64decode(text[2]), text[3:]


def push(nodes, h):
    level = 0
    while nodes and nodes[-1][0] == level:
        h = sha(b"\x01" + nodes.pop()[1] + h)
        level += 1
    nodes.append((level, h))


directory = pathlib.Path(sys.argv[1])
size, want, _ = note(directory / "checkpoint")
n, prev, nodes, got, dropped, first = None, None, [], None, 0, None
for start in sorted(directory.glob("*.start")):
    begin, begin_root, extra = note(start)
    if n is None:
        n = first = begin
        prev = base64.b64decode(extra[0].split(" ")[1])
        levels = [l for l in range(63, -1, -1) if begin >> l & 1]
        nodes = [(l, base64.b64decode(x.split(" ")[1])) for l, x in zip(levels, extra[1:])]
    if (n, root(nodes)) != (begin, begin_root) or begin != int(start.stem):
        sys.exit(f"{start.name} does not follow from the records before it")
    plain = start.with_suffix(".jsonl")
    packed = start.with_suffix(".jsonl.gz")
    data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    for line in data.split(b"\n")[:-1]:
        record = json.loads(line)
        if record["seq"] != n or bytes.fromhex(record["prev"]) != prev:
            sys.exit(f"record {n} is not in its place")
        if record.get("event") == "ledger.dropped":
            dropped = max(dropped, record.get("segment", 0))
        prev = sha(b"\x00" + line)
        push(nodes, prev)
        n += 1
        if n == size:
            got = root(nodes)
if size == 0:
    got = sha(b"")
if got != want:
    sys.exit(f"the checkpoint for {size} records has another root, or there are only {n}")
if first and first > dropped:
    sys.exit(f"no record says that those before {first} were dropped")
print(n, base64.b64encode(root(nodes)).decode())
