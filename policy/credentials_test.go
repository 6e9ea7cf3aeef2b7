package policy

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// credentialFile is a file with one credential, a key a line, in which the
// given lines take the place of those with the same key or come behind them.
func credentialFile(lines ...string) string {
	all := []string{"name: a", "from: env", "route: {listen: /a, upstream: 'https://a.example'}", "attach: bearer"}
	for _, l := range lines {
		key, _, _ := strings.Cut(l, ":")
		found := false
		for i := range all {
			if strings.HasPrefix(all[i], key+":") {
				all[i], found = l, true
			}
		}
		if !found {
			all = append(all, l)
		}
	}
	return "credentials:\n- " + strings.Join(all, "\n  ") + "\n"
}

// manyCredentials is what a real file looks like, with every key.
const manyCredentials = `credentials:
  - name: anthropic
    from: keyring:anthropic
    route: {listen: /anthropic, upstream: https://api.anthropic.com}
    attach: {header: x-api-key}
    allow:
      - {methods: [POST], paths: [/v1/messages, /v1/messages/count_tokens]}
      - methods: [GET, HEAD]
        paths: ["/v1/models/**", "/projects/a%2fb/*"]
    limits: {rate: 100/min, concurrency: 8, body: 32m, budget: {requests: 5000}}
    sets:
      ANTHROPIC_BASE_URL: "http://127.0.0.1:{port}/anthropic"
      ANTHROPIC_API_KEY: sk-ant-api03-placeholder-0123456789
  - name: claude-login
    from: oauth:~/.claude/.credentials.json
    route: {listen: /claude, upstream: "https://api.anthropic.com:443/v1", websocket: true}
    attach: bearer
  - name: github.git
    from: "exec:gh auth token"
    route: {listen: /git/github.com, upstream: https://github.com}
    attach: {basic: x-access-token}
    git: {repositories: [acme/widget, "acme/*"], push: ["refs/heads/agent/*", "refs/**"], force: true, tags: true, delete: true}
  - name: registry
    from: env
    route:
      listen: /registry
      upstream: https://[fd12:3456::7]:8443/npm
      ca: ../certs/ca.pem
      networks: ["fd12:3456::/48", 10.1.0.0/16]
    attach: {query: key}
    limits: {rate: unlimited, concurrency: unlimited, body: unlimited, budget: {requests: unlimited}}
  - name: old
    from: age:~/keys.age
    route: {listen: /old, upstream: https://old.example}
    attach: {basic: ""}
    git: {repositories: [a], fetch: false}
    limits: {body: 1g}
`

func TestDecodeCredentials(t *testing.T) {
	want := []Credential{
		{
			Name:   "anthropic",
			From:   "keyring:anthropic",
			Route:  Route{Listen: "/anthropic", Upstream: "https://api.anthropic.com", Networks: []string{}},
			Attach: Attach{AttachHeader, "x-api-key"},
			Allow: []Allow{
				{Methods: []string{"POST"}, Paths: []string{"/v1/messages", "/v1/messages/count_tokens"}},
				{Methods: []string{"GET", "HEAD"}, Paths: []string{"/v1/models/**", "/projects/a%2fb/*"}},
			},
			Limits: Bounds{Rate: Rate{100, time.Minute}, Concurrency: 8, Body: 32 << 20, Budget: Budget{5000}},
			Sets: map[string]string{
				"ANTHROPIC_BASE_URL": "http://127.0.0.1:{port}/anthropic",
				"ANTHROPIC_API_KEY":  "sk-ant-api03-placeholder-0123456789",
			},
		},
		{
			Name:   "claude-login",
			From:   "oauth:~/.claude/.credentials.json",
			Route:  Route{Listen: "/claude", Upstream: "https://api.anthropic.com:443/v1", Networks: []string{}, WebSocket: true},
			Attach: Attach{AttachBearer, ""},
			Allow:  []Allow{},
			Limits: Bounds{Concurrency: 8, Body: 32 << 20},
			Sets:   map[string]string{},
		},
		{
			Name:   "github.git",
			From:   "exec:gh auth token",
			Route:  Route{Listen: "/git/github.com", Upstream: "https://github.com", Networks: []string{}},
			Attach: Attach{AttachBasic, "x-access-token"},
			Allow:  []Allow{},
			Git: &GitAccess{
				Repositories: []string{"acme/widget", "acme/*"}, Fetch: true, Push: []string{"refs/heads/agent/*", "refs/**"},
				Force: true, Tags: true, Delete: true,
			},
			Limits: Bounds{Concurrency: 8},
			Sets:   map[string]string{},
		},
		{
			Name:   "registry",
			From:   "env:REGISTRY",
			Route:  Route{Listen: "/registry", Upstream: "https://[fd12:3456::7]:8443/npm", CA: "../certs/ca.pem", Networks: []string{"fd12:3456::/48", "10.1.0.0/16"}},
			Attach: Attach{AttachQuery, "key"},
			Allow:  []Allow{},
			Sets:   map[string]string{},
		},
		{
			Name:   "old",
			From:   "age:~/keys.age",
			Route:  Route{Listen: "/old", Upstream: "https://old.example", Networks: []string{}},
			Attach: Attach{AttachBasic, ""},
			Allow:  []Allow{},
			Git:    &GitAccess{Repositories: []string{"a"}, Push: []string{}},
			Limits: Bounds{Concurrency: 8, Body: 1 << 30},
			Sets:   map[string]string{},
		},
	}
	p := decode(t, manyCredentials)
	if diff := cmp.Diff(want, p.Credentials); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	text, err := p.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again := decode(t, string(text))
	if diff := cmp.Diff(want, again.Credentials); diff != "" {
		t.Errorf("after YAML -want +got:\n%s\nfrom\n%s", diff, text)
	}
	if p.Digest() != again.Digest() {
		t.Error("digest changes with the form of the file")
	}
	for at, want := range map[string]Origin{
		"credentials[0].attach.header":           {5, 14},
		"credentials[0].allow[1].paths":          {9, 9},
		"credentials[2].git.push":                {22, 50},
		"credentials[3].route.networks":          {29, 7},
		"credentials[4].limits.body":             {37, 14},
		"credentials[0].sets.ANTHROPIC_BASE_URL": {12, 7},
	} {
		if got := p.Origins[at]; got != want {
			t.Errorf("%s is at %v, want %v", at, got, want)
		}
	}
}

// Values at the edge of what is allowed.
func TestDecodeCredentialTakes(t *testing.T) {
	for _, line := range []string{
		"name: " + strings.Repeat("a", 63),
		"name: 1password", // with a variable of its own below
		"from: env:_x", "from: env:HTTPS_TOKEN_2", "from: file:/run/secrets/a", "from: file:a", "from: file:~/.ssh/id", "from: exec:./token.sh",
		"from: 'exec:/nix/store/0c1a9q2d3f4g5h6j7k8l9zxcvbnmasdf-gh/bin/gh auth token'", "from: keyring:service/user",
		"from: file:/data/0123456789abcdef0123456789abcdef/token",
		"route: {listen: /, upstream: 'https://a'}", "route: {listen: '/a-b_c.d~/E9', upstream: 'https://a.b-c.example:65535/a-b_c.d~/E9'}",
		"route: {listen: /a, upstream: 'https://93.184.216.34:1'}", "route: {listen: /a, upstream: 'https://10.0.0.1', networks: [10.0.0.1/32]}",
		"route: {listen: /a, upstream: 'https://[2606:4700::1]', ca: '', networks: []}", "route: {listen: /a, upstream: 'https://xn--e1afmkfd.xn--p1ai', ca: ~/ca.pem}",
		"attach: {header: Authorization}", "attach: {header: PRIVATE-TOKEN}", "attach: {query: access_token}", "attach: {basic: 'a b@example.com'}",
		"allow: []", "allow: [{methods: [PROPFIND, VERSION-CONTROL], paths: [/, /a/, '/a b/ü:x@;,=~', '/**', '/*', '/a*b*/**/c']}]",
		"limits: {rate: 1000000000/s, concurrency: 100000, body: 1, budget: {requests: 1000000000000}}", "limits: {rate: 1/h}", "limits: {}",
		"sets: {}", "sets: {_a: '', URL: 'http://127.0.0.1:{port}/x', PATHS: x, GIT_AUTHOR_NAME: agent}",
		"sets: {MODEL: mistralai/Mixtral-8x22B-Instruct-v0.1, KEY: sk-ant-placeholder, X: glpat-Placeholder0123456789}",
	} {
		t.Run(line, func(t *testing.T) {
			lines := []string{line}
			if strings.Contains(line, "1password") {
				lines = append(lines, "from: env:ONE")
			}
			decode(t, credentialFile(lines...))
		})
	}
	decode(t, credentialFile("attach: bearer", "git: {repositories: ['a/**', '~me/a.b_c-d', '**'], push: ['refs/heads/v1.2/*-x', 'refs/**/x']}"))
	// The same variable with the same value, and neighbours that share no segment.
	decode(t, two("b", "/ab", "sets: {NO_PROXY: x}", "sets: {NO_PROXY: x}"))
}

// two is a file with two credentials that listen at /a and at another place.
func two(name, listen, first, second string) string {
	return credentialFile(first) + strings.TrimPrefix(credentialFile("name: "+name, "route: {listen: "+listen+", upstream: 'https://b.example'}", second), "credentials:\n")
}

func TestHostPath(t *testing.T) {
	home, here := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	p := &Policy{Source: filepath.Join(here, "sub", "tightship.yaml")}
	for name, want := range map[string]string{
		"a":             filepath.Join(here, "sub", "a"),
		"../a":          filepath.Join(here, "a"),
		"/a/../b":       "/b",
		"~/.ssh/id":     filepath.Join(home, ".ssh", "id"),
		"~/../x":        filepath.Join(filepath.Dir(home), "x"),
		"./~/a":         filepath.Join(here, "sub", "~", "a"),
		"~a":            filepath.Join(here, "sub", "~a"), // which the decoder refuses
		"certs/~/a.pem": filepath.Join(here, "sub", "certs", "~", "a.pem"),
	} {
		if got, err := p.HostPath(name); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", name, got, err, want)
		}
	}
	t.Setenv("HOME", "")
	if got, err := p.HostPath("~/a"); err == nil {
		t.Errorf("without a home ~/a is %s", got)
	}
	if _, err := p.HostPath("a"); err != nil {
		t.Errorf("without a home: %v", err)
	}
}

func TestRateString(t *testing.T) {
	for _, row := range []struct {
		rate Rate
		want string
	}{
		{Rate{}, "unlimited"},
		{Rate{Requests: 10, Per: time.Second}, "10/s"},
		{Rate{Requests: 100, Per: time.Minute}, "100/min"},
		{Rate{Requests: 1000, Per: time.Hour}, "1000/h"},
		{Rate{Per: time.Hour}, "unlimited"},
	} {
		if got := row.rate.String(); got != row.want {
			t.Errorf("%+v is %s, want %s", row.rate, got, row.want)
		}
	}
}

// What is started from is one's own: no credential shares a list or a map with
// the next.
func TestDecodeCredentialsShareNothing(t *testing.T) {
	p := decode(t, two("b", "/b", "allow: []", "allow: []"))
	p.Credentials[0].Sets["A"] = "b"
	if len(p.Credentials[1].Sets) > 0 {
		t.Error("two credentials have one map")
	}
}

// Credentials are the broker's business: nothing of them reaches a container,
// and so nothing of what is verified changes.
func TestCredentialsStayOutOfTheContainer(t *testing.T) {
	p := decode(t, manyCredentials)
	with, err := p.Container()
	if err != nil {
		t.Fatal(err)
	}
	p.Credentials = nil
	without, err := p.Container()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(without, with); diff != "" {
		t.Errorf("-without +with:\n%s", diff)
	}
}
