package upstream_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/websocket"

	"github.com/tightship-dev/tightship/test/upstream"
)

// events is the types of server-sent events in order, and the text of their deltas.
func events(body string) (kinds []string, text string) {
	for _, line := range strings.Split(body, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var e struct {
			Type    string
			Delta   struct{ Text string }
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return append(kinds, err.Error()), text
		}
		kinds, text = append(kinds, e.Type), text+e.Delta.Text
		for _, c := range e.Choices {
			text += c.Delta.Content
		}
	}
	return kinds, text
}

func TestAnthropic(t *testing.T) {
	t.Parallel()
	d := upstream.Header("X-Api-Key", secret)
	var paced []int
	a := &upstream.Anthropic{Words: []string{"hello", " ", "you"}, Pace: func(_ context.Context, i int) error {
		paced = append(paced, i)
		return nil
	}}
	s := start(t, d, a)
	if resp, _ := ask(t, s, d, http.MethodHead, "/", ""); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	if _, body := ask(t, s, d, http.MethodPost, "/v1/messages/count_tokens", "{}"); !strings.Contains(body, "input_tokens") {
		t.Error(body)
	}
	if _, body := ask(t, s, d, http.MethodPost, "/v1/messages?beta=true", `{"model":"m"}`); !strings.Contains(body, `"text":"hello you"`) {
		t.Error(body)
	}
	resp, body := ask(t, s, d, http.MethodPost, "/v1/messages", `{"model":"m","stream":true}`)
	want := []string{
		"message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_delta",
		"content_block_stop", "message_delta", "message_stop",
	}
	kinds, text := events(body)
	if !slices.Equal(kinds, want) || text != "hello you" || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("%v %q %s", kinds, text, resp.Header)
	}
	if !slices.Equal(paced, []int{1, 2}) {
		t.Errorf("paced %v", paced)
	}
	for path, status := range map[string]int{"/v1/nothing": 404, "/v1/messages": 400} {
		if resp, _ := ask(t, s, d, http.MethodPost, path, "no json"); resp.StatusCode != status {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	a.Pace = func(context.Context, int) error { return errors.New("enough") }
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/messages", strings.NewReader(`{"stream":true}`))
	d.Meet(r)
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a stream that broke off looks complete")
	}
}

func TestOpenAI(t *testing.T) {
	t.Parallel()
	d := upstream.Bearer(secret)
	s := start(t, d, upstream.OpenAI("hello", " you"))
	if _, body := ask(t, s, d, http.MethodPost, "/v1/chat/completions", `{"model":"m"}`); !strings.Contains(body, `"content":"hello you"`) {
		t.Error(body)
	}
	_, body := ask(t, s, d, http.MethodPost, "/v1/chat/completions", `{"model":"m","stream":true}`)
	if kinds, text := events(body); len(kinds) != 4 || text != "hello you" || !strings.HasSuffix(body, "data: [DONE]\n\n") {
		t.Errorf("%v %q %s", kinds, text, body)
	}
	for path, status := range map[string]int{"/v1/nothing": 404, "/v1/chat/completions": 400} {
		if resp, _ := ask(t, s, d, http.MethodPost, path, "no json"); resp.StatusCode != status {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestNPM(t *testing.T) {
	t.Parallel()
	d := upstream.Bearer(secret)
	n, err := upstream.NewNPM("demo", "the text")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, d, n)
	if _, body := ask(t, s, d, http.MethodGet, "/-/whoami", ""); !strings.Contains(body, "stand-in") {
		t.Error(body)
	}
	var meta struct {
		Tags     map[string]string `json:"dist-tags"`
		Versions map[string]struct {
			Dist struct{ Tarball, Integrity string }
		}
	}
	_, body := ask(t, s, d, http.MethodGet, "/demo", "")
	if err := json.Unmarshal([]byte(body), &meta); err != nil {
		t.Fatal(err)
	}
	at := meta.Versions[meta.Tags["latest"]].Dist.Tarball
	if at != s.URL+"/demo/-/demo-1.0.0.tgz" {
		t.Error(at)
	}
	resp, tarball := ask(t, s, d, http.MethodGet, strings.TrimPrefix(at, s.URL), "")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(tarball, "\x1f\x8b") {
		t.Errorf("%s %q", resp.Status, tarball)
	}
	publish := fmt.Sprintf(`{"name":"own","dist-tags":{"latest":"2.0.0"},"versions":{"2.0.0":{"name":"own","version":"2.0.0"}},
		"_attachments":{"own-2.0.0.tgz":{"data":%q}}}`, base64.StdEncoding.EncodeToString([]byte("the tarball")))
	if resp, body := ask(t, s, d, http.MethodPut, "/own", publish); resp.StatusCode != http.StatusCreated {
		t.Error(body)
	}
	if got := n.Versions("own"); !slices.Equal(got, []string{"2.0.0"}) {
		t.Error(got)
	}
	if _, body := ask(t, s, d, http.MethodGet, "/own/-/own-2.0.0.tgz", ""); body != "the tarball" {
		t.Error(body)
	}
	for _, row := range [][3]string{{"PUT", "/own", "no json"}, {"PUT", "/other", publish}, {"GET", "/absent", ""}, {"DELETE", "/demo", ""}} {
		if resp, _ := ask(t, s, d, row[0], row[1], row[2]); resp.StatusCode < 400 {
			t.Errorf("%v: %s", row, resp.Status)
		}
	}
}

func TestPyPI(t *testing.T) {
	t.Parallel()
	h, err := upstream.PyPI("tightship_demo", "the text")
	if err != nil {
		t.Fatal(err)
	}
	d := upstream.Basic("user", secret)
	s := start(t, d, h)
	_, html := ask(t, s, d, http.MethodGet, "/simple/tightship-demo/", "")
	if !strings.Contains(html, `href="../../files/tightship_demo-1.0-py3-none-any.whl#sha256=`) {
		t.Error(html)
	}
	resp, body := ask(t, s, d, http.MethodGet, "/simple/tightship-demo/", "", "Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.1")
	var list struct {
		Files []struct{ Filename, URL string }
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Files) != 1 || resp.Header.Get("Content-Type") != "application/vnd.pypi.simple.v1+json" {
		t.Fatalf("%v %s", err, body)
	}
	_, w := ask(t, s, d, http.MethodGet, "/files/"+list.Files[0].Filename, "")
	z, err := zip.NewReader(bytes.NewReader([]byte(w)), int64(len(w)))
	if err != nil || len(z.File) != 4 {
		t.Errorf("%v", err)
	}
	if resp, _ := ask(t, s, d, http.MethodGet, "/simple/other/", ""); resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
}

// A push that git sends in chunks arrives too.
func TestGit(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: there is no git")
	}
	root := t.TempDir()
	h, err := upstream.Git(root)
	if err != nil {
		t.Skip("SKIPPED:", err)
	}
	s := start(t, upstream.Basic("user", secret), h)
	ca := filepath.Join(root, "ca.pem")
	if err := os.WriteFile(ca, s.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	git := func(wantErr bool, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", args...)
		c.Env = []string{
			"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_SSL_CAINFO=" + ca,
			"GIT_TERMINAL_PROMPT=0", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a",
		}
		out, err := c.CombinedOutput()
		if (err != nil) != wantErr {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	bare, work := filepath.Join(root, "acme", "widget.git"), filepath.Join(root, "work")
	git(false, "init", "-q", "--bare", bare)
	git(false, "init", "-q", "-b", "main", work)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<13)
	for i := range big { // so that it does not compress below the size of one request
		big[i] ^= byte(i * i >> 7)
	}
	if err := os.WriteFile(filepath.Join(work, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	git(false, "-C", work, "add", ".")
	git(false, "-C", work, "commit", "-q", "-m", "one")
	basic := "http.extraHeader=Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+secret))
	to := s.URL + "/acme/widget.git"
	git(true, "-C", work, "push", to, "main")
	git(false, "-C", work, "-c", basic, "-c", "http.postBuffer=1000", "push", "-q", to, "main")
	if got := git(false, "-c", basic, "ls-remote", to, "refs/heads/main"); !strings.Contains(got, "refs/heads/main") {
		t.Error(got)
	}
	chunked := slices.ContainsFunc(s.Uses(), func(u upstream.Use) bool {
		return u.Method == http.MethodPost && u.Header.Get("Content-Length") == "" && u.Authorized
	})
	if !chunked {
		t.Errorf("no push was sent in chunks: %+v", s.Uses())
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	d := upstream.Bearer(secret)
	s := start(t, d, upstream.WebSocket())
	config, err := websocket.NewConfig("wss"+strings.TrimPrefix(s.URL, "https")+"/any", "http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	config.TlsConfig = s.Client().Transport.(*http.Transport).TLSClientConfig
	if c, err := config.DialContext(t.Context()); err == nil {
		c.Close()
		t.Error("opened without the credential")
	}
	config.Header.Set("Authorization", "Bearer "+secret)
	c, err := config.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := websocket.Message.Send(c, "wait"); err != nil {
		t.Fatal(err)
	}
	for send, want := range map[string]string{"hello": "hello", "headers": "Authorization: Bearer " + secret} {
		var got string
		if err := errors.Join(websocket.Message.Send(c, send), websocket.Message.Receive(c, &got)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q gives %q", send, got)
		}
	}
}
