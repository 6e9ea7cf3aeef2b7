package test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// document is what the tests read of a JSON report. It is written down here
// once more, and not imported, because this is the form that users rely on.
type document struct {
	Schema  string `json:"schema"`
	Results []struct {
		RunID   string `json:"run_id"`
		Subject struct {
			Container string `json:"container"`
		} `json:"subject"`
		Checks []struct {
			ID      string   `json:"id"`
			Seed    []string `json:"seed"`
			Verdict string   `json:"verdict"`
			Reason  string   `json:"reason"`
		} `json:"checks"`
		Summary struct {
			Verdict string `json:"verdict"`
		} `json:"summary"`
	} `json:"results"`
}

// parse reads a report of one subject.
func parse(data string) (document, error) { return parseSeveral(data, 1) }

func parseSeveral(data string, subjects int) (document, error) {
	var d document
	if err := json.Unmarshal([]byte(data), &d); err != nil {
		return d, err
	}
	if d.Schema != "tightship.report/v1" || len(d.Results) != subjects {
		return d, fmt.Errorf("schema %q with %d results", d.Schema, len(d.Results))
	}
	return d, nil
}

// having lists the checks with a verdict, without stack.combined, which follows
// from the others.
func (d document) having(verdict string) []string {
	ids := []string{}
	for _, c := range d.Results[0].Checks {
		if c.Verdict == verdict && c.ID != "stack.combined" {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// reasons says why checks have their verdicts, for a failed test.
func (d document) reasons(ids ...string) string {
	var b strings.Builder
	for _, c := range d.Results[0].Checks {
		if slices.Contains(ids, c.ID) {
			fmt.Fprintf(&b, "\n\t%s is %s: %s", c.ID, c.Verdict, c.Reason)
		}
	}
	return b.String()
}

func verdicts(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: verdicts FILE VERDICT [ID...]")
	}
	d, err := parse(ts.ReadFile(args[0]))
	ts.Check(err)
	got, want := d.having(args[1]), slices.Sorted(slices.Values(args[2:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s: %v, want %v%s", args[1], got, want, d.reasons(append(got, want...)...))
	}
}

// theSeeds are the tests of the original suite.
var theSeeds = strings.Fields(`
	root_filesystem_read_only usr_read_only var_read_only tmp_writable tmp_not_executable home_directory_writable
	non_root_user uid_gid no_sudo no_privileged_port_bind can_bind_unprivileged_port
	process_limit memory_limit cpu_limit_set no_capabilities cannot_change_network_config no_new_privileges
	no_suid_binaries_writable container_exits_cleanly python_version node_version npm_version git_version
	claude_cli_installed python_packages_installed git_configured environment_variables_secure full_security_stack`)

func seeds(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: seeds FILE")
	}
	d, err := parse(ts.ReadFile(args[0]))
	ts.Check(err)
	shown := map[string]bool{}
	for _, c := range d.Results[0].Checks {
		for _, s := range c.Seed {
			if !slices.Contains(theSeeds, s) {
				ts.Fatalf("%s replaces %s, which is not among the 28", c.ID, s)
			}
			if c.Verdict != "pass" {
				ts.Fatalf("seed %s: %s is %s: %s", s, c.ID, c.Verdict, c.Reason)
			}
			shown[s] = true
		}
	}
	for _, s := range theSeeds {
		if !shown[s] {
			ts.Fatalf("seed %s is shown by no check", s)
		}
	}
	if len(shown) != 28 {
		ts.Fatalf("%d seeds, want 28", len(shown))
	}
}

// jsonValue compares one value of a report with a regular expression. The path
// starts at the result; checks[ID] and residual[ID] find an entry by its id.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH WANT")
	}
	var all struct {
		Results []any `json:"results"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &all))
	if len(all.Results) != 1 {
		ts.Fatalf("%d results", len(all.Results))
	}
	v, err := follow(all.Results[0], args[1])
	ts.Check(err)
	want, err := regexp.Compile(args[2])
	ts.Check(err)
	if want.MatchString(v) == neg {
		ts.Fatalf("%s is %q, want %q", args[1], v, args[2])
	}
}

// step is a key and, in brackets, which may hold brackets, an entry's id.
var step = regexp.MustCompile(`(\w+)(?:\[((?:[^\[\]]|\[[^\]]*\])*)\])?`)

func follow(v any, path string) (string, error) {
	for _, m := range step.FindAllStringSubmatch(path, -1) {
		object, _ := v.(map[string]any)
		var ok bool
		if v, ok = object[m[1]]; !ok {
			return "", fmt.Errorf("no %s at %s", m[1], path)
		}
		if m[2] == "" {
			continue
		}
		list, _ := v.([]any)
		i := slices.IndexFunc(list, func(e any) bool { o, ok := e.(map[string]any); return ok && o["id"] == m[2] })
		if i < 0 {
			return "", fmt.Errorf("no %s", m[0])
		}
		v = list[i]
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

func wellFormed(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: xml FILE")
	}
	text := ts.ReadFile(args[0])
	for d, elements := xml.NewDecoder(strings.NewReader(text)), 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && elements > 0 {
			break
		}
		ts.Check(err)
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	ts.Check(printable(text))
}

func plain(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: plain FILE")
	}
	ts.Check(printable(ts.ReadFile(args[0])))
}

// printable refuses what a terminal would act on.
func printable(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("invalid UTF-8")
	}
	for _, r := range s {
		if r != '\n' && !unicode.IsPrint(r) {
			return fmt.Errorf("control character %s", strconv.QuoteRune(r))
		}
	}
	return nil
}
