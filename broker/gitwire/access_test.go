package gitwire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		pattern, name string
		want          bool
	}{
		{"refs/heads/agent/*", "refs/heads/agent/x", true},
		{"refs/heads/agent/*", "refs/heads/agent/x/y", false},
		{"refs/heads/agent/*", "refs/heads/agent", false},
		{"refs/heads/agent/*", "refs/heads/Agent/x", false},
		{"refs/heads/agent/*", "xrefs/heads/agent/x", false},
		{"refs/heads/agent-*", "refs/heads/agent-1", true},
		{"refs/heads/agent-*", "refs/heads/agent-1/main", false},
		{"refs/heads/agent/**", "refs/heads/agent/x/y/z", true},
		{"refs/heads/agent/**", "refs/heads/agent/x", true},
		{"refs/heads/agent/**", "refs/heads/agent", false},
		{"refs/heads/agent/**", "refs/heads/agents/x", false},
		{"refs/heads/**/fix", "refs/heads/fix", true},
		{"refs/heads/**/fix", "refs/heads/a/b/fix", true},
		{"refs/heads/**/fix", "refs/heads/a/b/fix/c", false},
		{"refs/**/a/**/b", "refs/x/a/y/a/z/b", true},
		{"refs/**/a/**/b", "refs/x/y/z/b", false},
		{"refs/heads/a**", "refs/heads/ab/c", false},
		{"**", "refs/heads/main", true},
		{"*", "refs/heads/main", false},
		{"refs/heads/[a-c]?", "refs/heads/b1", true},
		{"refs/heads/[", "refs/heads/[", false},
		{"refs/heads/main", "refs/heads/main", true},
		{"refs/heads/main", "refs/heads/main2", false},
		{"refs/heads/main", "refs/heads", false},
		{"", "refs/heads/main", false},
	} {
		if got := match(row.pattern, row.name); got != row.want {
			t.Errorf("match(%q, %q) = %v", row.pattern, row.name, got)
		}
	}
}

func TestCheckRef(t *testing.T) {
	for _, name := range []string{"refs/heads/main", "refs/heads/agent/x", "refs/tags/v1.0", "refs/heads/ü", "refs/heads/a@b", "refs/heads/-", "refs/heads/a{b}", "refs/heads/locked", "refs/heads/a.b"} {
		if err := checkRef(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range badRefs {
		if err := checkRef(name); err == nil {
			t.Errorf("%q is let through", name)
		}
	}
}

// badRefs would all match refs/**, and are no names of refs, or none that everybody
// shows and reads as the same.
var badRefs = []string{
	"", "refs", "refs/", "refs/heads", "refs/heads/", "HEAD", "heads/main", "Refs/heads/main", "/refs/heads/main", "refs//heads/main", "refs/stash",
	"refs/heads/agent/../main", "refs/heads/..", "refs/heads/a..b", "refs/heads/.", "refs/heads/.a", "refs/heads/a/.b", "refs/heads/a.", "refs/heads/a./",
	"refs/heads/a.lock", "refs/heads/a.lock/b", "refs/heads/a@{1}", "refs/heads/@{", "refs/heads/a b", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b",
	"refs/heads/a?", "refs/heads/*", "refs/heads/[a", `refs/heads/a\b`, "refs/heads/a\x00", "refs/heads/a\x01", "refs/heads/a\x7f", "refs/heads/a\n", "refs/heads/a\tb",
	"refs/heads/a//b", "refs/heads/\xff", "refs/heads/a\u202eb", "refs/heads/a\u200bb", "refs/heads/a\u00a0b", "refs/heads/a\u0085", "refs/heads/\ufeffmain",
	"refs/heads/" + strings.Repeat("a", 1024),
}

// Git itself has to agree that what is let through is a name, and mostly on the rest.
func TestE2ECheckRef(t *testing.T) {
	w := &world{t: t, env: gitEnv(t)}
	needsGit(t)
	for _, name := range []string{"refs/heads/main", "refs/heads/agent/x", "refs/heads/ü", "refs/heads/a@b", "refs/heads/a{b}", "refs/heads/-", "refs/heads/a.b"} {
		w.ok("", "check-ref-format", name)
	}
	stricter := 0
	for _, name := range badRefs {
		if strings.Contains(name, "\x00") {
			continue
		}
		if _, err := w.git("", "check-ref-format", name); err == nil {
			stricter++
			t.Logf("git would take %q", name)
		}
	}
	if stricter > 11 {
		t.Errorf("git takes %d of %d", stricter, len(badRefs))
	}
}

func TestDecide(t *testing.T) {
	create := func(ref string) RefUpdate { return RefUpdate{ref, zeros, idA} }
	update := func(ref string) RefUpdate { return RefUpdate{ref, idB, idA} }
	remove := func(ref string) RefUpdate { return RefUpdate{ref, idB, zeros} }
	agent := Access{Push: []string{"refs/heads/agent/*", "refs/tags/v*"}}
	force, tags, gone, wide := agent, agent, agent, agent
	force.Force, tags.Tags, gone.Delete = true, true, true
	wide.Push = []string{"refs/**"}
	all := Access{Push: []string{"**"}, Force: true, Tags: true, Delete: true}
	const x, v1 = "refs/heads/agent/x", "refs/tags/v1"
	for name, row := range map[string]struct {
		access Access
		update RefUpdate
		want   string // "yes", "ask", or what the reason is made of, with +
		hint   string
	}{
		"nothing is allowed":            {Access{}, create(x), "no pattern", `push: ["refs/heads/agent/x"]`},
		"create":                        {agent, create(x), "yes", ""},
		"update":                        {agent, update(x), "ask", ""},
		"update with force":             {force, update(x), "yes", ""},
		"another ref":                   {agent, create("refs/heads/main"), "no pattern", `push: ["refs/heads/agent/*", "refs/tags/v*", "refs/heads/main"]`},
		"another ref with force":        {force, update("refs/heads/main"), "no pattern", `push: ["refs/heads/agent/*", "refs/tags/v*", "refs/heads/main"]`},
		"another ref, updated":          {agent, update("refs/heads/main"), "no pattern", `push: ["refs/heads/agent/*", "refs/tags/v*", "refs/heads/main"]`},
		"delete":                        {agent, remove(x), "deleting", "delete: true"},
		"delete with force":             {force, remove(x), "deleting", "delete: true"},
		"delete with delete":            {gone, remove(x), "yes", ""},
		"delete another":                {gone, remove("refs/heads/main"), "no pattern", `push: ["refs/heads/agent/*", "refs/tags/v*", "refs/heads/main"]`},
		"update with delete":            {gone, update(x), "ask", ""},
		"tag":                           {agent, create(v1), "tags are not", "tags: true"},
		"tag with force":                {force, create(v1), "tags are not", "tags: true"},
		"tag with tags":                 {tags, create(v1), "yes", ""},
		"tag that moves":                {tags, update(v1), "must stay", "force: true"},
		"tag that goes":                 {tags, remove(v1), "deleting", "delete: true"},
		"tag that no pattern matches":   {tags, create("refs/tags/x"), "no pattern", `push: ["refs/heads/agent/*", "refs/tags/v*", "refs/tags/x"]`},
		"tag behind a wide pattern":     {wide, create(v1), "tags are not", "tags: true"},
		"tag in other letters":          {wide, create("refs/Tags/v1"), "tags are not", "tags: true"},
		"branch in other letters":       {agent, create("refs/heads/AGENT/x"), "no pattern", `push: ["refs/heads/agent/*", "refs/tags/v*", "refs/heads/AGENT/x"]`},
		"notes behind a wide pattern":   {wide, update("refs/notes/x"), "ask", ""},
		"Gerrit's review":               {agent, create("refs/for/main"), "no pattern", `push: ["refs/heads/agent/*", "refs/tags/v*", "refs/for/main"]`},
		"everything missing":            {Access{}, remove(v1), "no pattern+tags are not+deleting", `push: ["refs/tags/v1"]; tags: true; delete: true`},
		"up and over":                   {all, create("refs/heads/agent/../main"), "the name is not allowed", ""},
		"a lock":                        {all, create("refs/heads/agent/x.lock"), "the name is not allowed", ""},
		"everything":                    {all, update("refs/heads/main"), "yes", ""},
		"everything, and HEAD":          {all, update("HEAD"), "the name is not allowed", ""},
		"everything, a hidden name":     {all, update("refs/heads/\u200bmain"), "the name is not allowed", ""},
		"everything, a one-level stash": {all, remove("refs/stash"), "the name is not allowed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := row.access.Decide(&Push{Updates: []RefUpdate{row.update}})
			v := d.Refs[0]
			if v.Update != row.update || v.Rule == "" {
				t.Errorf("%+v", v)
			}
			if diff := cmp.Diff(row.hint, strings.Join(v.Hints, "; ")); diff != "" {
				t.Errorf("hints: -want +got:\n%s", diff)
			}
			switch row.want {
			case "yes", "ask":
				if !v.Allowed || v.Ask != (row.want == "ask") || v.Reason != "" || !d.Allowed() || len(d.Ask()) > 0 != v.Ask {
					t.Errorf("%+v", v)
				}
			default:
				if v.Allowed || v.Ask || d.Allowed() || len(d.Ask()) > 0 {
					t.Errorf("%+v", v)
				}
				for part := range strings.SplitSeq(row.want, "+") {
					if !strings.Contains(v.Reason, part) {
						t.Errorf("the reason %q lacks %q", v.Reason, part)
					}
				}
			}
		})
	}
}

// One refused ref refuses the push; an empty push is none that is allowed; options
// refuse it whatever it is.
func TestDecideWhole(t *testing.T) {
	a := agentAccess()
	p := &Push{Updates: []RefUpdate{{"refs/heads/agent/x", zeros, idA}, {"refs/heads/main", zeros, idA}}}
	if d := a.Decide(p); d.Allowed() || !d.Refs[0].Allowed || d.Refs[1].Allowed {
		t.Errorf("%+v", d)
	}
	p.Updates = p.Updates[:1]
	if d := a.Decide(p); !d.Allowed() {
		t.Errorf("%+v", d)
	}
	p.Options = []string{"ci.skip"}
	if d := a.Decide(p); d.Allowed() || d.Refs[0].Rule != "push options" {
		t.Errorf("%+v", d)
	}
	if a.Decide(&Push{}).Allowed() {
		t.Error("a push of nothing is allowed")
	}
}

func TestSettle(t *testing.T) {
	a := agentAccess()
	u := RefUpdate{"refs/heads/agent/x", idB, idA}
	d := a.Decide(&Push{Updates: []RefUpdate{u, {"refs/heads/agent/new", zeros, idA}}})
	for name, row := range map[string]struct {
		answers map[RefUpdate]Answer
		allowed bool
		reason  string
	}{
		"yes":         {map[RefUpdate]Answer{u: Yes}, true, ""},
		"no":          {map[RefUpdate]Answer{u: No}, false, "drop commits"},
		"unknown":     {map[RefUpdate]Answer{u: Unknown}, false, "nothing shows"},
		"no answer":   {nil, false, "nothing shows"},
		"another ref": {map[RefUpdate]Answer{{"refs/heads/agent/x", idA, idA}: Yes}, false, "nothing shows"},
	} {
		t.Run(name, func(t *testing.T) {
			s := d.Settle(row.answers)
			if s.Allowed() != row.allowed || s.Refs[0].Ask || !s.Refs[1].Allowed || !strings.Contains(s.Refs[0].Reason, row.reason) {
				t.Errorf("%+v", s)
			}
			if !d.Refs[0].Ask {
				t.Error("the first decision changed")
			}
		})
	}
}

func TestCall(t *testing.T) {
	a := Access{Repositories: []string{"acme/widget", "lib/*.git", "deep/**"}, Fetch: true, Push: []string{"refs/heads/x"}}
	noFetch, noPush := a, a
	noFetch.Fetch, noPush.Push = false, nil
	for name, row := range map[string]struct {
		access Access
		call   Call
		why    string // empty: allowed
		hint   string
	}{
		"fetch":                 {a, Call{"acme/widget", UploadPack, true}, "", ""},
		"push":                  {a, Call{"acme/widget", ReceivePack, false}, "", ""},
		"a pattern":             {a, Call{"lib/x", UploadPack, false}, "", ""},
		"a pattern, too deep":   {a, Call{"lib/x/y", UploadPack, false}, "repository lib/x/y is not", `repositories: ["acme/widget", "lib/*.git", "deep/**", "lib/x/y"]`},
		"any depth":             {a, Call{"deep/x/y", UploadPack, false}, "", ""},
		"another":               {a, Call{"acme/widgets", UploadPack, true}, "repository acme/widgets is not", `repositories: ["acme/widget", "lib/*.git", "deep/**", "acme/widgets"]`},
		"in other letters":      {a, Call{"Acme/widget", UploadPack, true}, "repository Acme/widget is not", `repositories: ["acme/widget", "lib/*.git", "deep/**", "Acme/widget"]`},
		"the wiki":              {a, Call{"acme/widget.wiki", UploadPack, true}, "is not", `repositories: ["acme/widget", "lib/*.git", "deep/**", "acme/widget.wiki"]`},
		"no fetch":              {noFetch, Call{"acme/widget", UploadPack, true}, "fetching", "fetch: true"},
		"no fetch, push":        {noFetch, Call{"acme/widget", ReceivePack, true}, "", ""},
		"no push":               {noPush, Call{"acme/widget", ReceivePack, true}, "pushing", `push: ["refs/heads/agent/*"]`},
		"no push, fetch":        {noPush, Call{"acme/widget", UploadPack, true}, "", ""},
		"nothing":               {Access{}, Call{"a", UploadPack, true}, "repository a is not allowed; fetching", `repositories: ["a"]; fetch: true`},
		"a service of no name":  {a, Call{"acme/widget", "", true}, "service", ""},
		"a repository no name":  {a, Call{"", UploadPack, true}, "repository", `repositories: ["acme/widget", "lib/*.git", "deep/**", ""]`},
		"a service of archives": {a, Call{"acme/widget", "git-upload-archive", true}, "service", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := row.access.Call(row.call)
			if v.Allowed != (row.why == "") || v.Rule == "" || !strings.Contains(v.Reason, row.why) || strings.Join(v.Hints, "; ") != row.hint {
				t.Errorf("%+v", v)
			}
		})
	}
}
