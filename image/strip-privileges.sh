#!/bin/sh
# Takes away every way in which a file can raise privileges: the SUID and SGID
# bits and file capabilities. Then looks again, and fails the build if one is left.
# The hardened flags (no-new-privileges, nosuid) make such files harmless too; this
# is the layer that still holds when somebody forgets the flags.
set -eu
find / -xdev -perm /6000 -exec chmod a-s {} +

# A minimal Debian has no getcap, but Python reads the same attribute.
capabilities() {
	python3.11 - "$1" <<'PY'
import os, sys

device = os.lstat("/").st_dev
for folder, folders, files in os.walk("/"):
    folders[:] = [d for d in folders if os.lstat(os.path.join(folder, d)).st_dev == device]
    for path in (os.path.join(folder, name) for name in files):
        if "security.capability" in os.listxattr(path, follow_symlinks=False):
            if sys.argv[1] == "remove":
                os.removexattr(path, "security.capability")
            else:
                print(path)
PY
}
capabilities remove

left=$(find / -xdev -perm /6000; capabilities list)
if [ -n "$left" ]; then
	echo "still able to raise privileges:" "$left" >&2
	exit 1
fi
