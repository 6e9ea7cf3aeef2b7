package probe

import (
	"strings"
	"testing"
)

// fake joins a made-up credential from pieces, so that no scanner takes this
// file for a leak.
func fake(parts ...string) string { return strings.Join(parts, "") }

func TestInspectVariable(t *testing.T) {
	for _, row := range []struct{ name, value, kind string }{
		{"ANTHROPIC_API_KEY", fake("sk-", "ant-api03-", "abcdefghijkl"), "Anthropic API key"},
		{"X", fake("gh", "p_", strings.Repeat("a1B2", 9)), "GitHub token"},
		{"X", fake("github_", "pat_", strings.Repeat("a1B2", 9)), "GitHub token"},
		{"X", fake("glp", "at-", strings.Repeat("a1B2", 5)), "GitLab token"},
		{"X", fake("AK", "IA", strings.Repeat("A1", 8)), "AWS access key ID"},
		{"X", fake("AI", "za", strings.Repeat("a1B2c", 7)), "Google API key"},
		{"X", fake("xo", "xb-", "123456789012-abc"), "Slack token"},
		{"X", fake("sk_", "live_", strings.Repeat("a1B2", 5)), "Stripe key"},
		{"X", fake("np", "m_", strings.Repeat("a1B2", 9)), "npm token"},
		{"X", fake("py", "pi-", strings.Repeat("a1B2", 9)), "PyPI token"},
		{"X", fake("h", "f_", strings.Repeat("a1B2", 9)), "Hugging Face token"},
		{"X", fake("S", "G.", strings.Repeat("a1B2", 5), ".", strings.Repeat("a1B2", 9)), "SendGrid key"},
		{"X", fake("s", "k-", strings.Repeat("a1B2", 9)), "OpenAI-style API key"},
		{"X", fake("ey", "JhbGciOiJub25l", ".ey", "JzdWIiOiJ4In0", ".x"), "JSON Web Token"},
		{"X", fake("https://user:", "hunter2", "@host/path"), "password in a URL"},
		{"X", fake("-----BEGIN RSA PRIV", "ATE KEY-----\nabc"), "private key"},
		{"DB_PASSWORD", "correct horse", "named like a credential"},
		{"PGPASSWORD", "x1y2", "named like a credential"},
		{"MY_TOKEN", "abc-def", "named like a credential"},
		{"CLIENT_SECRET", "swordfish", "named like a credential"},
		{"DB_PASSWORD", "$ecretSauce1", "named like a credential"},
		{"GHTOKEN", "hunter2hunter2", "named like a credential"},
		{"API_TOKEN", "my placeholder is 5ecret", "named like a credential"},
		{"THING", "q7Zx9Lm2Vt4Bn8Kw3Rs6Yp1Hd5Jf0Gc", "random-looking value"},
		{"THING", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "random-looking value"},

		// What ordinary images set.
		{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ""},
		{"HOSTNAME", "0123456789abcdef0123456789abcdef", ""},
		{"HOME", "/home/claude-agent", ""},
		{"GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D", ""},
		{"PYTHON_SHA256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", ""},
		{"NODE_VERSION", "20.20.2", ""},
		{"GIT_ASKPASS", "/bin/false", ""},
		{"SSH_AUTH_SOCK", "/run/agent.sock", ""},
		{"ANTHROPIC_API_KEY", "tightship-placeholder", ""},
		{"USE_TOKEN", "true", ""},
		{"DB_PASSWORD", "${DB_PASSWORD}", ""},
		{"DB_PASSWORD", "$DB_PASSWORD", ""},
		{"GPG_KEYS", "05AB33110949707C93A279E3D3EFE6B686867BA6", ""},
		{"API_TOKEN", "", ""},
		{"TOKEN_FILE", "/run/secrets/token", ""},
		{"SECRET", "/run/secrets/token", ""},
		{"ANTHROPIC_BASE_URL", "http://127.0.0.1:8080/anthropic", ""},
		{"LANG", "C.UTF-8", ""},
		{"PWD", "/home/claude-agent/workspace", ""},
		{"OLDPWD", "/tmp", ""},
		{"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1", ""},
		{"SENTENCE", "the quick brown fox jumps over the lazy dog 1234", ""},
		{"LIBRARY", "/opt/venv/lib/python3.11/site-packages/anthropic", ""},
	} {
		f, found := InspectVariable([]byte("k"), row.name, row.value)
		if found != (row.kind != "") || f.Kind != row.kind {
			t.Errorf("%s=%s: %q, want %q", row.name, row.value, f.Kind, row.kind)
		}
		if found && (f.Length != len(row.value) || len(f.Hash) != 8) {
			t.Errorf("%s: %+v", row.name, f)
		}
	}
}

// The hash tells equal values apart from others within a run, and nothing
// across runs.
func TestFindingHash(t *testing.T) {
	hash := func(key, value string) string {
		f, _ := InspectVariable([]byte(key), "TOKEN", value)
		return f.Hash
	}
	one := hash("a", "one")
	if again := hash("a", "one"); one != again || one == hash("a", "two") || one == hash("b", "one") {
		t.Error("the hash is not keyed, or not one")
	}
}

// Whatever a value is, no part of it comes out.
func FuzzInspectVariable(f *testing.F) {
	f.Add("TOKEN", "swordfish")
	f.Add("X", "AKIA")
	f.Fuzz(func(t *testing.T, name, value string) {
		got, found := InspectVariable([]byte("k"), name, value)
		if found && len(value) > 8 && (strings.Contains(got.Kind, value) || strings.Contains(got.Hash, value)) {
			t.Errorf("%q comes out in %+v", value, got)
		}
	})
}
