package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program is the smallest file that debug/elf takes for a program: a header,
// and a program header for the dynamic loader if it needs one.
func program(machine uint16, dynamic bool) []byte {
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], 2) // ET_EXEC
	le.PutUint16(b[18:], machine)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[32:], 64) // program headers
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	if dynamic {
		le.PutUint16(b[56:], 1)
		le.PutUint32(b[64:], 3) // PT_INTERP
	}
	return b
}

func TestGuestIn(t *testing.T) {
	amd64, arm64 := program(62, false), program(183, false)
	for _, row := range []struct {
		name  string
		files map[string][]byte
		want  []byte
		err   string
	}{
		{"beside, by architecture", map[string][]byte{"bin/tightship-guest-linux-arm64": arm64, "bin/tightship-guest": amd64}, arm64, ""},
		{"beside, plain", map[string][]byte{"bin/tightship-guest": arm64}, arm64, ""},
		{"in libexec", map[string][]byte{"libexec/tightship/tightship-guest": arm64}, arm64, ""},
		{"wrong one beside, right one in libexec", map[string][]byte{"bin/tightship-guest": amd64, "libexec/tightship/tightship-guest": arm64}, arm64, ""},
		{"missing", nil, nil, "is missing beside this program"},
		{"wrong machine", map[string][]byte{"bin/tightship-guest": amd64}, nil, "bin/tightship-guest: built for EM_X86_64"},
		{"the name lies", map[string][]byte{"bin/tightship-guest-linux-arm64": amd64}, nil, "built for EM_X86_64"},
		{"dynamic", map[string][]byte{"bin/tightship-guest": program(183, true)}, nil, "not statically linked"},
		{"a script", map[string][]byte{"bin/tightship-guest": []byte("#!/bin/sh\n")}, nil, "not an ELF program"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, b := range row.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, b, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			got, err := guestIn("arm64", filepath.Join(dir, "bin"), filepath.Join(dir, "libexec", "tightship"))
			if row.err == "" && err != nil || string(got) != string(row.want) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err) || hint(err) == "") {
				t.Errorf("got %v, want an error with %q and a hint", err, row.err)
			}
		})
	}
}

func TestGuestForAnUnknownArchitecture(t *testing.T) {
	if _, err := guestIn("pdp11", t.TempDir()); err == nil || !strings.Contains(err.Error(), "pdp11") {
		t.Errorf("got %v", err)
	}
}
