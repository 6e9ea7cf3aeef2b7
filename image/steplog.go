package image

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// stepLog reads BuildKit's plain log: `#7 [packages 3/5] RUN …` when step 7
// begins, `#7 …` for what it says, `#7 ERROR: …` when it fails.
type stepLog struct {
	progress, full io.Writer
	line           []byte          // the unfinished one
	seen           map[string]bool // a step is repeated when its output resumes
	tail           []string        // the last lines
	err            string          // the last line that tells of an error
}

const tailLines = 30

func newStepLog(progress, full io.Writer) *stepLog {
	return &stepLog{progress: progress, full: full, seen: make(map[string]bool)}
}

// Write never fails: a progress display that goes away must not end the build.
func (l *stepLog) Write(p []byte) (int, error) {
	_, _ = l.full.Write(p)
	for rest := p; ; {
		head, tail, found := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, head...)
		if !found {
			return len(p), nil
		}
		l.add(string(bytes.TrimRight(l.line, "\r")))
		l.line, rest = l.line[:0], tail
	}
}

var (
	stepStart = regexp.MustCompile(`^#\d+ (\[.+)`)
	errorLine = regexp.MustCompile(`^(?:#\d+ )?(?:ERROR|failed to|error during connect|[Cc]annot connect)`)
	mounts    = regexp.MustCompile(`--mount=\S+\s+`)
	spaces    = regexp.MustCompile(`\s+`)
)

func (l *stepLog) add(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	l.tail = append(l.tail, line)
	if len(l.tail) > tailLines {
		l.tail = l.tail[1:]
	}
	if errorLine.MatchString(line) {
		l.err = line
	}
	if m := stepStart.FindStringSubmatch(line); m != nil && !l.seen[m[1]] {
		l.seen[m[1]] = true
		_, _ = fmt.Fprintln(l.progress, shorten(m[1], 100))
	}
}

// shorten leaves out a step's mounts, which are the same for each, and cuts it
// to at most width characters.
func shorten(step string, width int) string {
	step = spaces.ReplaceAllString(mounts.ReplaceAllString(step, ""), " ")
	if utf8.RuneCountInString(step) > width {
		step = string([]rune(step)[:width-1]) + "…"
	}
	return step
}

// causes are told by the log, tried in this order. BuildKit has no error codes.
var causes = []struct {
	err     error
	pattern *regexp.Regexp
}{
	{ErrNoEngine, regexp.MustCompile(`(?i)cannot connect to the docker daemon|error during connect|permission denied.*docker.*sock`)},
	{ErrNoBuildKit, regexp.MustCompile(`buildx component is missing`)},
	{ErrBase, regexp.MustCompile(`(?m)^ > \[internal\] load metadata for|^ > (?:\[[^\]]*\] )?FROM |failed to resolve source metadata`)},
	{ErrCertificate, regexp.MustCompile(`(?i)certificate.verif|SELF_SIGNED_CERT|UNABLE_TO_(?:GET|VERIFY)_\w*(?:CERT|SIGNATURE)`)},
	{ErrUnreachable, regexp.MustCompile(`(?i)Temporary failure (?:in name resolution|resolving)|Network is unreachable|ENOTFOUND|EAI_AGAIN`)},
}

// failure turns the builder's exit into an error, and shows the end of its log
// where the cause is not plain.
func (l *stepLog) failure(o Options, err error) error {
	if len(l.line) > 0 {
		l.add(string(l.line))
	}
	log := strings.Join(l.tail, "\n")
	cause := ErrBuild
	for _, c := range causes {
		if c.pattern.MatchString(log) {
			cause = c.err
			break
		}
	}
	detail := ""
	switch {
	case cause == ErrBase:
		detail = " " + o.Base
	case cause == ErrNoEngine || cause == ErrNoBuildKit:
	default:
		_, _ = fmt.Fprintln(o.Progress, log)
	}
	if l.err != "" {
		detail += ": " + shorten(l.err, 300)
	}
	return fmt.Errorf("building %s: %w%s (%w)", o.Tag, cause, detail, err)
}
