package gitwire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unframe reads an answer into the report's lines and the words on the terminal.
func unframe(t *testing.T, body []byte) (report []string, words string) {
	t.Helper()
	inner := splitter{each: func(k kind, line []byte) {
		if k == data {
			report = append(report, string(line))
		} else {
			report = append(report, fmt.Sprint(k))
		}
	}}
	flushes := 0
	outer := splitter{each: func(k kind, p []byte) {
		switch {
		case k == flush:
			flushes++
		case flushes > 0 || len(p) == 0:
			t.Errorf("a packet %q", p)
		case p[0] == 1:
			inner.write(p[1:])
		case p[0] == 2:
			words += string(p[1:])
		default:
			t.Errorf("band %d", p[0])
		}
	}}
	outer.write(body)
	if outer.err != nil || inner.err != nil || flushes != 1 || len(outer.held)+len(inner.held) > 0 {
		t.Errorf("%v, %v, %d flushes", outer.err, inner.err, flushes)
	}
	return report, words
}

func TestRefusal(t *testing.T) {
	p := &Push{Capabilities: Capabilities{Report: true, Sideband: true, Format: SHA1}, Updates: []RefUpdate{
		{"refs/heads/agent/x", zeros, idA}, {"refs/heads/main", zeros, idA}, {"refs/heads/\x1b[2J", zeros, idA},
	}}
	_, body := Refusal(p, agentAccess().Decide(p))
	report, words := unframe(t, body)
	if diff := cmp.Diff([]string{"unpack ok\n", "ng refs/heads/agent/x not done, as another ref of this push is refused\n", "ng refs/heads/main no pattern of push matches this ref\n", "1"}, report); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(`tightship: refused: refs/heads/main: no pattern of push matches this ref
tightship: hint: in tightship.yaml, below git: of the credential github-git  push: ["refs/heads/agent/*", "refs/heads/main"]
tightship: refused: refs/heads/?[2J: the name is not allowed: it has '?' in it
`, strings.ReplaceAll(words, `'\x1b'`, "'?'")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	t.Run("without side-band", func(t *testing.T) {
		p.Capabilities.Sideband = false
		_, body := Refusal(p, agentAccess().Decide(p))
		if !strings.HasPrefix(string(body), "000eunpack ok\n004bng refs/heads/agent/x") || !strings.HasSuffix(string(body), "\n0000") {
			t.Errorf("%q", body)
		}
	})
	t.Run("without a report", func(t *testing.T) {
		p.Capabilities = Capabilities{Sideband: true}
		_, body := Refusal(p, agentAccess().Decide(p))
		if report, words := unframe(t, body); report != nil || !strings.Contains(words, "refused") {
			t.Errorf("%q, %q", report, words)
		}
	})
	t.Run("many refs", func(t *testing.T) {
		p := &Push{Capabilities: Capabilities{Report: true, Sideband: true}}
		for n := range 1000 {
			p.Updates = append(p.Updates, RefUpdate{fmt.Sprint("refs/heads/", strings.Repeat("é", 500), n), zeros, idA})
		}
		_, body := Refusal(p, agentAccess().Decide(p))
		report, words := unframe(t, body)
		if len(report) != 1002 || strings.Count(words, "refused:") != maxWords || !strings.HasSuffix(words, "and 990 more\n") {
			t.Errorf("%d lines, %d bytes of words", len(report), len(words))
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		p := &Push{Capabilities: Capabilities{Report: true, Sideband: true}, Updates: []RefUpdate{{"refs/heads/x", zeros, idA}}}
		_, body := Unreadable(p, errors.New("it\nis \x1b[31mred"))
		report, words := unframe(t, body)
		if diff := cmp.Diff([]string{"unpack refused by tightship: it?is ?[31mred\n", "ng refs/heads/x refused\n", "1"}, report); diff != "" {
			t.Error(diff)
		}
		if words != "tightship: refused: it?is ?[31mred\n" {
			t.Errorf("%q", words)
		}
	})
}

func TestRefuseCall(t *testing.T) {
	a := Access{Name: "forge"}
	for name, row := range map[string]struct {
		call        Call
		version     int
		contentType string
		prefix      string
	}{
		"version 0":                 {Call{"a/b", UploadPack, true}, 0, "application/x-git-upload-pack-advertisement", "001e# service=git-upload-pack\n0000"},
		"version 2":                 {Call{"a/b", UploadPack, true}, 2, "application/x-git-upload-pack-advertisement", ""},
		"push, asked for version 2": {Call{"a/b", ReceivePack, true}, 2, "application/x-git-receive-pack-advertisement", "001f# service=git-receive-pack\n0000"},
		"the second request":        {Call{"a/b", UploadPack, false}, 2, "application/x-git-upload-pack-result", ""},
	} {
		t.Run(name, func(t *testing.T) {
			contentType, body := RefuseCall(row.call, row.version, a.Name, a.Call(row.call))
			rest, ok := strings.CutPrefix(string(body), row.prefix)
			if contentType != row.contentType || !ok {
				t.Fatalf("%s, %q", contentType, body)
			}
			var lines []string
			s := splitter{each: func(_ kind, p []byte) { lines = append(lines, string(p)) }}
			s.write([]byte(rest))
			if s.err != nil || len(lines) != 1 || !strings.HasPrefix(lines[0], "ERR tightship: refused: the repository a/b is not allowed; ") ||
				!strings.Contains(lines[0], "\ntightship: hint: in tightship.yaml, below git: of the credential forge  repositories: [\"a/b\"]") || strings.HasSuffix(lines[0], "\n") {
				t.Errorf("%q, %v", lines, s.err)
			}
		})
	}
}
