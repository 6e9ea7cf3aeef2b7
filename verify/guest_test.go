package verify

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/policy"
)

func TestParseLine(t *testing.T) {
	const nonce = "n"
	ok := `{"nonce":"n","seq":3,"observation":{"probe":"ids","attempts":[{"act":"a","ok":true}],"facts":{"k":"v"},"duration_us":5}}`
	if l, err := parseLine([]byte(ok), nonce, 3); err != nil || l.Observation == nil || l.Observation.Facts["k"] != "v" {
		t.Fatalf("%+v, %v", l, err)
	}
	for name, line := range map[string]string{
		"empty":             ``,
		"not JSON":          `{`,
		"another nonce":     strings.Replace(ok, `"n"`, `"m"`, 1),
		"another number":    strings.Replace(ok, `3`, `4`, 1),
		"unknown field":     strings.Replace(ok, `"seq"`, `"verdict":"pass","seq"`, 1),
		"two values":        ok + ok,
		"wrong type":        strings.Replace(ok, `true`, `"yes"`, 1),
		"both ways":         strings.Replace(ok, `"ok":true`, `"ok":true,"errno":"EPERM"`, 1),
		"neither":           strings.Replace(ok, `"ok":true`, `"ok":false`, 1),
		"long text":         strings.Replace(ok, `"v"`, `"`+strings.Repeat("v", 5000)+`"`, 1),
		"negative duration": strings.Replace(ok, `:5}`, `:-5}`, 1),
		"many attempts":     strings.Replace(ok, `{"act":"a","ok":true}`, strings.Repeat(`{"act":"a","ok":true},`, 5000)+`{"act":"a","ok":true}`, 1),
	} {
		if _, err := parseLine([]byte(line), nonce, 3); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"nonce":"n","seq":0}`))
	f.Add([]byte(`{"nonce":"n","seq":0,"done":true}`))
	f.Add([]byte(`{"nonce":"n","seq":0,"observation":{"probe":"ids","attempts":[{"act":"a","ok":true}],"duration_us":0}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := parseLine(line, "n", 0)
		if err == nil && (l.Nonce != "n" || l.Seq != 0) {
			t.Errorf("took %q", line)
		}
		if err == nil && l.Observation != nil && validate(*l.Observation) != nil {
			t.Errorf("took an invalid observation: %q", line)
		}
	})
}

// The tar carries the privileges that the helpers are tested by.
func TestCargo(t *testing.T) {
	var data bytes.Buffer
	err := cargo(&data, []byte("elf"), "amd64", nil, []standIn{
		{target: "/home/a/w", uid: -1, gid: -1, mode: 0o755}, {target: "/srv", uid: 7, gid: 8, mode: 0o700},
	}, policy.User{UID: 1000, GID: 100})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]func(*tar.Header) bool{
		".tightship/guest": func(h *tar.Header) bool { return h.Mode == 0o755 && h.Uid == 0 },
		".tightship/plain": func(h *tar.Header) bool { return h.Mode == 0o755 && h.Size < 400 },
		".tightship/suid":  func(h *tar.Header) bool { return h.Mode == 0o4755 && h.Uid == 0 },
		".tightship/filecap": func(h *tar.Header) bool {
			return h.PAXRecords["SCHILY.xattr.security.capability"] == "\x01\x00\x00\x02\x00\x04\x00\x00"+strings.Repeat("\x00", 12)
		},
		"srv/":      func(h *tar.Header) bool { return h.Uid == 7 && h.Gid == 8 && h.Mode == 0o700 },
		"home/a/w/": func(h *tar.Header) bool { return h.Uid == 1000 && h.Gid == 100 && h.Typeflag == tar.TypeDir },
	}
	r := tar.NewReader(&data)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if check, ok := want[h.Name]; !ok || !check(h) {
			t.Errorf("%+v", h)
		}
		delete(want, h.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}
