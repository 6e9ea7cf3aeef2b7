package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestGolden(t *testing.T) {
	text := func(o TextOptions) func(io.Writer, Report) error {
		return func(w io.Writer, r Report) error { return Text(w, r, o) }
	}
	for _, g := range []struct {
		file   string
		report Report
		render func(io.Writer, Report) error
	}{
		{"every-verdict.txt", fixture(), text(TextOptions{})},
		{"verbose.txt", fixture(), text(TextOptions{Verbose: true})},
		{"quiet.txt", fixture(), text(TextOptions{Quiet: true})},
		{"narrow.txt", fixture(), text(TextOptions{Width: 40})},
		{"color.txt", calm(failed), text(TextOptions{Color: true})},
		{"proven.txt", calm(proven), text(TextOptions{})},
		{"inconclusive.txt", calm(inconclusive), text(TextOptions{})},
		{"every-verdict.json", fixture(), JSON},
		{"every-verdict.xml", fixture(), JUnit},
		{"two-subjects.xml", several(), JUnit},
		{"every-verdict.sarif", fixture(), SARIF},
		{"two-subjects.sarif", several(), SARIF},
		{"every-verdict.md", fixture(), Markdown},
		{"two-subjects.md", several(), Markdown},
		{"every-verdict.html", fixture(), HTML},
		{"two-subjects.html", several(), HTML},
		{"every-verdict.tap", fixture(), TAP},
		{"two-subjects.tap", several(), TAP},
		{"every-verdict.github", fixture(), GitHub},
		{"proof.html", Report{}, func(w io.Writer, _ Report) error { return ProofHTML(w, hostileProof()) }},
		{"proof.md", Report{}, func(w io.Writer, _ Report) error { return ProofMarkdown(w, hostileProof()) }},
		{"diff.txt", Report{}, func(w io.Writer, _ Report) error { return DiffText(w, diffFixture(), TextOptions{}) }},
		{"diff.json", Report{}, func(w io.Writer, _ Report) error { return DiffJSON(w, diffFixture()) }},
		{"diff.md", Report{}, func(w io.Writer, _ Report) error { return DiffMarkdown(w, diffFixture()) }},
		{"schema.json", Report{}, func(w io.Writer, _ Report) error {
			b, err := JSONSchema()
			if err != nil {
				return err
			}
			_, err = w.Write(b)
			return err
		}},
	} {
		t.Run(g.file, func(t *testing.T) {
			var b bytes.Buffer
			if err := g.render(&b, g.report); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", g.file)
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("differs from %s (-want +got; -update accepts it):\n%s", path, diff)
			}
		})
	}
}
