package docker

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/spec"
)

// stickyMode is the mode of a tmpfs that spec.Tmpfs.Mode 0 stands for.
const stickyMode = 0o1777

// tmpfsOptions writes a tmpfs's mount options. Docker adds noexec, nosuid and
// nodev to its tmpfs unless the opposite is written, Podman does not, and runc
// takes the mode of the directory below unless told one: so all are written.
func tmpfsOptions(t spec.Tmpfs) string {
	flag := func(allowed bool, name string) string {
		if allowed {
			return name
		}
		return "no" + name
	}
	mode := t.Mode
	if mode == 0 {
		mode = stickyMode
	}
	o := fmt.Sprintf("rw,%s,%s,%s,mode=%o", flag(t.Exec, "exec"), flag(t.Suid, "suid"), flag(t.Dev, "dev"), mode)
	if t.Size > 0 {
		o += fmt.Sprintf(",size=%d", t.Size)
	}
	return o
}

// parseTmpfs reads a tmpfs's mount options as the engine will: from what it
// starts with, a later option overrides an earlier one. A size that cannot be
// read counts as none.
func parseTmpfs(options string, t spec.Tmpfs) spec.Tmpfs {
	for o := range strings.SplitSeq(options, ",") {
		switch key, value, _ := strings.Cut(o, "="); key {
		case "exec", "noexec":
			t.Exec = key == "exec"
		case "suid", "nosuid":
			t.Suid = key == "suid"
		case "dev", "nodev":
			t.Dev = key == "dev"
		case "size":
			t.Size = parseSize(value)
		case "nr_blocks":
			// It bounds the same thing in pages of the engine's host, whose size
			// we do not know, and replaces an earlier size.
			t.Size = 0
		case "mode":
			mode, err := strconv.ParseUint(value, 8, 12)
			if err != nil || mode == stickyMode {
				mode = 0
			}
			t.Mode = uint32(mode)
		}
	}
	return t
}

// readOnly says whether a mount's options make it read-only.
func readOnly(options string) (ro bool) {
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "ro", "rw":
			ro = o == "ro"
		}
	}
	return ro
}

// parseSize reads a size as the kernel's memparse does: decimal, octal after 0
// or hexadecimal after 0x, then a binary unit. 0 is no bound, as in tmpfs(5);
// so is what cannot be read.
func parseSize(s string) int64 {
	if s == "" || strings.ContainsAny(s, "_+-") {
		return 0
	}
	shift := 0
	if i := strings.IndexByte("kmgtpe", s[len(s)-1]|0x20); i >= 0 && !(strings.HasPrefix(strings.ToLower(s), "0x") && s[len(s)-1]|0x20 == 'e') {
		shift = 10 * (i + 1)
		s = s[:len(s)-1]
	}
	base := 10
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		base, s = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	v, err := strconv.ParseUint(s, base, 63)
	if err != nil || bits.Len64(v)+shift > 63 {
		return 0
	}
	return int64(v) << shift
}
