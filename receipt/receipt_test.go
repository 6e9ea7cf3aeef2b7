package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/receipt/keys"
	"github.com/tightship-dev/tightship/report"
)

var (
	testKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	otherKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	started  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now      = started.Add(time.Hour)
)

func sum(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func result() report.Result {
	return report.Result{
		Subject: report.Subject{Image: "agent", ImageID: sum("a"), ImageDigest: sum("b"), Container: "web", Engine: "docker", EngineVersion: "29",
			Runtime: "runc", RuntimeDigest: sum("c"), Kernel: "6.1"},
		PolicyDigest: sum("d"), SettingsDigest: sum("e"), GuestDigest: sum("f"), Started: started,
		Checks:  []report.Check{{ID: "fs.x", Verdict: "pass", Evidence: "exercised"}},
		Summary: report.Summary{Pass: 1, Verdict: "proven"},
	}
}

func statement(t testing.TB, edit func(*report.Result)) Statement {
	t.Helper()
	res := result()
	if edit != nil {
		edit(&res)
	}
	s, err := New(res, Options{Version: "test", TTL: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(t testing.TB, s Statement) []byte {
	t.Helper()
	data, err := Sign(s, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func place() *Place {
	return &Place{Engine: Engine{"docker", "29"}, Kernel: "6.1", Runtime: "runc", Program: sum("c")}
}

func expect() Expect {
	return Expect{Now: now, MaxAge: 2 * time.Hour, Image: sum("a"), Container: sum("e"), Place: place(), Settings: sum("e"), Policy: sum("d")}
}

func check(data []byte, key ed25519.PrivateKey, x Expect) error {
	e, err := Parse(data)
	if err != nil {
		return err
	}
	_, err = e.Verify(keys.Public(key), x)
	return err
}

// Each row spoils one thing, and must be refused for exactly that. Emptying the
// body of any check lets its row pass (TestHollowChecks).
func TestVerify(t *testing.T) {
	if err := check(signed(t, statement(t, nil)), testKey, expect()); err != nil {
		t.Fatalf("a good receipt: %v", err)
	}
	stmt := func(edit func(*Statement)) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			s := statement(t, nil)
			edit(&s)
			return signed(t, s)
		}
	}
	seen := func(edit func(*Expect)) func() Expect {
		return func() Expect { x := expect(); edit(&x); return x }
	}
	other := sum("9")
	for _, c := range []struct {
		want string
		data func(*testing.T) []byte
		x    func() Expect
	}{
		{"signature", func(t *testing.T) []byte { d, _ := Sign(statement(t, nil), otherKey); return d }, nil},
		{"payload-type", func(t *testing.T) []byte { return envelope(t, "text/plain", statement(t, nil)) }, nil},
		{"statement-type", stmt(func(s *Statement) { s.Type = "x" }), nil},
		{"predicate-type", stmt(func(s *Statement) { s.PredicateType = "x" }), nil},
		{"verdict", stmt(func(s *Statement) { s.Predicate.Result = Failed }), nil},
		{"verdict", stmt(func(s *Statement) { s.Predicate.Tightship.Verdict = "failed" }), nil},
		{"verdict", stmt(func(s *Statement) { s.Predicate.Tightship.Checks[0].Verdict = "splendid" }), nil},
		{"verdict", stmt(func(s *Statement) { s.Predicate.FailedTests = []string{"fs.x"} }), nil},
		{"verdict", stmt(func(s *Statement) { s.Predicate.PassedTests = nil }), nil},
		{"expiry", nil, seen(func(x *Expect) { x.Now, x.MaxAge = started.Add(24*time.Hour), 0 })},
		{"expiry", stmt(func(s *Statement) { s.Predicate.Tightship.Expires = time.Time{} }), nil},
		{"future", nil, seen(func(x *Expect) { x.Now = started.Add(-Skew - time.Second) })},
		{"age", nil, seen(func(x *Expect) { x.MaxAge = time.Minute })},
		{"image", nil, seen(func(x *Expect) { x.Image = other })},
		{"image", nil, seen(func(x *Expect) { x.Image = sum("e") })}, // the container's settings are no image
		{"container", nil, seen(func(x *Expect) { x.Container = other })},
		{"container", func(t *testing.T) []byte {
			return signed(t, statement(t, func(r *report.Result) { r.Subject.Container = "" }))
		}, nil},
		{"settings", nil, seen(func(x *Expect) { x.Settings = other })},
		{"policy", nil, seen(func(x *Expect) { x.Policy = other })},
		{"engine", nil, seen(func(x *Expect) { x.Place.Engine.Version = "30" })},
		{"kernel", nil, seen(func(x *Expect) { x.Place.Kernel = "6.2" })},
		{"runtime", nil, seen(func(x *Expect) { x.Place.Runtime = "runsc" })},
		{"runtime-program", nil, seen(func(x *Expect) { x.Place.Program = "" })},
	} {
		data, x := signed(t, statement(t, nil)), expect()
		if c.data != nil {
			data = c.data(t)
		}
		if c.x != nil {
			x = c.x()
		}
		var r Refusals
		if err := check(data, testKey, x); !errors.As(err, &r) || len(r) != 1 || r[0].Check != c.want {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}

func envelope(t *testing.T, payloadType string, s Statement) []byte {
	t.Helper()
	payload, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	b := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `{"payloadType":%q,"payload":%q,"signatures":[{"sig":%q}]}`, payloadType, b(payload), b(ed25519.Sign(testKey, preAuth(payloadType, payload))))
}

// Every byte counts: each of its bits flipped, and outside of the payload every
// other value, is refused.
func TestEveryByte(t *testing.T) {
	data := signed(t, statement(t, nil))
	x := Expect{Now: now}
	start := bytes.Index(data, []byte(`"payload":"`)) + 11
	end := start + bytes.IndexByte(data[start:], '"')
	for i := range data {
		for v := 1; v < 256; v++ {
			if i >= start && i < end && v&(v-1) != 0 {
				continue
			}
			changed := bytes.Clone(data)
			changed[i] ^= byte(v)
			if check(changed, testKey, x) == nil {
				t.Fatalf("byte %d (%q) as %q is accepted", i, data[i], changed[i])
			}
		}
	}
	for n := range data[:len(data)-1] {
		if check(data[:n], testKey, x) == nil {
			t.Fatalf("the first %d bytes are accepted", n)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(bytes.TrimSpace(signed(t, statement(t, nil))))
	for name, text := range map[string]string{
		"empty": "", "array": "[]", "trailing": good + "\n\n", "twice": good + good,
		"duplicate": strings.Replace(good, `{"payloadType"`, `{"payloadType":"x","payloadType"`, 1),
		"case":      strings.Replace(good, `"payload"`, `"Payload"`, 1),
		"unknown":   strings.Replace(good, `{"payloadType"`, `{"x":1,"payloadType"`, 1),
		"none":      good[:strings.Index(good, `"signatures"`)] + `"signatures":[]}`,
		"null":      good[:strings.Index(good, `"signatures"`)] + `"signatures":null}`,
		"huge":      "{" + strings.Repeat(" ", MaxSize) + "}",
		"deep":      `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One good signature is enough, and another tool's name for the key is known.
func TestSignatures(t *testing.T) {
	e, err := Parse(signed(t, statement(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	good := e.Signatures[0]
	bad := Signature{KeyID: "", Sig: make([]byte, 64)}
	e.Signatures = []Signature{bad, good}
	if _, err := e.Verify(keys.Public(testKey), Expect{Now: now}); err != nil {
		t.Errorf("one of two is good: %v", err)
	}
	for _, id := range append(keys.Aliases(keys.Public(testKey)), "") {
		e.Signatures = []Signature{{id, good.Sig}}
		if _, err := e.Verify(keys.Public(testKey), Expect{Now: now}); err != nil {
			t.Errorf("keyid %q: %v", id, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	partial, nameless := result(), result()
	partial.LeftOut, nameless.Subject.ImageID = 1, "host"
	if _, err := New(partial, Options{TTL: 1}); !errors.Is(err, ErrPartial) {
		t.Error(err)
	}
	if _, err := New(nameless, Options{TTL: 1}); !errors.Is(err, ErrNoDigest) {
		t.Error(err)
	}
	if _, err := New(result(), Options{}); !errors.Is(err, ErrTTL) {
		t.Error(err)
	}
}

// What is not proven is recorded as that, and never as passed.
func TestResult(t *testing.T) {
	for verdict, want := range map[string]string{"pass": Passed, "accepted": Warned, "fail": Failed, "inconclusive": Failed, "splendid": Failed} {
		s := statement(t, func(r *report.Result) {
			r.Checks = append(r.Checks, report.Check{ID: "fs.y", Verdict: verdict})
			if want == Failed {
				r.Summary.Verdict = "inconclusive"
			}
		})
		if s.Predicate.Result != want {
			t.Errorf("%s: %s, want %s", verdict, s.Predicate.Result, want)
		}
		if err := check(signed(t, s), testKey, Expect{Now: now}); (err == nil) != (want != Failed) {
			t.Errorf("%s: %v", verdict, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(signed(f, statement(f, nil)))
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":"AA=="}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse(data)
		if err != nil {
			return
		}
		_, _ = e.Statement()
		if _, err := e.Verify(keys.Public(otherKey), Expect{Now: now}); err == nil {
			t.Error("accepted without the key")
		}
	})
}
