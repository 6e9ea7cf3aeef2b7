package gitwire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var (
	zeros = strings.Repeat("0", 40)
	idA   = strings.Repeat("a", 40)
	idB   = strings.Repeat("b", 40)
)

// command is the packet of one command.
func command(old, next, ref, capabilities string) string {
	line := old + " " + next + " " + ref
	if capabilities != "" {
		line += "\x00" + capabilities
	}
	return string(appendPacket(nil, line))
}

func packet(s string) string { return string(appendPacket(nil, s)) }

func TestReadCommands(t *testing.T) {
	id64 := strings.Repeat("c", 64)
	for name, row := range map[string]struct {
		head string
		want Push
	}{
		"no capabilities": {command(idA, idB, "refs/heads/x", "") + "0000",
			Push{Updates: []RefUpdate{{"refs/heads/x", idA, idB}}, Capabilities: Capabilities{Format: SHA1}}},
		"line feeds and a list": {packet(idA+" "+idB+" refs/heads/x\x00 report-status side-band-64k atomic quiet agent=git/2 session-id=1\n") + packet(zeros+" "+idB+" refs/heads/y\n") + "0000",
			Push{Updates: []RefUpdate{{"refs/heads/x", idA, idB}, {"refs/heads/y", zeros, idB}}, Capabilities: Capabilities{Report: true, Sideband: true, Atomic: true, Format: SHA1, Agent: "git/2"}}},
		"SHA-256": {command(id64, id64[:63]+"d", "refs/heads/x", "report-status-v2 object-format=sha256") + "0000",
			Push{Updates: []RefUpdate{{"refs/heads/x", id64, id64[:63] + "d"}}, Capabilities: Capabilities{Report: true, Format: SHA256}}},
		"options": {command(idA, idB, "refs/heads/x", "push-options") + "0000" + packet("a") + packet("b\n") + "0000",
			Push{Updates: []RefUpdate{{"refs/heads/x", idA, idB}}, Capabilities: Capabilities{Options: true, Format: SHA1}, Options: []string{"a", "b"}}},
		"no options": {command(idA, idB, "refs/heads/x", "push-options") + "0000" + "0000",
			Push{Updates: []RefUpdate{{"refs/heads/x", idA, idB}}, Capabilities: Capabilities{Options: true, Format: SHA1}}},
		"shallow": {packet("shallow "+idA+"\n") + packet("shallow "+idB) + command(idA, idB, "refs/heads/x", "ofs-delta") + "0000",
			Push{Updates: []RefUpdate{{"refs/heads/x", idA, idB}}, Capabilities: Capabilities{Format: SHA1}}},
		"an upper-case length": {"006A" + idA + " " + idB + " refs/heads/xyz" + strings.Repeat("z", 106-4-82-14) + "0000",
			Push{Updates: []RefUpdate{{"refs/heads/xyz" + strings.Repeat("z", 106-4-82-14), idA, idB}}, Capabilities: Capabilities{Format: SHA1}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
				p, err := ReadCommands(wrap(strings.NewReader(row.head+"PACK and more")), DefaultLimits())
				if err != nil {
					t.Fatal(err)
				}
				rest, err := io.ReadAll(p.Rest)
				if string(p.Head) != row.head || string(rest) != "PACK and more" || err != nil {
					t.Errorf("read %q, left %q, %v", p.Head, rest, err)
				}
				p.Head, p.Rest = nil, nil
				if diff := cmp.Diff(row.want, *p); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
	if p, err := ReadCommands(strings.NewReader("0000"), DefaultLimits()); err != nil || !p.Probe || string(p.Head) != "0000" {
		t.Errorf("probe: %+v, %v", p, err)
	}
}

func TestReadCommandsRefuses(t *testing.T) {
	one := command(idA, idB, "refs/heads/x", "report-status")
	for name, row := range map[string]struct{ body, why string }{
		"nothing":                        {"", "ends before"},
		"half a length":                  {"00", "ends before"},
		"half a packet":                  {one[:20], "ends before"},
		"no flush":                       {one, "ends before"},
		"no flush behind the options":    {command(idA, idB, "refs/heads/x", "push-options") + "0000", "ends before"},
		"a pack where options should be": {command(idA, idB, "refs/heads/x", "push-options") + "0000PACK\x00\x00\x00\x02", "no pkt-line"},
		"length 3":                       {"0003" + one + "0000", "length is 3"},
		"length fff1":                    {"fff1" + strings.Repeat("x", 65525), "length is 65521"},
		"length ffff":                    {"ffff" + strings.Repeat("x", 65525), "length is 65535"},
		"a length that is no number":     {"00zz" + one, "its length is"},
		"a negative length":              {"-001" + one, "its length is"},
		"a length with 0x":               {"0x10" + one, "its length is"},
		"a length with a space":          {"  70" + one, "its length is"},
		"an HTTP request":                {"POST / HTTP/1.1\r\n\r\n", "its length is"},
		"a delim":                        {one + "0001" + "0000", "version 2"},
		"a response end":                 {one + "0002" + "0000", "version 2"},
		"a version 2 push":               {packet("command=push") + "0000", "is not OLD NEW REF"},
		"an empty packet":                {one + "0004" + command(idA, idB, "refs/heads/main", "") + "0000", "empty packet"},
		"an empty line":                  {one + "0005\n" + command(idA, idB, "refs/heads/main", "") + "0000", "empty packet"},
		"an empty option":                {command(idA, idB, "refs/heads/x", "push-options") + "00000004" + "0000", "empty packet"},
		"a flush, then commands":         {"0000" + one + "0000", "something follows"},
		"only shallow lines":             {packet("shallow "+idA) + "0000", "no command"},
		"shallow behind a command":       {one + packet("shallow "+idA) + "0000", "shallow line"},
		"shallow with a bad id":          {packet("shallow "+idA[1:]) + one + "0000", "shallow line"},
		"shallow with capabilities":      {packet("shallow "+idA+"\x00report-status") + one + "0000", "shallow line"},
		"a signed push":                  {packet("push-cert\x00report-status") + packet("certificate version 0.1\n") + "0000", "push without --signed"},
		"two commands for one ref":       {one + command(idB, idA, "refs/heads/x", "") + "0000", "two commands"},
		"a delete and a create":          {one + command(idB, zeros, "refs/heads/x", "") + "0000", "two commands"},
		"a NUL in the second command":    {one + command(idA, idB, "refs/heads/y", "push-options") + "0000", "not the first has a NUL"},
		"two NULs":                       {command(idA, idB, "refs/heads/x", "atomic\x00push-options") + "0000", `capabilities have '\x00'`},
		"a NUL in the ref":               {command(idA, idB, "refs/heads/x\x00y", "atomic") + "0000", `capabilities have '\x00'`},
		"a tab among capabilities":       {command(idA, idB, "refs/heads/x", "atomic\tpush-options") + "0000", `capabilities have '\t'`},
		"a line feed among capabilities": {command(idA, idB, "refs/heads/x", "atomic\npush-options\n") + "0000", `capabilities have '\n'`},
		"an unknown capability":          {command(idA, idB, "refs/heads/x", "new-framing") + "0000", "is not known"},
		"push-cert as a capability":      {command(idA, idB, "refs/heads/x", "push-cert=nonce") + "0000", "has a value or is not known"},
		"a flag with a value":            {command(idA, idB, "refs/heads/x", "push-options=1") + "0000", "has a value"},
		"a capability twice":             {command(idA, idB, "refs/heads/x", "object-format=sha1 object-format=sha256") + "0000", "twice"},
		"an agent without a value":       {command(idA, idB, "refs/heads/x", "agent") + "0000", "has no value"},
		"an unknown format":              {command(idA, idB, "refs/heads/x", "object-format=md5") + "0000", "object format"},
		"a format of other ids":          {command(idA, idB, "refs/heads/x", "object-format=sha256") + "0000", "ids of sha256"},
		"ids of SHA-256, no format":      {command(strings.Repeat("a", 64), strings.Repeat("b", 64), "refs/heads/x", "atomic") + "0000", "ids of sha1"},
		"upper-case ids":                 {command(strings.ToUpper(idA), idB, "refs/heads/x", "") + "0000", "ids of sha1"},
		"a short id":                     {command(idA[1:], idB, "refs/heads/x", "") + "0000", "ids of sha1"},
		"two spaces":                     {command(idA+" ", idB, "refs/heads/x", "") + "0000", "ids of sha1"},
		"a tab":                          {packet(idA + "\t" + idB + " refs/heads/x"), "ids of sha1"},
		"no ref":                         {command(idA, idB, "", "") + "0000", "ids of sha1"},
		"two ids of zeros":               {command(zeros, zeros, "refs/heads/x", "") + "0000", "two ids of zeros"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ReadCommands(strings.NewReader(row.body), DefaultLimits())
			if !errors.Is(err, ErrCommands) || !strings.Contains(err.Error(), row.why) {
				t.Errorf("%v", err)
			}
			if p == nil || !strings.HasPrefix(row.body, string(p.Head)) {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestReadCommandsBounds(t *testing.T) {
	var many bytes.Buffer
	for n := range 5 {
		many.WriteString(command(idA, idB, fmt.Sprint("refs/heads/", n), ""))
	}
	body := many.String() + "0000"
	l := DefaultLimits()
	l.Commands, l.CommandBytes = 5, len(body)
	if _, err := ReadCommands(strings.NewReader(body), l); err != nil {
		t.Errorf("what just fits is refused: %v", err)
	}
	l.Commands = 4
	if _, err := ReadCommands(strings.NewReader(body), l); err == nil || !strings.Contains(err.Error(), "more than 4 commands") {
		t.Errorf("too many: %v", err)
	}
	l.Commands, l.CommandBytes = 5, len(body)-1
	p, err := ReadCommands(strings.NewReader(body), l)
	if !errors.Is(err, ErrCommands) || !strings.Contains(err.Error(), "more than") || len(p.Head) > l.CommandBytes {
		t.Errorf("too long: %v", err)
	}
	broken := errors.New("the connection broke")
	if _, err := ReadCommands(io.MultiReader(strings.NewReader(body[:30]), iotest.ErrReader(broken)), l); !errors.Is(err, broken) || errors.Is(err, ErrCommands) {
		t.Errorf("the reader's own error: %v", err)
	}
}

func FuzzReadCommands(f *testing.F) {
	for _, name := range []string{"create", "forward-merge", "options", "atomic-tag", "delete", "shallow"} {
		f.Add(fixture(f, name+".request"))
	}
	f.Add([]byte("0000"))
	f.Add([]byte(packet("push-cert\x00report-status")))
	l := DefaultLimits()
	l.CommandBytes = 10_000
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := ReadCommands(bytes.NewReader(body), l)
		if !bytes.HasPrefix(body, p.Head) || len(p.Head) > l.CommandBytes {
			t.Fatalf("the head is not what came: %q", p.Head)
		}
		if err != nil {
			contentType, answer := Unreadable(p, err)
			readable(t, p, contentType, answer)
			return
		}
		rest, err := io.ReadAll(p.Rest)
		if err != nil || !bytes.Equal(append(bytes.Clone(p.Head), rest...), body) {
			t.Fatal("bytes are lost")
		}
		// Written again from what was understood, and in the one way that git
		// has, it says the same.
		again, err := ReadCommands(bytes.NewReader(write(p)), l)
		if err != nil && !strings.Contains(err.Error(), "more than") {
			t.Fatalf("%v\nin %q", err, write(p))
		}
		if err == nil {
			if diff := cmp.Diff(p.Updates, again.Updates); diff != "" {
				t.Fatal(diff)
			}
			if diff := cmp.Diff(p.Options, again.Options); diff != "" {
				t.Fatal(diff)
			}
		}
		everything := Access{Push: []string{"**"}, Force: true, Tags: true, Delete: true}
		d := everything.Decide(p)
		for _, v := range d.Refs {
			if v.Allowed && (checkRef(v.Update.Ref) != nil || len(p.Options) > 0) {
				t.Fatalf("%+v", v)
			}
		}
		contentType, answer := Refusal(p, Access{}.Decide(p))
		readable(t, p, contentType, answer)
	})
}

func write(p *Push) []byte {
	var out []byte
	for n, u := range p.Updates {
		line := u.Old + " " + u.New + " " + u.Ref
		if n == 0 {
			line += "\x00object-format=" + string(p.Capabilities.Format)
			if p.Capabilities.Options {
				line += " push-options"
			}
		}
		out = appendPacket(out, line+"\n")
	}
	out = appendFlush(out)
	if p.Capabilities.Options {
		for _, o := range p.Options {
			out = appendPacket(out, o+"\n")
		}
		out = appendFlush(out)
	}
	return out
}

// readable holds an answer to the grammar, and to say no to all refs.
func readable(t *testing.T, p *Push, contentType string, answer []byte) {
	t.Helper()
	if contentType != "application/x-git-receive-pack-result" {
		t.Fatal(contentType)
	}
	r := NewReport(p)
	_, _ = r.Write(answer)
	results, whole := r.Results()
	if r.outer.err != nil || r.inner.err != nil || whole != p.Capabilities.Report {
		t.Fatalf("the answer %q: %v, %v, whole %v", answer, r.outer.err, r.inner.err, whole)
	}
	for ref, result := range results {
		if result.OK || result.Reason == "" {
			t.Fatalf("%q: %+v", ref, result)
		}
	}
}

func FuzzPackets(f *testing.F) {
	for _, seed := range []string{"0000", "0004", "0005x0000", "0009hello0001", "0003", "fff0", "ffff", "00", "0009he", "000Ahello!"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, body []byte, at int) {
		type one struct {
			K    kind
			Data string
		}
		var want, got []one
		r := bytes.NewReader(body)
		var err error
		for {
			var k kind
			var payload []byte
			if k, payload, err = readPacket(r); err != nil {
				break
			}
			want = append(want, one{k, string(payload)})
		}
		s := splitter{each: func(k kind, payload []byte) { got = append(got, one{k, string(payload)}) }}
		cut := max(0, min(at, len(body)))
		s.write(body[:cut])
		s.write(body[cut:])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("the reader and the splitter disagree:\n%s", diff)
		}
		if errors.Is(err, errPacket) != (s.err != nil) {
			t.Fatalf("%v and %v", err, s.err)
		}
		var again []byte
		for _, p := range want {
			switch p.K {
			case data:
				again = appendPacket(again, p.Data)
			case flush:
				again = appendFlush(again)
			default:
				return
			}
		}
		if !bytes.EqualFold(again, body[:len(again)]) {
			t.Fatalf("%q is written as %q", body, again)
		}
	})
}
