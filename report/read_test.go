package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readable is a report that Read takes: the fixture without the words that no
// report has, and with the summary of its checks.
func readable() Report {
	r := fixture()
	checks := r.Results[0].Checks
	for i := range checks {
		if checks[i].Verdict == "splendid" {
			checks[i].Verdict, checks[i].Evidence = inconclusive, "none"
		}
	}
	r.Results[0].Summary = Summarize(checks)
	return r
}

func readableProof() Proof {
	p := hostileProof()
	r := &p.Results[0]
	r.Mutants = r.Mutants[:len(r.Mutants)-1]
	r.Witnesses = r.Witnesses[:len(r.Witnesses)-1]
	return p
}

func jsonOf(t testing.TB, r Report) string {
	t.Helper()
	return rendered(t, JSON, r)
}

func TestReadReport(t *testing.T) {
	r, p, err := Read(strings.NewReader(jsonOf(t, readable())))
	if err != nil || p != nil {
		t.Fatal(p, err)
	}
	// Bytes that are not UTF-8 have become U+FFFD; everything else is as it was.
	want := readable()
	for i := range want.Results[0].Checks {
		c := &want.Results[0].Checks[i]
		for _, s := range []*string{&c.ID, &c.Title, &c.Wanted, &c.Declared, &c.Kernel, &c.Observed, &c.Reason, &c.Hint} {
			*s = asJSON(*s)
		}
		for _, list := range [][]string{c.Seed, c.Refs} {
			for j := range list {
				list[j] = asJSON(list[j])
			}
		}
	}
	if diff := cmp.Diff(filled(want), *r); diff != "" {
		t.Error(diff)
	}
}

func asJSON(s string) string {
	var b strings.Builder
	for _, r := range s { // a byte that is no UTF-8 reads as U+FFFD
		b.WriteRune(r)
	}
	return b.String()
}

func TestReadProof(t *testing.T) {
	var b bytes.Buffer
	if err := ProofJSON(&b, readableProof()); err != nil {
		t.Fatal(err)
	}
	want := b.String()
	r, p, err := Read(&b)
	if err != nil || r != nil {
		t.Fatal(r, err)
	}
	var again bytes.Buffer
	if err := ProofJSON(&again, *p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again.String()); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	good := jsonOf(t, readable())
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for _, row := range []struct{ name, in, want string }{
		{"nothing", "", "it is empty"},
		{"no JSON", "tightship verify: image x", "it is not JSON"},
		{"JUnit", `<?xml version="1.0"?>`, "it is not JSON"},
		{"cut off", good[:len(good)/2], "it ends too early"},
		{"cut off at the end", strings.TrimSuffix(good, "}\n"), "it ends too early"},
		{"a list", "[]", "it is not JSON"},
		{"another document follows", good + good, "something follows its end"},
		{"rubbish follows", good + "x", "something follows its end"},
		{"no schema", `{"results": []}`, "it names no schema"},
		{"a schema of another type", `{"schema": 1}`, "its schema is no text"},
		{"another program's", `{"schema": "goss/v1", "results": []}`, `its schema is "goss/v1"`},
		{"a hostile schema", `{"schema": "\u001b[2J"}`, `its schema is "\\x1b[2J"`},
		{"a syntax error", `{"schema": "tightship.report/v1", "results": [}`, "it is not JSON at byte"},
		{"an unknown key", edit(`"results"`, `"extra": 1, "results"`), "extra"},
		{"another case", edit(`"run_id"`, `"Run_ID"`), "run_id"},
		{"a missing key", edit(`"policy_digest": "sha256:`+strings.Repeat("fedcba9876543210", 4)+`",`, ""), "policy_digest"},
		{"an unknown verdict", edit(`"verdict": "fail"`, `"verdict": "splendid"`), "verdict"},
		{"a wrong type", edit(`"line": 0`, `"line": "0"`), "line"},
		{"a number too large", edit(`"duration_ms": 12345`, `"duration_ms": 1e40`), "duration_ms"},
		{"a key twice", edit(`"verdict": "fail"`, `"verdict": "fail", "verdict": "pass"`), `the key "verdict" stands twice`},
		{"an edited headline", edit(`"verdict": "failed"`, `"verdict": "proven"`), "the summary of result 1 says proven"},
		{"an edited count", edit(`"pass": 4`, `"pass": 5`), "the summary of result 1 says failed (5 held"},
		{"an edited check", edit(`"verdict": "fail"`, `"verdict": "pass"`), "but its checks come to failed (5 held"},
		{"nested too deep", `{"schema": ` + strings.Repeat("[", 20000), "it "},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := Read(strings.NewReader(row.in))
			if !errors.Is(err, ErrUnreadable) || !strings.Contains(fmt.Sprint(err), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
			if err != nil {
				checkHarmless(t, err.Error())
			}
		})
	}
}

func TestReadReturnsTheReadersError(t *testing.T) {
	want := errors.New("unplugged")
	if _, _, err := Read(brokenReader{want}); !errors.Is(err, want) || errors.Is(err, ErrUnreadable) {
		t.Errorf("got %v", err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// FuzzRead demands that what is read can be written and read again, and that what
// is not is refused in one harmless line.
func FuzzRead(f *testing.F) {
	f.Add([]byte(jsonOf(f, calm(proven))))
	f.Add([]byte(jsonOf(f, readable())))
	var b bytes.Buffer
	if err := ProofJSON(&b, readableProof()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":"tightship.report/v1","results":[{"a":[{}],"a":1}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, p, err := Read(bytes.NewReader(in))
		var again bytes.Buffer
		switch {
		case err != nil:
			if !errors.Is(err, ErrUnreadable) {
				t.Errorf("%v", err)
			}
			checkHarmless(t, err.Error())
			return
		case p != nil:
			err = ProofJSON(&again, *p)
		default:
			err = JSON(&again, *r)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(&again); err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}
