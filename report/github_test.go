package report

import (
	"regexp"
	"strings"
	"testing"
)

// ghLine is a workflow command, as the runner reads it.
var ghLine = regexp.MustCompile(`^::(error|warning|notice) ((?:[a-z]+=[^,:\r\n]*)(?:,[a-z]+=[^,:\r\n]*)*)::(.*)$`)

type ghCommand struct {
	name       string
	properties map[string]string
	message    string
}

// commandsIn reads a log as the runner does, and refuses commands that are not ours.
func commandsIn(t *testing.T, log string) []ghCommand {
	t.Helper()
	var out []ghCommand
	for line := range strings.SplitSeq(strings.TrimSuffix(log, "\n"), "\n") {
		m := ghLine.FindStringSubmatch(line)
		if m == nil {
			noCommands(t, line)
			continue
		}
		if logCommand.MatchString(m[3]) && strings.Contains(m[3], "##") {
			t.Errorf("a command inside of %q", line)
		}
		c := ghCommand{name: m[1], properties: map[string]string{}, message: strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(m[3])}
		for p := range strings.SplitSeq(m[2], ",") {
			key, value, _ := strings.Cut(p, "=")
			c.properties[key] = strings.NewReplacer("%3A", ":", "%2C", ",", "%0A", "\n", "%25", "%").Replace(value)
		}
		out = append(out, c)
	}
	return out
}

// findings counts what did not hold.
func findings(r Report) int {
	n := 0
	for _, res := range r.Results {
		for _, c := range res.Checks {
			if needsAction(c.Verdict) {
				n++
			}
		}
	}
	return n
}

func TestGitHub(t *testing.T) {
	r := fixture()
	r.Results[0].Policy = "a,b:c%.yaml"
	commands := commandsIn(t, rendered(t, GitHub, r))
	if len(commands) != findings(r) {
		t.Errorf("%d commands for %d findings", len(commands), findings(r))
	}
	first := commands[0]
	if first.name != "error" || first.properties["file"] != "a,b:c%.yaml" || first.properties["line"] != "7" || first.properties["title"] != "BROKEN: fs.tmp-noexec" ||
		!strings.Contains(first.message, "\nobserved: execve of a copy in /tmp ran") {
		t.Errorf("%+v", first)
	}
	last := commands[len(commands)-1]
	if last.name != "notice" || last.properties["file"] != "" {
		t.Errorf("the accepted one, which the file does not name: %+v", last)
	}
	if !strings.HasSuffix(rendered(t, GitHub, calm(proven)), "PROVEN: the one protection held, put to the test in the container.\n") {
		t.Error("the verdict is not in the log")
	}
}
