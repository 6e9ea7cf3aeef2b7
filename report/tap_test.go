package report

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	tapPlan  = regexp.MustCompile(`^1\.\.(\d+)$`)
	tapTest  = regexp.MustCompile(`^(?:not )?ok (\d+) - `)
	yamlLine = regexp.MustCompile(`^  (?:---|\.\.\.|[a-z]+: "(?:[^"\\]|\\["\\])*")$`)
)

// tapPoints demands that every line is one of ours, that the points are numbered
// and as many as planned, and returns how many there are.
func tapPoints(t *testing.T, out string) int {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) < 2 || lines[0] != "TAP version 13" || !tapPlan.MatchString(lines[1]) {
		t.Fatalf("no version and plan: %q", lines[:min(2, len(lines))])
	}
	n := 0
	for _, line := range lines[2:] {
		switch m := tapTest.FindStringSubmatch(line); {
		case m != nil:
			n++
			if m[1] != strconv.Itoa(n) {
				t.Errorf("point %d has the number %s", n, m[1])
			}
		case strings.HasPrefix(line, "# "), yamlLine.MatchString(line):
		default:
			t.Errorf("%q is no line of TAP", line)
		}
	}
	if plan := tapPlan.FindStringSubmatch(lines[1])[1]; plan != strconv.Itoa(n) {
		t.Errorf("%d points of %s", n, plan)
	}
	return n
}

// Perl's own harness reads it, and comes to what the report says.
func TestTAPIsReadByProve(t *testing.T) {
	prove, err := exec.LookPath("prove")
	if err != nil {
		t.Skip("there is no prove here (package perl)")
	}
	for _, row := range []struct {
		name string
		r    Report
		ok   bool
		want string
	}{
		{"every verdict", fixture(), false, "Failed " + strconv.Itoa(1+2+len(hostile)) + "/" + strconv.Itoa(9+len(hostile)) + " subtests"},
		{"proven", calm(proven), true, "Result: PASS"},
		{"unmeasured", calm(inconclusive), false, "Failed 1/1 subtests"},
		{"accepted", oneCheck(accepted, exercised), true, "Result: PASS"},
		{"not applicable", oneCheck(notApplicable, exercised), true, "Result: PASS"},
		{"two subjects", several(), false, "Failed 1/2 subtests"},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.tap")
			if err := os.WriteFile(file, []byte(rendered(t, TAP, row.r)), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(prove, "--exec", "cat", file).CombinedOutput()
			if (err == nil) != row.ok || !strings.Contains(string(out), row.want) || strings.Contains(string(out), "Parse errors") {
				t.Errorf("prove: %v, want %q:\n%s", err, row.want, out)
			}
		})
	}
}

func TestTAPOutcomes(t *testing.T) {
	for verdict, want := range map[string]string{
		pass: "ok 1 - a: A\n", fail: "not ok 1 - a: A\n", inconclusive: "not ok 1 - a: A\n", "splendid": "not ok 1 - a: A\n",
		accepted: "not ok 1 - a: A # TODO \n", notApplicable: "ok 1 - a: A # SKIP \n",
	} {
		if out := rendered(t, TAP, oneCheck(verdict, exercised)); !strings.Contains(out, "\n"+want) {
			t.Errorf("%s: no %q in\n%s", verdict, want, out)
		}
	}
}
