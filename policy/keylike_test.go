package policy

import "testing"

// Every form of a key that is known, and what only looks a bit like one.
func TestKeyLike(t *testing.T) {
	for _, row := range []struct {
		name, text  string
		known, like bool
	}{
		{"Anthropic", "sk-ant-api03-Zm9vYmFyYmF6cXV4", true, true},
		{"OpenAI", "sk-proj-0123456789abcdef", true, true},
		{"Stripe", "rk_live_0123456789abcdef", true, true},
		{"GitHub", "gho_0123456789abcdefghij", true, true},
		{"GitHub, fine-grained", "github_pat_0123456789_abcdefghij", true, true},
		{"GitLab", "glpat-0123456789_abcdefghi", true, true},
		{"Slack", "xoxb-0123456789-abc", true, true},
		{"AWS", "ASIAIOSFODNN7EXAMPLE", true, true},
		{"Google", "AIzaSy0123456789-0123456789_0123456", true, true},
		{"Google OAuth", "ya29.0123456789-abcdef", true, true},
		{"npm", "npm_0123456789abcdefghij", true, true},
		{"Hugging Face", "hf_0123456789abcdefghij", true, true},
		{"PyPI", "pypi-AgEIcHlwaS5vcmc0123", true, true},
		{"JWT", "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", true, true},
		{"age", "AGE-SECRET-KEY-1QQQ", true, true},
		{"a private key", "-----BEGIN PRIVATE KEY-----", true, true},
		{"in the middle", "Authorization: Bearer sk-ant-api03-Zm9vYmFyYmF6cXV4", true, true},
		{"the second of two", "sk-placeholder-placeholder sk-ant-api03-Zm9vYmFyYmF6cXV4", true, true},
		{"random", "aB3dE6gH9jK2mN5pQ8sT", false, true},
		{"random in the middle", "token=aB3dE6gH9jK2mN5pQ8sT;", false, true},
		{"hexadecimal", "0123456789abcdef0123456789abcdef", false, true},

		{"a stand-in", "sk-ant-api03-PLACEHOLDER-0123456789", false, false},
		{"a random stand-in", "aB3dE6gH9jK2mPlaceholder", false, false},
		{"the end of a word", "task-0123456789abcdefghij", false, false},
		{"short", "sk-ant-placehold", false, false},
		{"almost random", "aB3dE6gH9jK2mN5pQ8s", false, false},
		{"small letters and digits", "ab3de6gh9jk2mn5pq8st", false, false},
		{"large letters and digits", "AB3DE6GH9JK2MN5PQ8ST", false, false},
		{"only letters", "abcdefGHIJKLmnopqrSTUVWX", false, false},
		{"almost hexadecimal", "0123456789abcdef0123456789abcde", false, false},
		{"only digits", "01234567890123456789012345678901", false, false},
		{"only letters up to f", "abcdefabcdefabcdefabcdefabcdefab", false, false},
		{"nothing", "", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := knownKey(row.text); got != row.known {
				t.Errorf("known: %v", got)
			}
			if got := keyLike(row.text); got != row.like {
				t.Errorf("like: %v", got)
			}
		})
	}
}
