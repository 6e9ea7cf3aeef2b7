package test

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// guest puts a lying guest (testdata/liar) beside a copy of tightship, and that
// copy first on the PATH.
func guest(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: guest KIND")
	}
	dir := ts.MkAbs("with-" + args[0])
	ts.Check(os.Mkdir(dir, 0o755))
	program, err := os.ReadFile(filepath.Join(bin, "tightship"))
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "tightship"), program, 0o755))
	ts.Check(build(filepath.Join(dir, "tightship-guest"), "./testdata/liar", "-X main.mode="+args[0]))
	ts.Setenv("PATH", dir+string(filepath.ListSeparator)+ts.Getenv("PATH"))
}
