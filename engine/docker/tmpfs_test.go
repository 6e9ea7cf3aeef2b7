package docker

import (
	"testing"

	"github.com/tightship-dev/tightship/spec"
)

func TestTmpfsRoundTrip(t *testing.T) {
	for _, exec := range []bool{false, true} {
		for _, suid := range []bool{false, true} {
			for _, dev := range []bool{false, true} {
				for _, size := range []int64{0, 4096, 2 << 30} {
					for _, mode := range []uint32{0, 0o700} {
						want := spec.Tmpfs{Size: size, Exec: exec, Suid: suid, Dev: dev, Mode: mode}
						options := tmpfsOptions(want)
						for _, start := range []spec.Tmpfs{{}, {Exec: true, Suid: true, Dev: true}} {
							if got := parseTmpfs(options, start); got != want {
								t.Errorf("%+v became %q became %+v", want, options, got)
							}
						}
					}
				}
			}
		}
	}
}

func TestParseTmpfs(t *testing.T) {
	for options, want := range map[string]spec.Tmpfs{
		"":                              {}, // Docker's own default
		"size=64m":                      {Size: 64 << 20},
		"exec":                          {Exec: true},
		"noexec,exec":                   {Exec: true},
		"exec,noexec":                   {},
		"suid,dev":                      {Suid: true, Dev: true},
		"size=1G,mode=0755":             {Size: 1 << 30, Mode: 0o755},
		"mode=1777":                     {},
		"mode=99":                       {},
		"size=50%":                      {},
		"size=64m,size=0":               {},
		"size=64m,nr_blocks=0":          {},
		"nr_blocks=0,size=64m":          {Size: 64 << 20},
		"size=-1":                       {},
		"size=99999999999999999999":     {},
		"size=16e":                      {},
		"size=010":                      {Size: 8},
		"size=0x1e":                     {Size: 30},
		"size=0x10k":                    {Size: 16 << 10},
		"rw,noexec,nosuid,nodev,size=k": {},
	} {
		if got := parseTmpfs(options, spec.Tmpfs{}); got != want {
			t.Errorf("%q is %+v, want %+v", options, got, want)
		}
	}
}

func FuzzParseTmpfs(f *testing.F) {
	f.Add("rw,noexec,nosuid,nodev,size=64m,mode=1777")
	f.Add("size=0x1e,nr_blocks=3")
	f.Fuzz(func(t *testing.T, options string) {
		got := parseTmpfs(options, spec.Tmpfs{})
		if got.Size < 0 || got.Mode > 0o7777 {
			t.Fatalf("%q is %+v", options, got)
		}
		if again := parseTmpfs(tmpfsOptions(got), spec.Tmpfs{}); again != got {
			t.Errorf("%q is %+v, which writes and reads as %+v", options, got, again)
		}
	})
}
