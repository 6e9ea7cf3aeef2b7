package policy

import (
	"regexp"
	"slices"
	"strings"
)

// knownKeys is how the keys of well-known services look. It is for slips of
// the pen, not for a scanner of secrets: a value in the wrong place is refused,
// and not repeated in an error that ends in a build's log.
var knownKeys = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(?:` + strings.Join([]string{
	`[srp]k[-_][A-Za-z0-9_-]{16,}`, // Anthropic, OpenAI, Stripe
	`gh[a-z]_[A-Za-z0-9]{16,}`,     // GitHub
	`github_pat_[A-Za-z0-9_]{16,}`,
	`gl[a-z]{2,6}-[A-Za-z0-9_-]{16,}`, // GitLab
	`xox[a-z]-[A-Za-z0-9-]{10,}`,      // Slack
	`(?:AKIA|ASIA)[A-Z0-9]{16}`,       // AWS
	`AIza[A-Za-z0-9_-]{30,}`,          // Google
	`ya29\.[A-Za-z0-9_-]{16,}`,
	`(?:npm|hf|gsk|dop_v1|shpat|lin_api)_[A-Za-z0-9]{16,}`,
	`pypi-[A-Za-z0-9_-]{16,}`,
	`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`, // JWT
	`AGE-SECRET-KEY-1[A-Z0-9]*`,
	`-----BEGIN[A-Z -]*`,
}, "|") + `)`)

var (
	letterRuns  = regexp.MustCompile(`[A-Za-z0-9]{20,}`)
	hexRuns     = regexp.MustCompile(`[0-9a-f]{32,}`)
	runMustHave = []*regexp.Regexp{regexp.MustCompile(`[a-z]`), regexp.MustCompile(`[A-Z]`), regexp.MustCompile(`[0-9]`)}
)

// knownKey reports whether a key of a well-known form is in s. A stand-in for
// one says "placeholder" in it.
func knownKey(s string) bool {
	return slices.ContainsFunc(knownKeys.FindAllString(s, -1), genuine)
}

func genuine(key string) bool { return !strings.Contains(strings.ToLower(key), "placeholder") }

// keyLike also takes what looks random for a key. It is for places where
// nothing random belongs; in a path or a command a digest can stand.
func keyLike(s string) bool {
	random := func(run string) bool {
		return genuine(run) && !slices.ContainsFunc(runMustHave, func(re *regexp.Regexp) bool { return !re.MatchString(run) })
	}
	return knownKey(s) || slices.ContainsFunc(letterRuns.FindAllString(s, -1), random) ||
		slices.ContainsFunc(hexRuns.FindAllString(s, -1), func(run string) bool {
			return strings.ContainsAny(run, "0123456789") && strings.ContainsAny(run, "abcdef")
		})
}
