package broker

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// TestPushes sends what a real git sent, and looks at what of it reaches the upstream.
func TestPushes(t *testing.T) {
	for name, tc := range map[string]struct {
		request, repository string
		zip                 bool
		whole, cut          bool   // what reaches the upstream; neither: nothing
		answer              string // a part of it
	}{
		"new branch":         {request: "create", repository: "acme/widget", whole: true},
		"new branch, zipped": {request: "create", repository: "acme/widget", zip: true, whole: true},
		"forward":            {request: "forward-merge", repository: "acme/widget", whole: true},
		"forced":             {request: "force", repository: "acme/widget", cut: true, answer: "ng refs/heads/agent/x "},
		"tag":                {request: "atomic-tag", repository: "acme/widget", answer: "ng refs/tags/v1 "},
		"delete":             {request: "delete", repository: "acme/widget", answer: "ng refs/heads/agent/two "},
		"options":            {request: "options", repository: "acme/widget", answer: "push options"},
		"another repository": {request: "create", repository: "acme/gadget", answer: "is not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := os.ReadFile(filepath.Join("gitwire", "testdata", "git", tc.request+".request"))
			if err != nil {
				t.Fatal(err)
			}
			up := newUpstream(t, nil)
			cr := up.credential("git", policy.Attach{Style: policy.AttachBearer})
			cr.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: true, Push: []string{"refs/heads/**"}}
			tb := startBroker(t, policyOf(cr), nil)
			var body bytes.Buffer
			headers := []string{"Content-Type", "application/x-git-receive-pack-request"}
			if tc.zip {
				z := gzip.NewWriter(&body)
				z.Write(request)
				z.Close()
				headers = append(headers, "Content-Encoding", "gzip")
			} else {
				body.Write(request)
			}
			c := tb.client(t)
			_, answer := fetch(t, c, "POST", "/git/"+tc.repository+".git/git-receive-pack", &body, headers...)
			if !strings.Contains(answer, tc.answer) {
				t.Errorf("answered %q, want %q in it", answer, tc.answer)
			}
			c.CloseIdleConnections()
			tb.quiesce(t)
			var pushes []seen
			eventually(t, "the end of what the upstream read", func() bool {
				pushes = nil
				for _, s := range up.requests() {
					if s.method == "POST" && strings.HasSuffix(s.uri, "/git-receive-pack") {
						pushes = append(pushes, s)
					}
				}
				return (len(pushes) == 1) == (tc.whole || tc.cut)
			})
			if n := len(tb.ledger.of(ledger.Intent)); n != len(up.requests()) {
				t.Errorf("%d requests with the credential, and %d records", len(up.requests()), n)
			}
			if len(pushes) == 0 {
				return
			}
			// The last twenty bytes are the pack's sum, without which a server does nothing.
			if got := pushes[0].body; tc.whole && got != string(request) || tc.cut && len(got) > len(request)-20 {
				t.Errorf("%d bytes of %d reach the upstream", len(got), len(request))
			}
			if e := pushes[0].header.Get("Content-Encoding"); e != "" {
				t.Errorf("the upstream is told of the encoding %q", e)
			}
		})
	}
}

// TestGitAlone has requests that are none of git's, on a route that is for git.
func TestGitAlone(t *testing.T) {
	up := newUpstream(t, nil)
	cr := up.credential("git", policy.Attach{Style: policy.AttachBearer})
	cr.Route.WebSocket = true
	cr.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: true}
	tb := startBroker(t, policyOf(cr), nil)
	for name, head := range map[string]string{
		"upgrade":         "GET /git/acme/widget.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		"encoded slash":   "GET /git/acme%2fwidget.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: b\r\n\r\n",
		"a file":          "GET /git/acme/widget.git/HEAD HTTP/1.1\r\nHost: b\r\n\r\n",
		"head":            "HEAD /git/acme/widget.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: b\r\n\r\n",
		"pushing":         "GET /git/acme/widget.git/info/refs?service=git-receive-pack HTTP/1.1\r\nHost: b\r\n\r\n",
		"more parameters": "GET /git/acme/widget.git/info/refs?service=git-upload-pack&x HTTP/1.1\r\nHost: b\r\n\r\n",
	} {
		c := tb.dial(t)
		fmt.Fprint(c, strings.Replace(head, "Host: b", "Host: b\r\nConnection: close", 1))
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tb.quiesce(t)
	if n := len(up.requests()) + len(tb.ledger.of(ledger.Intent)); n != 0 {
		t.Errorf("%d uses", n)
	}
	if n := len(tb.ledger.of(ledger.Denied)); n != 6 {
		t.Errorf("%d denials", n)
	}
	if resp, _ := fetch(t, tb.client(t), "GET", "/git/acme/widget.git/info/refs?service=git-upload-pack", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("what is git's: %d", resp.StatusCode)
	}
}

// A sandbox has one pack looked into at a time. One of which nothing is asked passes.
func TestPushesTakeTurns(t *testing.T) {
	up := newUpstream(t, nil)
	cr := up.credential("git", policy.Attach{Style: policy.AttachBearer})
	cr.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: true, Push: []string{"refs/heads/**"}}
	tb := startBroker(t, policyOf(cr), nil)
	push := func(name string) {
		request, err := os.ReadFile(filepath.Join("gitwire", "testdata", "git", name+".request"))
		if err != nil {
			t.Error(err)
		}
		resp, err := tb.client(t).Post("http://b/git/acme/widget.git/git-receive-pack", "application/x-git-receive-pack-request", bytes.NewReader(request))
		if err != nil || resp.StatusCode != 200 {
			t.Error(resp, err)
		}
	}
	arrived := func() int {
		n := 0
		for _, s := range up.requests() {
			if strings.HasSuffix(s.uri, "/git-receive-pack") {
				n++
			}
		}
		return n
	}
	box, err := tb.sandbox("box")
	if err != nil {
		t.Fatal(err)
	}
	box.inspecting <- struct{}{}
	done := make(chan struct{})
	go func() { defer close(done); push("forward-merge") }()
	eventually(t, "its intent", func() bool { return len(tb.ledger.of(ledger.Intent)) == 1 })
	push("create")
	if n := arrived(); n != 1 {
		t.Errorf("%d pushes arrived as a whole, want the one that nothing is asked of", n)
	}
	<-box.inspecting
	<-done
	if n := arrived(); n != 2 {
		t.Errorf("%d pushes arrived as a whole", n)
	}
}
