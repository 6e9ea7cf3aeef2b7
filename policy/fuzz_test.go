package policy

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Whatever is in the file: no panic; errors lie inside it and are one line
// each; what decodes can be written, shown and read again without a change.
func FuzzDecode(f *testing.F) {
	f.Add(InitTemplate())
	f.Add([]byte(explained))
	f.Add([]byte(manyCredentials))
	f.Add([]byte(two("b", "/a", "sets: {A: '{port}'}", "sets: {A: b}")))
	f.Add([]byte(credentialFile("git: {repositories: ['**'], push: ['refs/**/x*']}", "attach: {basic: \"\\u2028\"}", "from: 'exec: \"'")))
	for _, seed := range []string{
		"", "---\n", "\ufeff", "a: &a [*a]", "limits: {memory: 5, swap: -1, cpus: .5}", "tmpfs: {/a: , ? b : c}", "image: |\n  x\n",
		"sysctls: {net.a: \"\\t1\"}", "? - a\n: b", "accept: [{check: a, reason: \"\\u2028 '\\\"\\\\\", until: 2030-01-01}]",
		"environment: {commands: [{run: [yes, '', '- a', \"\\x85\", '{', 'a: b']}]}", "version: 1\r\n", "%YAML 1.2\n---\nversion: 1\n...\n",
		"user: {uid: 0o17, gid: 1_0, groups: [0]}", "<<: {image: a}", "a:\n- b\n -c", "\"\\uD83D\\uDE00\": 1", "!!map {}",
	} {
		f.Add([]byte(seed))
	}
	schema := compiled(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode("f.yaml", data)
		if err != nil {
			errs, ok := err.(Errors)
			if !ok || len(errs) == 0 || p != nil {
				t.Fatalf("%T, %v, policy %v", err, err, p)
			}
			inside(t, errs, data)
			return
		}
		if err := schema.Validate(asJSON(t, dataOrEmpty(data))); err != nil {
			t.Errorf("the schema refuses what the decoder takes: %v", err)
		}
		for at, o := range p.Origins {
			inside(t, Errors{{Line: o.Line, Column: o.Column, Msg: at}}, data)
		}
		text, err := p.YAML()
		if err != nil {
			t.Fatal(err)
		}
		var shown bytes.Buffer
		if err := WriteExplain(&shown, Explain(p, someChecks), 80); err != nil {
			t.Fatal(err)
		}
		for _, written := range [][]byte{text, shown.Bytes()} {
			again, err := Decode("f.yaml", written)
			if err != nil {
				t.Fatalf("%v\nin\n%s", err, written)
			}
			if diff := cmp.Diff(p, again, cmpopts.IgnoreFields(Policy{}, "Origins")); diff != "" {
				t.Fatalf("-want +got:\n%s\nin\n%s", diff, written)
			}
			if again.Digest() != p.Digest() {
				t.Fatal("the digest changed")
			}
		}
		if _, err := p.Container(); err != nil && !strings.Contains(err.Error(), "seccomp") {
			t.Fatal(err)
		}
	})
}

// dataOrEmpty is the file as an editor shows it to a schema: one without a
// value has no keys.
func dataOrEmpty(data []byte) []byte {
	if root, _ := parse(data); root == nil {
		return []byte("{}")
	}
	return data
}

func inside(t *testing.T, errs Errors, data []byte) {
	t.Helper()
	lines := strings.Split(string(data), "\n")
	for _, e := range errs {
		if strings.ContainsAny(e.Error(), "\n\r") || !utf8.ValidString(e.Error()) {
			t.Errorf("not one line of text: %q", e.Error())
		}
		if e.Line == 0 && e.Column == 0 {
			continue
		}
		// One column behind the last is where something is missing.
		if e.Line < 1 || e.Line > len(lines) || e.Column < 0 || e.Column > utf8.RuneCountInString(lines[e.Line-1])+1 {
			t.Errorf("%d:%d is outside of the file: %v", e.Line, e.Column, e)
		}
	}
}
