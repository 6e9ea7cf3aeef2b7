package gitwire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	out, err := os.ReadFile(filepath.Join("testdata/git", name))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What a real git sent, read again: the commands, and a pack that goes through with
// the right answers.
func TestRecorded(t *testing.T) {
	for name, want := range map[string]struct {
		refs    string // what is asked for, by ref: + creates, - deletes, = updates
		options []string
		answer  Answer
	}{
		"create":                {refs: "+refs/heads/agent/new"},
		"forward-merge":         {refs: "=refs/heads/agent/x", answer: Yes},
		"forward-deltas":        {refs: "=refs/heads/agent/x", answer: Yes},
		"forward-ref-deltas":    {refs: "=refs/heads/agent/x", answer: Yes},
		"forward-chunked":       {refs: "=refs/heads/agent/x", answer: Yes},
		"forward-existing":      {refs: "=refs/heads/agent/four", answer: Unknown},
		"force":                 {refs: "=refs/heads/agent/x", answer: Unknown},
		"options":               {refs: "+refs/heads/agent/options", options: []string{"merge_request.create", "ci.skip"}},
		"atomic-tag":            {refs: "+refs/tags/v1 +refs/heads/agent/two"},
		"delete":                {refs: "-refs/heads/agent/two"},
		"delete-and-create":     {refs: "-refs/heads/agent/new +refs/heads/agent/three"},
		"shallow":               {refs: "+refs/heads/agent/shallow"},
		"forward-chunked-probe": {},
	} {
		t.Run(name, func(t *testing.T) {
			request := fixture(t, name+".request")
			p, err := ReadCommands(bytes.NewReader(request), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			var refs []string
			var ask []RefUpdate
			for _, u := range p.Updates {
				switch {
				case u.Creates():
					refs = append(refs, "+"+u.Ref)
				case u.Deletes():
					refs = append(refs, "-"+u.Ref)
				default:
					refs = append(refs, "="+u.Ref)
					ask = append(ask, u)
				}
			}
			if diff := cmp.Diff(want.refs, strings.Join(refs, " ")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(want.options, p.Options); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if p.Probe != (want.refs == "") || p.Capabilities.Atomic != (name == "atomic-tag") {
				t.Errorf("probe %v, atomic %v", p.Probe, p.Capabilities.Atomic)
			}
			out := bytes.NewBuffer(bytes.Clone(p.Head))
			if p.HasPack() {
				i := Inspector{Format: p.Capabilities.Format, Limits: DefaultLimits(), Ask: ask}
				err = i.Copy(t.Context(), out, byteReader{p.Rest})
			}
			if len(ask) > 0 && want.answer != Yes {
				var force *ForceError
				if !errors.As(err, &force) || force.Answers[ask[0]] != want.answer {
					t.Errorf("error %v", err)
				}
				// All was sent but the checksum.
				request = request[:len(request)-20]
				err = nil
			}
			if err != nil {
				t.Error(err)
			}
			if !bytes.Equal(out.Bytes(), request) {
				t.Errorf("%d bytes went through of %d", out.Len(), len(request))
			}
		})
	}
}

// byteReader gives a byte at a time, which no reader may rely on not to happen.
type byteReader struct{ r io.Reader }

func (r byteReader) Read(p []byte) (int, error) { return r.r.Read(p[:min(1, len(p))]) }

// Both ways to name the base of a delta are in the recorded packs, or the test above
// shows nothing about them.
func TestRecordedDeltas(t *testing.T) {
	for name, kind := range map[string]byte{"forward-deltas": packOfsDelta, "forward-ref-deltas": packRefDelta} {
		p, err := ReadCommands(bytes.NewReader(fixture(t, name+".request")), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(p.Rest)
		if err != nil {
			t.Fatal(err)
		}
		s := &scanner{source: source{r: bytes.NewReader(all), w: io.Discard}, graph: newGraph(SHA1, DefaultLimits()), at: map[int64]object{}}
		count, err := s.header()
		if err != nil {
			t.Fatal(err)
		}
		deltas := 0
		for range count {
			if all[s.offset()]>>4&7 == kind {
				deltas++
			}
			if _, err := s.object(); err != nil {
				t.Fatal(err)
			}
		}
		if deltas == 0 || len(s.graph.parents) != int(count) {
			t.Errorf("%s: %d deltas, %d commits of %d objects", name, deltas, len(s.graph.parents), count)
		}
	}
}

// What a real server answered.
func TestRecordedReports(t *testing.T) {
	ok := Result{OK: true}
	for name, want := range map[string]map[string]Result{
		"create":             {"refs/heads/agent/new": ok},
		"atomic-tag":         {"refs/tags/v1": ok, "refs/heads/agent/two": ok},
		"forward-ref-deltas": {"refs/heads/agent/x": ok}, // without side-band
		"denied":             {"refs/heads/agent/five": ok, "refs/heads/agent/four": {Reason: "deletion prohibited"}},
	} {
		p, err := ReadCommands(bytes.NewReader(fixture(t, name+".request")), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		response := fixture(t, name+".response")
		for cut := range len(response) + 1 {
			r := NewReport(p)
			_, _ = r.Write(response[:cut])
			_, _ = r.Write(response[cut:])
			results, whole := r.Results()
			if diff := cmp.Diff(want, results); diff != "" || !whole || r.Unpack() != "ok" {
				t.Fatalf("%s, cut at %d: whole %v, unpack %q, -want +got:\n%s", name, cut, whole, r.Unpack(), diff)
			}
		}
		r := NewReport(p)
		_, _ = io.Copy(r, byteReader{bytes.NewReader(response[:len(response)-9])})
		if _, whole := r.Results(); whole {
			t.Errorf("%s: a report that is cut off counts as whole", name)
		}
	}
}

// A server can't say anything about a ref that was not pushed to, nor say two things,
// nor write to the terminal.
func TestReportHostile(t *testing.T) {
	p := &Push{Updates: []RefUpdate{{Ref: "refs/heads/a"}, {Ref: "refs/heads/b"}}}
	var body []byte
	for _, line := range []string{"ok refs/heads/other\n", "unpack ok\n", "ng refs/heads/a no\x1b[2J way\n", "ok refs/heads/a\n", "what\n", ""} {
		body = appendPacket(body, line)
	}
	body = append(body, "zzzz0019ok refs/heads/b\n0000"...)
	r := NewReport(p)
	_, _ = r.Write(body)
	results, whole := r.Results()
	if diff := cmp.Diff(map[string]Result{"refs/heads/a": {Reason: "no?[2J way"}}, results); diff != "" || whole {
		t.Errorf("whole %v, -want +got:\n%s", whole, diff)
	}
}
