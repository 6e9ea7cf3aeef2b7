package verify

import (
	"testing"

	"github.com/tightship-dev/tightship/policy"
)

func TestSetting(t *testing.T) {
	origins := map[string]policy.Origin{"user.gid": {Line: 4, Column: 3}, "user.groups": {Line: 5, Column: 3}}
	for _, row := range []struct {
		name string
		keys []string
		key  string
		line int
	}{
		{"the first that the file says", []string{"user.uid", "user.gid", "user.groups"}, "user.gid", 4},
		{"none that it says", []string{"rootfs", "tmpfs"}, "rootfs", 0},
		{"no setting", nil, "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			if key, line := setting(row.keys, origins); key != row.key || line != row.line {
				t.Errorf("%q, line %d; want %q, line %d", key, line, row.key, row.line)
			}
		})
	}
}

// A finding leads to the line of the policy that decides it.
func TestReportNamesThePolicysLine(t *testing.T) {
	p, err := policy.Decode("tightship.yaml", []byte("limits:\n  pids: 100\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	o := f.options()
	o.Policy = p
	r, err := Image(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	for id, line := range map[string]int{"limits.pids": 2, "limits.memory": 0} {
		if c := find(t, r, id); c.Setting != id || c.Line != line {
			t.Errorf("%s: %q, line %d", id, c.Setting, c.Line)
		}
	}
}
