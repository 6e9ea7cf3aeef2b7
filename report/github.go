package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// GitHub writes what did not hold as GitHub's workflow commands, which become
// annotations of the pull request's files: broken an error, unmeasured a warning,
// accepted a notice. The file is the policy's and the line the one that decides
// the check; where the policy does not say it, the annotation belongs to the run.
// GitHub shows ten of a kind for each step; the rest is in the log.
//
// The log they are written to is where these commands take effect, so no byte of
// a container's may begin one: see Sanitize.
func GitHub(w io.Writer, r Report) error {
	var b bytes.Buffer
	for _, res := range r.Results {
		for _, verdict := range []string{fail, inconclusive, accepted} { // the ten that count
			for _, c := range res.Checks {
				if needsAction(c.Verdict) && markOf(c.Verdict) == markOf(verdict) {
					annotation(&b, res, c)
				}
			}
		}
		// Not a command, but a line of the log that no command can be.
		b.WriteString(Line(res) + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func annotation(b *bytes.Buffer, res Result, c Check) {
	command := "warning"
	switch c.Verdict {
	case fail:
		command = "error"
	case accepted:
		command = "notice"
	}
	b.WriteString("::" + command + " ")
	if res.Policy != "" && c.Line > 0 {
		fmt.Fprintf(b, "file=%s,line=%d,", propertyEscapes.Replace(Sanitize(res.Policy, maxField)), c.Line)
	}
	title := markOf(c.Verdict).word + ": " + Sanitize(c.ID, maxName)
	lines := []string{Sanitize(c.Title, maxName) + " (" + subjectName(res.Subject) + ")"}
	for _, d := range append(details(c), detail{"hint", c.Hint}) {
		if d.text != "" {
			lines = append(lines, d.label+": "+Sanitize(d.text, maxField))
		}
	}
	fmt.Fprintf(b, "title=%s::%s\n", propertyEscapes.Replace(title), dataEscapes.Replace(strings.Join(lines, "\n")))
}

// Messages and their properties are escaped as the runner unescapes them.
var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
