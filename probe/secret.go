package probe

import (
	"math"
	"regexp"
	"strings"
)

// Finding is a credential, described so that its owner recognises it and
// nobody else learns it.
type Finding struct {
	Name   string // of the variable
	Kind   string // what it looks like
	Length int    // bytes
	Hash   string // 8 hex digits of a keyed hash: equal values in one run are equal here
}

// format is what a credential looks like.
type format struct {
	kind  string
	re    *regexp.Regexp
	marks []string // one of them is in every match: expressions take their time over a file
}

// find returns the first match, "" if there is none.
func (f format) find(s string) string {
	for _, m := range f.marks {
		if strings.Contains(s, m) {
			return f.re.FindString(s)
		}
	}
	return ""
}

// RandomLooking is the kind of a finding that has no format and no telling name.
const RandomLooking = "random-looking value"

// formats are the credential formats that vendors document. Order matters: the
// first match names the kind.
var formats = []format{
	{"private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`), []string{"PRIVATE KEY-----"}},
	{"Anthropic API key", regexp.MustCompile(`\bsk-ant-[A-Za-z0-9_-]{8,}`), []string{"sk-ant-"}},
	{"GitHub token", regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})`), []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}},
	{"GitLab token", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{16,}`), []string{"glpat-"}},
	{"AWS access key ID", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`), []string{"AKIA", "ASIA"}},
	{"Google API key", regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{30,}`), []string{"AIza"}},
	{"Slack token", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`), []string{"xox"}},
	{"Stripe key", regexp.MustCompile(`\b[rs]k_(live|test)_[A-Za-z0-9]{16,}`), []string{"k_live_", "k_test_"}},
	{"npm token", regexp.MustCompile(`\bnpm_[A-Za-z0-9]{20,}`), []string{"npm_"}},
	{"PyPI token", regexp.MustCompile(`\bpypi-[A-Za-z0-9_-]{20,}`), []string{"pypi-"}},
	{"Hugging Face token", regexp.MustCompile(`\bhf_[A-Za-z0-9]{20,}`), []string{"hf_"}},
	{"SendGrid key", regexp.MustCompile(`\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`), []string{"SG."}},
	{"OpenAI-style API key", regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{20,}`), []string{"sk-"}},
	{"JSON Web Token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`), []string{"eyJ"}},
	{"password in a URL", regexp.MustCompile(`\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s:@]+@`), []string{"://"}},
}

// secretName matches variable names that announce a credential.
var secretName = regexp.MustCompile(`(?i)((^|_)PASS|API_?KEY|ACCESS_?KEY(_ID)?|SECRET(_?KEY)?|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PRIVATE_?KEY|CREDENTIALS?)$`)

// harmlessName matches names whose values look random and are public.
var harmlessName = regexp.MustCompile(`(?i)(^HOSTNAME$|^GPG_KEYS?$|(_|^)(VERSION|SHA\d*|SHA\d*SUM|CHECKSUM|DIGEST|COMMIT|REVISION|FINGERPRINT|KEYS?_IDS?)$|COLORS$)`)

// placeholder matches values that a name like TOKEN may well have.
var placeholder = regexp.MustCompile(`^((?i:|true|false|yes|no|none|null|unset|x+|[a-z-]{0,32}placeholder[a-z-]{0,16})|\d{1,6}|\*+|<[^>]*>|\$\{\w+\}|\$[A-Z_][A-Z0-9_]*)$`)

// randomish matches an unbroken run that could be a key in base64, base64url
// or hex.
var randomish = regexp.MustCompile(`^[A-Za-z0-9+/_=-]{24,}$`)

// InspectVariable says whether an environment variable holds a credential. The
// key goes into the hash only.
func InspectVariable(key []byte, name, value string) (Finding, bool) {
	kind := ""
	for _, f := range formats {
		if f.find(value) != "" {
			kind = f.kind
			break
		}
	}
	switch {
	case kind != "":
	case placeholder.MatchString(value):
	case secretName.MatchString(name) && !strings.HasPrefix(value, "/"):
		kind = "named like a credential"
	case !harmlessName.MatchString(name) && randomish.MatchString(value) && looksRandom(value):
		kind = RandomLooking
	}
	if kind == "" {
		return Finding{}, false
	}
	return finding(key, name, kind, value), true
}

// looksRandom is a low-false-alarm test for key material: it must mix digits
// and letters, must not read like a path, and must have the entropy of random
// text of its alphabet (Shannon, bits per character).
func looksRandom(s string) bool {
	if strings.Count(s, "/") > 1 && s[0] == '/' {
		return false
	}
	counts := map[rune]float64{}
	digits, letters := 0, 0
	hexOnly := true
	for _, c := range s {
		counts[c]++
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
			hexOnly = hexOnly && strings.ContainsRune("abcdefABCDEF", c)
		default:
			hexOnly = false
		}
	}
	if digits == 0 || letters == 0 {
		return false
	}
	entropy, n := 0.0, float64(len(s))
	for _, c := range counts {
		entropy -= c / n * math.Log2(c/n)
	}
	if hexOnly {
		return len(s) >= 32 && entropy > 3.0
	}
	return entropy > 4.0 && digits*12 >= len(s)
}
