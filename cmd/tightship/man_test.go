package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "write docs/man")

// manDir holds the manual pages. They are made here and not by a command, so
// that what makes them is not part of the program:
//
//	go test ./cmd/tightship -run TestManPages -update
var manDir = filepath.Join("..", "..", "docs", "man")

func TestManPages(t *testing.T) {
	a := fakeApp("")
	a.ui = newUI(io.Discard, io.Discard, nowhere, env())
	root := a.rootCommand()
	root.InitDefaultVersionFlag()
	dir := t.TempDir()
	date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range root.Commands() {
		c.InitDefaultHelpFlag()
	}
	header := &doc.GenManHeader{Section: "1", Source: "Tightship", Manual: "Tightship Manual", Date: &date}
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.RemoveAll(manDir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(manDir, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(files(t, manDir), files(t, dir)); diff != "" {
		t.Errorf("docs/man is not what the commands say (-docs +commands; -update writes it):\n%s", diff)
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}
