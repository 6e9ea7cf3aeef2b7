package report

import (
	"regexp"
	"strings"
	"time"
)

// subjectName says what a result is about, safe to show.
func subjectName(s Subject) string {
	if s.Container != "" {
		return "container " + Sanitize(s.Container, maxName)
	}
	return "image " + Sanitize(s.Image, maxName)
}

// onRuntime is the same with its runtime.
func onRuntime(s Subject) string {
	return joined(" on ", subjectName(s), Sanitize(s.Runtime, maxName))
}

// facts is what was verified, on what, when, and under which policy, in full. The
// texts are as they came.
func facts(r Result) []detail {
	s := r.Subject
	policy, started := r.Policy, ""
	if policy == "" {
		policy = "built-in"
	}
	if !r.Started.IsZero() {
		started = r.Started.UTC().Format(time.RFC3339)
	}
	var out []detail
	for _, d := range []detail{
		{"container", s.Container}, {"image", s.Image}, {"image digest", s.ImageDigest},
		{"engine", joined(" ", s.Engine, s.EngineVersion)}, {"runtime", s.Runtime}, {"kernel", s.Kernel},
		{"cgroup", s.Cgroup}, {"LSM", s.LSM}, {"policy", policy}, {"policy digest", r.PolicyDigest},
		{"run", r.RunID}, {"started", started}, {"took", duration(r.DurationMS)},
	} {
		if d.text != "" {
			out = append(out, d)
		}
	}
	return out
}

// repeat is the command that makes a result again. It does not know --only.
func repeat(r Result) string {
	words := []string{"tightship verify"}
	option := func(flag, value string) {
		if value != "" {
			words = append(words, flag, quote(value))
		}
	}
	if r.Subject.Engine == "oci" {
		option("--engine", r.Subject.Engine)
	}
	option("--policy", r.Policy)
	if r.Subject.Container != "" {
		option("--container", r.Subject.Container)
		return strings.Join(words, " ")
	}
	option("--runtime", r.Subject.Runtime)
	return strings.Join(append(words, quote(r.Subject.Image)), " ")
}

var bare = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quote makes one word of a shell's command of s.
func quote(s string) string {
	s = Sanitize(s, maxName)
	if bare.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
