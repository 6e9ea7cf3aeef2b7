package verify

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/internal/canary"
	"github.com/tightship-dev/tightship/probe"
)

func prepared(t *testing.T, local bool) *run {
	t.Helper()
	f := newFake(t)
	f.info.Local = local
	r, err := prepare(t.Context(), f, "", f.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.lock.release(false) })
	return r
}

// What is planted on the host is where the guests are told to look, with what
// they are told to look for, and it goes with the run.
func TestPlant(t *testing.T) {
	r := prepared(t, true)
	c := r.params(check.Main).Canary
	if c == nil || c.Variable == "" || os.Getenv(canary.Variable) != c.Variable {
		t.Fatalf("planted in the environment: %+v", c)
	}
	content, err := os.ReadFile(c.Paths[0])
	if err != nil || c.File == "" || strings.TrimSpace(string(content)) != c.File {
		t.Errorf("the file holds %q, %v, want %q", content, err, c.File)
	}
	if !slices.Equal(r.input().Planted.Home, c.Paths) {
		t.Errorf("the judges are told of %q", r.input().Planted.Home)
	}
	for _, value := range []string{c.Variable, c.File} {
		if f, bad := probe.InspectVariable(nil, canary.Variable, value); bad {
			t.Errorf("the canary is taken for a credential: %+v", f)
		}
	}
	other := prepared(t, false)
	if o := other.params(check.Main).Canary; o.File == c.File || o.Variable != c.Variable {
		t.Error("two runs have one file's content, or two variables")
	}
	if p := other.input().Planted; len(p.Home) != 0 || p.HomeNote == "" {
		t.Errorf("on another host: %+v", p)
	}
	r.lock.release(false)
	if _, err := os.Stat(c.Paths[0]); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
}

// The listeners are on this host's addresses, answer while they are needed, and
// are gone afterwards. Where a packet might leave the machine nobody listens.
func TestListen(t *testing.T) {
	r := prepared(t, true)
	stop := r.listen(t.Context())
	all := r.params(check.Main).Listeners
	if len(all) == 0 || r.planted.ListenNote != "" || !slices.ContainsFunc(all, func(a string) bool { return strings.HasPrefix(a, "127.0.0.1:") }) {
		t.Fatalf("listeners %q, %q", all, r.planted.ListenNote)
	}
	reach := func(a string) error {
		c, err := net.DialTimeout("tcp", a, 5*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	}
	for _, a := range all {
		if err := reach(a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	stop()
	for _, a := range all {
		if reach(a) == nil {
			t.Errorf("%s is still open", a)
		}
	}
	for name, spoil := range map[string]func(*run){
		"another host":    func(r *run) { r.info.Local = false },
		"another network": func(r *run) { r.base.Network = "macvlan1" },
		"not asked for":   func(r *run) { r.todo = nil },
	} {
		r := prepared(t, true)
		spoil(r)
		defer r.listen(t.Context())()
		if len(r.planted.Listeners) != 0 || name != "not asked for" && r.planted.ListenNote == "" {
			t.Errorf("%s: %+v", name, r.planted)
		}
	}
}
