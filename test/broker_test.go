package test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/test/upstream"
)

// Unmodified clients work in a hardened container whose only way out is the broker's
// socket, on runc and on gVisor; nobody else may use that socket; each use is in the
// ledger; and no byte that the container, the engine or the ledger holds is of a
// credential.
func TestBroker(t *testing.T) {
	for name, runtime := range map[string]string{"runc": "runc", "gVisor": "runsc-broker"} {
		t.Run(name, func(t *testing.T) {
			needsBroker(t, runtime)
			t.Parallel()
			w := newBrokerWorld(t, runtime, filepath.Join(bin, "tightship"))
			for _, part := range []struct {
				name string
				test func(*brokerWorld)
			}{
				{"clients", testClients}, {"git", testGit}, {"denied", testDenied}, {"reflection", testReflection},
				{"others", testOthers}, {"never inside", testNeverInside}, {"live", testLive}, {"rotation", testRotation}, {"killed", testKilled}, {"ledger", testLedger}, {"never outside", testNeverOutside},
			} {
				t.Run(part.name, func(t *testing.T) { // one after the other
					w.t = t
					part.test(w)
				})
			}
		})
	}
}

// base is where a client finds a credential's route through the forwarder.
func base(credential string) string { return "http://127.0.0.1:" + port + "/" + credential }

func testClients(w *brokerWorld) {
	for _, row := range []struct {
		name   string
		env    []string
		script string
		want   string // that it prints
		uses   string // of this credential
	}{
		{
			"curl", nil, curlLine + `-H 'Content-Type: application/json' -d '{"model":"m"}' http://broker/anthropic/v1/messages`,
			`"text":"Hello from upstream"`, "anthropic",
		}, {
			"Anthropic SDK", []string{"ANTHROPIC_BASE_URL=" + base("anthropic"), "ANTHROPIC_API_KEY=placeholder"},
			"python3 /scripts/anthropic_stream.py", "Hello from upstream\nstop: end_turn\n", "anthropic",
		}, {
			"OpenAI SDK", []string{"OPENAI_BASE_URL=" + base("openai") + "/v1", "OPENAI_API_KEY=placeholder", "PYTHONPATH=/clients/python"},
			"python3 /scripts/openai_stream.py", "Hello from upstream\nHello from upstream\nstop: stop\n", "openai",
		}, {
			"Claude Code", []string{"ANTHROPIC_BASE_URL=" + base("anthropic"), "ANTHROPIC_API_KEY=tightship-placeholder"},
			"claude -p 'say hi' </dev/null", "Hello from upstream", "anthropic",
		}, {
			"npm install", nil, npmLine + `install --replace-registry-host=always tightship-demo >&2 && node -p 'require("tightship-demo")'`,
			"the package's text\n", "npm",
		}, {
			"npm publish", nil, `mkdir own && cd own && echo '{"name":"tightship-own","version":"2.0.0"}' >package.json && ` + npmLine + "publish",
			"+ tightship-own@2.0.0\n", "npm",
		}, {
			"pip", []string{"PYTHONPATH=/clients/python:/tmp/site"},
			"python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --target /tmp/site --index-url " + base("pypi") +
				"/simple/ tightship-demo && python3 -c 'import tightship_demo; print(tightship_demo.TEXT)'",
			"the wheel's text\n", "pypi",
		}, {
			"WebSocket", []string{"PYTHONPATH=/clients/python"},
			"python3 /scripts/websocket.py ws://127.0.0.1:" + port + "/socket/chat hello again", "hello\nagain\n", "socket",
		}, {
			"query parameter", nil, curlLine + "'http://broker/search/find?q=boats&key=placeholder'", "found boats", "search",
		},
	} {
		w.t.Run(row.name, func(t *testing.T) {
			before := w.servers[row.uses].Authorized()
			stdout, stderr, code := w.exec(row.env, row.script)
			if code != 0 || !strings.Contains(stdout, row.want) {
				t.Errorf("exit code %d, want %q in what it prints:\n%s%s", code, row.want, stdout, stderr)
			}
			if w.servers[row.uses].Authorized() == before {
				t.Errorf("the upstream saw nothing with its credential: %+v", w.servers[row.uses].Uses())
			}
		})
	}
	if got := w.npm.Versions("tightship-own"); !slices.Equal(got, []string{"2.0.0"}) {
		w.t.Errorf("published: %v", got)
	}
	// Once and in its place: the stand-ins take nothing else, and nothing was tried
	// without.
	for name, s := range w.servers {
		for _, u := range s.Uses() {
			if !u.Authorized {
				w.t.Errorf("%s was sent without its credential, or with another one beside it: %+v", name, u)
			}
		}
	}
}

// npmLine has npm log in as everybody does, with a token of no use.
const npmLine = "printf '//127.0.0.1:" + port + "/npm/:_authToken=placeholder\\n' >/tmp/npmrc && " +
	"npm --userconfig=/tmp/npmrc --registry=http://127.0.0.1:" + port + "/npm/ --no-audit --no-fund --loglevel=http "

func testGit(w *brokerWorld) {
	t := w.t
	// As an agent has it: the address is the real one, and git is told where that is.
	env := []string{
		"GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=url." + base("git") + "/.insteadOf", "GIT_CONFIG_VALUE_0=https://git.example/",
		"GIT_CONFIG_KEY_1=user.name", "GIT_CONFIG_VALUE_1=agent", "GIT_CONFIG_KEY_2=user.email", "GIT_CONFIG_VALUE_2=agent@example.com",
	}
	const inClone = "cd clone && "
	for _, row := range []struct {
		name, script string
		ok           bool
		want         string // in what git says
	}{
		{"clone", "git clone https://git.example/acme/widget.git clone && git -C clone log --format=%s", true, "the first commit of widget"},
		{"shallow clone", "git clone --depth 1 https://git.example/acme/widget shallow && git -C shallow log --format=%s", true, "the first commit of widget"},
		{"partial clone", "git clone --filter=blob:none https://git.example/acme/widget partial", true, ""},
		{"push", inClone + "git commit -q --allow-empty -m 'by the agent' && git push origin HEAD:refs/heads/agent/one", true, "HEAD -> agent/one"},
		{"fetch", "git -C shallow fetch origin agent/one && git -C shallow log -1 --format=%s FETCH_HEAD", true, "by the agent"},
		{"push again", inClone + "git commit -q --allow-empty -m 'again' && git push origin HEAD:refs/heads/agent/one", true, "HEAD -> agent/one"},
		{"a forbidden ref", inClone + "git push origin HEAD:refs/heads/main", false, "refs/heads/main"},
		{"an allowed ref beside a forbidden one", inClone + "git push origin HEAD:refs/heads/agent/two HEAD:refs/heads/main", false, "refs/heads/main"},
		{"a tag", inClone + "git tag v1 && git push origin v1", false, "v1"},
		{"a delete", inClone + "git push origin :refs/heads/agent/old", false, "agent/old"},
		{"a force", inClone + "git push --force origin HEAD~2:refs/heads/agent/one", false, "agent/one"},
		{"another repository", "git clone https://git.example/acme/other", false, "acme/other"},
	} {
		t.Run(row.name, func(t *testing.T) {
			stdout, stderr, code := w.exec(env, "cd /tmp && "+row.script)
			if (code == 0) != row.ok || !strings.Contains(stdout+stderr, row.want) {
				t.Errorf("exit code %d, want success %v and %q:\n%s%s", code, row.ok, row.want, stdout, stderr)
			}
			// In words of the broker's, which say what would be allowed.
			if !row.ok && !strings.Contains(stderr, "tightship") {
				t.Errorf("the refusal does not say who refuses:\n%s", stderr)
			}
		})
	}
	got := gitRefs(t, w.path("git", "acme", "widget.git"))
	want := []string{"refs/heads/agent/old the first commit of widget", "refs/heads/agent/one again", "refs/heads/main the first commit of widget"}
	if !slices.Equal(got, want) {
		t.Errorf("the repository has %q, want %q", got, want)
	}
}

// denial is what a caller reads.
type denial struct {
	Error struct {
		Type, Message, Rule string
		AllowLine           string `json:"allow_line"`
	}
}

func testDenied(w *brokerWorld) {
	decoy := w.decoy("the ledger")
	before := map[string]int{}
	for name, s := range w.servers {
		before[name] = len(s.Uses())
	}
	for _, row := range []struct{ name, args, status, rule string }{
		{"no route", "http://broker/" + decoy, "403", "no-route"},
		{"another method", "-X DELETE http://broker/anthropic/v1/messages", "403", "not-allowed"},
		{"another path", "http://broker/anthropic/v1/files", "403", "not-allowed"},
		{"a way around", "--path-as-is http://broker/anthropic/v1/../../openai/v1/chat/completions", "400", ""},
		{"another host", "-H 'Host: api.openai.com' http://broker/anthropic/v1/files", "403", "not-allowed"},
		{"a WebSocket that is not allowed", "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' http://broker/search/find", "403", "upgrade"},
	} {
		w.t.Run(row.name, func(t *testing.T) {
			body, status := w.curl(row.args)
			var d denial
			if err := json.Unmarshal([]byte(body), &d); err != nil || d.Error.Message == "" {
				t.Errorf("no words: %v in %s", err, body)
			}
			if status != row.status || row.rule != "" && d.Error.Rule != row.rule {
				t.Errorf("status %s by rule %q, want %s by %q: %s", status, d.Error.Rule, row.status, row.rule, body)
			}
		})
	}
	// Git shows plain text.
	w.t.Run("no git", func(t *testing.T) {
		if body, status := w.curl("http://broker/git/acme/widget.git/HEAD"); status != "403" || !strings.HasPrefix(body, "tightship: it is no request of git's") {
			t.Errorf("status %s: %s", status, body)
		}
	})
	for name, s := range w.servers {
		if got := len(s.Uses()); got != before[name] {
			w.t.Errorf("%s was sent what was denied: %+v", name, s.Uses()[before[name]:])
		}
	}
}

// An upstream that says what it was sent does not say it to the caller.
func testReflection(w *brokerWorld) {
	s := newSearcher(w.values)
	for _, name := range []string{"anthropic", "openai", "pypi", "search"} {
		w.t.Run(name, func(t *testing.T) {
			args := "--include" // curl prints trailers with the headers
			n := 0
			for _, form := range []string{"raw", "base64", "hex", "percent", "json"} {
				for _, in := range []string{"body", "body&split=1", "body&split=7", "header", "trailer"} {
					args += " 'http://broker/" + name + upstream.EchoPath + "?in=" + in + "&form=" + form + "'"
					n++
				}
			}
			before := w.servers[name].Authorized()
			got, status := w.curl(args)
			if status != "200" || w.servers[name].Authorized() != before+n || strings.Count(got, "\n200") != n-1 {
				t.Errorf("%d of %d answered: %s", w.servers[name].Authorized()-before, n, got)
			}
			if all, _, err := s.scan(strings.NewReader(got)); err != nil || len(all) > 0 {
				t.Errorf("gives back %v %v", all, err)
			}
		})
	}
	stdout, stderr, code := w.exec([]string{"PYTHONPATH=/clients/python"}, "python3 /scripts/websocket.py ws://127.0.0.1:"+port+"/socket/chat headers")
	if all, _, err := s.scan(strings.NewReader(stdout + stderr)); code != 0 || err != nil || len(all) > 0 || !strings.Contains(stdout, "Authorization: Bearer") {
		w.t.Errorf("a WebSocket gives back %v: exit code %d: %s%s", all, code, stdout, stderr)
	}
	// The same search finds the value where nobody takes it out.
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.servers["openai"].URL+upstream.EchoPath+"?split=7", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	upstream.Bearer(w.values["openai"]).Meet(r)
	resp, err := w.servers["openai"].Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	w.direct["openai"]++
	var around bytes.Buffer
	if _, err := around.ReadFrom(resp.Body); err != nil {
		w.t.Fatal(err)
	}
	if all, _, _ := s.scan(&around); !slices.Equal(names(all), []string{"openai"}) {
		w.t.Errorf("the search finds %v in what has the value:\n%s", all, around.String())
	}
}
