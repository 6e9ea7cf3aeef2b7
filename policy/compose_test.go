package policy

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestComposeGolden(t *testing.T) {
	for name, file := range map[string]string{
		"default": "", "gvisor": "runtime: runsc\n",
		"wide": `image: "a:1"
user: {uid: 7, gid: 8, groups: [9, 10]}
rootfs: writable
tmpfs: {/tmp: {size: unlimited, exec: true, suid: true, dev: true}, "/x y": {size: 1m}}
workspace: {source: src, target: "/w$x", mode: ro}
limits: {memory: 1g, swap: unlimited, cpus: 0.5, pids: unlimited, nofile: unlimited, core: unlimited}
capabilities: [NET_RAW]
no_new_privileges: false
seccomp: unconfined
network: bridge
sysctls: {}
`,
		"bare": "workspace: {mode: none}\ntmpfs: {}\nlimits: {memory: unlimited, cpus: unlimited}\n",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := decode(t, file).Compose()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/compose/"+name+".yaml", string(b))
			var doc struct {
				Services map[string]map[string]any
			}
			if err := yaml.Unmarshal(b, &doc); err != nil || len(doc.Services["agent"]) < 8 {
				t.Errorf("%v: %v", err, doc)
			}
		})
	}
}

// What Compose has no words for is refused, never left out.
func TestComposeRefuses(t *testing.T) {
	_, err := decode(t, "tmpfs: {\"/a:b\": {}}\n").Compose()
	if err == nil || !strings.Contains(err.Error(), "colon") {
		t.Errorf("%v", err)
	}
	if _, err := decode(t, "seccomp: ./missing.json\n").Compose(); err == nil {
		t.Error("a profile that is not there is no error")
	}
}

// Compose reads back exactly what the policy says, whatever characters it has.
func FuzzComposeText(f *testing.F) {
	for _, s := range []string{"a", "$HOME", "$$", "a: b", "it's", `"\`, "1:30", "on", "", "é\u202e", "${x:-y}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := yaml.Unmarshal([]byte(composeText(s)), &back); err != nil {
			return // what is not text is refused when the policy is read
		}
		if strings.Contains(strings.ReplaceAll(back, "$$", ""), "$") {
			t.Errorf("%q would be filled in: %q", s, back)
		}
		if got := strings.ReplaceAll(back, "$$", "$"); printable(s) && got != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	})
}
