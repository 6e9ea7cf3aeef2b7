package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
)

func render(t testing.TB, r Report, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNoLineIsWiderThanAsked(t *testing.T) {
	for _, width := range []int{40, 60, 80, 100, 200} {
		for _, verbose := range []bool{false, true} {
			for _, color := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d verbose=%v color=%v", width, verbose, color), func(t *testing.T) {
					for i, line := range strings.Split(render(t, fixture(), TextOptions{Width: width, Verbose: verbose, Color: color}), "\n") {
						if w := lipgloss.Width(line); w > width {
							t.Errorf("line %d has %d columns: %q", i+1, w, line)
						}
					}
				})
			}
		}
	}
}

func TestNothingHostileReachesTheTerminal(t *testing.T) {
	for _, o := range []TextOptions{{}, {Verbose: true}, {Quiet: true}} {
		checkHarmless(t, render(t, fixture(), o))
	}
}

func checkHarmless(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Error("not UTF-8")
	}
	for _, r := range s {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U got through in %q", r, s)
		}
	}
}

func TestColorChangesNothingButColor(t *testing.T) {
	plain := render(t, fixture(), TextOptions{Verbose: true})
	color := render(t, fixture(), TextOptions{Verbose: true, Color: true})
	if !strings.Contains(color, "\x1b[") {
		t.Fatal("no colour")
	}
	var b strings.Builder
	for i := 0; i < len(color); i++ {
		if color[i] == 0x1b { // only SGR sequences are ours
			end := strings.IndexByte(color[i:], 'm')
			i += end
			continue
		}
		b.WriteByte(color[i])
	}
	if b.String() != plain {
		t.Error("the text without its colours differs from the text without colour")
	}
}

func TestStreamWritesWhatTextWrites(t *testing.T) {
	r := fixture()
	var b bytes.Buffer
	s := NewStream(&b, TextOptions{})
	res := r.Results[0]
	if err := s.Start(Subject{Image: res.Subject.Image}, res.Policy); err != nil {
		t.Fatal(err)
	}
	for _, sec := range sections(res.Checks) {
		if err := s.Section(sec.name, sec.checks); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(res); err != nil {
		t.Fatal(err)
	}
	if b.String() != render(t, r, TextOptions{}) {
		t.Error("stream and text differ")
	}
}

// A section that was already shown and then changed must not stay as it was.
func TestStreamShowsAChangedSectionAgain(t *testing.T) {
	r := calm(failed)
	var b bytes.Buffer
	s := NewStream(&b, TextOptions{})
	if err := s.Section("filesystem", calm(proven).Results[0].Checks); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(r.Results[0]); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "✗ BROKEN") {
		t.Error("the section's last state is not shown")
	}
}

func TestHeadline(t *testing.T) {
	for _, row := range []struct {
		name string
		r    Result
		want string
	}{
		{"zero result", Result{}, "INCONCLUSIVE: "},
		{"proven by nothing", Result{Summary: Summary{Verdict: proven}}, "INCONCLUSIVE: "},
		{"proven, says the word, but not the counts", Result{Summary: Summary{Pass: 9, Fail: 1, Verdict: proven}}, "FAILED: "},
		{"unknown verdict", Result{Summary: Summary{Pass: 9, Verdict: "fine"}}, "INCONCLUSIVE: "},
		{"proven", calm(proven).Results[0], "PROVEN: the one protection held, put to the test"},
		{"one failed", calm(failed).Results[0], "FAILED: 1 protection is broken."},
		{"the combined row is not counted again", Result{Checks: []Check{{Section: "stack", Verdict: fail}}, Summary: Summary{Fail: 2, Verdict: failed}}, "FAILED: 1 protection is broken."},
		{"failed and unmeasured", Result{Summary: Summary{Fail: 2, Inconclusive: 1, Verdict: failed}}, "FAILED: 2 protections are broken, and 1 could not be measured."},
		{"proven with accepted", Result{Summary: Summary{Pass: 2, Accepted: 1, Verdict: proven}}, "PROVEN: all 2 protections held; 1 below the bar, accepted by the policy."},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Headline(row.r); !strings.HasPrefix(got, row.want) {
				t.Errorf("got  %s\nwant %s…", got, row.want)
			}
		})
	}
}

func TestSectionLine(t *testing.T) {
	res := fixture().Results[0]
	got := SectionLine("limits", sections(res.Checks)[2].checks)
	if want := "limits: 1 held, 1 unmeasured (limits.pids)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWriteErrorsAreReturned(t *testing.T) {
	want := errors.New("disk full")
	for name, err := range map[string]error{
		"text":   Text(brokenWriter{want}, fixture(), TextOptions{}),
		"json":   JSON(brokenWriter{want}, fixture()),
		"junit":  JUnit(brokenWriter{want}, fixture()),
		"stream": NewStream(brokenWriter{want}, TextOptions{}).Finish(fixture().Results[0]),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, h := range hostile {
		f.Add(h, uint8(80), true)
	}
	f.Fuzz(func(t *testing.T, s string, width uint8, verbose bool) {
		r := fixture()
		res := &r.Results[0]
		res.Subject = Subject{Image: s, ImageDigest: s, Engine: s, Kernel: s, LSM: s}
		res.RunID, res.Policy = s, s
		res.Residual = []Risk{{s, s, s}}
		res.Checks = []Check{{ID: s, Title: s, Section: s, Verdict: s, Evidence: s, Wanted: s, Reason: s, Hint: s}}
		out := render(t, r, TextOptions{Width: int(width), Verbose: verbose})
		checkHarmless(t, out)
		limit := int(width)
		if limit == 0 {
			limit = DefaultWidth
		}
		for line := range strings.SplitSeq(out, "\n") {
			if w := lipgloss.Width(line); w > max(limit, minWidth) {
				t.Errorf("%d columns of %d: %q", w, limit, line)
			}
		}
	})
}
