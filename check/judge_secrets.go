package check

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// bothSee returns what a probe saw as the user and as the auditor, or why there
// is nothing to judge.
func (in *Input) bothSee(name string) (map[probe.Role]probe.Observation, string) {
	seen := map[probe.Role]probe.Observation{}
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o, why := in.see(Main, role, name)
		if why != "" {
			return nil, why
		}
		seen[role] = o
	}
	return seen, ""
}

// number reads a number among an observation's facts, 0 if it has none.
func number(o probe.Observation, fact string) int {
	n, _ := strconv.Atoi(o.Facts[fact])
	return n
}

func judgeSecretFiles(in *Input) Result {
	a := account{wanted: "no credential in a file within reach", wantedIs: on}
	both, why := in.bothSee("secrets.files")
	if why != "" {
		return a.unmeasured(why)
	}
	var found, closed, notes []string
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o := both[role]
		for _, t := range o.Attempts {
			text := t.On + " (" + t.Note + ")"
			switch {
			case t.Control:
			case t.Act == "found" && !slices.Contains(found, text):
				found = append(found, text)
			case t.Act != "found":
				closed = append(closed, string(role)+" "+t.Act+" "+t.On)
			}
		}
		note := fmt.Sprintf("%s: %s looked into, for %s", role, plural(number(o, "files"), "file", "files"), plural(number(o, "homes"), "home or mount", "homes and mounts"))
		if o.Facts["cut short"] != "" {
			note += ", the known places whole and the walk in part"
		}
		notes = append(notes, note)
	}
	if len(closed) > 0 {
		notes = append(notes, "refused: "+few(closed))
	}
	seen := strings.Join(append(notes, found...), "; ")
	if len(found) > 0 {
		return a.decide(off, Exercised, seen, "the agent, or uid 0 inside, can read "+few(found))
	}
	for role, o := range both {
		if c, ok := control(o, "find"); !ok || !c.OK {
			return a.decide(silent, NoGrade, seen, fmt.Sprintf("the control failed: the key that was planted was not found as %s", role))
		}
	}
	return a.decide(on, Exercised, seen, "no credential was found, and the planted key was")
}

func judgeImageSecrets(in *Input) Result {
	a := account{wanted: "no credential in the image's description", wantedIs: on}
	i := in.Image
	a.declared = fmt.Sprintf("%s, %s, %s of history", plural(len(i.Env), "variable", "variables"), plural(len(i.Labels), "label", "labels"), plural(len(i.History), "line", "lines"))
	var found []string
	add := func(where string, f probe.Finding) {
		text := fmt.Sprintf("%s (%s, %d bytes, hash %s)", strings.TrimSpace(where+" "+f.Name), f.Kind, f.Length, f.Hash)
		if !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	for _, kv := range i.Env {
		name, value, _ := strings.Cut(kv, "=")
		if f, bad := probe.InspectVariable(in.HashKey, name, value); bad {
			add("ENV", f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Labels)) {
		// Labels are full of digests and revisions: that a value looks random says
		// nothing there.
		if f, bad := probe.InspectVariable(in.HashKey, words.Replace(name), i.Labels[name]); bad && f.Kind != probe.RandomLooking {
			f.Name = name
			add("LABEL", f)
		}
	}
	for _, line := range i.History {
		for _, f := range inspectHistory(in.HashKey, line) {
			add("history", f)
		}
	}
	switch {
	case len(found) > 0:
		return a.decide(off, Declared, strings.Join(found, "; "), "the image itself holds "+few(found))
	case i.Directory:
		return a.result(NotApplicable, NoGrade, "", "the image is a directory, which has no description")
	case len(i.Env)+len(i.Labels)+len(i.History) == 0:
		return a.decide(silent, NoGrade, "", "the control failed: the engine reports neither a configuration nor a history")
	}
	return a.decide(on, Declared, a.declared, "nothing of it looks like a credential")
}

// words makes the parts of a label's name words of a variable's.
var words = strings.NewReplacer(".", "_", "-", "_", "/", "_")

// assignment matches NAME=VALUE in a line of an image's history.
var assignment = regexp.MustCompile(`(?:^|[\s|;&])([A-Za-z_][A-Za-z0-9_]*)=("[^"]*"|'[^']*'|[^\s;&|]+)`)

// instruction matches the lines that say a value which stays in the image's
// description: an argument's, which a RUN line repeats after |N, or a variable's.
var instruction = regexp.MustCompile(`^(/bin/sh -c #\(nop\)\s+)?(ARG|ENV|LABEL)\s|\|\d+\s`)

// inspectHistory finds credentials in what a layer says of how it was made. In
// other lines than those of arguments and variables there are digests, against
// which downloads are checked: a random value says nothing there.
func inspectHistory(key []byte, line string) []probe.Finding {
	all := probe.InspectContent(key, line)
	known := map[string]bool{}
	for _, f := range all {
		known[f.Hash] = true
	}
	for _, m := range assignment.FindAllStringSubmatch(line, 200) {
		value := strings.Trim(m[2], `"'`)
		if strings.HasPrefix(value, "$") || strings.HasPrefix(value, "`") {
			continue
		}
		f, bad := probe.InspectVariable(key, m[1], value)
		if bad && !known[f.Hash] && (f.Kind != probe.RandomLooking || instruction.MatchString(line)) {
			known[f.Hash] = true
			all = append(all, f)
		}
	}
	return all
}

func judgeCanary(in *Input) Result {
	d := in.declared()
	a := account{wanted: "nothing of the user's environment and home", wantedIs: on, declared: plural(len(d.Mounts), "mount", "mounts"), declaredIs: on}
	for _, m := range d.Mounts {
		for _, home := range in.Planted.Home {
			if m.Kind == spec.Bind && (m.Source == home || m.Source == "/" || strings.HasPrefix(home, path.Clean(m.Source)+"/")) {
				a.declared, a.declaredIs = m.Source+" at "+m.Target, off
			}
		}
	}
	both, why := in.bothSee("secrets.canary")
	if why != "" {
		return a.unmeasured(why)
	}
	var found, notes, closed []string
	acts := []string{"find a variable in"}
	if len(in.Planted.Home) > 0 {
		acts = append(acts, "find the file in")
	}
	broken := ""
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o := both[role]
		looked := 0
		for _, t := range o.Attempts {
			switch {
			case t.Control:
			case t.OK:
				found = append(found, strings.TrimSpace(string(role)+": "+strings.TrimPrefix(t.Act, "find ")+" "+t.On+" "+t.Note))
			case t.Errno == "ENOENT":
				looked++
			case refused(t.Errno): // whatever is there, it is out of reach
				looked++
				closed = append(closed, fmt.Sprintf("%s may not look into all of %s", role, t.On))
			}
		}
		for _, act := range acts {
			if c, ok := control(o, act); !ok || !c.OK {
				broken = fmt.Sprintf("the control failed: %s %s did not succeed as %s", act, onOff(c.On == "", "this process", c.On), role)
			}
		}
		if looked < len(acts) && broken == "" {
			broken = fmt.Sprintf("nothing was looked for as %s", role)
		}
		notes = append(notes, fmt.Sprintf("%s: %s, %s looked through", role, plural(number(o, "processes"), "environment", "environments"), plural(max(0, looked-1), "mount", "mounts")))
	}
	seen := strings.Join(slices.Concat(notes, closed, found), "; ")
	switch {
	case len(found) > 0:
		return a.decide(off, Exercised, seen, "inside there is "+few(found))
	case broken != "":
		return a.decide(silent, NoGrade, seen, broken)
	case len(in.Planted.Home) == 0:
		return a.decide(on, Declared, seen, "the variable was found nowhere; no file was planted, as "+in.Planted.HomeNote)
	}
	return a.decide(on, Exercised, seen, "neither the variable nor the file was found, and their copies were")
}
