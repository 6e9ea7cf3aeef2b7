//go:build unix

package policy

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A quarter of a megabyte made to be slow must not be: the decoder runs in servers and in
// pull requests of strangers.
func TestDecodeIsNotSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("large files")
	}
	const size = MaxFileSize / 4
	many := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, row := range []struct{ name, file string }{
		{"unknown keys", many("k%d: 1\n")},
		{"groups", "user: {groups: [" + many("%d, ") + "]}"},
		{"packages", "environment: {python_packages: [" + many("p%d, ") + "]}"},
		{"mount points", "tmpfs:\n" + many("  /%d: {}\n")},
		{"acceptances", "accept:\n" + many("- {check: c%d, reason: r, until: 2030-01-01}\n")},
		{"credentials", "credentials:\n" + many("- {name: c%d, from: env, route: {listen: /c%[1]d/a/b, upstream: 'https://a'}, attach: bearer, sets: {A%[1]d: b}}\n")},
		{"credentials below each other", "credentials:\n" + many("- {name: c%d, from: env, route: {listen: /"+strings.Repeat("a/", 90)+"%[1]d, upstream: 'https://a'}, attach: bearer}\n")},
		{"what could be a key", "image: " + strings.Repeat("sk-", size/3)},
		{"comments", strings.Repeat("#\n", size/2)},
		{"open brackets", strings.Repeat("[", size)},
		{"open braces", strings.Repeat("{", size)},
		{"dashes", strings.Repeat("- ", size/2)},
		{"question marks", strings.Repeat("? ", size/2)},
		{"one long key", strings.Repeat("k", size) + ": 1"},
		{"one long text", "image: " + strings.Repeat("k", size)},
		{"anchors", many("k%d: &a 1\n")},
	} {
		t.Run(row.name, func(t *testing.T) {
			start := cpuTime(t)
			p, err := Decode("f", []byte(row.file))
			if err == nil {
				_ = p.Digest()
			}
			if d := cpuTime(t) - start; d > 5*time.Second {
				t.Errorf("took %v of CPU", d)
			}
		})
	}
}

// cpuTime is what this process has used, which a busy machine does not change.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
