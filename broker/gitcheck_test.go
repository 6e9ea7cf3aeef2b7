package broker

import (
	"errors"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

func gitCredential(up *upstreamServer) policy.Credential {
	c := up.credential("git", policy.Attach{Style: policy.AttachBasic, Name: "x"})
	c.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: true, Push: []string{"refs/heads/agent/*", "refs/tags/**"}}
	return c
}

// TestCheckGit holds what Check says of git's requests against what the broker does
// with them.
func TestCheckGit(t *testing.T) {
	up := newUpstream(t, nil)
	readOnly := gitCredential(up)
	readOnly.Name, readOnly.Route.Listen = "read", "/read"
	readOnly.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: false}
	p := policyOf(gitCredential(up), readOnly)
	tb := startBroker(t, p, nil)
	client := tb.client(t)
	for name, row := range map[string]struct {
		method, target string
		rule, line     string // "" is allowed
		note           string
	}{
		"fetch, first":        {"GET", "/git/acme/widget.git/info/refs?service=git-upload-pack", "", "", ""},
		"fetch":               {"POST", "/git/acme/widget/git-upload-pack", "", "", ""},
		"fetch, not allowed":  {"POST", "/read/acme/widget/git-upload-pack", "git: fetch: false", "fetch: true", ""},
		"push, first":         {"GET", "/git/acme/widget/info/refs?service=git-receive-pack", "", "", "its refs decide: what matches refs/heads/agent/* or refs/tags/** may be created and changed by fast-forwards; no tags, nothing deleted; and nothing else"},
		"push":                {"POST", "/git/acme/widget.git/git-receive-pack", "", "", "its refs decide"},
		"no push at all":      {"GET", "/read/acme/widget/info/refs?service=git-receive-pack", "git: push", `push: ["refs/heads/agent/*"]`, ""},
		"another repository":  {"GET", "/git/acme/other/info/refs?service=git-upload-pack", "git: repositories", `repositories: ["acme/widget", "acme/other"]`, ""},
		"a push to another":   {"GET", "/git/acme/other/info/refs?service=git-receive-pack", "git: repositories", `repositories: ["acme/widget", "acme/other"]`, ""},
		"two lines are short": {"GET", "/read/acme/other/info/refs?service=git-upload-pack", "git: repositories", "repositories: [\"acme/widget\", \"acme/other\"]\nfetch: true", ""},
		"the dumb protocol":   {"GET", "/git/acme/widget.git/HEAD", "git", "", ""},
		"no service":          {"GET", "/git/acme/widget/info/refs", "git", "", ""},
		"a web page":          {"GET", "/git/acme/widget", "git", "", ""},
		"another method":      {"DELETE", "/git/acme/widget/git-upload-pack", "git", "", ""},
		"an encoded slash":    {"GET", "/git/acme%2fwidget/info/refs?service=git-upload-pack", "git", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Check(p, row.method, row.target, "")
			if err != nil {
				t.Fatal(err)
			}
			if d.Allowed != (row.rule == "") || d.AllowLine != row.line || !strings.HasPrefix(d.Note, row.note) || (row.note == "") != (d.Note == "") {
				t.Errorf("%+v", d)
			}
			if !d.Allowed && (d.Rule != row.rule || d.Reason == "") {
				t.Errorf("the rule is %q, want %q: %+v", d.Rule, row.rule, d)
			}
			// The broker itself, which has no other opinion.
			sent, denied := len(up.requests()), len(tb.ledger.of(ledger.Denied))
			path, _, _ := strings.Cut(row.target, "?")
			kind := "application/x-" + path[strings.LastIndexByte(path, '/')+1:] + "-request"
			fetch(t, client, row.method, row.target, strings.NewReader("0000"), "Content-Type", kind)
			if d.Allowed {
				if len(up.requests()) != sent+1 {
					t.Error("the broker does not send it")
				}
				return
			}
			eventually(t, "a record", func() bool { return len(tb.ledger.of(ledger.Denied)) == denied+1 })
			if e := tb.ledger.of(ledger.Denied)[denied]; e.Rule != d.Rule || e.Reason != d.Reason || len(up.requests()) != sent {
				t.Errorf("the broker: %q, %q; Check: %q, %q", e.Rule, e.Reason, d.Rule, d.Reason)
			}
		})
	}
}

func TestCheckRef(t *testing.T) {
	up := newUpstream(t, nil)
	strict, wide := gitCredential(up), gitCredential(up)
	wide.Name, wide.Route.Listen = "wide", "/wide"
	wide.Git.Push, wide.Git.Force, wide.Git.Tags, wide.Git.Delete = []string{"refs/**"}, true, true, true
	tags := gitCredential(up)
	tags.Name, tags.Route.Listen, tags.Git.Tags = "tags", "/tags", true
	p := policyOf(strict, wide, tags)
	for _, row := range []struct {
		route, ref string
		rule, line string // the rule that allows where there is no line
		says       string // the reason or the note
	}{
		{"/git", "refs/heads/agent/x", "credentials[git].git.push: refs/heads/agent/*", "", "by a fast-forward; deleting is not allowed"},
		{"/git", "refs/heads/main", "git: push", `push: ["refs/heads/agent/*", "refs/tags/**", "refs/heads/main"]`, "refs/heads/main: no pattern of push matches this ref"},
		{"/git", "refs/tags/v1", "git: tags: false", "tags: true", "tags are not allowed"},
		{"/tags", "refs/tags/v1", "credentials[tags].git.push: refs/tags/**", "", "a tag that is there must stay where it is; deleting"},
		{"/wide", "refs/heads/main", "credentials[wide].git.push: refs/**", "", "change it in any way; a push may delete it"},
	} {
		d, err := Check(p, "POST", row.route+"/acme/widget/git-receive-pack", row.ref)
		if err != nil || d.Rule != row.rule || d.AllowLine != row.line || d.Allowed != strings.HasPrefix(row.rule, "credentials[") || !strings.Contains(d.Reason+d.Note, row.says) {
			t.Errorf("%s: %+v %v", row.ref, d, err)
		}
	}
	if d, err := Check(p, "POST", "/git/acme/widget/git-receive-pack", "main"); err != nil || d.Allowed || !strings.Contains(d.Reason, "begin with refs/") {
		t.Errorf("a short name: %+v %v", d, err)
	}
	for _, target := range []string{"/git/acme/widget/git-upload-pack", "/git/acme/widget/objects", "/nowhere"} {
		if _, err := Check(p, "POST", target, "refs/heads/x"); !errors.Is(err, ErrRef) {
			t.Errorf("a ref of %s: %v", target, err)
		}
	}
}
