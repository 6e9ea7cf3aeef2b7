package front

import (
	"bufio"
	"errors"
	"io"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// rows are the raw requests of the broker's corpora.
func rows(t testing.TB, name string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for line := range strings.SplitSeq(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		raw, err := strconv.Unquote(line[strings.IndexByte(line, '"'):])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, []byte(raw))
	}
	return all
}

// FuzzHead has what is let through obey the rules, however it was written.
func FuzzHead(f *testing.F) {
	for _, name := range []string{"hostile.txt", "benign.txt"} {
		for _, raw := range rows(f, name) {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bufio.NewReader(strings.NewReader(string(raw)))
		h, err := ReadHead(r)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			if Rules[refusal.Rule] != refusal.Status {
				t.Fatalf("%+v", refusal)
			}
			return
		}
		if err != nil {
			return
		}
		decoded := Unescape(h.Path)
		for s := range strings.SplitSeq(decoded[1:], "/") {
			if s == "." || s == ".." {
				t.Errorf("%q has a segment %q", h.Path, s)
			}
		}
		if decoded[0] != '/' || strings.ContainsAny(decoded, "\\\x00\r\n") || strings.Contains(decoded, "//") {
			t.Errorf("%q is let through", h.Path)
		}
		for name, values := range h.Header {
			if !isToken(name) || name != textproto.CanonicalMIMEHeaderKey(name) {
				t.Errorf("the header %q", name)
			}
			for _, v := range values {
				if strings.ContainsAny(v, "\r\n\x00") {
					t.Errorf("the header %s is %q", name, v)
				}
			}
		}
		for _, gone := range []string{"Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Expect", "Upgrade", "Range"} {
			if h.Header[gone] != nil {
				t.Errorf("%s is passed on", gone)
			}
		}
		// The body never reads past its end.
		b := &body{r: r, left: max(h.Length, 0), chunked: h.Length < 0, limit: 1 << 20}
		n, err := io.Copy(io.Discard, b)
		if err == nil && h.Length >= 0 && n != h.Length {
			t.Errorf("%d bytes of %d", n, h.Length)
		}
	})
}

// TestHeadIsBounded feeds heads that never end.
func TestHeadIsBounded(t *testing.T) {
	for name, s := range map[string]string{
		"line":   "GET /" + strings.Repeat("a", 10<<20),
		"fields": "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 1<<20),
	} {
		r := strings.NewReader(s)
		_, err := ReadHead(bufio.NewReader(r))
		var refusal *Refusal
		if !errors.As(err, &refusal) || len(s)-r.Len() > 64<<10 {
			t.Errorf("%s: %v after %d bytes", name, err, len(s)-r.Len())
		}
	}
}
