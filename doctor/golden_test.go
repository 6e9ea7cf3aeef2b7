package doctor

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.txt")

func TestGolden(t *testing.T) {
	all := machines()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Text(&b, all[name].result(), TextOptions{}); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("-want +got (-update writes it):\n%s", diff)
			}
			for line := range strings.Lines(b.String()) {
				if w := displaywidth.String(strings.TrimSuffix(line, "\n")); w > 80 && name != "hostile" {
					t.Errorf("%d columns: %s", w, line)
				}
			}
		})
	}
}

// What holds of every result, whatever the machine.
func TestInvariants(t *testing.T) {
	for name, m := range machines() {
		t.Run(name, func(t *testing.T) { invariants(t, m.result()) })
	}
}

func invariants(t *testing.T, r Result) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if seen[f.ID] {
			t.Errorf("%s is there twice", f.ID)
		}
		seen[f.ID] = true
		if !slices.Contains(Groups, f.Group) || !strings.HasPrefix(f.ID, f.Group+".") {
			t.Errorf("%s is in group %q", f.ID, f.Group)
		}
		if _, known := signs[f.Level]; !known {
			t.Errorf("%s has level %q", f.ID, f.Level)
		}
		if (f.Level == OK) != (len(f.Steps) == 0) {
			t.Errorf("%s is %s and has the steps %v", f.ID, f.Level, f.Steps)
		}
		if f.Steps == nil || f.Title == "" || f.Detail == "" {
			t.Errorf("%s is not whole: %+v", f.ID, f)
		}
	}
	works := false
	for _, w := range r.Ways {
		works = works || w.Works
		if w.Works != (w.Command != "") || w.Detail == "" || w.Account && !w.Works {
			t.Errorf("way makes no sense: %+v", w)
		}
	}
	if r.Works != works {
		t.Errorf("works is %v, and the ways are %+v", r.Works, r.Ways)
	}
	if r.Next == (Step{}) {
		t.Error("nothing to do next")
	}
	for _, o := range []TextOptions{{}, {Width: 1}, {Width: 40}, {Width: 200}} {
		var b bytes.Buffer
		if err := Text(&b, r, o); err != nil {
			t.Fatal(err)
		}
		harmless(t, b.String())
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	harmless(t, string(b))
	if bytes.Contains(b, []byte("null")) {
		t.Errorf("null in %s", b)
	}
}

func harmless(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%q in %q", r, s)
		}
	}
	if !utf8.ValidString(s) {
		t.Fatalf("not UTF-8: %q", s)
	}
}

func TestColor(t *testing.T) {
	for _, color := range []bool{false, true} {
		var b bytes.Buffer
		if err := Text(&b, ready().result(), TextOptions{Color: color}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "\x1b["); got != color {
			t.Errorf("color %v: escape sequences: %v", color, got)
		}
	}
}

// A password in an address is shown nowhere.
func TestNoPassword(t *testing.T) {
	b, err := json.Marshal(machines()["dead-host"].result())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("secret")) {
		t.Errorf("%s", b)
	}
	if !bytes.Contains(b, []byte("127.0.0.1:1")) {
		t.Error("the address is not shown at all")
	}
}
