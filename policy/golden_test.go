package policy

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file, or rewrites the file under -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.FromSlash(name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; -update rewrites it (-want +got):\n%s", name, diff)
	}
}

// decode is for files that a test takes for good.
func decode(t *testing.T, data string) *Policy {
	t.Helper()
	p, err := Decode("tightship.yaml", []byte(data))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, data)
	}
	return p
}
