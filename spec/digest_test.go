package spec

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func example() Container {
	return Container{
		Image: "i", Runtime: "runc", User: "1000:100", Groups: []string{"20", "10"}, Env: []string{"A=1", "B=<&>"},
		Labels: map[string]string{"l": "1"}, Tmpfs: map[string]Tmpfs{"/tmp": {Size: 1 << 60}, "/run": {}},
		Mounts: []Mount{{Kind: Bind, Source: "/a", Target: "/w"}, {Kind: Volume, Source: "v", Target: "/v"}},
		CapAdd: []string{"CHOWN", "KILL"}, CapDrop: []string{"ALL"}, Seccomp: `{"a": 1}`, Devices: []string{"/dev/b", "/dev/a"},
	}
}

// Receipts hold digests for as long as they are valid, and other programs may
// compute them: the form does not change by accident.
func TestDigestForm(t *testing.T) {
	const want = `{"other":["x=1","y"],"schema":"tightship.settings/v1","settings":{"cap_add":["CHOWN","KILL"],"cap_drop":["ALL"],"devices":["/dev/a","/dev/b"],` +
		`"env":["A=1","B=<&>"],"groups":["10","20"],"memory":0,"milli_cpu":0,"mounts":[{"kind":"volume","read_only":false,"source":"v","target":"/v"},` +
		`{"kind":"bind","read_only":false,"source":"/a","target":"/w"}],"no_new_privileges":false,"pids":0,"readonly_rootfs":false,"runtime":"runc",` +
		`"seccomp":"{\"a\":1}","swap":0,"tmpfs":{"/run":{"dev":false,"exec":false,"size":0,"suid":false},"/tmp":{"dev":false,"exec":false,"size":1152921504606846976,"suid":false}},"user":"1000:100"}}`
	if got := string(example().canonical([]string{"y", "x=1"})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDigestSame(t *testing.T) {
	base := example().Digest("x", "y")
	if !strings.HasPrefix(base, "sha256:") || len(base) != 7+64 {
		t.Fatalf("digest %q", base)
	}
	for name, change := range map[string]func(*Container){
		"image":  func(c *Container) { c.Image = "other" },
		"labels": func(c *Container) { c.Labels = map[string]string{"tightship": "run"} },
		"groups": func(c *Container) { c.Groups = []string{"10", "20"} },
		"caps":   func(c *Container) { c.CapAdd = []string{"KILL", "CHOWN"} },
		"mounts": func(c *Container) { c.Mounts[0], c.Mounts[1] = c.Mounts[1], c.Mounts[0] },
		"spaces": func(c *Container) { c.Seccomp = `{ "a" : 1 }` },
		"record": func(c *Container) { c.Record = json.RawMessage(`{}`) },
	} {
		c := example()
		change(&c)
		if got := c.Digest("y", "x"); got != base {
			t.Errorf("%s: another digest", name)
		}
	}
	a, b := example(), example()
	a.Mounts[1].Source, b.Mounts[1].Source = strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	if a.Digest() != b.Digest() {
		t.Error("the made-up names of anonymous volumes count")
	}
}

// Every other field counts: setting any one of them to something else gives
// another digest, also a field that is added later.
func TestDigestDiffers(t *testing.T) {
	ignored := map[string]bool{"Image": true, "Labels": true, "Record": true}
	base := example().Digest()
	if base == example().Digest("apparmor=unconfined") {
		t.Error("what Container has no word for does not count")
	}
	typ := reflect.TypeFor[Container]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		if ignored[name] {
			continue
		}
		c := example()
		f := reflect.ValueOf(&c).Elem().Field(i)
		switch f.Kind() {
		case reflect.String:
			f.SetString("other")
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.Int64:
			f.SetInt(7)
		case reflect.Slice:
			f.Set(reflect.Append(f, reflect.New(f.Type().Elem()).Elem()))
		case reflect.Map:
			m := reflect.MakeMap(f.Type())
			m.SetMapIndex(reflect.ValueOf("other"), reflect.New(f.Type().Elem()).Elem())
			f.Set(m)
		default:
			t.Fatalf("%s: a kind this test does not know", name)
		}
		if c.Digest() == base {
			t.Errorf("%s does not count", name)
		}
	}
}
